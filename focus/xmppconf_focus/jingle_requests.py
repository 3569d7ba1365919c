"""What clients ask in their Jingle sessions (XEP-0166): who may when, and what it does."""

from __future__ import annotations

from dataclasses import replace

from xmppconf.errors import Condition, NotFound, PeerError
from xmppconf.ids import EndpointId
from xmppconf.jingle import Action, Received
from xmppconf_focus.jingle_session import TRANSITIONS, JingleSession
from xmppconf_focus.media_sessions import MediaSessions
from xmppconf_focus.participant import Participant, Stage
from xmppconf_focus.sender_limits import SenderLimits, sent_as
from xmppconf_focus.source_views import with_names

_ACCEPTED = frozenset(action for actions in TRANSITIONS.values() for action in actions)


class Unsupported(PeerError):
    condition: Condition = "feature-not-implemented"


class TooOften(PeerError):
    condition: Condition = "resource-constraint"


class JingleRequests:
    def __init__(self, media: MediaSessions, limits: SenderLimits) -> None:
        self._media = media
        self._limits = limits

    def receive(self, endpoint: EndpointId, received: Received, now: float) -> None:
        """Take a Jingle request; raises `PeerError` to refuse it."""
        if received.action not in _ACCEPTED:
            raise Unsupported("unsupported action")
        media = self._media
        participant = media.participants.get(endpoint)
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
                media.sources.add(endpoint, sources)
                self._sources_changed(participant, now)
            case Action.SOURCE_REMOVE if received.sources:
                media.sources.remove(endpoint, sources)
                self._sources_changed(participant, now)
            case Action.TRANSPORT_INFO if participant.bridge is not None:
                media.cascade.update(
                    participant.bridge, endpoint, transport=received.transport
                )
            case Action.SESSION_TERMINATE:
                self._terminated(participant, session, received, now)
            case Action.SESSION_INFO if received.ice_restart:
                self._restart_ice(participant, session, received, now)
            case Action.SESSION_INFO if received.session_info == "failed":
                self._ice_failed(participant, session, received, now)
        media.source_changes.flush(now)

    def _accepted(self, participant: Participant, received: Received, now: float) -> None:
        try:
            self._media.sources.add(participant.id, received.sources)
        except PeerError:
            self._media.end(participant, Stage.OUT, now)
            raise
        if participant.bridge is not None:
            self._media.cascade.update(
                participant.bridge,
                participant.id,
                transport=received.transport,
                sources_changed=True,
                initial_last_n=received.initial_last_n,
            )
        self._media.source_changes.announce(participant.id, now)
        participant.signalling.due = now

    def _sources_changed(self, participant: Participant, now: float) -> None:
        if participant.bridge is not None:
            self._media.cascade.update(
                participant.bridge, participant.id, sources_changed=True
            )
        self._media.source_changes.announce(participant.id, now)

    def _terminated(
        self,
        participant: Participant,
        session: JingleSession,
        received: Received,
        now: float,
    ) -> None:
        known = received.bridge_session_id == session.bridge_session_id
        again = received.restart and known and participant.may_restart(now)
        self._media.end(participant, Stage.IDLE if again else Stage.OUT, now)
        self._media.source_changes.flush(now)
        if again:
            self._media.invite_idle(now)
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
        self._media.end(participant, Stage.IDLE, now, "success", "restarting")
        self._media.invite_idle(now)

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
        self._media.cascade.restart_ice(participant.bridge, participant.id)
