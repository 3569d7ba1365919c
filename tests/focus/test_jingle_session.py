from __future__ import annotations

import pytest
from xmppconf_focus.jingle_session import (
    TRANSITIONS,
    JingleSession,
    OutOfOrder,
    SessionEnded,
    State,
)

from xmppconf.errors import UsageError
from xmppconf.jingle import Action


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", Action)
def test_every_action_in_every_state(state: State, action: Action) -> None:
    session = JingleSession("sid-1", "bridge-1")
    session.state = state
    expected = TRANSITIONS[state].get(action)
    if expected is not None:
        session.receive(action)
        assert session.state is expected
        return
    with pytest.raises(SessionEnded if state is State.ENDED else OutOfOrder) as refusal:
        session.receive(action)
    assert refusal.value.condition == (
        "gone" if state is State.ENDED else "unexpected-request"
    )
    assert session.state is state


def test_a_session_starts_once() -> None:
    session = JingleSession("sid-1", "bridge-1")
    session.start()
    with pytest.raises(UsageError):
        session.start()


def test_only_an_active_session_takes_sources() -> None:
    with_sources = {s for s in State if Action.SOURCE_ADD in TRANSITIONS[s]}
    assert with_sources == {State.ACTIVE}
