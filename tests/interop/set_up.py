"""Our set-up with a stock focus instead of ours, a stock bridge beside ours, or both."""

from __future__ import annotations

import contextlib
import json
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
from typing import Any

from tests.support.service import ROOT
from xmppconf.config import Settings
from xmppconf.config_file import to_toml
from xmppconf.names import Names
from xmppconf.serve import prosody
from xmppconf.serve.ports import free_ports
from xmppconf.serve.state import write_private

PASSWORD = "stock-password"
START_TIMEOUT = 60.0  # seconds
#: A JVM compiles less, and is there sooner.
QUICK_START = "-XX:TieredStopAtLevel=1"

#: The stock bridge's name, as our `bridge.id` is ours.
STOCK_BRIDGE = "jvb"
#: Where its media are: it does not use loopback.
ADDRESS = "198.18.0.1"


@dataclass(frozen=True, slots=True)
class Running:
    """What runs: where people go, the processes by name, and their logs."""

    url: str
    settings: Settings
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]]
    stock_bridge: str = ""
    """Base URL of the stock bridge's figures."""

    def log(self, part: str) -> str:
        return (self.folder / f"{part}.log").read_text(errors="replace")

    def stock_endpoints(self) -> int:
        """How many participants the stock bridge has."""
        return int(_figure(f"{self.stock_bridge}/metrics", "jitsi_jvb_local_endpoints"))


@contextmanager
def running(
    folder: Path, *, jicofo: Path | None = None, jvb: Path | None = None
) -> Iterator[Running]:
    """Start Prosody, our bridge and gateway, a focus and what is asked for; end them all.

    `jicofo` and `jvb` are folders of builds.
    """
    web, bridge, focus, client, component, http, udp, private, public, udp2 = free_ports(10)
    plain = Settings()
    names = Names.of(plain)
    bridges = {plain.bridge.id: f"http://127.0.0.1:{bridge}"}
    if jvb is not None:
        bridges[STOCK_BRIDGE] = f"http://127.0.0.1:{public}"
    settings = replace(
        plain,
        xmpp=replace(
            plain.xmpp,
            client_port=client,
            component_port=component,
            http_port=http,
            # A stock focus does not answer for services: the server does.
            services_domain=plain.domain if jicofo else "",
            more_bridges={STOCK_BRIDGE: PASSWORD} if jvb else {},
        ),
        focus=replace(
            plain.focus,
            account=f"focus@{names.accounts}" if jicofo else "",
            password=PASSWORD if jicofo else "",
            component_secret="" if jicofo else "component-secret",
            http_port=focus,
            bridge_strategy="split",
            mixed_bridges=True,
        ),
        bridge=replace(
            plain.bridge,
            password="bridge-password",
            udp_port=udp,
            udp_addresses=(ADDRESS,) if jvb else (),
            http_port=bridge,
        ),
        web=replace(
            plain.web,
            port=web,
            focus_url=f"http://127.0.0.1:{focus}",
            bridges=bridges,
            origins=("*",),
        ),
    )
    run_file = folder / "run.toml"
    write_private(run_file, to_toml(settings, secrets=True))
    files = prosody.Files(folder / "prosody")
    prosody.write(settings, files)
    places = [ROOT, ROOT / "bridge", ROOT / "focus", ROOT / "web"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}
    python = [sys.executable, "-m", "xmppconf"]
    processes: dict[str, subprocess.Popen[bytes]] = {}
    with contextlib.ExitStack() as stack:

        def start(name: str, *command: str, **more: str) -> None:
            output = stack.enter_context((folder / f"{name}.log").open("wb"))
            processes[name] = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**environment, **more},
                cwd=folder,
            )
            stack.callback(_end, processes[name])

        start("prosody", *files.command)
        _wait_for(f"http://127.0.0.1:{http}/xmpp-websocket")
        start("bridge", *python, "bridge", "--config", str(run_file))
        start("web", *python, "web", "--config", str(run_file))
        if jvb is not None:
            config = folder / "jvb.conf"  # JSON is HOCON
            config.write_text(json.dumps(_jvb(settings, private, public, udp2)))
            start(
                *("jvb", "bash", str(jvb / "jvb.sh")),
                JAVA_SYS_PROPS=f"-Dconfig.file={config} {QUICK_START}",
                VIDEOBRIDGE_MAX_MEMORY="512m",
            )
            _wait_for(f"http://127.0.0.1:{private}/about/health")
        if jicofo is None:
            start("focus", *python, "focus", "--config", str(run_file))
        else:
            config = folder / "jicofo.conf"
            config.write_text(json.dumps(_jicofo(settings, octo=jvb is not None)))
            place = f"{jicofo}/*:{jicofo}/lib/*"
            start(
                *("jicofo", "java", f"-Dconfig.file={config}", "-Xmx512m", QUICK_START),
                *("-cp", place, "org.jitsi.jicofo.Main"),
            )
        _wait_for(f"http://127.0.0.1:{focus}/about/health")
        _wait_for(f"http://localhost:{web}/")
        count = (
            "jitsi_jicofo_bridge_selector_bridge_count_operational"
            if jicofo
            else ("xmppconf_focus_bridges_usable")
        )
        deadline = time.monotonic() + START_TIMEOUT
        while _figure(f"http://127.0.0.1:{focus}/metrics", count) < len(bridges):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield Running(
            f"http://localhost:{web}/",
            settings,
            folder,
            processes,
            f"http://127.0.0.1:{private}",
        )


def _jicofo(settings: Settings, *, octo: bool) -> dict[str, Any]:
    """Its settings; it is a client of the server, with an account of its own."""
    names = Names.of(settings)
    bridge: dict[str, Any] = {
        "brewery-jid": f"{settings.bridge.brewery}@{names.internal}",
        "xmpp-connection-name": "Client",
    }
    if octo:
        bridge["selection-strategy"] = "SplitBridgeSelectionStrategy"
    client = {
        "hostname": "127.0.0.1",
        "port": settings.xmpp.client_port,
        "domain": names.accounts,
        "xmpp-domain": settings.domain,
        "username": "focus",
        "password": PASSWORD,
        "conference-muc-jid": names.rooms,
        "disable-certificate-verification": True,
        "use-tls": False,
    }
    return {
        "jicofo": {
            "bridge": bridge,
            "conference": {"enable-auto-owner": True},
            "octo": {"enabled": octo, "allow-mixed-versions": octo},
            "xmpp": {"client": client},
            "rest": {"port": settings.focus.http_port},
        }
    }


def _jvb(settings: Settings, private: int, public: int, udp: int) -> dict[str, Any]:
    """Its settings: an account as our bridge's, and links to other bridges."""
    names = Names.of(settings)
    account = {
        "HOSTNAME": "127.0.0.1",
        "PORT": str(settings.xmpp.client_port),
        "DOMAIN": names.accounts,
        "USERNAME": STOCK_BRIDGE,
        "PASSWORD": PASSWORD,
        "MUC_JIDS": f"{settings.bridge.brewery}@{names.internal}",
        "MUC_NICKNAME": STOCK_BRIDGE,
        "SECURITY_MODE": "disabled",
    }
    return {
        "videobridge": {
            "apis": {"xmpp-client": {"configs": {"server": account}}},
            "relay": {"enabled": True, "region": "here", "relay-id": STOCK_BRIDGE},
            "http-servers": {
                "private": {"host": "127.0.0.1", "port": private},
                "public": {"host": "127.0.0.1", "port": public},
            },
            "websockets": {
                "enabled": True,
                "server-id": STOCK_BRIDGE,
                "domains": [f"localhost:{settings.web.port}"],
                "relay-domains": [f"127.0.0.1:{public}"],
                "tls": False,
            },
            "ice": {"udp": {"port": udp}},
        },
        "ice4j": {
            "harvest": {
                "allowed-addresses": [ADDRESS],
                "use-ipv6": False,
                "mapping": {"aws": {"enabled": False}},
            }
        },
    }


def _wait_for_bridges(focus: int, number: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    counts = (
        "xmppconf_focus_bridges_usable",
        "jitsi_jicofo_bridge_selector_bridge_count_operational",
    )
    while not any(
        _figure(f"http://127.0.0.1:{focus}/metrics", count) == number for count in counts
    ):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _figure(url: str, name: str) -> float:
    """One of what a part counts; 0 if it does not."""
    # A stock bridge fails without this header.
    request = urllib.request.Request(url, headers={"Accept": "text/plain"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=5) as page:  # noqa: S310
        for line in page.read().decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
    return 0.0


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
