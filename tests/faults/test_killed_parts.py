"""Each part is killed during a call; what comes back by itself, and in which time."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator

import pytest
from aiohttp import ClientSession, TCPConnector, ThreadedResolver, WSMsgType

from tests.faults.caller import Caller, call, talking
from tests.faults.figure import RUNS, scope, since
from tests.support.rtc_peer import use_loopback
from tests.support.service import Service, running_service

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(150)]

PATIENCE = 40.0  # seconds, on a machine that is busy with builds


@pytest.fixture(scope=scope)
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture(autouse=True)
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    use_loopback(monkeypatch)


def kill(service: Service, name: str) -> int:
    pid = service.children()[name]
    os.kill(pid, signal.SIGKILL)
    return pid


async def back(service: Service, name: str, old: int) -> None:
    """Wait until another process has taken its place and the service is well."""
    async with asyncio.timeout(PATIENCE):
        while service.children().get(name, old) == old:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        while not await asyncio.to_thread(service.is_whole):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("run", RUNS)
async def test_people_are_invited_again_when_the_bridge_dies(
    service: Service, run: int
) -> None:
    async with call(service.settings, "bridge") as (ann, ben):
        old, began = kill(service, "bridge"), time.monotonic()
        await talking(ann, ben, session=2, within=PATIENCE)
        since("F3 talking", "killed bridge, sound and picture again after", began, "≤ 8")
        assert service.children()["bridge"] != old
        assert "session-terminate" in ann.actions


@pytest.mark.parametrize("run", RUNS)
async def test_the_focus_may_die_without_the_call_noticing(
    service: Service, run: int
) -> None:
    async with call(service.settings, "focus") as (ann, ben):
        old, began = kill(service, "focus"), time.monotonic()
        while service.children().get("focus", old) == old:
            await talking(ann, ben, session=1)
            assert time.monotonic() - began < PATIENCE
        await back(service, "focus", old)
        since("F1 there", "killed focus, there again after", began, "≤ 10")
        await talking(ann, ben, session=1)
        # The next focus knows the call, and neither ends nor repeats anything.
        ann.say("anybody?")
        await talking(ann, ben, session=1)
        assert (ann.sessions, ben.sessions) == (1, 1)
        assert not ann.focus_left.is_set()


@pytest.mark.parametrize("run", RUNS)
async def test_a_focus_that_is_restarted_leaves_its_calls_to_the_next(
    service: Service,
    run: int,
) -> None:
    async with call(service.settings, "deploy") as (ann, ben):
        old, began = service.children()["focus"], time.monotonic()
        os.kill(old, signal.SIGTERM)
        await back(service, "focus", old)
        since("F8 focus", "restarted focus, there again after", began, "≤ 10")
        assert "focus ended (exit code 0)" in service.log_text()
        await talking(ann, ben, session=1)
        ann.say("anybody?")
        await talking(ann, ben, session=1)
        assert (ann.sessions, ben.sessions) == (1, 1)
        assert not ann.focus_left.is_set()


@pytest.mark.parametrize("run", RUNS)
async def test_a_room_whose_focus_died_lets_people_in(service: Service, run: int) -> None:
    """Who comes afterwards talks with those who were there before."""
    async with call(service.settings, "newcomer") as (ann, ben):
        old, began = kill(service, "focus"), time.monotonic()
        await back(service, "focus", old)
        async with call(service.settings, "elsewhere"):
            since(
                "F1 another room", "killed focus, another room talks after", began, "≤ 10"
            )
        # These peers can take one stream of each kind, so there are never three.
        await ben.media.close()
        ben.leave()
        cid = Caller(service.settings, "newcomer", ben.colour)
        try:
            await cid.enter()
            await talking(ann, cid, session=1, within=PATIENCE)
            since("F1 newcomer", "killed focus, newcomer talks after", began, "≤ 10")
            assert ann.sessions == 1
        finally:
            await cid.close()


@pytest.mark.parametrize("run", RUNS)
async def test_a_focus_thrown_out_while_it_was_dead_comes_back_to_the_same_call(
    service: Service,
    run: int,
) -> None:
    """What is said meanwhile bounces, and the server takes its occupant out of the room."""
    async with call(service.settings, "stir") as (ann, ben):
        old = kill(service, "focus")
        async with asyncio.timeout(PATIENCE):
            while not ann.focus_left.is_set():
                ann.say("anybody?")  # until the server has noticed the death
                await asyncio.sleep(0.02)
        await back(service, "focus", old)
        await talking(ann, ben, session=1)
        assert (ann.sessions, ben.sessions) == (1, 1)


@pytest.mark.parametrize("run", RUNS)
async def test_media_go_on_without_the_xmpp_server(service: Service, run: int) -> None:
    async with call(service.settings, "server") as (ann, ben):
        old, began = kill(service, "prosody"), time.monotonic()
        await talking(ann, ben, session=1)
        await back(service, "prosody", old)
        since("F5 healthy", "killed XMPP server, healthy after", began, "≤ 10")
        await talking(ann, ben, session=1)
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(ann.come_back(), ben.come_back())
        since(
            "F5 in the room",
            "killed XMPP server, both in the room again after",
            began,
            "≤ 10",
        )
        await talking(ann, ben, session=1)
        ann.say("still here?")
        async with asyncio.timeout(PATIENCE):
            await ben.messages.get()
        assert (ann.sessions, ben.sessions) == (1, 1)
    async with asyncio.timeout(PATIENCE):
        async with call(service.settings, "server"):
            since(
                "F5 same room",
                "killed XMPP server, the same room talks after",
                began,
                "≤ 10",
            )


@pytest.mark.parametrize("run", RUNS)
async def test_media_go_on_without_the_gateway(service: Service, run: int) -> None:
    url = f"{service.url}xmpp-websocket"
    connector = TCPConnector(resolver=ThreadedResolver())
    async with (
        call(service.settings, "gateway") as (ann, ben),
        ClientSession(connector=connector) as http,
    ):
        socket = await http.ws_connect(url, protocols=["xmpp"])
        old, began = kill(service, "web"), time.monotonic()
        message = await socket.receive(5)
        assert message.type in (WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.ERROR)
        await talking(ann, ben, session=1)
        await back(service, "web", old)
        since("F6 healthy", "killed gateway, healthy after", began, "≤ 5")
        async with http.ws_connect(url, protocols=["xmpp"]) as again:
            assert again.protocol == "xmpp"
        await talking(ann, ben, session=1)
