from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from xmppconf_bridge.slots import PlainSlots, RewritingSlots, Slot

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
