"""The focus's record of one occupant that it serves."""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field

from xmppconf.ids import EndpointId
from xmppconf_focus.features import Feature
from xmppconf_focus.jingle_session import JingleSession, State
from xmppconf_focus.signalling import Signalling

MIN_RESTART_INTERVAL = 5.0  # seconds
RESTART_WINDOW = 60.0  # seconds
MAX_RESTARTS = 5  # within the window


class Stage(enum.Enum):
    UNKNOWN = "unknown"  # waiting for the client's features
    IDLE = "idle"  # to be invited when there is reason to
    ALLOCATING = "allocating"  # a bridge was asked
    IN_SESSION = "in-session"  # offered, or more
    OUT = "out"  # its session ended or failed; it has to join again


@dataclass(slots=True)
class Participant:
    id: EndpointId
    features: frozenset[str] = frozenset()
    stage: Stage = Stage.UNKNOWN
    session: JingleSession | None = None
    signalling: Signalling = field(default_factory=Signalling)
    restarts: deque[float] = field(default_factory=deque)

    def can_talk(self) -> bool:
        """Whether it is known to have media to exchange."""
        return not self.features.isdisjoint((Feature.AUDIO, Feature.VIDEO))

    def is_active(self) -> bool:
        return self.session is not None and self.session.state is State.ACTIVE

    def may_restart(self, now: float) -> bool:
        """Count a restart, unless there were too many."""
        while self.restarts and self.restarts[0] <= now - RESTART_WINDOW:
            self.restarts.popleft()
        if len(self.restarts) >= MAX_RESTARTS or (
            self.restarts and now - self.restarts[-1] < MIN_RESTART_INTERVAL
        ):
            return False
        self.restarts.append(now)
        return True
