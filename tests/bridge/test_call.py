"""Two peers by other people's code talk through the real bridge, all but its XMPP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.rtc_peer import RtcPeer, use_loopback
from xmppconf.colibri2 import ConferenceModify, EndpointRequest
from xmppconf.config import BridgeSettings, Settings
from xmppconf.ids import MeetingId

_native = pytest.importorskip("xmppconf_bridge._native", reason="script/build-native")

from xmppconf_bridge.app import Running  # noqa: E402

MEETING = MeetingId("meeting-1")
RED, GREEN, BLUE = (200, 30, 30), (30, 160, 30), (30, 30, 200)


@pytest.fixture(params=[1, 2], ids=["one worker", "in parts"])
async def bridge(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    """On two workers each conference has a part on either."""
    use_loopback(monkeypatch)
    options = BridgeSettings(
        udp_port=0,
        udp_addresses=("127.0.0.1",),
        workers=request.param,
        people_per_worker=1,
    )
    running = Running(Settings(bridge=options))
    yield running
    running.close()
    await asyncio.sleep(0.05)


async def join(
    bridge: Running, peer: RtcPeer, *capabilities: str, create: bool = False
) -> None:
    """What a focus does for a participant: allocate, invite, pass on the answer."""

    def ask(request: EndpointRequest, *, create: bool = False) -> object:
        return bridge.modify(ConferenceModify(MEETING, create=create, endpoints=(request,)))

    answer = bridge.modify(
        ConferenceModify(MEETING, create=create, endpoints=(peer.creation(*capabilities),))
    )
    transport = answer.endpoints[0].transport
    assert transport is not None
    assert transport.ice is not None
    ask(await peer.accept(transport.ice))


@pytest.mark.parametrize("capabilities", [(), ("ssrc-rewriting",)])
async def test_two_peers_see_and_hear_each_other(
    bridge: Running, capabilities: tuple[str, ...]
) -> None:
    anna, ben = RtcPeer("anna", RED, 440), RtcPeer("ben", BLUE, 1000)
    try:
        await join(bridge, anna, *capabilities, create=True)
        await join(bridge, ben, *capabilities)
        async with asyncio.timeout(15):
            await asyncio.gather(anna.opened.wait(), ben.opened.wait())
            for peer in (anna, ben):
                peer.say(
                    colibriClass="ReceiverVideoConstraints",
                    lastN=-1,
                    defaultConstraints={"maxHeight": 720},
                )
            await asyncio.gather(
                anna.see(BLUE), ben.see(RED), anna.listen(1000), ben.listen(440)
            )
            if capabilities:
                video = await anna.hear("VideoSourcesMap")
                while not video["mappedSources"]:
                    video = await anna.hear("VideoSourcesMap")
                assert video["mappedSources"][0]["source"] == "ben-v0"
            speaker = await anna.hear("DominantSpeakerEndpointChangeEvent")
            assert speaker["dominantSpeakerEndpoint"] in ("anna", "ben")
            ben.say(colibriClass="EndpointMessage", to="anna", msgPayload={"n": 1})
            message = await anna.hear("EndpointMessage")
            assert (message["from"], message["msgPayload"]) == ("ben", {"n": 1})
            mirrored = bridge.engine.stats()["mirrored"]
            assert (mirrored > 0) == (len(bridge.engine.workers()) > 1)
    finally:
        await asyncio.gather(anna.close(), ben.close())


async def test_one_leaves_and_another_comes(bridge: Running) -> None:
    anna, ben = RtcPeer("anna", RED, 440), RtcPeer("ben", BLUE, 1000)
    carol = RtcPeer("carol", GREEN, 1500)

    async def watch(peer: RtcPeer) -> None:
        await peer.opened.wait()
        peer.say(
            colibriClass="ReceiverVideoConstraints", defaultConstraints={"maxHeight": 720}
        )

    try:
        async with asyncio.timeout(20):
            await join(bridge, anna, "ssrc-rewriting", create=True)
            await join(bridge, ben, "ssrc-rewriting")
            await asyncio.gather(watch(anna), watch(ben))
            await anna.see(BLUE)
            await ben.close()
            leave = EndpointRequest(ben.id, expire=True)
            bridge.modify(ConferenceModify(MEETING, endpoints=(leave,)))
            await join(bridge, carol, "ssrc-rewriting")
            await watch(carol)
            await asyncio.gather(anna.see(GREEN), carol.see(RED), anna.listen(1500))
        assert bridge.engine.stats()["transports"] == 2
    finally:
        await asyncio.gather(anna.close(), ben.close(), carol.close())
