"""What is said of the bridge's health: every state, every event."""

from __future__ import annotations

import pytest
from xmppconf_bridge.health import INTERVAL, VALID_FOR, Health

#: Results of checks, with their times, that make the state.
STATES: dict[str, tuple[tuple[bool, float], ...]] = {
    "unknown": (),
    "passed": ((True, 0.0),),
    "failed": ((False, 0.0),),
    "recovered": ((True, -300.0), (False, -100.0), (True, 0.0)),
    "broken": ((True, -1.0), (False, 0.0)),
}
TIMES = (0.0, INTERVAL - 1, INTERVAL, VALID_FOR, VALID_FOR + 1)
#: At these times: `h` for healthy, `d` for a check that is due.
TABLE = {
    "unknown": "d d d d d",
    "passed": "h h hd hd d",
    "failed": "d d d d d",
    "recovered": "h h hd hd d",
    "broken": "d d d d d",
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("now", TIMES)
def test_every_time_in_every_state(state: str, now: float) -> None:
    health = Health()
    for passed, at in STATES[state]:
        health.checked(passed, at)
    found = "h" * health.is_healthy(now) + "d" * health.is_due(now)
    assert found == dict(zip(TIMES, TABLE[state].split(), strict=True))[now]
