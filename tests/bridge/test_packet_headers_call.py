"""Headers of a real call's packets, from the engine through HTTP into a file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from xmppconf_bridge.debug import tag_of
from xmppconf_bridge.io.http import make_application

from tests.support import pcap
from tests.support.rtc_peer import RtcPeer, use_loopback
from xmppconf.colibri2 import ConferenceModify, EndpointRequest
from xmppconf.config import BridgeSettings, Settings
from xmppconf.ids import MeetingId

_native = pytest.importorskip("xmppconf_bridge._native", reason="script/build-native")

from xmppconf_bridge.app import Running  # noqa: E402

MEETING = MeetingId("meeting-1")
RED, BLUE = (200, 30, 30), (30, 30, 200)
ENDPOINT, BRIDGE = "127.0.0.1", "127.0.0.2"
REPORTS_AND_FEEDBACK = {200, 201, 205, 206}


@pytest.fixture(params=[1, 2], ids=["one worker", "in parts"])
async def bridge(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
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


async def join(bridge: Running, peer: RtcPeer, *, create: bool = False) -> None:
    creation = ConferenceModify(MEETING, create=create, endpoints=(peer.creation(),))
    transport = bridge.modify(creation).endpoints[0].transport
    assert transport is not None
    assert transport.ice is not None
    answer = await peer.accept(transport.ice)
    bridge.modify(ConferenceModify(MEETING, endpoints=(answer,)))


async def test_a_call_seen_from_one_endpoint(bridge: Running) -> None:
    anna, ben = RtcPeer("anna", RED, 440), RtcPeer("ben", BLUE, 1000)
    application = make_application(
        bridge.bridge,
        bridge.reports(),
        bridge.orders(),
        ("127.0.0.0/8",),
        rest=False,
        packet_headers=True,
    )
    async with AsyncExitStack() as stack:
        for peer in (anna, ben):
            stack.push_async_callback(peer.close)
        server = await stack.enter_async_context(TestServer(application))
        connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
        session = aiohttp.ClientSession(server.make_url("/"), connector=connector)
        await stack.enter_async_context(session)

        async def capture(peer: RtcPeer, seconds: int) -> bytes:
            path = f"/debug/{MEETING}/{tag_of(peer.id)}/packets?seconds={seconds}"
            async with session.get(path) as response:
                assert response.status == 200
                return await response.read()

        async with asyncio.timeout(30):
            await join(bridge, anna, create=True)
            await join(bridge, ben)
            await asyncio.gather(anna.opened.wait(), ben.opened.wait())
            for peer in (anna, ben):
                peer.say(
                    colibriClass="ReceiverVideoConstraints",
                    lastN=-1,
                    defaultConstraints={"maxHeight": 720},
                )
            await asyncio.gather(anna.see(BLUE), ben.see(RED))
            for peer in (anna, ben):
                begin = time.time()
                file = await capture(peer, 2)
                _check(file, begin)
            asked = asyncio.create_task(capture(ben, 60))
            await asyncio.sleep(0.5)
            leave = EndpointRequest(ben.id, expire=True)
            bridge.modify(ConferenceModify(MEETING, endpoints=(leave,)))
            assert pcap.read(await asked)


def _check(file: bytes, begin: float) -> None:
    datagrams = pcap.read(file)
    assert all(begin - 1 <= one.at <= time.time() for one in datagrams)
    for source, destination in ((ENDPOINT, BRIDGE), (BRIDGE, ENDPOINT)):
        way = [one for one in datagrams if one.source == source]
        assert all(one.destination == destination for one in way)
        media = [one for one in way if one.port == 5004]
        # 50 packets of sound a second, and pictures, of two kinds and from two SSRCs.
        assert len(media) > 50
        assert len({one.data[1] & 0x7F for one in media}) >= 2
        for one in media:
            assert len(one.data) == pcap.rtp_header(one.data) <= one.length
        assert sum(one.length > len(one.data) for one in media) > 50
        control = [one for one in way if one.port == 5005]
        assert control
        for one in control:
            assert one.length == len(one.data)
            assert set(pcap.rtcp_kinds(one.data)) <= REPORTS_AND_FEEDBACK
