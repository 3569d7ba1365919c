"""The focus's record of one occupant that it serves."""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field

from xmppconf.ids import EndpointId
from xmppconf.sources import SourceSet
from xmppconf_focus.bridge_session import BridgeSession
from xmppconf_focus.features import Feature
from xmppconf_focus.jingle_session import JingleSession, State
from xmppconf_focus.rate import TokenBucket
from xmppconf_focus.record import ParticipantRecord
from xmppconf_focus.signalling import Signalling

MIN_RESTART_INTERVAL = 5.0  # seconds
RESTART_WINDOW = 60.0  # seconds
MAX_RESTARTS = 5  # within the window

MAX_REQUESTS = 60  # at once; each may be told to everybody
REQUESTS_PER_SECOND = 2.0


@dataclass(frozen=True, slots=True)
class StartMuted:
    """How many participants there are before newcomers start muted; None: never."""

    audio: int | None = None
    video: int | None = None


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
    bridge: BridgeSession | None = None
    """Where it is allocated, while it is."""
    region: str | None = None
    """What its client says of where it is."""
    was_invited: bool = False
    starts_muted: tuple[bool, bool] = (False, False)
    """Audio and video, as the room was set when this one came."""
    signalling: Signalling = field(default_factory=Signalling)
    restarts: deque[float] = field(default_factory=deque)
    requests: TokenBucket = field(
        default_factory=lambda: TokenBucket(REQUESTS_PER_SECOND, MAX_REQUESTS)
    )

    @classmethod
    def restored(cls, record: ParticipantRecord, bridge: BridgeSession) -> Participant:
        """One whose session another focus has begun."""
        participant = cls(record.id, record.features, region=record.region)
        participant.session = JingleSession.restored(record.sid, bridge.id)
        participant.bridge = bridge
        participant.stage = Stage.IN_SESSION
        participant.was_invited = True
        participant.signalling.restore(record.known)
        return participant

    def record(self, real_jid: str, sources: SourceSet) -> ParticipantRecord | None:
        """What another focus has to know; None: nothing goes on yet."""
        if self.session is None or self.bridge is None or not self.is_active():
            return None
        return ParticipantRecord(
            id=self.id,
            real_jid=real_jid,
            sid=self.session.sid,
            bridge=self.bridge.bridge,
            features=self.features,
            region=self.region,
            sources=sources,
            known=self.signalling.known(),
        )

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
