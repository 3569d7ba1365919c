"""`xmppconf serve` as one command: everything comes up, comes back, and goes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.service import is_whole
from xmppconf.serve.ports import free_ports

ROOT = Path(__file__).parents[2]
START_TIMEOUT = (
    60.0  # seconds, on a machine that is busy with builds; a quiet one takes two
)

pytestmark = [pytest.mark.stack, pytest.mark.timeout(150)]


@dataclass(frozen=True, slots=True)
class Service:
    process: subprocess.Popen[str]
    url: str
    state: Path
    log: Path

    def children(self) -> dict[str, int]:
        """Name to process id."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                words = (entry / "cmdline").read_text().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self.process.pid:
                known = {"focus", "bridge", "web"} & set(words)
                found[known.pop() if known else "prosody"] = int(entry.name)
        return found

    def is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}health", timeout=3) as answer:  # noqa: S310
                return bool(json.load(answer)["healthy"])
        except OSError:
            return False


def command(state: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "xmppconf", "serve", "--state", str(state), *more]


@contextmanager
def service(folder: Path) -> Iterator[Service]:
    tcp, udp = free_ports(2)
    state, log = folder / "state", folder / "log"
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603
            command(state, "--port", str(tcp), "--udp-port", str(udp)),
            cwd=ROOT,
            env={**os.environ, "XDG_CONFIG_HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    try:
        os.set_blocking(process.stdout.fileno(), False)
        deadline = time.monotonic() + START_TIMEOUT
        while not (line := process.stdout.readline()):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        assert line.startswith("Ready: ")
        yield Service(process, line.removeprefix("Ready: ").strip(), state, log)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("serve")) as started:
        yield started


def wait_until_healthy(running: Service) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not is_whole(running.state / "run.toml"):
        assert time.monotonic() < deadline, running.log.read_text()
        time.sleep(0.1)


def test_everything_is_up_when_the_url_is_printed(running: Service) -> None:
    assert running.is_healthy()
    assert set(running.children()) == {"prosody", "focus", "bridge", "web"}
    with urllib.request.urlopen(f"{running.url}config.js", timeout=3) as answer:  # noqa: S310
        assert b"guest.localhost" in answer.read()


def test_no_tcp_port_is_open_to_others(running: Service) -> None:
    """For the domain localhost not even the gateway does."""
    ids = {str(pid) for pid in running.children().values()}
    listening = subprocess.run(
        ["ss", "-Htlnp"],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    ours = [
        line.split()
        for line in listening.splitlines()
        if any(f"pid={i}," in line for i in ids)
    ]
    assert len(ours) >= 6
    for line in ours:
        assert line[3].rpartition(":")[0] in ("127.0.0.1", "[::1]"), line


def test_what_is_written_is_private(running: Service) -> None:
    for path in (running.state, *running.state.rglob("*")):
        if path.is_file() and path.name != "lock":
            assert path.stat().st_mode & 0o077 == 0, path
    assert running.state.stat().st_mode & 0o777 == 0o700
    settings = tomllib.loads((running.state / "run.toml").read_text())
    log = running.log.read_text()
    assert settings["focus"]["component_secret"] not in log
    assert settings["bridge"]["password"] not in log


def test_the_doctor_finds_it_well(running: Service) -> None:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "xmppconf", "doctor", "--state", str(running.state)],
        cwd=ROOT,
        env={**os.environ, "XDG_CONFIG_HOME": str(running.state)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "of the bridge receives" in done.stdout
    assert "XMPP server accepts" in done.stdout


def test_a_second_service_on_the_folder_refuses(running: Service) -> None:
    tcp, udp = free_ports(2)
    done = subprocess.run(  # noqa: S603
        command(running.state, "--port", str(tcp), "--udp-port", str(udp)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert done.returncode != 0
    assert "another xmppconf serve runs on" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert running.is_healthy()


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_a_taken_port_is_one_sentence(tmp_path: Path, kind: str) -> None:
    tcp, udp = free_ports(2)
    family = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, family) as taken:
        taken.bind(("127.0.0.1", tcp if kind == "tcp" else udp))
        if kind == "tcp":
            taken.listen()
        done = subprocess.run(  # noqa: S603
            command(tmp_path / "state", "--port", str(tcp), "--udp-port", str(udp)),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    assert done.returncode != 0
    assert "is taken by another program" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "state").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["focus", "web", "bridge", "prosody"])
def test_a_killed_part_comes_back(running: Service, name: str) -> None:
    wait_until_healthy(running)
    old = running.children()[name]
    os.kill(old, signal.SIGKILL)
    deadline = time.monotonic() + START_TIMEOUT
    while running.children().get(name, old) == old:
        assert time.monotonic() < deadline, running.log.read_text()
        time.sleep(0.05)
    wait_until_healthy(running)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_in_time(tmp_path: Path, number: signal.Signals) -> None:
    with service(tmp_path) as started:
        children = started.children()
        assert len(children) == 4
        began = time.monotonic()
        started.process.send_signal(number)
        assert started.process.wait(10) == 0
        assert time.monotonic() - began < 5.0
        assert not [pid for pid in children.values() if Path(f"/proc/{pid}").exists()]
        assert not (started.state / "run.toml").exists()
