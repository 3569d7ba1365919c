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
    Sctp,
    Transport,
)
from xmppconf.errors import Condition
from xmppconf.ids import BRIDGE_OWNER, SourceName
from xmppconf.media import MediaType, Ssrc
from xmppconf.sources import MediaSource
from xmppconf_bridge import media
from xmppconf_bridge.bridge import Bridge
from xmppconf_bridge.conference import Conference
from xmppconf_bridge.endpoint import Endpoint

SCTP_PORT = 5000


def modify(bridge: Bridge, request: ConferenceModify) -> ConferenceModified:
    """Carry out one request, or raise `ColibriRefused`."""
    _check_shape(request)
    conference = _find_or_create(bridge, request)
    if request.expire:
        bridge.expire_conference(conference)
        return ConferenceModified()
    try:
        answers = tuple(
            _modify_endpoint(bridge, conference, request, one) for one in request.endpoints
        )
    finally:
        conference.settle()
        # A conference that nobody got into shall not stay and block its meeting id.
        if not conference.endpoints and (not request.create or request.endpoints):
            bridge.expire_conference(conference)
    created = request.create or any(one.create for one in request.endpoints)
    return ConferenceModified(answers, _feedback_sources(conference) if created else None)


def _check_shape(request: ConferenceModify) -> None:
    if request.relays or request.has_connects:
        _refuse("feature-not-implemented", Reason.FEATURE_NOT_IMPLEMENTED)
    if len(request.endpoints) > 1 and not all(map(_is_batchable, request.endpoints)):
        _refuse("feature-not-implemented", Reason.FEATURE_NOT_IMPLEMENTED)


def _is_batchable(request: EndpointRequest) -> bool:
    return not (
        request.create or request.media or request.transport or request.sources is not None
    )


def _find_or_create(bridge: Bridge, request: ConferenceModify) -> Conference:
    conference = bridge.conferences.get(request.meeting_id)
    if not request.create:
        if conference is None:
            _refuse("item-not-found", Reason.CONFERENCE_NOT_FOUND)
        return conference
    if conference is not None:
        _refuse("conflict", Reason.CONFERENCE_ALREADY_EXISTS)
    if bridge.is_shutting_down:
        _refuse("service-unavailable", Reason.GRACEFUL_SHUTDOWN)
    if request.name is not None:
        name = jid.split(request.name)
        if not name.local or not name.domain or name.resource:
            _refuse("bad-request", text="conference name is not a bare JID")
    return bridge.create_conference(request.meeting_id)


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
    if not request.create and not _keeps_transport(endpoint, request):
        return EndpointAnswer(request.id)
    return EndpointAnswer(request.id, transport=_describe(bridge, conference, endpoint))


def _keeps_transport(endpoint: Endpoint, request: EndpointRequest) -> bool:
    """Whether to answer a wish for an ICE restart with the transport that is there.

    What is not connected yet may still come up as it is.  Afterwards there is no restart,
    which an answer without transport says: the focus invites the participant anew.
    """
    restart = request.transport is not None and request.transport.ice_restart
    return restart and not endpoint.transport.is_connected


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
        number = endpoint.transport.number
        bridge.engine.set_payload_types(number, media.payload_types(endpoint.media))
        bridge.engine.set_header_extensions(number, media.header_extensions(endpoint.media))
        conference.media_changed(endpoint)
    if request.transport is not None and request.transport.ice is not None:
        endpoint.transport.set_remote(request.transport.ice)
    if request.sources is not None:
        conference.set_sources(endpoint, request.sources)
    if request.force_mute is not None:
        conference.set_muted(endpoint, request.force_mute)
    if request.initial_last_n is not None and not endpoint.constraints.spoken:
        endpoint.constraints = endpoint.constraints.with_last_n(request.initial_last_n)


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
