"""Sound that is sent twice, to those who can take it, and once to the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.call import Caller, enter, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, KIM
from tests.support.service import running_service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN)
FIREFOX = KIM


async def packet_size(caller: Caller, direction: str) -> float:
    """Bytes of a packet of sound that goes out (`outbound-rtp`) or comes in."""
    size: float = await caller.page.evaluate(
        """(async (direction) => {
            let [bytes, packets] = [0, 0];
            for (const peer of testPeers) {
                if (peer.connectionState === "closed") continue;
                for (const one of (await peer.getStats()).values()) {
                    if (one.type !== direction || one.kind !== "audio") continue;
                    bytes += one.bytesSent ?? one.bytesReceived;
                    packets += one.packetsSent ?? one.packetsReceived;
                }
            }
            return bytes / packets;
        })"""
        + f"({direction!r})"
    )
    return size


async def test_who_cannot_take_redundancy_hears_all_the_same(
    people: Browsers, tmp_path: Path
) -> None:
    room = new_room()
    with running_service(tmp_path, settings="[focus]\nred = true\n") as service:
        cast = (ANN, BEN, KIM)
        everybody = [await enter(people, service, room, one, speaking=True) for one in cast]
        ann, ben, kim = everybody
        await ann.hears([BEN, KIM])
        await ben.hears([ANN, KIM])
        await kim.hears([ANN, BEN])
        once = await packet_size(kim, "inbound-rtp")
        assert await packet_size(ann, "outbound-rtp") > 1.7 * once
        # From Ann twice, from Kim, who cannot, once.
        assert await packet_size(ben, "inbound-rtp") > 1.3 * once
        assert await packet_size(kim, "outbound-rtp") < 1.3 * once
        for one in everybody:
            await one.page.close()
        people.pages.clear()
