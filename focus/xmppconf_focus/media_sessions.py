"""The media of one conference: who has a session, on which bridge, with which sources.

Every participant is allocated and offered by itself; allocations are sent one after the
other without waiting for answers.  No bridge is asked before there are two who can talk:
the allocation is one round trip on the server's own network, while one held ready would
have to be kept alive for everybody who waits alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from xmppconf.colibri2 import ForceMute
from xmppconf.config import FocusSettings
from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId, MeetingId
from xmppconf.transport import IceTransport
from xmppconf_focus.brewery import Brewery
from xmppconf_focus.bridge_session import BridgeSession
from xmppconf_focus.cascade import Cascade
from xmppconf_focus.effects import (
    BridgeJid,
    Effect,
    RoomJid,
    SendOffer,
    SendTerminate,
    SendTransport,
)
from xmppconf_focus.jingle_session import JingleSession
from xmppconf_focus.offers import Offers
from xmppconf_focus.participant import Participant, Stage, StartMuted
from xmppconf_focus.placement import Placement
from xmppconf_focus.record import MediaRecord
from xmppconf_focus.selection import SelectionPolicy
from xmppconf_focus.sender_limits import SenderLimits
from xmppconf_focus.source_changes import SourceChanges
from xmppconf_focus.source_map import SourceMap
from xmppconf_focus.source_views import (
    to_media_sources,
)


class MediaSessions:
    """`new_id` makes random ids; `initiator` is the focus's real address in offers."""

    def __init__(
        self,
        room: RoomJid,
        settings: FocusSettings,
        brewery: Brewery,
        limits: SenderLimits,
        initiator: str,
        new_id: Callable[[], str],
    ) -> None:
        self._effects: deque[Effect] = deque()
        self._room = room
        self._brewery = brewery
        self._new_id = new_id
        self.meeting_id = MeetingId("")
        self.participants: dict[EndpointId, Participant] = {}
        self.sources = SourceMap(settings.max_sources_per_endpoint)
        self.offers = Offers(settings, limits, self.sources, initiator)
        self.inviting = False
        """Whether there is reason to invite those who are idle."""
        self.bridge_missing = False
        """Whether somebody waits and no bridge can be selected."""
        self._forced: dict[EndpointId, ForceMute] = {}
        self._placement = Placement(brewery, SelectionPolicy.of(settings))
        self.cascade = Cascade(
            room,
            self.offers.describe_everything(),
            lambda endpoint: to_media_sources(endpoint, self.sources.of(endpoint)),
            new_id,
        )
        self.source_changes = SourceChanges(
            *(room, self.participants, self.sources, self.offers.rewrites),
            self._effects.append,
        )

    @property
    def bridge_count(self) -> int:
        return len(self.cascade.sessions)

    # -- people ------------------------------------------------------------------------
    def add(
        self,
        endpoint: EndpointId,
        features: frozenset[str] | None,
        region: str | None = None,
    ) -> None:
        self.participants[endpoint] = Participant(endpoint, region=region)
        if features is not None:
            self.features_known(endpoint, features)

    def is_unknown(self, endpoint: EndpointId) -> bool:
        """Whether this is a participant whose features nobody told us yet."""
        participant = self.participants.get(endpoint)
        return participant is not None and participant.stage is Stage.UNKNOWN

    def features_known(self, endpoint: EndpointId, features: frozenset[str]) -> None:
        """Only the first answer counts."""
        participant = self.participants.get(endpoint)
        if participant is not None and participant.stage is Stage.UNKNOWN:
            participant.features = features
            participant.stage = Stage.IDLE

    def remove(self, endpoint: EndpointId) -> None:
        """It left the room: clients drop its sources without being told."""
        participant = self.participants.pop(endpoint, None)
        if participant is None:
            return
        self.sources.remove_owner(endpoint)
        self._forced.pop(endpoint, None)
        self.source_changes.owner_left(endpoint)
        self._free(participant)

    def talkers(self) -> int:
        return sum(p.can_talk() for p in self.participants.values())

    # -- another focus's sessions ------------------------------------------------------
    def record(self, addresses: Mapping[EndpointId, str]) -> MediaRecord:
        """What another focus has to know; `addresses` are real ones, by endpoint."""
        records = (
            participant.record(addresses[participant.id], self.sources.of(participant.id))
            for participant in self.participants.values()
            if participant.id in addresses
        )
        start_muted = self.offers.start_muted
        return MediaRecord(
            meeting_id=self.meeting_id,
            start_muted=(start_muted.audio, start_muted.video),
            bridges=tuple(s.record() for s in self.cascade.sessions.values()),
            participants=tuple(record for record in records if record is not None),
        )

    def restore(self, record: MediaRecord) -> None:
        """Take sessions over; raises `PeerError` if the record contradicts itself."""
        self.meeting_id = record.meeting_id
        self.offers.start_muted = StartMuted(*record.start_muted)
        self.cascade.restore(record.meeting_id, record.bridges)
        sessions = self.cascade.sessions
        for known in record.participants:
            bridge = sessions.get(known.bridge)
            if bridge is None or known.id not in bridge.endpoints:
                raise PeerError("participant without a bridge")
            self.sources.add(known.id, known.sources)
            participant = Participant.restored(known, bridge)
            self.participants[known.id] = participant
        self.reserve_feedback()

    def suspend(self) -> dict[EndpointId, str]:
        """The stream broke: keep what is accepted, by its session id; forget the rest."""
        kept = {}
        for participant in list(self.participants.values()):
            if participant.session is not None and participant.is_active():
                kept[participant.id] = participant.session.sid
            else:
                del self.participants[participant.id]
                self.sources.remove_owner(participant.id)
        for bridge in self.cascade.sessions.values():
            bridge.forget_requests()
        self.inviting = False
        self._placement.retry_at = None
        return kept

    def resume(self, now: float) -> None:
        """Bring bridges in line with what we know: our last requests may be lost.

        Whoever was still being invited, or was on a bridge whose links were still being
        made, is freed there, and invited as a newcomer.
        """
        for bridge in list(self.cascade.sessions.values()):
            served = {p.id for p in self.participants.values() if p.bridge is bridge}
            for endpoint in sorted(bridge.endpoints - served):
                self.cascade.expire(bridge, endpoint)
        for participant in self.participants.values():
            if participant.bridge is not None:
                self.cascade.update(
                    participant.bridge, participant.id, sources_changed=True
                )
        for bridge in list(self.cascade.sessions.values()):
            if not bridge.linked:
                self.move(bridge, now, expire=True)

    @property
    def bridges(self) -> Iterable[BridgeJid]:
        return self.cascade.sessions.keys()

    # -- invitations -------------------------------------------------------------------
    def invite_idle(self, now: float) -> None:
        if not self.inviting or not self._placement.may_try(now):
            return
        self._placement.retry_at = None
        for participant in self.participants.values():
            if participant.stage is Stage.IDLE and participant.can_talk():
                self._allocate(participant, now)

    def end_all(self, reason: str, text: str, now: float) -> None:
        """End every session, as when only one participant is left."""
        self._placement.retry_at = None
        for participant in self.participants.values():
            if participant.stage in (Stage.ALLOCATING, Stage.IN_SESSION):
                self.end(participant, Stage.IDLE, now, reason, text)
        self.cascade.leave_all()

    def abandon(self) -> None:
        """The conference is over: free the bridges, tell nobody."""
        self._placement.retry_at = None
        self.cascade.leave_all()
        self.participants.clear()

    def _allocate(self, participant: Participant, now: float) -> None:
        chosen = self._placement.choose(self.cascade.used(), participant.region, now)
        self.bridge_missing = chosen is None
        if chosen is None:
            return
        participant.stage = Stage.ALLOCATING
        participant.bridge = self.cascade.allocate(
            chosen,
            self.meeting_id,
            participant.id,
            self.offers.describe(participant),
            data=self.offers.wants_data(participant),
            ssrc_rewriting=self.offers.rewrites(participant),
            force_mute=self._forced.get(participant.id),
        )

    def offer(
        self, participant: Participant, bridge: BridgeSession, transport: IceTransport
    ) -> None:
        """Begin a session: its bridge has answered with this transport."""
        session = JingleSession(self._new_id(), bridge.id)
        session.start()
        participant.session = session
        participant.stage = Stage.IN_SESSION
        count = len(self.participants)
        offer = self.offers.make(participant, bridge, transport, session.sid, count)
        participant.was_invited = True
        self._effects.append(SendOffer(self._room, participant.id, offer))

    def change_transport(
        self, endpoint: EndpointId, session: JingleSession, transport: IceTransport
    ) -> None:
        """Its bridge begins ICE anew."""
        self._effects.append(SendTransport(self._room, endpoint, session.sid, transport))

    def offer_refused(self, endpoint: EndpointId, sid: str, now: float) -> None:
        """The client answered session-initiate with an error: no second try."""
        participant = self.participants.get(endpoint)
        if participant is None or participant.session is None:
            return
        if participant.session.sid == sid and participant.stage is Stage.IN_SESSION:
            self.end(participant, Stage.OUT, now, "general-error", "jingle session failed")

    # -- ends --------------------------------------------------------------------------
    def end(
        self,
        participant: Participant,
        stage: Stage,
        now: float,
        reason: str | None = None,
        text: str = "",
    ) -> None:
        """End one session, on the bridge too; tell the client only with a reason."""
        session, participant.session = participant.session, None
        if session is not None:
            session.end()
            if reason is not None:
                self._effects.append(
                    SendTerminate(self._room, participant.id, session.sid, reason, text)
                )
        participant.stage = stage
        if self.sources.remove_owner(participant.id):
            self.source_changes.announce(participant.id, now)
        self._free(participant)

    def _free(self, participant: Participant) -> None:
        bridge, participant.bridge = participant.bridge, None
        if bridge is not None:
            self.cascade.expire(bridge, participant.id)

    # -- bridges -----------------------------------------------------------------------
    def reserve_feedback(self) -> None:
        """Nobody's source may have an SSRC that a bridge sends its own feedback with."""
        self.sources.reserve(
            ssrc
            for session in self.cascade.sessions.values()
            for source in session.feedback
            for ssrc in source.ssrcs
        )

    def bridge_lost(self, jid: BridgeJid, now: float) -> None:
        if (session := self.cascade.sessions.get(jid)) is not None:
            self.move(session, now, expire=jid in self._brewery.bridges)

    def bridge_usable(self, jid: BridgeJid, now: float) -> None:
        self._placement.usable(jid)
        if self.bridge_missing:
            self.invite_idle(now)

    def reinvite(self, endpoint: EndpointId, now: float) -> None:
        """Its session cannot go on: begin another, unless that happens too often."""
        participant = self.participants.get(endpoint)
        if participant is None or participant.stage is not Stage.IN_SESSION:
            return
        stage = Stage.IDLE if participant.may_restart(now) else Stage.OUT
        self.end(participant, stage, now, "success", "moving")
        self.invite_idle(now)

    def move(self, bridge: BridgeSession, now: float, *, expire: bool) -> None:
        """Leave a bridge and invite again whoever was on it."""
        self._placement.gave_up(bridge.bridge, now)
        self.cascade.leave(bridge, expire=expire)
        for participant in self.participants.values():
            if participant.bridge is bridge:
                participant.bridge = None
                self.end(participant, Stage.IDLE, now, "success", "moving")
        self.invite_idle(now)

    def force_mute(self, endpoint: EndpointId, forced: ForceMute) -> None:
        """What of this endpoint's media is dropped, until it is said otherwise."""
        participant = self.participants.get(endpoint)
        if participant is None or self._forced.get(endpoint, ForceMute()) == forced:
            return
        self._forced[endpoint] = forced
        if participant.bridge is not None:
            self.cascade.update(participant.bridge, endpoint, force_mute=forced)

    # -- time --------------------------------------------------------------------------
    def next_timeout(self) -> float | None:
        dues = (self.source_changes.next_timeout(), self._placement.retry_at)
        return min((due for due in dues if due is not None), default=None)

    def timeout(self, now: float) -> None:
        self.source_changes.flush(now)
        retry_at = self._placement.retry_at
        if retry_at is not None and now >= retry_at:
            # Also when nobody is to be invited any more: a due timer must not stay due.
            self._placement.retry_at = None
            self.invite_idle(now)

    def effects(self) -> Iterator[Effect]:
        """What clients are told, then what bridges are asked; each in its order."""
        while self._effects:
            yield self._effects.popleft()
        yield from self.cascade.effects()
