"""What bridges answer to requests of one conference, and what follows for its sessions."""

from __future__ import annotations

from dataclasses import replace

from xmppconf.colibri2 import ColibriRefused, ConferenceModified
from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId
from xmppconf_focus.brewery import Brewery
from xmppconf_focus.bridge_session import BridgeSession
from xmppconf_focus.media_sessions import MediaSessions
from xmppconf_focus.participant import Stage
from xmppconf_focus.reactions import Reaction, on_allocation, on_relay, on_update


class BridgeAnswers:
    """`brewery` hears what an answer says of the bridge itself."""

    def __init__(self, media: MediaSessions, brewery: Brewery) -> None:
        self._media = media
        self._brewery = brewery

    def answered(self, request: int, answer: ConferenceModified, now: float) -> None:
        media = self._media
        bridge = media.cascade.asked(request)
        if bridge is None:
            return
        bridge.updates.discard(request)
        if (endpoint := bridge.restarts.pop(request, None)) is not None:
            self._ice_restarted(endpoint, answer, now)
            media.source_changes.flush(now)
        elif request in bridge.links:
            try:
                media.cascade.linked(bridge, request, answer.relays)
            except PeerError:
                media.move(bridge, now, expire=True)
        elif request in bridge.allocations:
            self._allocated(bridge, request, answer, now)

    def _allocated(
        self, bridge: BridgeSession, request: int, answer: ConferenceModified, now: float
    ) -> None:
        allocation = bridge.allocations.pop(request)
        if answer.sources and not bridge.feedback:
            bridge.feedback = answer.sources
            self._media.reserve_feedback()
        participant = self._media.participants[allocation.endpoint]
        transport = next(
            (e.transport for e in answer.endpoints if e.id == allocation.endpoint), None
        )
        port = transport.sctp.port if transport and transport.sctp else None
        if transport is None or transport.ice is None or (allocation.data and port is None):
            self._media.end(participant, Stage.OUT, now)
            return
        self._media.offer(participant, bridge, replace(transport.ice, sctp_port=port))

    def _ice_restarted(
        self, endpoint: EndpointId, answer: ConferenceModified, now: float
    ) -> None:
        """Pass on what the bridge says: nothing is to be done if it keeps what it has."""
        participant = self._media.participants.get(endpoint)
        session = participant.session if participant is not None else None
        if participant is None or session is None or not participant.is_active():
            return
        transport = next((e.transport for e in answer.endpoints if e.id == endpoint), None)
        if transport is None or transport.ice is None:
            self._media.reinvite(endpoint, now)
        elif transport.ice.generation is not None:
            self._media.change_transport(endpoint, session, transport.ice)

    def refused(self, request: int, refused: ColibriRefused | None, now: float) -> None:
        """`refused` is None if no answer came in time."""
        media = self._media
        bridge = media.cascade.asked(request)
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
                media.end(media.participants[endpoint], Stage.OUT, now)
            case Reaction.REINVITE_ENDPOINT:
                media.reinvite(endpoint, now)
            case Reaction.BRIDGE_FAILED:
                self._brewery.failed(bridge.bridge, now)
                media.move(bridge, now, expire=True)
            case Reaction.REFUSES_NEW:
                self._brewery.refused_new(bridge.bridge)
                media.move(bridge, now, expire=True)
            case Reaction.LEAVE_BRIDGE:
                media.move(bridge, now, expire=True)
        media.source_changes.flush(now)
