"""Servers set up as the page about an existing server says, word for word."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificate import make_certificate
from tests.support.service import is_whole
from xmppconf.serve.ports import free_ports

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/operating/existing-server.md"
MADE_UP = {
    "COMPONENT-SECRET": secrets.token_urlsafe(24),
    "BRIDGE-PASSWORD": secrets.token_urlsafe(24),
    "FOCUS-PASSWORD": secrets.token_urlsafe(24),
}


def blocks(kind: str, domain: str = "localhost") -> list[str]:
    """The page's code of one language, for a domain and secrets of our own."""
    text = PAGE.read_text().replace("meet.example", domain)
    for placeholder, secret in MADE_UP.items():
        text = text.replace(placeholder, secret)
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def spawn(log: Path, *command: str) -> subprocess.Popen[bytes]:
    """Start a command of this tree; what it says is added to the log."""
    places = [ROOT, ROOT / "bridge", ROOT / "focus", ROOT / "web"]
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))},
        )


@contextmanager
def process(log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    running = spawn(log, *command)
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


Change = Callable[[str], str]
"""What is done to the page's lines before they are used."""


def write_prosody(
    folder: Path, ports: dict[str, int], domain: str, change: Change = str
) -> Path:
    """A server as somebody may have it, with the page's lines in their places."""
    hosts, limits, *_ = map(change, blocks("lua", domain))
    tls = make_certificate(folder, domain)
    federation = 'modules_disabled = { "s2s" }'
    if "server_port" in ports:
        federation = f"s2s_ports = {{ {ports['server_port']} }}"
    own = f"""
data_path = "{folder}/data"
run_as_root = {str(os.geteuid() == 0).lower()}
log = {{ {{ to = "console", levels = {{ min = "warn" }} }} }}
modules_enabled = {{ "disco", "ping", "roster", "saslauth", "tls", "limits", "dialback" }}
{federation}
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


def prosody(
    folder: Path, ports: dict[str, int], domain: str = "localhost", change: Change = str
) -> tuple[str, ...]:
    """Register accounts as the page says; the command that runs the server."""
    config = write_prosody(folder, ports, domain, change)
    *register, check = change(blocks("sh", domain)[0]).splitlines()
    tool = ["prosodyctl", "--root", "--config", str(config)]
    for line in (*register, check.partition("&&")[0]):
        done = subprocess.run(  # noqa: S603
            [*tool, *line.split()[1:]],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return "prosody", "--config", str(config), "-F"


def ejabberd(
    folder: Path, ports: dict[str, int], domain: str = "localhost", change: Change = str
) -> tuple[str, ...]:
    """The same."""
    yaml = change(blocks("yaml", domain)[0])
    for name, usual in (
        ("client_port", "5222"),
        ("component_port", "5347"),
        ("http_port", "5280"),
    ):
        yaml = yaml.replace(f"port: {usual}", f"port: {ports[name]}")
    *register, _ = change(blocks("sh", domain)[1]).splitlines()
    accounts = [line.split()[2:] for line in register]
    return run_ejabberd(folder, yaml, *((user, host, pw) for user, host, pw in accounts))


def run_ejabberd(
    folder: Path, yaml: str, *accounts: tuple[str, str, str]
) -> tuple[str, ...]:
    """A command without `ejabberdctl`, which needs root and leaves a daemon behind."""
    config = folder / "ejabberd.yml"
    config.write_text(yaml)
    library = next(Path("/usr/lib").glob("*/ejabberd-*/ebin")).parents[1]
    register = "".join(
        f'ok = ejabberd_auth:try_register(<<"{user}">>, <<"{host}">>, <<"{password}">>), '
        for user, host, password in accounts
    )
    return (
        *("env", f"ERL_LIBS={library}", "erl", "-noinput", "-start_epmd", "false"),
        *("-mnesia", "dir", f'"{folder}/mnesia"'),
        *("-ejabberd", "config", f'"{config}"', "log_path", f'"{folder}/ejabberd.log"'),
        *("-s", "ejabberd", "-eval", f"ejabberd:start_app(ejabberd), {register}ok."),
    )


Server = Callable[[Path, dict[str, int], str], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is written for a service that somebody runs part by part."""

    settings_file: Path
    commands: dict[str, tuple[str, ...]]
    """How to run `server`, `focus`, `bridge` and `web`."""
    ports: dict[str, int]

    def is_whole(self) -> bool:
        """Whether every part says that it is well, and the focus has a bridge."""
        return is_whole(self.settings_file)


def prepare(
    folder: Path,
    server: Server,
    domain: str = "localhost",
    *,
    more: str = "",
    server_port: int = 0,
    through: Mapping[str, int] | None = None,
    change: Change = str,
) -> Prepared:
    """Write the files as the page says, with `more` at the end of the settings.

    `through` has other ports by which our parts reach the server; `change` is done to the
    settings first.
    """
    names = ("client_port", "component_port", "http_port")
    *xmpp_ports, focus, bridge, web, udp = free_ports(7)
    ports = dict(zip(names, xmpp_ports, strict=True))
    if server_port:
        ports["server_port"] = server_port
    reached = ports | dict(through or {})
    toml = change(blocks("toml", domain)[0])
    for name in names:
        toml = toml.replace(f"{name} = 5", f"{name} = {reached[name]} # 5", 1)
    for before, after in (
        ("8888", str(focus)),
        ("8889", str(bridge)),
        ("port = 8080", f"port = {web}"),
        ("[bridge]", f"[bridge]\nudp_port = {udp}"),
        (f"https://{domain}", f"http://localhost:{web}"),
        (f"wss://{domain}", f"ws://localhost:{web}"),
    ):
        toml = toml.replace(before, after)
    given = dict(ports)
    if "component_port" not in toml:
        del ports["component_port"]
    path = folder / "xmppconf.toml"
    path.touch(mode=0o600)
    path.write_text(toml + more)
    commands = {"server": server(folder, given, domain)}
    for part in ("focus", "bridge", "web"):
        command = (sys.executable, "-m", "xmppconf", part, "--config", str(path))
        commands[part] = command
    return Prepared(path, commands, ports)


@contextmanager
def existing_service(prepared: Prepared) -> Iterator[Path]:
    """The server and our parts beside it; the settings file."""
    folder = prepared.settings_file.parent
    with ExitStack() as stack:
        for part, command in prepared.commands.items():
            stack.enter_context(process(folder / f"{part}.log", *command))
        deadline = time.monotonic() + 60
        while not all(map(answers, prepared.ports.values())) or not prepared.is_whole():
            assert time.monotonic() < deadline, (folder / "bridge.log").read_text()
            time.sleep(0.1)
        yield prepared.settings_file
