"""The media of one conference: who has a session, on which bridge, with which sources.

Every participant is allocated and offered by itself; allocations are sent one after the
other without waiting for answers.  No bridge is asked before there are two who can talk:
the allocation is one round trip on the server's own network, while one held ready would
have to be kept alive for everybody who waits alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from xmppconf.colibri2 import ColibriRefused, ConferenceModified, ForceMute
from xmppconf.config import FocusSettings
from xmppconf.errors import Condition, NotFound, PeerError
from xmppconf.ids import EndpointId, MeetingId
from xmppconf.jingle import Action, Received
from xmppconf.transport import IceTransport
from xmppconf_focus.brewery import Brewery
from xmppconf_focus.bridge_session import BridgeSession
from xmppconf_focus.cascade import Cascade
from xmppconf_focus.effects import (
    BridgeJid,
    Effect,
    RoomJid,
    SendOffer,
    SendSources,
    SendTerminate,
    SendTransport,
)
from xmppconf_focus.features import Feature
from xmppconf_focus.jingle_session import TRANSITIONS, JingleSession
from xmppconf_focus.offers import Offers
from xmppconf_focus.participant import Participant, Stage, StartMuted
from xmppconf_focus.placement import Placement
from xmppconf_focus.reactions import Reaction, on_allocation, on_relay, on_update
from xmppconf_focus.record import MediaRecord
from xmppconf_focus.selection import SelectionPolicy
from xmppconf_focus.sender_limits import SenderLimits, sent_as
from xmppconf_focus.signalling import signalling_delay
from xmppconf_focus.source_map import SourceMap
from xmppconf_focus.source_views import (
    strip_simulcast,
    to_media_sources,
    with_names,
)

_ACCEPTED = frozenset(action for actions in TRANSITIONS.values() for action in actions)


class Unsupported(PeerError):
    condition: Condition = "feature-not-implemented"


class TooOften(PeerError):
    condition: Condition = "resource-constraint"


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
        self._room = room
        self._brewery = brewery
        self._limits = limits
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
        self._cascade = Cascade(
            room,
            self.offers.describe_everything(),
            lambda endpoint: to_media_sources(endpoint, self.sources.of(endpoint)),
            new_id,
        )
        self._effects: deque[Effect] = deque()

    @property
    def bridge_count(self) -> int:
        return len(self._cascade.sessions)

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
        for other in self.participants.values():
            other.signalling.owner_left(endpoint)
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
            bridges=tuple(s.record() for s in self._cascade.sessions.values()),
            participants=tuple(record for record in records if record is not None),
        )

    def restore(self, record: MediaRecord) -> None:
        """Take sessions over; raises `PeerError` if the record contradicts itself."""
        self.meeting_id = record.meeting_id
        self.offers.start_muted = StartMuted(*record.start_muted)
        self._cascade.restore(record.meeting_id, record.bridges)
        sessions = self._cascade.sessions
        for known in record.participants:
            bridge = sessions.get(known.bridge)
            if bridge is None or known.id not in bridge.endpoints:
                raise PeerError("participant without a bridge")
            self.sources.add(known.id, known.sources)
            participant = Participant.restored(known, bridge)
            self.participants[known.id] = participant
        self._reserve_feedback()

    def suspend(self) -> dict[EndpointId, str]:
        """The stream broke: keep what is accepted, by its session id; forget the rest."""
        kept = {}
        for participant in list(self.participants.values()):
            if participant.session is not None and participant.is_active():
                kept[participant.id] = participant.session.sid
            else:
                del self.participants[participant.id]
                self.sources.remove_owner(participant.id)
        for bridge in self._cascade.sessions.values():
            bridge.forget_requests()
        self.inviting = False
        self._placement.retry_at = None
        return kept

    def resume(self, now: float) -> None:
        """Bring bridges in line with what we know: our last requests may be lost.

        Whoever was still being invited, or was on a bridge whose links were still being
        made, is freed there, and invited as a newcomer.
        """
        for bridge in list(self._cascade.sessions.values()):
            served = {p.id for p in self.participants.values() if p.bridge is bridge}
            for endpoint in sorted(bridge.endpoints - served):
                self._cascade.expire(bridge, endpoint)
        for participant in self.participants.values():
            if participant.bridge is not None:
                self._cascade.update(
                    participant.bridge, participant.id, sources_changed=True
                )
        for bridge in list(self._cascade.sessions.values()):
            if not bridge.linked:
                self._move(bridge, now, expire=True)

    @property
    def bridges(self) -> Iterable[BridgeJid]:
        return self._cascade.sessions.keys()

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
                self._end(participant, Stage.IDLE, now, reason, text)
        self._cascade.leave_all()

    def abandon(self) -> None:
        """The conference is over: free the bridges, tell nobody."""
        self._placement.retry_at = None
        self._cascade.leave_all()
        self.participants.clear()

    def _allocate(self, participant: Participant, now: float) -> None:
        chosen = self._placement.choose(self._cascade.used(), participant.region, now)
        self.bridge_missing = chosen is None
        if chosen is None:
            return
        participant.stage = Stage.ALLOCATING
        participant.bridge = self._cascade.allocate(
            chosen,
            self.meeting_id,
            participant.id,
            self.offers.describe(participant),
            data=self.offers.wants_data(participant),
            ssrc_rewriting=self.offers.rewrites(participant),
            force_mute=self._forced.get(participant.id),
        )

    def _offer(
        self, participant: Participant, bridge: BridgeSession, transport: IceTransport
    ) -> None:
        session = JingleSession(self._new_id(), bridge.id)
        session.start()
        participant.session = session
        participant.stage = Stage.IN_SESSION
        count = len(self.participants)
        offer = self.offers.make(participant, bridge, transport, session.sid, count)
        participant.was_invited = True
        self._effects.append(SendOffer(self._room, participant.id, offer))

    def offer_refused(self, endpoint: EndpointId, sid: str, now: float) -> None:
        """The client answered session-initiate with an error: no second try."""
        participant = self.participants.get(endpoint)
        if participant is None or participant.session is None:
            return
        if participant.session.sid == sid and participant.stage is Stage.IN_SESSION:
            self._end(participant, Stage.OUT, now, "general-error", "jingle session failed")

    # -- what participants send --------------------------------------------------------
    def receive(self, endpoint: EndpointId, received: Received, now: float) -> None:
        """Take a Jingle request; raises `PeerError` to refuse it."""
        if received.action not in _ACCEPTED:
            raise Unsupported("unsupported action")
        participant = self.participants.get(endpoint)
        session = participant.session if participant is not None else None
        if participant is None or session is None or session.sid != received.sid:
            raise PeerError("no session")
        if received.action is Action.TRANSPORT_INFO and received.transport is None:
            raise PeerError("transport-info without transport")
        if received.action is not Action.SESSION_TERMINATE and (
            not participant.requests.take(now)
        ):
            raise TooOften("requests")
        sources = with_names(endpoint, received.sources)
        session.receive(received.action)
        match received.action:
            case Action.SESSION_ACCEPT:
                self._accepted(participant, replace(received, sources=sources), now)
            case Action.SOURCE_ADD if received.sources:
                for source in sources.sources:
                    self._limits.check(endpoint, sent_as(source.media_type))
                self.sources.add(endpoint, sources)
                self._sources_changed(participant, now)
            case Action.SOURCE_REMOVE if received.sources:
                self.sources.remove(endpoint, sources)
                self._sources_changed(participant, now)
            case Action.TRANSPORT_INFO if participant.bridge is not None:
                self._cascade.update(
                    participant.bridge, endpoint, transport=received.transport
                )
            case Action.SESSION_TERMINATE:
                self._terminated(participant, session, received, now)
            case Action.SESSION_INFO if received.ice_restart:
                self._restart_ice(participant, session, received, now)
            case Action.SESSION_INFO if received.session_info == "failed":
                self._ice_failed(participant, session, received, now)
        self._flush(now)

    def _accepted(self, participant: Participant, received: Received, now: float) -> None:
        try:
            self.sources.add(participant.id, received.sources)
        except PeerError:
            self._end(participant, Stage.OUT, now)
            raise
        if participant.bridge is not None:
            self._cascade.update(
                participant.bridge,
                participant.id,
                transport=received.transport,
                sources_changed=True,
                initial_last_n=received.initial_last_n,
            )
        self._announce(participant.id, now)
        participant.signalling.due = now

    def _terminated(
        self,
        participant: Participant,
        session: JingleSession,
        received: Received,
        now: float,
    ) -> None:
        known = received.bridge_session_id == session.bridge_session_id
        again = received.restart and known and participant.may_restart(now)
        self._end(participant, Stage.IDLE if again else Stage.OUT, now)
        self._flush(now)
        if again:
            self.invite_idle(now)
        elif received.restart:
            raise TooOften("restarts") if known else NotFound("bridge session")

    def _ice_failed(
        self,
        participant: Participant,
        session: JingleSession,
        received: Received,
        now: float,
    ) -> None:
        if received.bridge_session_id != session.bridge_session_id:
            raise NotFound("bridge session")
        if not participant.may_restart(now):
            raise TooOften("restarts")
        self._end(participant, Stage.IDLE, now, "success", "restarting")
        self.invite_idle(now)

    def _restart_ice(
        self,
        participant: Participant,
        session: JingleSession,
        received: Received,
        now: float,
    ) -> None:
        """Ask the bridge for new ICE parameters; the session stays as it is."""
        if received.bridge_session_id != session.bridge_session_id:
            raise NotFound("bridge session")
        if participant.bridge is None or participant.stage is not Stage.IN_SESSION:
            raise PeerError("no session")
        if not participant.may_restart(now):
            raise TooOften("restarts")
        self._cascade.restart_ice(participant.bridge, participant.id)

    def _ice_restarted(
        self, endpoint: EndpointId, answer: ConferenceModified, now: float
    ) -> None:
        """Pass on what the bridge says: nothing is to be done if it keeps what it has."""
        participant = self.participants.get(endpoint)
        session = participant.session if participant is not None else None
        if participant is None or session is None or not participant.is_active():
            return
        transport = next((e.transport for e in answer.endpoints if e.id == endpoint), None)
        if transport is None or transport.ice is None:
            self._reinvite(endpoint, now)
        elif transport.ice.generation is not None:
            self._effects.append(
                SendTransport(self._room, endpoint, session.sid, transport.ice)
            )

    # -- sources -----------------------------------------------------------------------
    def _sources_changed(self, participant: Participant, now: float) -> None:
        if participant.bridge is not None:
            self._cascade.update(participant.bridge, participant.id, sources_changed=True)
        self._announce(participant.id, now)

    def _announce(self, owner: EndpointId, now: float) -> None:
        sources = strip_simulcast(self.sources.of(owner))
        due = now + signalling_delay(len(self.participants))
        for other in self.participants.values():
            if (
                other.id != owner
                and other.stage is Stage.IN_SESSION
                and not self.offers.rewrites(other)
            ):
                other.signalling.changed(owner, sources, due)

    def _flush(self, now: float) -> None:
        for participant in self.participants.values():
            due, session = participant.signalling.due, participant.session
            if due is None or due > now or session is None or not participant.is_active():
                continue
            json_sources = Feature.JSON_SOURCES in participant.features
            for action, sources in participant.signalling.take():
                self._effects.append(
                    SendSources(
                        self._room,
                        participant.id,
                        session.sid,
                        action,
                        sources,
                        json_sources,
                    )
                )

    # -- ends --------------------------------------------------------------------------
    def _end(
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
            self._announce(participant.id, now)
        self._free(participant)

    def _free(self, participant: Participant) -> None:
        bridge, participant.bridge = participant.bridge, None
        if bridge is not None:
            self._cascade.expire(bridge, participant.id)

    # -- what bridges answer -----------------------------------------------------------
    def colibri_answered(
        self, request: int, answer: ConferenceModified, now: float
    ) -> None:
        bridge = self._cascade.asked(request)
        if bridge is None:
            return
        bridge.updates.discard(request)
        if (endpoint := bridge.restarts.pop(request, None)) is not None:
            self._ice_restarted(endpoint, answer, now)
            self._flush(now)
            return
        if request in bridge.links:
            try:
                self._cascade.linked(bridge, request, answer.relays)
            except PeerError:
                self._move(bridge, now, expire=True)
            return
        allocation = bridge.allocations.pop(request, None)
        if allocation is None:
            return
        if answer.sources and not bridge.feedback:
            bridge.feedback = answer.sources
            self._reserve_feedback()
        participant = self.participants[allocation.endpoint]
        transport = next(
            (e.transport for e in answer.endpoints if e.id == allocation.endpoint), None
        )
        port = transport.sctp.port if transport and transport.sctp else None
        if transport is None or transport.ice is None or (allocation.data and port is None):
            self._end(participant, Stage.OUT, now)
            return
        self._offer(participant, bridge, replace(transport.ice, sctp_port=port))

    def _reserve_feedback(self) -> None:
        self.sources.reserve(
            ssrc
            for session in self._cascade.sessions.values()
            for source in session.feedback
            for ssrc in source.ssrcs
        )

    def colibri_refused(
        self, request: int, refused: ColibriRefused | None, now: float
    ) -> None:
        """`refused` is None if no answer came in time."""
        bridge = self._cascade.asked(request)
        if bridge is None:
            return
        endpoint = (refused and refused.endpoint) or EndpointId("")
        if (allocation := bridge.allocations.get(request)) is not None:
            reaction = on_allocation(refused)
            endpoint = allocation.endpoint
        elif request in bridge.links:
            reaction = on_relay(refused)
        else:
            bridge.updates.discard(request)
            bridge.restarts.pop(request, None)
            reaction = on_update(refused)
        match reaction:
            case Reaction.FAIL_INVITE:
                self._end(self.participants[endpoint], Stage.OUT, now)
            case Reaction.REINVITE_ENDPOINT:
                self._reinvite(endpoint, now)
            case Reaction.BRIDGE_FAILED:
                self._brewery.failed(bridge.bridge, now)
                self._move(bridge, now, expire=True)
            case Reaction.REFUSES_NEW:
                self._brewery.refused_new(bridge.bridge)
                self._move(bridge, now, expire=True)
            case Reaction.LEAVE_BRIDGE:
                self._move(bridge, now, expire=True)
        self._flush(now)

    def bridge_lost(self, jid: BridgeJid, now: float) -> None:
        if (session := self._cascade.sessions.get(jid)) is not None:
            self._move(session, now, expire=jid in self._brewery.bridges)

    def bridge_usable(self, jid: BridgeJid, now: float) -> None:
        self._placement.usable(jid)
        if self.bridge_missing:
            self.invite_idle(now)

    def _reinvite(self, endpoint: EndpointId, now: float) -> None:
        participant = self.participants.get(endpoint)
        if participant is None or participant.stage is not Stage.IN_SESSION:
            return
        stage = Stage.IDLE if participant.may_restart(now) else Stage.OUT
        self._end(participant, stage, now, "success", "moving")
        self.invite_idle(now)

    def _move(self, bridge: BridgeSession, now: float, *, expire: bool) -> None:
        """Leave a bridge and invite again whoever was on it."""
        self._placement.gave_up(bridge.bridge, now)
        self._cascade.leave(bridge, expire=expire)
        for participant in self.participants.values():
            if participant.bridge is bridge:
                participant.bridge = None
                self._end(participant, Stage.IDLE, now, "success", "moving")
        self.invite_idle(now)

    def force_mute(self, endpoint: EndpointId, forced: ForceMute) -> None:
        """What of this endpoint's media is dropped, until it is said otherwise."""
        participant = self.participants.get(endpoint)
        if participant is None or self._forced.get(endpoint, ForceMute()) == forced:
            return
        self._forced[endpoint] = forced
        if participant.bridge is not None:
            self._cascade.update(participant.bridge, endpoint, force_mute=forced)

    # -- time --------------------------------------------------------------------------
    def next_timeout(self) -> float | None:
        due = [
            participant.signalling.due
            for participant in self.participants.values()
            if participant.signalling.due is not None and participant.is_active()
        ]
        if self._placement.retry_at is not None:
            due.append(self._placement.retry_at)
        return min(due, default=None)

    def timeout(self, now: float) -> None:
        self._flush(now)
        retry_at = self._placement.retry_at
        if retry_at is not None and now >= retry_at:
            # Also when nobody is to be invited any more: a due timer must not stay due.
            self._placement.retry_at = None
            self.invite_idle(now)

    def effects(self) -> Iterator[Effect]:
        """What clients are told, then what bridges are asked; each in its order."""
        while self._effects:
            yield self._effects.popleft()
        yield from self._cascade.effects()
