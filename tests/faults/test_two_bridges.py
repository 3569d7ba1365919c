"""Our focus over two bridges: one conference on both, and what happens when one dies."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.caller import call, talking
from tests.faults.figure import RUNS, since
from tests.support.rtc_peer import use_loopback
from tests.support.service import ROOT, Service, running_service
from xmppconf.config_file import to_toml
from xmppconf.serve.ports import free_ports

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(150)]

STILL = 10.0  # seconds
PATIENCE = 40.0  # seconds, on a machine that is busy with builds


@contextmanager
def two_bridges(folder: Path, strategy: str) -> Iterator[tuple[Service, int, int]]:
    """A service with a second bridge beside it; that bridge's process id and HTTP port."""
    password = secrets.token_urlsafe(16)
    settings = f"""
[xmpp]
more_bridges = {{ bridge-2 = "{password}" }}
[focus]
bridge_strategy = "{strategy}"
"""
    with running_service(folder, settings=settings) as service:
        udp, http = free_ports(2)
        bridge = replace(
            service.settings.bridge,
            id="bridge-2",
            password=password,
            udp_port=udp,
            http_port=http,
            websocket_base="",
        )
        config = folder / "bridge-2.toml"
        config.touch(mode=0o600)
        config.write_text(to_toml(replace(service.settings, bridge=bridge), secrets=True))
        places = [ROOT, ROOT / "bridge", ROOT / "focus", ROOT / "web"]
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "xmppconf", "bridge", "--config", str(config)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))},
        )
        try:
            _wait_for_both(service)
            yield service, process.pid, http
        finally:
            process.terminate()
            process.wait(10)


def _wait_for_both(service: Service) -> None:
    deadline = time.monotonic() + PATIENCE
    while "xmppconf_focus_bridges_usable 2.0" not in service.page("focus", "/metrics"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def endpoints(port: int) -> int:
    """How many participants a bridge has."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        for line in page.read().decode().splitlines():
            if line.startswith("jitsi_jvb_local_endpoints "):
                return int(float(line.split()[1]))
    raise KeyError(port)


@pytest.fixture(autouse=True)
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    use_loopback(monkeypatch)


@pytest.mark.parametrize("run", RUNS)
async def test_people_on_different_bridges_talk_and_one_bridge_may_die(
    tmp_path: Path, run: int
) -> None:
    with two_bridges(tmp_path, "split") as (service, second, _):
        async with call(service.settings, "split") as (ann, ben):
            assert (ann.sessions, ben.sessions) == (1, 1)
            os.kill(second, signal.SIGKILL)
            began = time.monotonic()
            moved = [asyncio.create_task(person.in_session(2)) for person in (ann, ben)]
            await asyncio.wait(moved, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
            for task in moved:
                task.cancel()
            await talking(ann, ben, session=1, within=PATIENCE)
            since(
                "F2 one of two",
                "one of two bridges killed, talking again after",
                began,
                "≤ 3",
            )
            # Only who was on it is invited again.
            assert sorted((ann.sessions, ben.sessions)) == [1, 2]


@pytest.mark.parametrize("run", RUNS)
async def test_a_spare_bridge_takes_over(tmp_path: Path, run: int) -> None:
    with two_bridges(tmp_path, "overload") as (service, second, _):
        async with call(service.settings, "spare") as (ann, ben):
            first = service.children()["bridge"]
            on_first = endpoints(service.settings.bridge.http_port) == 2
            os.kill(first if on_first else second, signal.SIGKILL)
            began = time.monotonic()
            await talking(ann, ben, session=2, within=PATIENCE)
            since("F2 spare", "bridge killed, talking on the spare after", began, "≤ 3")
            assert (ann.sessions, ben.sessions) == (2, 2)


@pytest.mark.parametrize("run", RUNS)
async def test_a_bridge_that_stood_still_serves_nobody_whom_another_serves(
    tmp_path: Path, run: int
) -> None:
    with two_bridges(tmp_path, "overload") as (service, second, port):
        async with call(service.settings, "still") as (ann, ben):
            first = service.children()["bridge"]
            on_first = endpoints(service.settings.bridge.http_port) == 2
            pid = first if on_first else second
            os.kill(pid, signal.SIGSTOP)
            began = time.monotonic()
            await asyncio.sleep(STILL)
            os.kill(pid, signal.SIGCONT)
            await talking(ann, ben, session=1, within=PATIENCE)
            since(
                "F4 talking", "bridge stopped for 10 s, talking again after", began, "≤ 15"
            )
            # Whichever it was judged, gone or back: one bridge has both.
            ports = (service.settings.bridge.http_port, port)
            async with asyncio.timeout(PATIENCE):
                while sorted(map(endpoints, ports)) != [0, 2]:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
            await talking(ann, ben, session=1, within=PATIENCE)
