"""Carries out Colibri2 requests: what a focus may ask, and how it is refused.

Conditions and reasons are exact: a focus decides from them whether to try again, to use
another bridge, or to invite a single participant anew.
"""

from __future__ import annotations

from typing import NoReturn

from xmppconf import jid
from xmppconf.colibri2 import (
    ColibriRefused,
    ConferenceModified,
    ConferenceModify,
    EndpointAnswer,
    EndpointRequest,
    Reason,
    RelayAnswer,
    RelayRequest,
    Sctp,
    Transport,
)
from xmppconf.errors import Condition
from xmppconf.ids import BRIDGE_OWNER, SourceName
from xmppconf.media import MediaDescription, MediaType, Ssrc
from xmppconf.sources import MediaSource
from xmppconf_bridge import media
from xmppconf_bridge.bridge import Bridge
from xmppconf_bridge.conference import Conference
from xmppconf_bridge.endpoint import Endpoint
from xmppconf_bridge.relay import MAX_ENDPOINTS, Relay, crossing

SCTP_PORT = 5000
MAX_RELAYS = 50  # of one conference


def modify(bridge: Bridge, request: ConferenceModify) -> ConferenceModified:
    """Carry out one request, or raise `ColibriRefused`."""
    conference = _find(bridge, request)
    # Of the conference is spoken first: a focus acts on a lost one, whatever else it asked.
    _check_shape(request)
    if conference is None:
        conference = bridge.create_conference(request.meeting_id)
    if request.expire:
        bridge.expire_conference(conference)
        return ConferenceModified()
    try:
        answers = tuple(
            _modify_endpoint(bridge, conference, request, one) for one in request.endpoints
        )
        links = tuple(_modify_relay(bridge, conference, one) for one in request.relays)
    finally:
        conference.settle()
        # A conference that nobody got into shall not stay and block its meeting id.
        empty = not conference.endpoints and not conference.links.relays
        asked_for_more = request.endpoints or request.relays
        if empty and (not request.create or asked_for_more):
            bridge.expire_conference(conference)
    created = request.create or any(one.create for one in request.endpoints)
    feedback = _feedback_sources(conference) if created else None
    return ConferenceModified(answers, feedback, links)


def _check_shape(request: ConferenceModify) -> None:
    relays = request.relays
    if request.has_connects or (relays and request.endpoints):
        _refuse("feature-not-implemented", Reason.FEATURE_NOT_IMPLEMENTED)
    if len(relays) > 1 and not all(one.expire for one in relays):
        _refuse("feature-not-implemented", Reason.FEATURE_NOT_IMPLEMENTED)
    if len(request.endpoints) > 1 and not all(map(_is_batchable, request.endpoints)):
        _refuse("feature-not-implemented", Reason.FEATURE_NOT_IMPLEMENTED)


def _is_batchable(request: EndpointRequest) -> bool:
    return not (
        request.create or request.media or request.transport or request.sources is not None
    )


def _find(bridge: Bridge, request: ConferenceModify) -> Conference | None:
    """The conference that is meant; None if it is to be made, and may be."""
    conference = bridge.conferences.get(request.meeting_id)
    if not request.create:
        if conference is None:
            _refuse("item-not-found", Reason.CONFERENCE_NOT_FOUND)
        return conference
    if conference is not None:
        _refuse("conflict", Reason.CONFERENCE_ALREADY_EXISTS)
    if not bridge.operation.takes_conferences:
        _refuse("service-unavailable", Reason.GRACEFUL_SHUTDOWN)
    if request.name is not None:
        name = jid.split(request.name)
        if not name.local or not name.domain or "@" in name.domain or name.resource:
            _refuse("bad-request", text="conference name is not a bare JID")
    return None


def _modify_endpoint(
    bridge: Bridge,
    conference: Conference,
    whole: ConferenceModify,
    request: EndpointRequest,
) -> EndpointAnswer:
    if request.expire:
        bridge.expire_endpoint(conference, request.id)
        return EndpointAnswer(request.id, expire=True)
    endpoint = conference.endpoints.get(request.id)
    if request.create:
        if endpoint is not None:
            _refuse("conflict", text="endpoint exists")
        endpoint = _create(bridge, conference, request)
    elif endpoint is None:
        if all(one.expire or _only_mutes(one) for one in whole.endpoints):
            return EndpointAnswer(request.id)
        raise ColibriRefused(
            "item-not-found", Reason.UNKNOWN_ENDPOINT, "unknown endpoint", request.id
        )
    if endpoint.visitor and request.sources:
        _refuse("bad-request", text="a visitor sends nothing")
    _update(bridge, conference, endpoint, request)
    if request.transport is not None and request.transport.ice_restart:
        if endpoint.transport.is_connected:
            ice = bridge.restart_ice(conference, endpoint)
            return EndpointAnswer(request.id, transport=Transport(ice=ice))
    elif not request.create:
        return EndpointAnswer(request.id)
    # What is not connected yet may still come up as it is.
    return EndpointAnswer(request.id, transport=_describe(bridge, conference, endpoint))


def _only_mutes(request: EndpointRequest) -> bool:
    return (
        request.force_mute is not None
        and _is_batchable(request)
        and request.initial_last_n is None
    )


def _create(bridge: Bridge, conference: Conference, request: EndpointRequest) -> Endpoint:
    transport = request.transport
    if transport is None:
        _refuse("bad-request", text="an endpoint needs a transport")
    if "source-names" not in request.capabilities:
        _refuse("bad-request", text="source names are required")
    if request.visitor and request.sources:
        _refuse("bad-request", text="a visitor sends nothing")
    if transport.sctp is not None:
        if transport.sctp.role == "client":
            _refuse("feature-not-implemented", Reason.FEATURE_NOT_IMPLEMENTED)
        if transport.sctp.port not in (None, SCTP_PORT):
            _refuse("bad-request", text="sctp port is not 5000")
    if bridge.endpoint_count >= bridge.identity.max_endpoints:
        _refuse("resource-constraint", text="the bridge is full")
    return bridge.create_endpoint(conference, request)


def _update(
    bridge: Bridge,
    conference: Conference,
    endpoint: Endpoint,
    request: EndpointRequest,
) -> None:
    if request.media:
        endpoint.media = media.merge(endpoint.media, request.media)
        _tell_media(bridge, endpoint.transport.number, endpoint.media)
        conference.media_changed(endpoint)
    if request.transport is not None and request.transport.ice is not None:
        endpoint.transport.set_remote(request.transport.ice)
        bridge.watch(endpoint.transport)
    if request.sources is not None:
        conference.set_sources(endpoint, request.sources)
    if request.force_mute is not None:
        conference.set_muted(endpoint, request.force_mute)
    if request.initial_last_n is not None and not endpoint.constraints.spoken:
        endpoint.constraints = endpoint.constraints.with_last_n(request.initial_last_n)


def _modify_relay(
    bridge: Bridge, conference: Conference, request: RelayRequest
) -> RelayAnswer:
    if not bridge.identity.relay_id:
        _refuse("feature-not-implemented", Reason.FEATURE_NOT_IMPLEMENTED)
    if request.expire:
        bridge.expire_relay(conference, request.id)
        return RelayAnswer(request.id, expire=True)
    relay = conference.links.relays.get(request.id)
    if request.create:
        if relay is not None:
            _refuse("conflict", text="relay exists")
        relay = _create_relay(bridge, conference, request)
    elif relay is None:
        # Not item-not-found, which a focus takes for the word of the room.
        _refuse("bad-request", text="unknown relay")
    if request.media:
        relay.media = media.merge(relay.media, crossing(request.media))
        _tell_media(bridge, relay.transport.number, relay.media)
    if request.transport is not None and request.transport.ice is not None:
        relay.transport.set_remote(request.transport.ice)
        bridge.watch(relay.transport)
        for url in request.transport.ice.web_sockets[:1]:
            bridge.dial(relay, url)
    for endpoint in request.endpoints:
        if endpoint.expire:
            conference.links.expire_relayed(relay, endpoint.id)
        elif endpoint.create or endpoint.id in relay.endpoints:
            _check_room(relay, endpoint)
            conference.links.set_relayed(relay, endpoint.id, endpoint.sources)
    if not request.create:
        return RelayAnswer(request.id)
    ice = relay.transport.describe(bridge.relay_socket_urls(conference, relay))
    # The role in the answer is the other bridge's.
    role = "server" if relay.opens_channel else "client"
    sctp = Sctp(SCTP_PORT, role) if relay.has_data_channel else None
    return RelayAnswer(request.id, transport=Transport(ice=ice, sctp=sctp))


def _create_relay(bridge: Bridge, conference: Conference, request: RelayRequest) -> Relay:
    transport = request.transport
    if transport is None:
        _refuse("bad-request", text="a relay needs a transport")
    if transport.sctp is not None and transport.sctp.port not in (None, SCTP_PORT):
        _refuse("bad-request", text="sctp port is not 5000")
    if request.id == bridge.identity.relay_id:
        _refuse("bad-request", text="a bridge is not linked to itself")
    if len(conference.links.relays) >= MAX_RELAYS:
        _refuse("resource-constraint", text="too many relays")
    try:
        return bridge.create_relay(conference, request)
    except OSError:
        _refuse("resource-constraint", text="no sockets left")


def _check_room(relay: Relay, endpoint: EndpointRequest) -> None:
    if endpoint.id not in relay.endpoints and len(relay.endpoints) >= MAX_ENDPOINTS:
        _refuse("resource-constraint", text="too many endpoints behind a relay")


def _tell_media(
    bridge: Bridge, transport: int, described: tuple[MediaDescription, ...]
) -> None:
    bridge.engine.set_payload_types(transport, media.payload_types(described))
    bridge.engine.set_header_extensions(transport, media.header_extensions(described))


def _describe(bridge: Bridge, conference: Conference, endpoint: Endpoint) -> Transport:
    sockets = bridge.web_socket_urls(conference, endpoint)
    return Transport(
        ice=endpoint.transport.describe(sockets),
        sctp=Sctp(SCTP_PORT, "server") if endpoint.has_data_channel else None,
    )


def _feedback_sources(conference: Conference) -> tuple[MediaSource, ...]:
    return tuple(
        MediaSource(SourceName(f"{BRIDGE_OWNER}-{suffix}"), media_type, (Ssrc(ssrc),))
        for suffix, media_type, ssrc in (
            ("a0", MediaType.AUDIO, conference.feedback[0]),
            ("v0", MediaType.VIDEO, conference.feedback[1]),
        )
    )


def _refuse(
    condition: Condition, reason: Reason = Reason.UNSPECIFIED, text: str = ""
) -> NoReturn:
    raise ColibriRefused(condition, reason, text)
