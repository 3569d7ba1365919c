"""What the page about an existing server says, word for word, and then a call on it."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.certificate import make_certificate
from tests.support.peer import peers
from tests.support.rtc_peer import Colour, use_loopback
from xmppconf.config import Settings
from xmppconf.config_file import load
from xmppconf.serve.ports import free_ports

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/operating/existing-server.md"
RED: Colour = (200, 30, 30)
BLUE: Colour = (30, 60, 210)
MADE_UP = {
    "COMPONENT-SECRET": secrets.token_urlsafe(24),
    "BRIDGE-PASSWORD": secrets.token_urlsafe(24),
}

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(150)]


def blocks(kind: str) -> list[str]:
    """The page's code of one language, for this machine's domain and secrets of our own."""
    text = PAGE.read_text().replace("meet.example", "localhost")
    for placeholder, secret in MADE_UP.items():
        text = text.replace(placeholder, secret)
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@contextmanager
def process(log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    places = [ROOT, ROOT / "bridge", ROOT / "focus", ROOT / "web"]
    with log.open("wb") as output:
        running = subprocess.Popen(  # noqa: S603
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))},
        )
        try:
            yield running
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(10)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def write_prosody(folder: Path, ports: dict[str, int]) -> Path:
    """A server as somebody may have it, with the page's lines in their places."""
    hosts, limits, *_ = blocks("lua")
    tls = make_certificate(folder, "localhost")
    own = f"""
data_path = "{folder}/data"
run_as_root = {str(os.geteuid() == 0).lower()}
log = {{ {{ to = "console", levels = {{ min = "warn" }} }} }}
modules_enabled = {{ "disco", "ping", "roster", "saslauth", "tls", "limits" }}
modules_disabled = {{ "s2s" }}
c2s_require_encryption = false
c2s_ports = {{ {ports["client_port"]} }}
c2s_direct_tls_ports = {{}}
component_ports = {{ {ports["component_port"]} }}
http_ports = {{ {ports["http_port"]} }}
https_ports = {{}}
interfaces = {{ "127.0.0.1" }}
ssl = {{ certificate = "{tls["tls_certificate"]}", key = "{tls["tls_key"]}" }}
"""
    config = folder / "prosody.cfg.lua"
    (folder / "data").mkdir()
    (folder / "certs").mkdir()
    config.write_text(own + limits + hosts)
    return config


def prosody(folder: Path, ports: dict[str, int]) -> tuple[str, ...]:
    """Register the bridge as the page says; the command that runs the server."""
    config = write_prosody(folder, ports)
    [register, check] = blocks("sh")[0].splitlines()
    tool = ["prosodyctl", "--root", "--config", str(config)]
    for line in (register, check.partition("&&")[0]):
        done = subprocess.run(  # noqa: S603
            [*tool, *line.split()[1:]],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return "prosody", "--config", str(config), "-F"


def ejabberd(folder: Path, ports: dict[str, int]) -> tuple[str, ...]:
    """The same.  Run without `ejabberdctl`, which needs root and leaves a daemon behind."""
    [yaml] = blocks("yaml")
    for name, usual in (
        ("client_port", "5222"),
        ("component_port", "5347"),
        ("http_port", "5280"),
    ):
        yaml = yaml.replace(f"port: {usual}", f"port: {ports[name]}")
    config = folder / "ejabberd.yml"
    config.write_text(yaml)
    [_, user, host, password] = blocks("sh")[1].splitlines()[0].split()[1:]
    library = next(Path("/usr/lib").glob("*/ejabberd-*/ebin")).parents[1]
    register = f'ejabberd_auth:try_register(<<"{user}">>, <<"{host}">>, <<"{password}">>)'
    return (
        *("env", f"ERL_LIBS={library}", "erl", "-noinput", "-start_epmd", "false"),
        *("-mnesia", "dir", f'"{folder}/mnesia"'),
        *("-ejabberd", "config", f'"{config}"', "log_path", f'"{folder}/ejabberd.log"'),
        *("-s", "ejabberd", "-eval", f"ejabberd:start_app(ejabberd), ok = {register}."),
    )


@pytest.fixture(scope="module", params=[prosody, ejabberd])
def settings_file(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("existing")
    names = ("client_port", "component_port", "http_port")
    *xmpp_ports, focus, bridge, web, udp = free_ports(7)
    ports = dict(zip(names, xmpp_ports, strict=True))
    [toml] = blocks("toml")
    for name, port in ports.items():
        toml = toml.replace(f"{name} = 5", f"{name} = {port} # 5", 1)
    for before, after in (
        ("8888", str(focus)),
        ("8889", str(bridge)),
        ("port = 8080", f"port = {web}"),
        ("[bridge]", f"[bridge]\nudp_port = {udp}"),
        ("https://localhost", f"http://localhost:{web}"),
        ("wss://localhost", f"ws://localhost:{web}"),
    ):
        toml = toml.replace(before, after)
    path = folder / "xmppconf.toml"
    path.touch(mode=0o600)
    path.write_text(toml)

    with ExitStack() as stack:
        stack.enter_context(process(folder / "server.log", *request.param(folder, ports)))
        for part in ("focus", "bridge", "web"):
            log = folder / f"{part}.log"
            stack.enter_context(
                process(log, sys.executable, "-m", "xmppconf", part, "--config", str(path))
            )
        deadline = time.monotonic() + 60
        while not all(map(answers, (*xmpp_ports, focus, bridge, web))):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        while "announced in the brewery" not in (folder / "bridge.log").read_text():
            assert time.monotonic() < deadline, (folder / "bridge.log").read_text()
            time.sleep(0.1)
        yield path


@pytest.fixture(scope="module")
def settings(settings_file: Path) -> Settings:
    return load(settings_file)


async def test_people_talk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use_loopback(monkeypatch)
    people = [(secrets.token_hex(4), RED, 440.0), (secrets.token_hex(4), BLUE, 880.0)]
    async with peers(settings, "tea", *people) as (ann, ben), asyncio.timeout(30):
        await ben.media.see(RED)
        await ann.media.see(BLUE)
        await ann.media.listen(880)


def test_the_doctor_finds_it_well(settings_file: Path, tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-m", "xmppconf", "doctor"),
            *("--config", str(settings_file), "--state", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "XMPP server accepts" in done.stdout, done.stdout
    assert done.returncode == 0, done.stdout
