"""K2: conferences that come and go fast leave nothing behind.

Few of them every day, 10,000 with full counts.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections import Counter

import pytest

from tests.support.figures import Figure, count, record
from tests.support.relays import behind, new, new_link
from xmppconf.colibri2 import ConferenceModify, EndpointRequest
from xmppconf.config import BridgeSettings, Settings
from xmppconf.ids import MeetingId

pytest.importorskip("xmppconf_bridge._native", reason="script/build-native")

from xmppconf_bridge.app import Running
from xmppconf_bridge.generator.io.process import usage

pytestmark = pytest.mark.timeout(count(30, 600))

CONFERENCES = count(200, 10_000)
#: Memory is compared with that after so many, when every allocator has what it needs.
USED_TO_IT = count(100, 1_000)


def ours() -> Counter[str]:
    """Live objects of our classes, by name."""
    gc.collect()
    return Counter(
        type(one).__qualname__
        for one in gc.get_objects()
        if str(type(one).__module__).startswith("xmppconf_bridge")
    )


async def come_and_go(running: Running, number: int) -> None:
    """A conference with two endpoints, and one more behind a link to another bridge."""
    meeting = MeetingId(f"meeting-{number}")

    def ask(*endpoints: EndpointRequest, create: bool = False) -> None:
        running.modify(ConferenceModify(meeting, create=create, endpoints=endpoints))

    ask(new("ada", 1000), create=True)
    ask(new("bob", 2000))
    link = new_link(endpoints=(behind("cat", 3000),))
    running.modify(ConferenceModify(meeting, relays=(link,)))
    await asyncio.sleep(0)
    running.modify(ConferenceModify(meeting, expire=True))


def tell(left: int, ratio: float) -> None:
    what = f"{CONFERENCES:,} conferences opened and closed on a bridge"
    left_over = f"{what}: objects of its classes more than after the first"
    record(Figure("soak", "K2 objects", left_over, left, "objects", "≤ 2 of each"))
    memory = f"{what}: memory against that after {USED_TO_IT:,}"
    record(Figure("soak", "K2 memory", memory, ratio, "times", "≤ 1.2"))


async def test_conferences_that_come_and_go_fast_leave_nothing() -> None:
    options = BridgeSettings(udp_port=0, udp_addresses=("127.0.0.1",))
    running = Running(Settings(bridge=options))
    # To look at what all the tests before hold takes long, and says nothing.
    gc.freeze()
    try:
        await come_and_go(running, 0)
        await running.check()
        before = ours()
        memory = 0
        for number in range(1, CONFERENCES):
            await come_and_go(running, number)
            if number == USED_TO_IT:
                await running.check()
                memory = usage(os.getpid()).memory
        await running.check()  # whoever answers has carried out what came before
        ratio = usage(os.getpid()).memory / memory
        grown = {name: count for name, count in (ours() - before).items() if count > 2}
        assert grown == {}
        assert running.bridge.conferences == {}
        assert running.bridge.endpoint_count == 0
        assert running.bridge.counters.conferences == CONFERENCES
        tell(sum((ours() - before).values()), ratio)
        assert ratio <= 1.2
    finally:
        gc.unfreeze()
        running.close()
    await asyncio.sleep(0.05)
