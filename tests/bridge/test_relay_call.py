"""One conference on several bridges: peers by other people's code, each on its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from xml.etree.ElementTree import Element

import pytest

from tests.support.cascade import Ask, CascadingFocus
from tests.support.rtc_peer import RtcPeer, use_loopback
from xmppconf.config import BridgeSettings, Settings
from xmppconf.xmpp.colibri2 import modified_to_xml, modify_from_xml

_native = pytest.importorskip("xmppconf_bridge._native", reason="script/build-native")

from xmppconf_bridge.app import Running  # noqa: E402

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
        options = BridgeSettings(id=name, udp_port=0, udp_addresses=("127.0.0.1",))
        started[name] = Running(Settings(bridge=options))
    yield started
    for running in started.values():
        running.close()
    await asyncio.sleep(0.05)


async def watch(peer: RtcPeer, height: int = 720) -> None:
    await peer.opened.wait()
    peer.say(
        colibriClass="ReceiverVideoConstraints", defaultConstraints={"maxHeight": height}
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
