"""One conference on several bridges: peers by other people's code, each on its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from tests.support.cascade import Ask, CascadingFocus
from tests.support.rtc_peer import RtcPeer, use_loopback
from xmppconf.config import BridgeSettings, Settings, XmppSettings
from xmppconf.serve.ports import free_ports
from xmppconf.xmpp.colibri2 import modified_to_xml, modify_from_xml

_native = pytest.importorskip("xmppconf_bridge._native", reason="script/build-native")

from xmppconf_bridge.app import Running, serve  # noqa: E402

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 30), (30, 30, 200)


class Bridges(dict[str, Running]):
    def asking(self) -> dict[str, Ask]:
        return {name: _asking(running) for name, running in self.items()}


def _asking(running: Running) -> Ask:
    async def ask(request: Element) -> Element:
        return modified_to_xml(running.modify(modify_from_xml(request)))

    return ask


@pytest.fixture
async def bridges(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridges]:
    use_loopback(monkeypatch)
    started = Bridges()
    for name in ("one", "two", "three"):
        workers = 2 if name == "two" else 1
        options = BridgeSettings(
            id=name,
            udp_port=0,
            udp_addresses=("127.0.0.1",),
            workers=workers,
            people_per_worker=1,
        )
        started[name] = Running(Settings(bridge=options))
    yield started
    for running in started.values():
        running.close()
    await asyncio.sleep(0.05)


async def until(condition: Callable[[], bool]) -> None:
    while True:
        if condition():
            return
        await asyncio.sleep(0.02)


async def watch(peer: RtcPeer, height: int = 720) -> None:
    await peer.opened.wait()
    peer.say(
        colibriClass="ReceiverVideoConstraints", defaultConstraints={"maxHeight": height}
    )


async def watch_only(peer: RtcPeer, owner: str) -> None:
    await peer.opened.wait()
    peer.say(
        colibriClass="ReceiverVideoConstraints",
        defaultConstraints={"maxHeight": 0},
        constraints={f"{owner}-v0": {"maxHeight": 720}},
    )


async def test_peers_on_two_bridges_see_and_hear_each_other(bridges: Bridges) -> None:
    anna, ben = RtcPeer("anna", RED, 440), RtcPeer("ben", BLUE, 1000)
    focus = CascadingFocus(bridges.asking())
    try:
        async with asyncio.timeout(30):
            await focus.join("one", anna, "ssrc-rewriting")
            await focus.join("two", ben)
            await asyncio.gather(watch(anna), watch(ben))
            await asyncio.gather(
                anna.see(BLUE), ben.see(RED), anna.listen(1000), ben.listen(440)
            )
            speakers = [
                (await one.hear("DominantSpeakerEndpointChangeEvent"))[
                    "dominantSpeakerEndpoint"
                ]
                for one in (anna, ben)
            ]
            assert set(speakers) <= {"anna", "ben"}
            ben.say(colibriClass="EndpointMessage", to="anna", msgPayload={"n": 1})
            message = await anna.hear("EndpointMessage")
            assert (message["from"], message["msgPayload"]) == ("ben", {"n": 1})
            anna.say(colibriClass="EndpointMessage", to="", msgPayload={"n": 2})
            message = await ben.hear("EndpointMessage")
            assert (message["from"], message["msgPayload"]) == ("anna", {"n": 2})
    finally:
        await asyncio.gather(anna.close(), ben.close())


async def test_bridges_talk_over_a_web_socket_and_find_each_other_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_loopback(monkeypatch)
    ports = dict(zip(("one", "two"), free_ports(2), strict=True))
    nobody = XmppSettings(host="127.0.0.1", client_port=1)
    stopped = asyncio.Event()
    running: dict[str, Running] = {}
    made = Running.__init__

    def noting(self: Running, settings: Settings, *rest: Any) -> None:
        made(self, settings, *rest)
        running[settings.bridge.id] = self

    monkeypatch.setattr(Running, "__init__", noting)
    anna, ben = RtcPeer("anna", RED, 440), RtcPeer("ben", BLUE, 1000)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for name, port in ports.items():
            options = BridgeSettings(
                id=name,
                udp_port=0,
                udp_addresses=("127.0.0.1",),
                http_port=port,
                websocket_base=f"ws://127.0.0.1:{port}",
            )
            settings = Settings(xmpp=nobody, bridge=options)
            group.create_task(serve(settings, stopped, asyncio.Event()))
        await until(lambda: [one.is_healthy() for one in running.values()] == [True] * 2)
        focus = CascadingFocus(
            {name: _asking(one) for name, one in running.items()}, sctp=False
        )
        await focus.join("one", anna, "ssrc-rewriting")
        await focus.join("two", ben, "ssrc-rewriting")
        await asyncio.gather(watch(anna), watch(ben))
        await asyncio.gather(anna.see(BLUE), ben.see(RED))

        async def talk(n: int) -> None:
            ben.say(colibriClass="EndpointMessage", to="anna", msgPayload={"n": n})
            while (await anna.hear("EndpointMessage"))["msgPayload"] != {"n": n}:
                pass

        await talk(1)
        [conference] = running["two"].bridge.conferences.values()
        [relay] = conference.links.relays.values()
        assert relay.channel.sent.web_socket > 0
        # The socket breaks, and the side that opened it opens another.
        relay.channel.close("gone", code=1011)
        await until(lambda: relay.channel.is_open)
        await talk(2)
        await focus.unlink("one", "two")
        await asyncio.gather(anna.close(), ben.close())
        stopped.set()


async def test_three_bridges_pass_nothing_on_twice(bridges: Bridges) -> None:
    """Everybody gets everybody once, and what one bridge sent another is not sent on."""
    people = {
        "one": RtcPeer("anna", RED, 440),
        "two": RtcPeer("ben", GREEN, 700),
        "three": RtcPeer("carol", BLUE, 1000),
    }
    focus = CascadingFocus(bridges.asking())
    try:
        async with asyncio.timeout(40):
            for bridge, peer in people.items():
                await focus.join(bridge, peer, "ssrc-rewriting")
            one, two, three = people.values()
            # The peer shows one picture at a time.
            await asyncio.gather(
                watch_only(one, "ben"), watch_only(two, "carol"), watch_only(three, "anna")
            )
            await asyncio.gather(one.see(GREEN), two.see(BLUE), three.see(RED))
            names = {peer.id for peer in people.values()}
            for running in bridges.values():
                [conference] = running.bridge.conferences.values()
                assert {one.owner for one in conference.sources.values()} == names
                for relay in conference.links.relays.values():
                    crossing = {
                        conference.sources[number].owner
                        for number, mask in relay.carried.items()
                        if mask
                    }
                    assert crossing == set(conference.endpoints)

            await focus.leave("three", people.pop("three"))
            await focus.unlink("one", "three")
            await focus.unlink("two", "three")
            assert bridges["three"].bridge.conferences == {}
            await asyncio.gather(one.see(GREEN), watch_only(two, "anna"), two.see(RED))
    finally:
        await asyncio.gather(*(peer.close() for peer in people.values()))
    for running in bridges.values():
        for conference in tuple(running.bridge.conferences.values()):
            running.bridge.expire_conference(conference)
        assert running.engine.stats()["dropped_foreign_ssrc"] == 0


async def test_video_that_nobody_there_watches_does_not_cross(bridges: Bridges) -> None:
    anna, ben = RtcPeer("anna", RED, 440), RtcPeer("ben", BLUE, 1000)
    focus = CascadingFocus(bridges.asking())
    try:
        async with asyncio.timeout(30):
            await focus.join("one", anna, "ssrc-rewriting")
            await focus.join("two", ben, "ssrc-rewriting")
            await asyncio.gather(watch(anna), watch(ben, 0))
            # Anna asks for Ben's; Ben, who sees nothing, is told what is wanted of him.
            wanted = await ben.hear("SenderSourceConstraints")
            assert (wanted["sourceName"], wanted["maxHeight"]) == ("ben-v0", 720)
            await asyncio.gather(anna.see(BLUE), ben.listen(440))
            [conference] = bridges["one"].bridge.conferences.values()
            [relay] = conference.links.relays.values()
            kinds = {
                conference.sources[number].media_type.value
                for number, mask in relay.carried.items()
                if mask
            }
            assert kinds == {"audio"}
            await watch(ben)
            await ben.see(RED)
    finally:
        await asyncio.gather(anna.close(), ben.close())
