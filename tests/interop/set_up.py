"""Our server set-up, bridge and gateway with a stock Jicofo in the place of our focus."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.service import ROOT
from xmppconf.config import Names, Settings
from xmppconf.config_file import to_toml
from xmppconf.serve import prosody
from xmppconf.serve.ports import free_ports
from xmppconf.serve.state import write_private

PASSWORD = "stock-focus-password"
START_TIMEOUT = 60.0  # seconds

#: Jicofo's settings (HOCON); it is a client of the server, with an account of its own.
CONFIGURATION = """
jicofo {{
  bridge {{
    brewery-jid = "{brewery}"
    xmpp-connection-name = Client
  }}
  conference.enable-auto-owner = true
  xmpp.client {{
    hostname = "127.0.0.1"
    port = {client_port}
    domain = "{accounts}"
    xmpp-domain = "{domain}"
    username = "focus"
    password = "{password}"
    conference-muc-jid = "{rooms}"
    disable-certificate-verification = true
    use-tls = false
  }}
  rest.port = {focus_port}
}}
"""


@dataclass(frozen=True, slots=True)
class StockFocus:
    """What runs: where people go, and the logs."""

    url: str
    settings: Settings
    folder: Path

    def log(self, part: str) -> str:
        return (self.folder / f"{part}.log").read_text(errors="replace")


@contextmanager
def running(home: Path, folder: Path) -> Iterator[StockFocus]:
    """Start Prosody, bridge, gateway and the Jicofo unpacked in `home`; end them all."""
    web_port, bridge_port, focus_port, client, http, udp = free_ports(6)
    plain = Settings()
    settings = replace(
        plain,
        xmpp=replace(
            plain.xmpp,
            client_port=client,
            http_port=http,
            # A stock focus does not answer for services: the server does.
            services_domain=plain.domain,
        ),
        focus=replace(
            plain.focus,
            account=f"focus@{Names.of(plain).accounts}",
            password=PASSWORD,
            http_port=focus_port,
        ),
        bridge=replace(
            plain.bridge, password="bridge-password", udp_port=udp, http_port=bridge_port
        ),
        web=replace(
            plain.web,
            port=web_port,
            focus_url=f"http://127.0.0.1:{focus_port}",
            bridges={plain.bridge.id: f"http://127.0.0.1:{bridge_port}"},
            origins=("*",),
        ),
    )
    names = Names.of(settings)
    run_file = folder / "run.toml"
    write_private(run_file, to_toml(settings, secrets=True))
    files = prosody.Files(folder / "prosody")
    prosody.write(settings, files)
    stock = folder / "jicofo.conf"
    stock.write_text(
        CONFIGURATION.format(
            brewery=f"{settings.bridge.brewery}@{names.internal}",
            client_port=client,
            accounts=names.accounts,
            domain=settings.domain,
            password=PASSWORD,
            rooms=names.rooms,
            focus_port=focus_port,
        )
    )
    places = [ROOT, ROOT / "bridge", ROOT / "focus", ROOT / "web"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}
    python = [sys.executable, "-m", "xmppconf"]
    with contextlib.ExitStack() as stack:

        def start(name: str, command: list[str]) -> None:
            output = stack.enter_context((folder / f"{name}.log").open("wb"))
            process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=folder,
            )
            stack.callback(_end, process)

        start("prosody", files.command)
        _wait_for(f"http://127.0.0.1:{http}/xmpp-websocket")
        start("bridge", [*python, "bridge", "--config", str(run_file)])
        start("web", [*python, "web", "--config", str(run_file)])
        start(
            "jicofo",
            [
                "java",
                f"-Dconfig.file={stock}",
                "-Xmx512m",
                "-cp",
                f"{home}/*:{home}/lib/*",
                "org.jitsi.jicofo.Main",
            ],
        )
        _wait_for(f"http://127.0.0.1:{focus_port}/about/health")
        _wait_for(f"http://localhost:{web_port}/")
        yield StockFocus(f"http://localhost:{web_port}/", settings, folder)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310
            return
        except urllib.error.HTTPError as answer:
            if answer.code < 500 or time.monotonic() > deadline:
                return
        except (OSError, urllib.error.URLError):
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
