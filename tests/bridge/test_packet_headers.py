"""Headers of an endpoint's packets over HTTP: who sees them, and how many."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientSession
from xmppconf_bridge import packet_headers
from xmppconf_bridge.debug import tag_of
from xmppconf_bridge.io import packet_headers as over_http
from xmppconf_bridge.packet_headers import Capture

from tests.support import pcap
from tests.support.fake_engine import FakeTap
from tests.support.rest import Rig, serving

MEETING = "meeting-1"
CREATE: dict[str, Any] = {
    "meeting-id": MEETING,
    "name": "tea@muc.meet.example",
    "create": True,
    "endpoints": [
        {
            "create": True,
            "id": "anna",
            "medias": [],
            "transport": {"ice-controlling": True},
            "capabilities": ["source-names"],
        }
    ],
}
PATH = f"/debug/{MEETING}/{tag_of('anna')}/packets"
RTP = bytes.fromhex("806f0009000000010000000b")


def record(kept: bytes, carried: int, flags: int = 0, at: int = 2_500_000_000) -> bytes:
    return struct.pack("<QIHH", at, carried, len(kept), flags) + kept


async def tapped(rig: Rig) -> list[FakeTap]:
    """A conference with Anna; the taps that are opened from now on."""
    assert (await rig.ask("POST", "/colibri/v2/conferences", CREATE))[0] == 200
    return rig.bench.engine.taps


async def fetch(session: ClientSession, path: str) -> list[pcap.Datagram]:
    async with session.get(path) as response:
        assert response.status == 200
        assert response.content_type == "application/vnd.tcpdump.pcap"
        return pcap.read(await response.read())


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while True:
            if what():
                return
            await asyncio.sleep(0.01)


def test_a_record_becomes_a_datagram_between_made_up_addresses() -> None:
    capture = Capture(1000.25)
    file = capture.begin()
    file += capture.add(record(RTP, 1012) + record(b"\x80\xc9\0\1\0\0\0\1", 8, 3))
    assert pcap.read(file) == [
        pcap.Datagram(1002.75, "127.0.0.1", "127.0.0.2", 5004, 1012, RTP),
        pcap.Datagram(1002.75, "127.0.0.2", "127.0.0.1", 5005, 8, b"\x80\xc9\0\1\0\0\0\1"),
    ]


@pytest.mark.parametrize(
    ("bound", "value"), [("MAX_PACKETS", 3), ("MAX_OCTETS", 24 + 3 * 56 + 55)]
)
def test_a_file_has_a_greatest_size(
    bound: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packet_headers, bound, value)
    capture = Capture(0)
    file = capture.begin() + capture.add(record(RTP, 100) * 3)
    assert not capture.is_full
    file += capture.add(record(RTP, 100) * 2)
    assert capture.is_full
    assert len(pcap.read(file)) == 3
    assert capture.add(record(RTP, 100)) == b""


async def test_without_the_setting_nobody_sees_any() -> None:
    async with serving() as rig:
        taps = await tapped(rig)
        status, text = await rig.ask("GET", PATH)
        assert (status, text) == (403, "bridge.packet_headers is off")
        assert taps == []


async def test_what_is_asked_for_must_make_sense() -> None:
    async with serving(packet_headers=True) as rig:
        taps = await tapped(rig)
        for seconds in ("0", "61", "-1", "x", "", "1e1", "²", "9" * 5000):
            assert (await rig.ask("GET", f"{PATH}?seconds={seconds}"))[0] == 400
        for nowhere in ("/debug/other/x/packets", f"/debug/{MEETING}/x/packets"):
            assert (await rig.ask("GET", nowhere))[0] == 404
        assert taps == []


async def test_a_file_ends_with_the_time_or_with_the_endpoint() -> None:
    async with serving(packet_headers=True) as rig:
        taps = await tapped(rig)
        begin = time.monotonic()
        asked = asyncio.create_task(fetch(rig.session, f"{PATH}?seconds=1"))
        await until(lambda: taps)
        taps[0].waiting += [(record(RTP, 100), False), (record(RTP, 200), False)]
        [conference] = rig.bench.bridge.conferences.values()
        [endpoint] = conference.endpoints.values()
        assert taps[0].transport == endpoint.transport.number
        assert [one.length for one in await asked] == [100, 200]
        assert time.monotonic() - begin >= 1
        asked = asyncio.create_task(fetch(rig.session, f"{PATH}?seconds=60"))
        await until(lambda: len(taps) == 2)
        taps[1].waiting.append((record(RTP, 300), True))
        assert [one.length for one in await asked] == [300]
        assert all(tap.is_closed for tap in taps)


async def test_a_full_file_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet_headers, "MAX_PACKETS", 5)
    async with serving(packet_headers=True) as rig:
        taps = await tapped(rig)
        asked = asyncio.create_task(fetch(rig.session, f"{PATH}?seconds=60"))
        await until(lambda: taps)
        taps[0].waiting.append((record(RTP, 100) * 9, False))
        assert len(await asked) == 5
        assert taps[0].is_closed


async def test_one_at_a_time_and_who_goes_away_makes_room() -> None:
    async with serving(packet_headers=True) as rig:
        taps = await tapped(rig)
        first = await rig.session.get(f"{PATH}?seconds=60")
        assert await rig.ask("GET", PATH) == (409, "another capture is under way")
        first.close()
        await until(lambda: taps[0].is_closed)
        asked = asyncio.create_task(fetch(rig.session, PATH))
        await until(lambda: len(taps) == 2)
        taps[1].waiting.append((b"", True))
        assert await asked == []


async def test_who_does_not_read_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_http, "GRACE", 0.1)
    async with serving(packet_headers=True) as rig:
        taps = await tapped(rig)
        async with rig.session.get(f"{PATH}?seconds=1"):
            taps[0].waiting.append((record(RTP + bytes(60_000), 60_012) * 200, False))
            await until(lambda: taps[0].is_closed)


async def test_an_engine_that_is_busy_says_so() -> None:
    async with serving(packet_headers=True) as rig:
        await tapped(rig)
        rig.bench.engine.is_busy = True
        for _ in range(2):
            status, text = await rig.ask("GET", PATH)
            assert (status, text) == (503, "the packet engine is busy")
