"""A room that lives long: what the focus remembers of who was there is bounded."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from xmppconf_focus import room_access
from xmppconf_focus.effects import AskFeatures, Ticket
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.room_access import Requester

from tests.focus.support import MODERN, ROOM, Stage, camera
from tests.support.figures import Figure, count, record
from xmppconf.ids import EndpointId

#: People of whom a room remembers something; by day fewer, so that the bound is soon met.
PEOPLE = count(100, room_access.MAX_PEOPLE)
#: Joins until every bound is met: one person has two keys, and 500 have spoken.
FULL = max(6 * PEOPLE, 1000)
JOINS = count(2 * FULL, 20_000)
KEYS_EACH = 2


def come_and_go(stage: Stage, number: int) -> None:
    """Somebody new joins, gets a session, and leaves."""
    nick, jid = f"{number:08x}", f"{number:x}-guest@guest.localhost"
    stage.pass_time(1.0)
    requester = Requester(jid, frozenset({f"browser-{number}"}))
    stage.focus.request(Ticket(number + 10), ROOM, requester, stage.now)
    occupant = Occupant(nick, f"{jid}/web", "participant", "member", ver="v")
    stage.focus.occupant_seen(ROOM, occupant, stage.now)
    endpoint = EndpointId(nick)
    if stage.take(AskFeatures):
        stage.focus.features_known(ROOM, endpoint, MODERN, stage.now)
    stage.answer_all()
    sources = camera(nick, 100_000 + 10 * (number % 10_000))
    stage.accept(endpoint, stage.offers()[endpoint], sources)
    stage.answer_all()
    stage.focus.occupant_left(ROOM, nick, stage.now)
    stage.answer_all()
    stage.take(object)


@pytest.mark.timeout(count(180, 600))
def test_who_has_been_in_a_room_is_not_remembered_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room_access, "MAX_PEOPLE", PEOPLE)
    stage = Stage()
    stage.call("ann", "bob")
    tracemalloc.start()
    try:
        for number in range(FULL):
            come_and_go(stage, number)
        gc.collect()
        bounded, _ = tracemalloc.get_traced_memory()
        for number in range(FULL, JOINS):
            come_and_go(stage, number)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    what = f"{JOINS:,} people, each new, come into one room and go"
    kept = f"{what}: the focus keeps of all"
    record(Figure("soak", "K1 focus kept", kept, after / 1024, "KiB"))
    more = (after - bounded) / 1024
    grown = f"{what}: from {FULL:,} on the focus has grown by"
    record(Figure("soak", "K1 focus bound", grown, more, "KiB", "≤ 16"))
    assert more <= 16
    access = stage.focus.conferences[ROOM].access.record()
    assert len(access.keys) <= PEOPLE
    assert len(access.admitted) <= KEYS_EACH * PEOPLE
