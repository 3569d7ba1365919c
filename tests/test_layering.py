"""The layers, walked with `ast`: who may import what, and what a module owes its reader."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "xmppconf": ROOT / "xmppconf",
    "xmppconf_bridge": ROOT / "bridge" / "xmppconf_bridge",
    "xmppconf_focus": ROOT / "focus" / "xmppconf_focus",
    "xmppconf_web": ROOT / "web" / "xmppconf_web",
}
COMPONENTS = {"xmppconf_bridge", "xmppconf_focus", "xmppconf_web"}

#: What a module of protocol state may not know: the time, chance, sockets, an event loop.
IMPURE = {
    "aiohttp", "asyncio", "random", "select", "slixmpp", "socket", "ssl", "threading",
    "time", "uvloop",
}  # fmt: skip
#: The stream is I/O by nature; the time still comes from `xmppconf.clock`.
XMPP_MAY = {"asyncio", "random", "slixmpp", "socket", "ssl"}
IMPURE_PARTS = {
    "io", "serve", "app", "__main__", "clock", "driver", "cli", "member_cli", "operate_cli",
}  # fmt: skip

#: The one module for each concern of the native code that may import it.
ENGINE = "xmppconf_bridge._native"
ENGINE_IMPORTERS = {"xmppconf_bridge.engine", "xmppconf_bridge.generator.native"}
MAX_LINES = 500


def modules() -> Iterator[tuple[str, Path]]:
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            inner = path.relative_to(folder).with_suffix("")
            yield ".".join([package, *inner.parts]), path


MODULES = dict(modules())


def imports(source: str) -> set[str]:
    """Absolute names of everything a source imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def complaints(module: str, source: str) -> list[str]:
    """What this module does that its layer may not."""
    names = imports(source)
    tops = {name.partition(".")[0] for name in names}
    package = module.partition(".")[0]
    parts = set(module.split("."))
    found = []
    if others := tops & COMPONENTS - {package}:
        found.append(f"imports a component: {sorted(others)}")
    if any(name.startswith(".") for name in names):
        found.append("has a relative import")
    may_do_io = bool(parts & IMPURE_PARTS)
    speaks_xmpp = module.startswith("xmppconf.xmpp")
    impure = tops & IMPURE - (XMPP_MAY if speaks_xmpp else set())
    if impure and not may_do_io:
        found.append(f"is not pure: {sorted(impure)}")
    if not may_do_io and any(
        name.startswith(f"{package}.") and IMPURE_PARTS & set(name.split("."))
        for name in names
        if package in COMPONENTS
    ):
        found.append("a machine imports an adapter")
    if tops & {"aiortc", "aioice"} and module not in AIORTC_SCTP_ONLY:
        found.append("aiortc and aioice stay on the other end")
    native = any(name.startswith(ENGINE) for name in names)
    if native and module not in ENGINE_IMPORTERS:
        found.append(f"only {sorted(ENGINE_IMPORTERS)} may: imports the engine")
    if source.strip() and ast.get_docstring(ast.parse(source)) is None:
        found.append("says nothing in its docstring")
    if source.count("\n") > MAX_LINES:
        found.append(f"is longer than {MAX_LINES} lines")
    return found


#: aiortc's SCTP, fed only with what came out of an authenticated DTLS connection.
AIORTC_SCTP_ONLY = {"xmppconf_bridge.io.sctp", "xmppconf_bridge.io.data_channel"}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_keeps_to_its_layer(module: str) -> None:
    assert complaints(module, MODULES[module].read_text()) == []


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("xmppconf.media", "import xmppconf_focus.app", "imports a component"),
        ("xmppconf_web.app", "from xmppconf_bridge import x", "imports a component"),
        ("xmppconf_focus.conference", "def f():\n    import time", "is not pure"),
        (
            "xmppconf_focus.conference",
            "from xmppconf_focus.io import x",
            "imports an adapter",
        ),
        ("xmppconf_bridge.ice", "from . import stun", "relative"),
        ("xmppconf_bridge.io.edge", "import aiortc", "stay on the other end"),
        (
            "xmppconf_bridge.app",
            "from xmppconf_bridge import _native",
            "imports the engine",
        ),
        ("xmppconf.media", "x = 1", "docstring"),
        ("xmppconf.media", '"""A."""\n' + "\n" * 800, "longer"),
    ],
)
def test_what_the_walk_finds(module: str, source: str, complaint: str) -> None:
    assert any(complaint in found for found in complaints(module, source))


def test_pure_modules_and_adapters_pass() -> None:
    assert (
        complaints("xmppconf_focus.io.stanzas", '"""A."""\nimport asyncio, slixmpp') == []
    )
    assert complaints("xmppconf_focus.room", '"""A."""\nfrom xmppconf.ids import x') == []
    assert len(MODULES) > 5
