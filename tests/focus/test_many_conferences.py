"""Conferences do not wait for each other, and leave nothing behind."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from xmppconf_focus.effects import RoomJid, SendColibri, SendOffer
from xmppconf_focus.rate import Pace, TokenBucket

from tests.focus.support import BRIDGE, MODERN, OTHER_BRIDGE, Stage

ROUNDS = 1000


def hold(stage: Stage, number: int) -> None:
    """One conference of two from the request to its end."""
    room = RoomJid(f"room-{number}@muc.localhost")
    stage.open_room(room)
    for nick in ("ann", "bob"):
        stage.join(nick, MODERN, room)
    stage.answer_all()
    assert len(stage.take(SendOffer)) == 2
    for nick in ("ann", "bob"):
        stage.focus.occupant_left(room, nick, stage.now)
    stage.take(object)
    stage.pass_time(30.0)


def test_a_thousand_conferences_leave_no_memory_behind() -> None:
    stage = Stage()
    stage.add_bridge()
    hold(stage, 0)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(1, ROUNDS + 1):
            hold(stage, number)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert stage.focus.created == ROUNDS + 1
    assert stage.focus.conferences == {}
    assert after - before < 100 * ROUNDS  # bytes; a conference takes thousands


def test_a_bridge_that_hangs_holds_up_nobody_on_another() -> None:
    stage = Stage()
    stage.add_bridge(BRIDGE)
    slow, quick = RoomJid("slow@muc.localhost"), RoomJid("quick@muc.localhost")
    stage.open_room(slow)
    for nick in ("ann", "bob"):
        stage.join(nick, room=slow)
    waiting = stage.take(SendColibri)
    assert {request.bridge for request in waiting} == {BRIDGE}
    stage.add_bridge(OTHER_BRIDGE)
    stage.open_room(quick)
    for nick in ("ann", "bob"):
        stage.join(nick, room=quick)
    assert {request.bridge for request in stage.answer_all()} == {OTHER_BRIDGE}
    assert {effect.room for effect in stage.take(SendOffer)} == {quick}
    for request in waiting:
        stage.focus.colibri_refused(slow, request.request, None, stage.now)
    assert {r.bridge for r in stage.answer_all()} >= {OTHER_BRIDGE}
    assert {effect.room for effect in stage.take(SendOffer)} == {slow}


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(rate=2.0, burst=3)
    assert [bucket.take(10.0) for _ in range(5)] == [True, True, True, False, False]
    assert [bucket.take(10.5), bucket.take(10.5)] == [True, False]
    assert [bucket.take(9.0), bucket.take(1000.0)] == [False, True]


def test_work_that_takes_long_is_done_less_often() -> None:
    pace = Pace(share=0.05, shortest=0.02, longest=2.0)
    pauses = []
    for took in (0.0, 0.0005, 0.01, 0.1, 1.0, 0.0001):
        pace.took(took)
        pauses.append(pace.pause)
    assert pauses == pytest.approx([0.02, 0.02, 0.19, 1.9, 2.0, 0.02])
