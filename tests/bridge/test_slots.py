from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xmppconf_bridge.slots import Assignment, PlainSlots, RewritingSlots, Slot

OWN = Slot(7, 8)


def slots(limit: int = 2, *, rtx: bool = True) -> RewritingSlots:
    numbers = itertools.count(100)
    return RewritingSlots(lambda: next(numbers), rtx=rtx, limit=limit)


def test_a_source_keeps_its_slot() -> None:
    table = slots()
    first = table.assign(1, OWN)
    again = table.assign(1, OWN)
    assert first.changed
    assert not again.changed
    assert first.slot == again.slot
    assert first.slot != OWN


def test_the_least_recently_wanted_source_gives_way() -> None:
    table = slots()
    slot_of_one = table.assign(1, OWN).slot
    slot_of_two = table.assign(2, OWN).slot
    table.assign(1, OWN)
    third = table.assign(3, OWN)
    assert third.evicted == 2
    assert third.slot == slot_of_two
    assert table.get(1) == slot_of_one
    assert table.get(2) is None


def test_the_ssrcs_of_a_source_that_left_are_not_used_again() -> None:
    table = slots()
    gone = table.assign(1, OWN).slot
    table.remove(1)
    new = table.assign(2, OWN)
    assert new.evicted is None
    assert {new.slot.ssrc, new.slot.rtx_ssrc} & {gone.ssrc, gone.rtx_ssrc} == set()


def test_audio_slots_have_no_retransmission() -> None:
    assert slots(rtx=False).assign(1, OWN).slot.rtx_ssrc is None


def test_a_mid_belongs_to_its_slot() -> None:
    table = RewritingSlots(lambda: 1, rtx=False, limit=2, mid_prefix="a")
    assert [table.assign(source, OWN).slot.mid for source in (1, 2)] == ["a0", "a1"]
    assert table.assign(3, OWN).slot.mid == "a0"
    table.remove(2)
    assert table.assign(4, OWN).slot.mid == "a2"
    assert slots().assign(1, OWN).slot.mid is None


def test_plain_receivers_get_the_senders_ssrcs() -> None:
    table = PlainSlots()
    assert table.assign(1, OWN).slot == OWN
    assert not table.assign(1, OWN).changed
    table.remove(1)
    assert table.get(1) is None


@given(st.lists(st.integers(1, 8)), st.integers(1, 4))
def test_no_two_sources_share_a_slot_and_there_are_never_too_many(
    wanted: list[int], limit: int
) -> None:
    table = slots(limit)
    for source in wanted:
        table.assign(source, OWN)
        held = [table.get(one) for one in table.sources()]
        assert len(set(held)) == len(held) <= limit
        assert table.get(source) is not None


#: A table of two slots, by who has them, the least recently wanted first.
STATES: dict[str, tuple[int, ...]] = {"": (), "1": (1,), "12": (1, 2), "21": (2, 1)}
EVENTS: dict[str, Callable[[RewritingSlots], object]] = {
    "1 is wanted": lambda table: table.assign(1, OWN),
    "3 is wanted": lambda table: table.assign(3, OWN),
    "1 is wanted still": lambda table: table.touch(1),
    "1 falls silent": lambda table: table.yield_first(1),
    "1 is gone": lambda table: table.remove(1),
    "3 is touched": lambda table: table.touch(3),
    "3 falls silent": lambda table: table.yield_first(3),
    "3 is gone": lambda table: table.remove(3),
}
#: The states afterwards, in the order of the events.
TABLE = {
    "": ("1", "3", "", "", "", "", "", ""),
    "1": ("1", "13", "1", "1", "", "1", "1", "1"),
    "12": ("21", "23", "21", "12", "2", "12", "12", "12"),
    "21": ("21", "13", "21", "12", "2", "21", "21", "21"),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_every_event_in_every_state(state: str, event: str) -> None:
    table = slots()
    for source in STATES[state]:
        table.assign(source, OWN)
    before = {source: table.get(source) for source in table.sources()}
    told = EVENTS[event](table)
    after = dict(zip(EVENTS, TABLE[state], strict=True))[event]
    assert "".join(map(str, table.sources())) == after
    assert table.free == 2 - len(after)
    kept = {source: table.get(source) for source in before if str(source) in after}
    assert kept.items() <= before.items()
    if isinstance(told, Assignment):
        newcomer = str(event[0]) not in state
        left = [source for source in before if source not in table.sources()]
        assert told.changed == newcomer
        assert told.evicted == (left[0] if left else None)
        if told.evicted is not None:
            assert told.slot == before[told.evicted]
