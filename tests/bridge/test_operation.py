"""How the bridge comes to its end: every state, every event."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from xmppconf_bridge.operation import GOING_TIMEOUT, GRACEFUL_TIMEOUT, Operation, State

RUNNING, GRACEFUL, GOING, ENDED = State


def _end(operation: Operation) -> None:
    operation.shut_down(100.0, graceful=True)
    operation.update(0, 100.0)


#: What brings an operation, begun at 100, into each state.
BEGIN: dict[State, Callable[[Operation], None]] = {
    RUNNING: lambda _: None,
    GRACEFUL: lambda one: one.shut_down(100.0, graceful=True),
    GOING: lambda one: one.shut_down(100.0, graceful=False),
    ENDED: _end,
}
#: What happens afterwards.
EVENTS: dict[str, Callable[[Operation], None]] = {
    "graceful": lambda one: one.shut_down(101.0, graceful=True),
    "at once": lambda one: one.shut_down(101.0, graceful=False),
    "some left": lambda one: one.update(3, 101.0),
    "a minute": lambda one: one.update(3, 100.0 + GOING_TIMEOUT),
    "a day": lambda one: one.update(3, 100.0 + GRACEFUL_TIMEOUT),
    "empty": lambda one: one.update(0, 101.0),
}
TABLE = {
    RUNNING: (GRACEFUL, GOING, RUNNING, RUNNING, RUNNING, RUNNING),
    GRACEFUL: (GRACEFUL, GOING, GRACEFUL, GRACEFUL, GOING, ENDED),
    GOING: (GOING, GOING, GOING, ENDED, ENDED, ENDED),
    ENDED: (ENDED, ENDED, ENDED, ENDED, ENDED, ENDED),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", EVENTS)
def test_every_event_in_every_state(state: State, event: str) -> None:
    operation = Operation()
    BEGIN[state](operation)
    assert operation.state is state
    EVENTS[event](operation)
    after = TABLE[state][list(EVENTS).index(event)]
    assert operation.state is after
    assert operation.takes_conferences == (after is RUNNING)


def test_who_outlasts_a_day_has_a_minute_to_go_elsewhere() -> None:
    operation = Operation()
    operation.shut_down(0.0, graceful=True)
    operation.update(1, GRACEFUL_TIMEOUT)
    operation.update(1, GRACEFUL_TIMEOUT + GOING_TIMEOUT - 1)
    assert operation.state is GOING
    operation.update(1, GRACEFUL_TIMEOUT + GOING_TIMEOUT)
    assert operation.state is ENDED


def test_draining_changes_nothing_else() -> None:
    operation = Operation(drain=True)
    assert operation.takes_conferences
    operation.update(0, 0.0)
    assert operation.state is RUNNING
