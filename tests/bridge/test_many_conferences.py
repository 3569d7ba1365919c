"""K2, in a cheap form: conferences that come and go fast leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter

import pytest

from tests.support.relays import behind, new, new_link
from xmppconf.colibri2 import ConferenceModify, EndpointRequest
from xmppconf.config import BridgeSettings, Settings
from xmppconf.ids import MeetingId

pytest.importorskip("xmppconf_bridge._native", reason="script/build-native")

from xmppconf_bridge.app import Running

CONFERENCES = 200


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


async def test_conferences_that_come_and_go_fast_leave_nothing() -> None:
    options = BridgeSettings(udp_port=0, udp_addresses=("127.0.0.1",))
    running = Running(Settings(bridge=options))
    # To look at what all the tests before hold takes long, and says nothing.
    gc.freeze()
    try:
        await come_and_go(running, 0)
        await running.check()
        before = ours()
        for number in range(1, CONFERENCES):
            await come_and_go(running, number)
        await running.check()  # whoever answers has carried out what came before
        grown = {name: count for name, count in (ours() - before).items() if count > 2}
        assert grown == {}
        assert running.bridge.conferences == {}
        assert running.bridge.endpoint_count == 0
        assert running.bridge.counters.conferences == CONFERENCES
    finally:
        gc.unfreeze()
        running.close()
    await asyncio.sleep(0.05)
