"""The life of one child process, without a process."""

from __future__ import annotations

import pytest

from xmppconf.errors import UsageError
from xmppconf.serve.child import (
    BAD_SETTINGS,
    END_TIMEOUT,
    FIRST_DELAY,
    LAST_DELAY,
    STEADY,
    BecameReady,
    Child,
    Died,
    Effect,
    Ended,
    GaveUp,
    Kill,
    Spawn,
    State,
    Terminate,
)


def started() -> Child:
    child = Child()
    child.start(0.0)
    list(child.effects())
    return child


def effects(child: Child) -> list[Effect]:
    return list(child.effects())


def test_it_starts_and_becomes_ready_once() -> None:
    child = Child()
    child.start(0.0)
    child.ready(0.2)
    child.ready(0.3)
    assert effects(child) == [Spawn(), BecameReady()]
    with pytest.raises(UsageError):
        child.start(1.0)


def test_deaths_in_a_row_wait_longer_each_time_up_to_the_limit() -> None:
    child = started()
    now, delays = 0.0, []
    for _ in range(9):
        child.exited(now, 1)
        [died] = effects(child)
        assert isinstance(died, Died)
        delays.append(died.delay)
        due = child.next_timeout()
        assert due == now + died.delay
        child.timeout(due - 0.001)
        assert effects(child) == []
        child.timeout(due)
        assert effects(child) == [Spawn()]
        now = due
    assert delays[:3] == [FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY]
    assert delays[-2:] == [LAST_DELAY, LAST_DELAY]


def test_a_long_life_makes_the_next_death_the_first_again() -> None:
    child = started()
    child.exited(0.0, 1)
    child.timeout(FIRST_DELAY)
    effects(child)
    child.exited(FIRST_DELAY + STEADY, -9)
    assert effects(child) == [Died(-9, FIRST_DELAY)]


def test_bad_settings_are_not_tried_again() -> None:
    child = started()
    child.exited(0.1, BAD_SETTINGS)
    assert effects(child) == [GaveUp(BAD_SETTINGS), Ended()]
    assert child.next_timeout() is None


def test_it_is_asked_then_killed() -> None:
    child = started()
    child.stop(10.0)
    assert effects(child) == [Terminate()]
    assert child.next_timeout() == 10.0 + END_TIMEOUT
    child.timeout(10.0 + END_TIMEOUT)
    assert effects(child) == [Kill()]
    child.exited(12.5, -9)
    assert effects(child) == [Ended()]


def test_asked_twice_it_is_killed_at_once() -> None:
    child = started()
    child.stop(1.0)
    child.stop(1.1)
    assert effects(child) == [Terminate(), Kill()]


def test_it_does_not_come_back_after_the_end() -> None:
    child = started()
    child.exited(0.0, 1)
    effects(child)
    child.stop(0.1)
    assert effects(child) == [Ended()]
    child.timeout(100.0)
    child.ready(100.0)
    child.stop(100.0)
    assert effects(child) == []
    assert child.state is State.ENDED


def test_what_never_started_ends_too() -> None:
    child = Child()
    child.stop(0.0)
    assert effects(child) == [Ended()]
    with pytest.raises(UsageError):
        child.exited(1.0, 0)
