"""When an endpoint counts as gone: every state, every event, at the bounds themselves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from xmppconf_bridge.expiry import (
    EXPIRE_AFTER,
    EXPIRE_UNSEEN_AFTER,
    FIRST_ACTIVITY,
    INACTIVE_AFTER,
    Activity,
)

BEGIN = 100.0
SEEN = 1000.0
"""When those who were seen were seen last."""


def unseen() -> Activity:
    return Activity(BEGIN)


def overdue() -> Activity:
    """It should have come by now."""
    one = unseen()
    one.check(BEGIN + FIRST_ACTIVITY)
    return one


def active() -> Activity:
    one = unseen()
    one.seen(SEEN)
    one.check(SEEN)
    return one


def silent() -> Activity:
    one = active()
    one.check(SEEN + INACTIVE_AFTER)
    return one


def failed() -> Activity:
    """ICE failed; for its fellows that alone is no news."""
    one = active()
    one.ice_failed = True
    return one


def without_keys() -> Activity:
    """DTLS failed, which another pair does not mend."""
    one = active()
    one.dtls_failed = True
    return one


STATES = (unseen, overdue, active, silent, failed, without_keys)
JUST = 0.01


def at(
    now: float, seen: float | None = None, *, valid: bool = False, keys: bool = False
) -> Callable[[Activity], tuple[bool, bool, bool]]:
    """A look at `now`: whether something changed, whether it is active, and is over."""

    def look(one: Activity) -> tuple[bool, bool, bool]:
        one.seen(seen)
        one.ice_failed &= not valid
        one.dtls_failed &= not keys
        return one.check(now), one.is_active, one.is_expired(now)

    return look


#: `B` is counted from the beginning, `S` from the last sign of life.
EVENTS: dict[str, Callable[[Activity], tuple[bool, bool, bool]]] = {
    "B+15-": at(BEGIN + FIRST_ACTIVITY - JUST),
    "B+15": at(BEGIN + FIRST_ACTIVITY),
    "B+120": at(BEGIN + EXPIRE_UNSEEN_AFTER),
    "B+120+": at(BEGIN + EXPIRE_UNSEEN_AFTER + JUST),
    "S+8-": at(SEEN + INACTIVE_AFTER - JUST),
    "S+8": at(SEEN + INACTIVE_AFTER),
    "S+60": at(SEEN + EXPIRE_AFTER),
    "S+60+": at(SEEN + EXPIRE_AFTER + JUST),
    "a sign": at(SEEN + EXPIRE_AFTER + JUST, SEEN + EXPIRE_AFTER),
    "an older sign": at(SEEN + INACTIVE_AFTER, BEGIN),
    "a new pair": at(SEEN + INACTIVE_AFTER - JUST, valid=True),
    "keys": at(SEEN + INACTIVE_AFTER - JUST, keys=True),
}
#: By letters: `c` it changed, `a` is active, `x` is over.
TABLE = {
    "unseen": "a, c, c, cx, cx, cx, cx, cx, a, cx, cx, cx",
    "overdue": "ca, , , x, x, x, x, x, ca, x, x, x",
    "active": "a, a, a, a, a, c, c, cx, a, c, a, a",
    "silent": "ca, ca, ca, ca, ca, , , x, ca, , ca, ca",
    "failed": "ax, ax, ax, ax, ax, cx, cx, cx, ax, cx, a, ax",
    "without_keys": "ax, ax, ax, ax, ax, cx, cx, cx, ax, cx, ax, a",
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_every_event_in_every_state(state: Callable[[], Activity], event: str) -> None:
    changed, is_active, is_over = EVENTS[event](state())
    found = "c" * changed + "a" * is_active + "x" * is_over
    row = dict(zip(EVENTS, TABLE[state.__name__].split(", "), strict=True))
    assert found == row[event]
