"""Which bridges there are, how they are, and which one is taken."""

from __future__ import annotations

from dataclasses import replace

import pytest
from xmppconf_focus.brewery import (
    ANSWER_TIMEOUT,
    CHECK_INTERVAL,
    FAILURE_RESET,
    MAX_BRIDGES,
    RAMP_UP,
    RETRY_DELAY,
    Brewery,
    BridgeLost,
    BridgeStats,
    BridgeUsable,
)
from xmppconf_focus.effects import BridgeJid, CheckHealth
from xmppconf_focus.selection import SelectionPolicy, select_bridge

from xmppconf.errors import Condition

A, B, C = BridgeJid("b@i/a"), BridgeJid("b@i/b"), BridgeJid("b@i/c")
GOOD = BridgeStats(stress=0.5, drain=False)


def brewery(**stats: BridgeStats) -> Brewery:
    made = Brewery()
    for name, figures in stats.items():
        made.announced(BridgeJid(f"b@i/{name}"), figures, 0.0)
    list(made.effects())
    return made


def chosen(made: Brewery, now: float = 0.0) -> BridgeJid | None:
    bridge = select_bridge(made.bridges.values(), now, SelectionPolicy())
    return bridge.jid if bridge else None


def test_the_least_stressed_is_taken() -> None:
    made = brewery(a=GOOD, b=replace(GOOD, stress=0.2), c=replace(GOOD, stress=0.3))
    assert chosen(made) == B


def test_new_endpoints_count_until_they_show_in_the_figures() -> None:
    made = brewery(a=replace(GOOD, stress=0.2), b=replace(GOOD, stress=0.25))
    for _ in range(6):
        made.placed(A, 10.0)
    assert chosen(made, 10.0) == B
    assert chosen(made, 10.0 + RAMP_UP) == A


@pytest.mark.parametrize(
    ("worse", "still_taken_alone"),
    [
        (replace(GOOD, stress=0.0, drain=True), True),
        (BridgeStats(), True),
        (replace(GOOD, stress=0.0, graceful_shutdown=True), False),
        (replace(GOOD, stress=0.0, shutting_down=True), False),
    ],
)
def test_a_bridge_about_to_stop_is_the_last_choice_or_none(
    worse: BridgeStats, still_taken_alone: bool
) -> None:
    assert chosen(brewery(a=worse, b=GOOD)) == B
    assert chosen(brewery(a=worse)) == (A if still_taken_alone else None)


def test_a_bridge_to_avoid_is_not_taken() -> None:
    made = brewery(a=GOOD)
    assert select_bridge(made.bridges.values(), 0.0, SelectionPolicy(), avoid={A}) is None


def test_figures_are_read_with_care() -> None:
    assert BridgeStats.from_figures({}).drain
    stats = BridgeStats.from_figures(
        {"stress_level": "0.21", "drain": "false", "graceful_shutdown": "true"}
    )
    assert (stats.stress, stats.drain, stats.graceful_shutdown) == (0.21, False, True)
    for text in ("nan", "-1", "inf", "much", ""):
        assert BridgeStats.from_figures({"stress_level": text}).stress == 1.0


@pytest.mark.parametrize("there_is_another", [True, False])
def test_silence_twice_takes_a_bridge_out_and_moves_all_if_another_answers(
    there_is_another: bool,
) -> None:
    made = brewery(a=GOOD, **({"b": GOOD} if there_is_another else {}))
    made.timeout(CHECK_INTERVAL)
    assert CheckHealth(A) in list(made.effects())
    if there_is_another:
        made.health_answered(B, CHECK_INTERVAL)
    made.health_failed(A, "remote-server-timeout", CHECK_INTERVAL + ANSWER_TIMEOUT)
    assert chosen(made) == A
    again = CHECK_INTERVAL + ANSWER_TIMEOUT + RETRY_DELAY
    assert made.next_timeout() == again
    made.timeout(again)
    assert list(made.effects()) == [CheckHealth(A)]
    # Fifteen seconds after the last answer at most.
    assert again + ANSWER_TIMEOUT < 15.0
    made.health_failed(A, "remote-server-timeout", again + ANSWER_TIMEOUT)
    assert chosen(made) == (B if there_is_another else None)
    assert list(made.effects()) == ([BridgeLost(A)] if there_is_another else [])


def test_when_all_bridges_are_silent_nobody_is_moved() -> None:
    made = brewery(a=GOOD, b=GOOD)
    for _ in range(2):
        for bridge in (A, B):
            made.health_failed(bridge, "remote-server-timeout", 10.0)
    assert list(made.effects()) == []


def test_a_bridge_that_is_silent_alone_is_used_again_as_soon_as_it_answers() -> None:
    """It is rather the way to it that was cut, which nobody has to do penance for."""
    made = brewery(a=GOOD)
    for _ in range(2):
        made.health_failed(A, "remote-server-timeout", 10.0)
    assert chosen(made) is None
    made.timeout(10.0 + CHECK_INTERVAL)
    assert list(made.effects()) == [CheckHealth(A)]
    made.health_answered(A, 10.0 + CHECK_INTERVAL)
    assert list(made.effects()) == [BridgeUsable(A)]
    assert chosen(made) == A


@pytest.mark.parametrize("condition", ["internal-server-error", "service-unavailable"])
def test_a_bridge_that_says_it_is_ill_loses_its_conferences(condition: Condition) -> None:
    made = brewery(a=GOOD)
    made.health_failed(A, condition, 10.0)
    assert list(made.effects()) == [BridgeLost(A)]
    assert chosen(made) is None


def test_a_failed_bridge_comes_back_when_it_answers_after_a_minute() -> None:
    made = brewery(a=GOOD)
    made.failed(A, 10.0)
    assert chosen(made) is None
    made.health_answered(A, 20.0)  # an old question's answer
    assert chosen(made) is None
    made.failed(A, 20.0)
    made.timeout(20.0 + FAILURE_RESET)
    assert list(made.effects()) == [CheckHealth(A)]
    made.health_answered(A, 20.0 + FAILURE_RESET)
    assert list(made.effects()) == [BridgeUsable(A)]
    assert chosen(made) == A


def test_leaving_and_shutting_down_move_conferences_once() -> None:
    made = brewery(a=GOOD, b=GOOD)
    down = replace(GOOD, shutting_down=True)
    for _ in range(2):
        made.announced(A, down, 1.0)
    assert list(made.effects()) == [BridgeLost(A)]
    for _ in range(2):
        made.left(B)
    assert list(made.effects()) == [BridgeLost(B)]


def test_a_bridge_is_usable_news_when_its_first_figures_say_so() -> None:
    made = Brewery()
    made.announced(A, None, 0.0)
    assert list(made.effects()) == []
    made.announced(A, GOOD, 1.0)
    assert list(made.effects()) == [BridgeUsable(A)]
    made.announced(A, GOOD, 2.0)
    assert list(made.effects()) == []


def test_bridges_are_bounded() -> None:
    made = Brewery()
    for number in range(MAX_BRIDGES + 1):
        made.announced(BridgeJid(f"b@i/{number}"), GOOD, 0.0)
    assert len(made.bridges) == MAX_BRIDGES
