"""The Jingle session with one participant: what may come when.

Only the order of actions lives here; what an action does to the conference is decided
by the caller, who asks `receive` first.
"""

from __future__ import annotations

import enum

from xmppconf.errors import Condition, PeerError, UsageError
from xmppconf.jingle import Action


class State(enum.Enum):
    NEW = "new"
    PENDING = "pending"  # session-initiate sent, no session-accept yet
    ACTIVE = "active"
    ENDED = "ended"


#: What a participant may send in each state, and where it leads.
#: `tests/focus/test_jingle_session.py` walks every cell of this table.
TRANSITIONS: dict[State, dict[Action, State]] = {
    State.NEW: {},
    State.PENDING: {
        Action.SESSION_ACCEPT: State.ACTIVE,
        # Some gateways send their transport before they accept.
        Action.TRANSPORT_INFO: State.PENDING,
        Action.SESSION_INFO: State.PENDING,
        Action.SESSION_TERMINATE: State.ENDED,
    },
    State.ACTIVE: {
        Action.TRANSPORT_INFO: State.ACTIVE,
        Action.SESSION_INFO: State.ACTIVE,
        Action.SOURCE_ADD: State.ACTIVE,
        Action.SOURCE_REMOVE: State.ACTIVE,
        Action.SESSION_TERMINATE: State.ENDED,
    },
    State.ENDED: {},
}


class OutOfOrder(PeerError):
    condition: Condition = "unexpected-request"


class SessionEnded(PeerError):
    condition: Condition = "gone"


class JingleSession:
    """One session, known by `sid`; `bridge_session_id` names the allocation behind it."""

    def __init__(self, sid: str, bridge_session_id: str) -> None:
        self.sid = sid
        self.bridge_session_id = bridge_session_id
        self.state = State.NEW

    @classmethod
    def restored(cls, sid: str, bridge_session_id: str) -> JingleSession:
        """One that was accepted in another focus's life."""
        session = cls(sid, bridge_session_id)
        session.state = State.ACTIVE
        return session

    def start(self) -> None:
        if self.state is not State.NEW:
            raise UsageError(f"started in state {self.state.value}")
        self.state = State.PENDING

    def receive(self, action: Action) -> None:
        """Take one request from the participant; raises `PeerError` to refuse it."""
        if self.state is State.ENDED:
            raise SessionEnded("session ended")
        after = TRANSITIONS[self.state].get(action)
        if after is None:
            raise OutOfOrder(f"{action} in state {self.state.value}")
        self.state = after

    def end(self) -> None:
        """End it from our side, in any state."""
        self.state = State.ENDED
