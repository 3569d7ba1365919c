"""Parts that start in any order, end for a deploy, are cut off, or are there twice."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.caller import call, talking
from tests.faults.figure import figure
from tests.faults.parts import PATIENCE, Line, Parts
from tests.serve.existing import prepare, prosody
from tests.serve.test_sign_in import Socket, http_session
from tests.support.figures import count
from tests.support.rtc_peer import use_loopback
from xmppconf.config import Settings
from xmppconf.config_file import load
from xmppconf.xmpp.stanza import StanzaError

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(count(150, 400))]

PARTS = ("server", "focus", "bridge", "web")
ORDERS = list(itertools.permutations(PARTS))
#: The worst first: everybody waits for the server; and one with it in the middle.
FEW = [("web", "bridge", "focus", "server"), ("focus", "web", "server", "bridge")]
#: Where a focus records its calls; in memory, as the setting wants it.
MEMORY = Path("/dev/shm")  # noqa: S108


@pytest.fixture(autouse=True)
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    use_loopback(monkeypatch)


class Stage:
    """A whole service, and lines by which its parts and a person reach the server."""

    def __init__(self, parts: Parts, lines: dict[str, Line]) -> None:
        self.parts = parts
        self.lines = lines
        settings = load(parts.prepared.settings_file)
        port = parts.prepared.ports["client_port"]
        self.settings = replace(settings, xmpp=replace(settings.xmpp, client_port=port))
        """As people use it: past the lines."""
        self.on_line = replace(
            settings, xmpp=replace(settings.xmpp, client_port=lines["person"].port)
        )
        """As somebody uses it whose line can be cut."""


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    lines = {name: Line() for name in ("focus", "bridge", "person", "web")}
    await lines["person"].listen()
    records = MEMORY / f"xmppconf-test-{os.getpid()}"
    through = {
        "component_port": await lines["focus"].listen(),
        "client_port": await lines["bridge"].listen(),
        "http_port": await lines["web"].listen(),
    }
    prepared = prepare(tmp_path, prosody, through=through)
    text = prepared.settings_file.read_text()
    text = text.replace("[focus]", f'[focus]\nrecords = "{records}"', 1)
    prepared.settings_file.write_text(text)
    lines["focus"].lead_to(prepared.ports["component_port"])
    lines["web"].lead_to(prepared.ports["http_port"])
    for name in ("bridge", "person"):
        lines[name].lead_to(prepared.ports["client_port"])
    parts = Parts(prepared, tmp_path)
    try:
        for name in PARTS:
            parts.start(name)
        await parts.whole()
        yield Stage(parts, lines)
    finally:
        parts.close()
        for line in lines.values():
            await line.close()
        for number in (1, 2):
            Path(f"{records}.{number}").unlink(missing_ok=True)  # noqa: ASYNC240


@pytest.mark.parametrize("order", ORDERS if count(0, 1) else FEW, ids=">".join)
async def test_f7_parts_start_in_any_order(tmp_path: Path, order: tuple[str, ...]) -> None:
    parts = Parts(prepare(tmp_path, prosody), tmp_path)
    try:
        for name in order:
            await asyncio.sleep(0.5)
            parts.start(name)
        took = await parts.whole()
    finally:
        parts.close()
    figure(f"F7 {'>'.join(order)}", "from the last start until all are well", took, "≤ 15")
    assert took <= 15


@pytest.mark.parametrize("name", PARTS)
async def test_f8_a_part_that_is_asked_to_end_does_so_and_no_call_is_lost(
    stage: Stage, name: str
) -> None:
    async with call(stage.settings, "deploy") as (ann, ben):
        code, took = await stage.parts.end(name)
        assert code == 0, stage.parts.log(name)
        stage.parts.start(name)
        began = time.monotonic()
        await stage.parts.whole()
        if name == "server":
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(ann.come_back(), ben.come_back())
        await talking(ann, ben, session=2 if name == "bridge" else 1, within=PATIENCE)
        back = time.monotonic() - began
        if name != "bridge":
            assert (ann.sessions, ben.sessions) == (1, 1)
    figure(f"F8 {name} ends", "SIGTERM during a call: until it has ended", took, "≤ 10")
    figure(f"F8 {name} back", "from its start until all talk", back, "")
    assert took <= 10


@pytest.mark.parametrize("seconds", [5, 20, 60] if count(0, 1) else [5])
@pytest.mark.parametrize("name", ["focus", "bridge", "person"])
async def test_f9_cut_off_from_the_server(stage: Stage, name: str, seconds: int) -> None:
    async with call(stage.settings, "cut", others=stage.on_line) as (ann, ben):
        stage.lines[name].cut()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await talking(ann, ben, session=1)
            await asyncio.sleep(1)
        stage.lines[name].mend()
        back = await stage.parts.whole()
        await talking(ann, ben, session=1, within=PATIENCE)
        async with call(stage.settings, "fresh"):
            fresh = time.monotonic() - end
        await talking(ann, ben, session=1, within=PATIENCE)
        sessions = max(ann.sessions, ben.sessions)
        # Nobody is there twice or stays as a ghost.
        others = {ann.id, ben.id, "focus"}
        assert ben.occupants <= others
        assert {ann.id, ben.id} <= ben.occupants
    what = f"{name} cut off from the server for {seconds} s"
    figure(f"F9 {name} {seconds} s", f"{what}: until all are well", back, "≤ 3")
    figure(f"F9 {name} {seconds} s, room", f"{what}: until a new room talks", fresh, "")
    figure(f"F9 {name} {seconds} s, sessions", f"{what}: sessions of each", sessions, "")
    if seconds == 5:
        assert sessions == 1


@pytest.mark.parametrize("seconds", [5, 20, 60] if count(0, 1) else [5])
async def test_f9_the_gateway_is_cut_off_from_the_server(
    stage: Stage, seconds: int
) -> None:
    """Who is there over its WebSocket stays, and nobody new is lost."""
    url = f"http://127.0.0.1:{stage.settings.web.port}/"
    async with http_session() as http, call(stage.settings, "cut") as (ann, ben):
        async with Socket(http, url, "") as eva:
            await eva.ask("cut")
            await eva.join("cut", "e1e1e1e1")
            stage.lines["web"].cut()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                await talking(ann, ben, session=1)
                # Who does not read answers no sign of life either.
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await eva.until("nothing of the kind")
            stage.lines["web"].mend()
            began = time.monotonic()
            await eva.ask("cut")
            back = time.monotonic() - began
            async with Socket(http, url, "") as newcomer:
                await newcomer.ask("cut")
                await newcomer.join("cut", "f2f2f2f2")
                fresh = time.monotonic() - began
            assert ben.occupants >= {ann.id, ben.id, "focus", "e1e1e1e1"}
        async with asyncio.timeout(PATIENCE):
            while ben.occupants != {ann.id, ben.id, "focus"}:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await talking(ann, ben, session=1)
    what = f"web cut off from the server for {seconds} s"
    figure(f"F9 web {seconds} s", f"{what}: until one who was there is heard", back, "≤ 3")
    figure(f"F9 web {seconds} s, new", f"{what}: until somebody new is in", fresh, "")


async def served(settings: Settings) -> bool:
    """Whether a room can be had."""
    try:
        async with call(settings, "three"):
            return True
    except StanzaError:
        return False


async def test_f19_a_second_focus_waits_until_the_first_is_gone(stage: Stage) -> None:
    text = stage.parts.prepared.settings_file.read_text()
    [port] = [line for line in text.splitlines() if line.startswith("http_port = ")][1:2]
    other = stage.parts.prepared.settings_file.with_name("second.toml")
    other.touch(mode=0o600)
    other.write_text(text.replace(port, "http_port = 0", 1))
    command = [*stage.parts.prepared.commands["focus"]]
    command[-1] = str(other)
    async with call(stage.settings, "one") as (ann, ben):
        stage.parts.start("second", *command)
        async with asyncio.timeout(PATIENCE):
            while "another process" not in stage.parts.log("second"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        async with call(stage.settings, "two"):
            pass
        await talking(ann, ben, session=1)
        assert (ann.sessions, ben.sessions) == (1, 1)
        stage.parts.kill("focus")
        began = time.monotonic()
        # It tries again in pauses of up to 15 s.
        async with asyncio.timeout(PATIENCE):
            while not await served(stage.settings):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        took = time.monotonic() - began
        await talking(ann, ben, session=1)
        assert (ann.sessions, ben.sessions) == (1, 1)
    figure("F19", "first focus killed: until the second one serves a room", took, "")
