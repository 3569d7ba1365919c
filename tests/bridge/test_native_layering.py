"""Where native code may be unsafe, and which of its modules know Python or sockets."""

import re
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "bridge" / "native" / "src"

PYTHON = {
    "python.rs",
    "media_python.rs",
    "load_python.rs",
    "srtp_python.rs",
    "tap_python.rs",
}
FILES = sorted(SOURCES.rglob("*.rs"))


def code(path: Path) -> str:
    """The file without comments."""
    return re.sub(r"//[^\n]*", "", path.read_text())


def test_unsafe_code_is_denied_at_the_root() -> None:
    assert "#![deny(unsafe_code)]" in code(SOURCES / "lib.rs")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCES)))
def test_each_module_keeps_to_its_layer(path: Path) -> None:
    name = path.relative_to(SOURCES).as_posix()
    text = code(path)
    is_socket = name == "socket.rs" or name.startswith("socket/")
    if not is_socket:
        assert not re.search(r"\bunsafe\b", text)
    if name != "socket.rs":
        assert "allow(unsafe_code)" not in text
    if name not in PYTHON:
        assert "pyo3" not in text
    outside = {"engine.rs", "engine/shared.rs", "worker.rs", "clock.rs"}
    if not is_socket and name not in outside:
        assert not re.search(r"\b(UdpSocket|rustix|libc)\b|std::thread|Instant::now", text)
