"""When rooms are refused because no bridge has room, and when they are not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from xmppconf_focus.admission import Refusal
from xmppconf_focus.brewery import BridgeStats
from xmppconf_focus.effects import AnswerRequest, BridgeJid, JoinRoom, RoomJid, SendColibri
from xmppconf_focus.fullness import RECOVERED, SUSTAINED, Fullness

from tests.focus.support import BRIDGE, OTHER_BRIDGE, ROOM, Stage
from tests.focus.test_rooms_in_focus import meeting, with_breakout
from xmppconf.config import FocusSettings

LIMIT = 1.0
OTHER_ROOM = RoomJid("coffee@muc.localhost")
BUSY = BridgeStats(stress=1.1, newcomer_stress=1.1, drain=False)
IDLE = BridgeStats(stress=0.1, newcomer_stress=0.1, drain=False)
#: Seconds between two reports.
REPORT = 5.0


def reported(*reports: tuple[float, float]) -> Fullness:
    """A bridge that has said this of itself: times and stresses."""
    fullness = Fullness(LIMIT)
    for at, stress in reports:
        fullness.reported(stress, at)
    return fullness


def test_a_bridge_is_full_once_every_report_has_said_so_for_a_while() -> None:
    fullness = reported((0.0, LIMIT))
    assert not fullness.is_full(SUSTAINED - 0.1)
    assert fullness.is_full(SUSTAINED)


@pytest.mark.parametrize("dip", [LIMIT - 0.01, RECOVERED * LIMIT, 0.0])
def test_a_moment_of_less_begins_the_time_anew(dip: float) -> None:
    fullness = reported((0.0, 2.0), (SUSTAINED - 1, dip), (SUSTAINED, 2.0))
    assert not fullness.is_full(2 * SUSTAINED - 0.1)
    assert fullness.is_full(2 * SUSTAINED)


def test_a_full_bridge_stays_so_until_it_has_room_again() -> None:
    fullness = reported((0.0, LIMIT), (SUSTAINED, RECOVERED * LIMIT))
    assert fullness.is_full(1000.0)
    fullness.reported(RECOVERED * LIMIT - 0.01, 1000.0)
    assert not fullness.is_full(1000.0)
    # And is not full again before that has lasted.
    fullness.reported(2.0, 1001.0)
    assert not fullness.is_full(1001.0 + SUSTAINED - 0.1)


def test_without_a_limit_no_bridge_is_full() -> None:
    fullness = Fullness(0.0)
    fullness.reported(5.0, 0.0)
    assert not fullness.is_full(1000.0)


# -- in the focus --------------------------------------------------------------------------
def report(stage: Stage, seconds: float, **bridges: BridgeStats) -> None:
    """The bridges, by the last part of their address, report for so long."""
    end = stage.now + seconds
    while True:
        for name, stats in bridges.items():
            jid = BridgeJid(f"{BRIDGE.rpartition('/')[0]}/{name.replace('_', '-')}")
            stage.focus.bridge_announced(jid, stats, stage.now)
        if stage.now >= end:
            return
        stage.pass_time(min(REPORT, end - stage.now))


def asked(stage: Stage, room: RoomJid = OTHER_ROOM) -> Refusal | None:
    """Why a room is refused, or None: the focus enters it."""
    stage.take(object)
    stage.request(room, 77)
    answers = [a for a in stage.take(AnswerRequest) if a.ticket == 77]
    if answers:
        assert not answers[0].ready
        assert room not in stage.focus.conferences
        return answers[0].refusal
    assert stage.take(JoinRoom) == [JoinRoom(room)]
    return None


def test_a_new_room_is_refused_while_the_only_bridge_is_full() -> None:
    stage = Stage()
    report(stage, SUSTAINED, bridge_1=BUSY)
    assert asked(stage) is Refusal.OVERLOADED
    report(stage, 0.0, bridge_1=IDLE)
    assert asked(stage) is None


def test_a_moment_of_much_to_do_refuses_nobody() -> None:
    stage = Stage()
    report(stage, SUSTAINED - 1, bridge_1=BUSY)
    assert asked(stage) is None


def test_who_comes_into_a_room_that_is_open_is_let_in_and_invited() -> None:
    stage = Stage()
    stage.call("ann", "bob")
    report(stage, SUSTAINED, bridge_1=BUSY)
    assert asked(stage) is Refusal.OVERLOADED
    stage.request(ROOM, 78)
    [answer] = [a for a in stage.take(AnswerRequest) if a.ticket == 78]
    assert answer.ready
    stage.join("kim")
    requests = stage.take(SendColibri)
    assert [e.id for r in requests for e in r.modify.endpoints if e.create] == ["kim"]


def test_two_who_came_before_get_their_call() -> None:
    stage = Stage()
    report(stage, 0.0, bridge_1=IDLE)
    stage.open_room()
    stage.join("ann")
    report(stage, SUSTAINED, bridge_1=BUSY)
    stage.join("bob")
    assert stage.take(SendColibri)


def test_breakout_rooms_are_part_of_their_meeting() -> None:
    stage = meeting("ann", "bob")
    side = with_breakout(stage)
    report(stage, SUSTAINED, bridge_1=BUSY)
    assert asked(stage) is Refusal.OVERLOADED
    assert asked(stage, side) is None


@pytest.mark.parametrize(
    ("other", "refused"),
    [
        (BUSY, True),
        (IDLE, False),
        # A draining one is for need only, and nobody is in need of a new conference.
        (replace(IDLE, drain=True), True),
        (replace(IDLE, graceful_shutdown=True), True),
        (replace(IDLE, shutting_down=True), True),
    ],
)
def test_all_that_could_take_a_conference_have_to_be_full(
    other: BridgeStats, refused: bool
) -> None:
    stage = Stage()
    report(stage, SUSTAINED, bridge_1=BUSY, bridge_2=other)
    assert (asked(stage) is Refusal.OVERLOADED) == refused


def test_without_a_bridge_one_waits_for_one() -> None:
    stage = Stage()
    assert asked(stage) is None
    report(stage, SUSTAINED, bridge_1=BUSY)
    stage.focus.bridge_left(BRIDGE, stage.now)
    assert asked(stage, RoomJid("milk@muc.localhost")) is None


def test_a_bridge_that_comes_back_begins_anew() -> None:
    stage = Stage()
    report(stage, SUSTAINED, bridge_1=BUSY)
    stage.focus.connection_lost()
    stage.focus.connected(stage.now)
    report(stage, 0.0, bridge_1=BUSY)
    assert asked(stage) is None


def test_an_idle_worker_takes_the_next_conference() -> None:
    stage = Stage()
    stats = {"stress_level": "1.1", "newcomer_stress_level": "0.2", "drain": "false"}
    report(stage, SUSTAINED, bridge_1=BridgeStats.from_figures(stats))
    assert asked(stage) is None
    # A stock bridge has one figure for both.
    stage = Stage()
    del stats["newcomer_stress_level"]
    report(stage, SUSTAINED, bridge_1=BridgeStats.from_figures(stats))
    assert asked(stage) is Refusal.OVERLOADED


def test_the_limit_is_a_setting() -> None:
    stage = Stage(FocusSettings(refuse_stress=0.0))
    report(stage, SUSTAINED, bridge_1=BUSY)
    assert asked(stage) is None
    stage = Stage(FocusSettings(refuse_stress=0.5))
    half = replace(BUSY, newcomer_stress=0.6)
    report(stage, SUSTAINED, bridge_1=half, bridge_2=half)
    assert OTHER_BRIDGE in stage.focus.brewery.bridges
    assert asked(stage) is Refusal.OVERLOADED
