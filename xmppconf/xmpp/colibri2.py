"""Colibri2 (`jitsi:colibri2`): what focus and bridge ask and answer, both ways.

With both directions here our focus can drive stock bridges and our bridge can serve a
stock focus.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmppconf import limits
from xmppconf.colibri2 import (
    ColibriRefused,
    ConferenceModified,
    ConferenceModify,
    EndpointAnswer,
    EndpointRequest,
    ForceMute,
    Reason,
    RelayAnswer,
    RelayRequest,
    Sctp,
    Transport,
)
from xmppconf.errors import PeerError
from xmppconf.ids import (
    parse_endpoint_id,
    parse_meeting_id,
    parse_relay_id,
    parse_source_name,
)
from xmppconf.media import MediaDescription
from xmppconf.sources import MediaSource, Source
from xmppconf.xmpp.ice import ice_from_xml, ice_to_xml
from xmppconf.xmpp.rtp import media_from_xml, media_to_xml, media_type
from xmppconf.xmpp.sources import (
    group_from_xml,
    group_to_xml,
    source_from_xml,
    source_to_xml,
)
from xmppconf.xmpp.stanza import StanzaError
from xmppconf.xmpp.xml import (
    COLIBRI2,
    ICE,
    SSMA,
    attribute,
    build,
    child,
    children,
    flag,
    integer,
    number,
    required,
    tag,
)

MODIFY = tag(COLIBRI2, "conference-modify")
MODIFIED = tag(COLIBRI2, "conference-modified")

_MAX_LAST_N = 10_000


# -- requests -----------------------------------------------------------------------------
def modify_to_xml(modify: ConferenceModify) -> Element:
    """The `<conference-modify/>` of a request.

    Connects are not written: nothing here asks for them.
    """
    attributes = {
        "meeting-id": modify.meeting_id,
        "name": modify.name,
        "create": _true(modify.create),
        "expire": _true(modify.expire),
        "rtcstats-enabled": None if modify.rtcstats_enabled else "false",
    }
    endpoints = [_endpoint_request_to_xml(item) for item in modify.endpoints]
    relays = [_relay_request_to_xml(item) for item in modify.relays]
    return build(COLIBRI2, "conference-modify", attributes, *endpoints, *relays)


def modify_from_xml(element: Element) -> ConferenceModify:
    """Read a request; raises `PeerError`."""
    endpoints = children(element, tag(COLIBRI2, "endpoint"), limits.ENDPOINTS)
    relays = children(element, tag(COLIBRI2, "relay"), limits.RELAYS)
    connects = child(element, tag(COLIBRI2, "connects"))
    return ConferenceModify(
        meeting_id=parse_meeting_id(required(element, "meeting-id")),
        name=attribute(element, "name", limit=3071),
        create=flag(element, "create"),
        expire=flag(element, "expire"),
        rtcstats_enabled=flag(element, "rtcstats-enabled", True),
        endpoints=tuple(_endpoint_request_from_xml(item) for item in endpoints),
        relays=tuple(_relay_request_from_xml(item) for item in relays),
        has_connects=connects is not None and len(connects) > 0,
    )


def _endpoint_request_to_xml(request: EndpointRequest) -> Element:
    attributes = {
        "id": request.id,
        "create": _true(request.create),
        "expire": _true(request.expire),
        "stats-id": request.stats_id,
        "muc-role": "visitor" if request.visitor else None,
    }
    element = build(COLIBRI2, "endpoint", attributes)
    for name in sorted(request.capabilities):
        element.append(build(COLIBRI2, "capability", {"name": name}))
    element.extend(_media_to_xml(media) for media in request.media)
    if request.transport is not None:
        element.append(_transport_to_xml(request.transport))
    if request.sources is not None:
        element.append(_sources_to_xml(request.sources))
    if request.force_mute is not None:
        muted = {
            "audio": str(request.force_mute.audio).lower(),
            "video": str(request.force_mute.video).lower(),
        }
        element.append(build(COLIBRI2, "force-mute", muted))
    if request.initial_last_n is not None:
        value = {"value": request.initial_last_n}
        element.append(build(COLIBRI2, "initial-last-n", value))
    return element


def _endpoint_request_from_xml(element: Element) -> EndpointRequest:
    capabilities = children(element, tag(COLIBRI2, "capability"), limits.CAPABILITIES)
    transport = child(element, tag(COLIBRI2, "transport"))
    sources = child(element, tag(COLIBRI2, "sources"))
    force_mute = child(element, tag(COLIBRI2, "force-mute"))
    last_n = child(element, tag(COLIBRI2, "initial-last-n"))
    return EndpointRequest(
        id=parse_endpoint_id(required(element, "id")),
        create=flag(element, "create"),
        expire=flag(element, "expire"),
        stats_id=attribute(element, "stats-id"),
        visitor=element.get("muc-role") == "visitor",
        capabilities=frozenset(required(item, "name", limit=128) for item in capabilities),
        media=_media_from_xml(element),
        transport=None if transport is None else _transport_from_xml(transport),
        sources=None if sources is None else _sources_from_xml(sources),
        force_mute=None
        if force_mute is None
        else ForceMute(flag(force_mute, "audio"), flag(force_mute, "video")),
        initial_last_n=None
        if last_n is None
        else number(required(last_n, "value"), "last-n", -1, _MAX_LAST_N),
    )


def _relay_request_to_xml(request: RelayRequest) -> Element:
    attributes = {
        "id": request.id,
        "create": _true(request.create),
        "expire": _true(request.expire),
        "mesh-id": request.mesh,
    }
    element = build(COLIBRI2, "relay", attributes, *map(_media_to_xml, request.media))
    if request.transport is not None:
        element.append(_transport_to_xml(request.transport))
    if request.endpoints:
        endpoints = map(_endpoint_request_to_xml, request.endpoints)
        element.append(build(COLIBRI2, "endpoints", None, *endpoints))
    return element


def _relay_request_from_xml(element: Element) -> RelayRequest:
    transport = child(element, tag(COLIBRI2, "transport"))
    endpoints = child(element, tag(COLIBRI2, "endpoints"))
    return RelayRequest(
        id=parse_relay_id(required(element, "id")),
        create=flag(element, "create"),
        expire=flag(element, "expire"),
        mesh=attribute(element, "mesh-id", limit=128),
        media=_media_from_xml(element),
        transport=None if transport is None else _transport_from_xml(transport),
        endpoints=()
        if endpoints is None
        else tuple(
            _endpoint_request_from_xml(item)
            for item in children(endpoints, tag(COLIBRI2, "endpoint"), limits.ENDPOINTS)
        ),
    )


def _media_to_xml(media: MediaDescription) -> Element:
    return build(COLIBRI2, "media", {"type": media.type.value}, *media_to_xml(media))


def _media_from_xml(element: Element) -> tuple[MediaDescription, ...]:
    found = children(element, tag(COLIBRI2, "media"), 4)
    return tuple(media_from_xml(one, media_type(required(one, "type"))) for one in found)


# -- answers ------------------------------------------------------------------------------
def modified_to_xml(modified: ConferenceModified) -> Element:
    """The `<conference-modified/>` of an answer."""
    element = build(COLIBRI2, "conference-modified")
    for answer in modified.endpoints:
        attributes = {"id": answer.id, "expire": _true(answer.expire)}
        endpoint = build(COLIBRI2, "endpoint", attributes)
        if answer.transport is not None:
            endpoint.append(_transport_to_xml(answer.transport))
        element.append(endpoint)
    for relay in modified.relays:
        attributes = {"id": relay.id, "expire": _true(relay.expire)}
        link = build(COLIBRI2, "relay", attributes)
        if relay.transport is not None:
            link.append(_transport_to_xml(relay.transport))
        element.append(link)
    if modified.sources is not None:
        element.append(_sources_to_xml(modified.sources))
    return element


def modified_from_xml(element: Element | None) -> ConferenceModified:
    """Read an answer; raises `PeerError`."""
    if element is None or element.tag != MODIFIED:
        raise PeerError("answer is not conference-modified")
    sources = child(element, tag(COLIBRI2, "sources"))
    return ConferenceModified(
        endpoints=tuple(
            _endpoint_answer_from_xml(item)
            for item in children(element, tag(COLIBRI2, "endpoint"), limits.ENDPOINTS)
        ),
        relays=tuple(
            _relay_answer_from_xml(item)
            for item in children(element, tag(COLIBRI2, "relay"), limits.RELAYS)
        ),
        sources=None if sources is None else _sources_from_xml(sources),
    )


def _endpoint_answer_from_xml(element: Element) -> EndpointAnswer:
    transport = child(element, tag(COLIBRI2, "transport"))
    return EndpointAnswer(
        id=parse_endpoint_id(required(element, "id")),
        expire=flag(element, "expire"),
        transport=None if transport is None else _transport_from_xml(transport),
    )


def _relay_answer_from_xml(element: Element) -> RelayAnswer:
    transport = child(element, tag(COLIBRI2, "transport"))
    return RelayAnswer(
        id=parse_relay_id(required(element, "id")),
        expire=flag(element, "expire"),
        transport=None if transport is None else _transport_from_xml(transport),
    )


# -- refusals -----------------------------------------------------------------------------
def refused_to_error(refused: ColibriRefused) -> StanzaError:
    """The stanza error of a refusal, with the reason by which a focus knows a bridge."""
    if refused.reason is None:
        return StanzaError(refused.condition)
    extensions = [build(COLIBRI2, "error", {"reason": refused.reason.value})]
    if refused.endpoint is not None:
        extensions.append(build(COLIBRI2, "endpoint", {"id": refused.endpoint}))
    return StanzaError(refused.condition, *extensions, public_text=refused.reason.value)


def refused_from_error(error: StanzaError) -> ColibriRefused:
    """Read a refusal; an error without reason came from an XMPP server."""
    extension = next((e for e in error.extensions if e.tag == tag(COLIBRI2, "error")), None)
    if extension is None:
        return ColibriRefused(error.condition, None)
    try:
        reason = Reason(extension.get("reason", "").lower())
    except ValueError:
        reason = Reason.UNSPECIFIED
    endpoints = [e for e in error.extensions if e.tag == tag(COLIBRI2, "endpoint")]
    endpoint = parse_endpoint_id(endpoints[0].get("id", "")) if endpoints else None
    return ColibriRefused(error.condition, reason, endpoint=endpoint)


# -- parts --------------------------------------------------------------------------------
def _transport_to_xml(transport: Transport) -> Element:
    attributes = {
        "ice-controlling": _true(transport.ice_controlling),
        "use-unique-port": _true(transport.use_unique_port),
        "ice-restart": _true(transport.ice_restart),
    }
    element = build(COLIBRI2, "transport", attributes)
    if transport.ice is not None:
        element.append(ice_to_xml(transport.ice))
    if transport.sctp is not None:
        sctp = {"port": transport.sctp.port, "role": transport.sctp.role}
        element.append(build(COLIBRI2, "sctp", sctp))
    return element


def _transport_from_xml(element: Element) -> Transport:
    ice = child(element, tag(ICE, "transport"))
    sctp = child(element, tag(COLIBRI2, "sctp"))
    return Transport(
        ice_controlling=flag(element, "ice-controlling"),
        use_unique_port=flag(element, "use-unique-port"),
        ice_restart=flag(element, "ice-restart"),
        ice=None if ice is None else ice_from_xml(ice),
        sctp=None if sctp is None else _sctp_from_xml(sctp),
    )


def _sctp_from_xml(element: Element) -> Sctp:
    role = attribute(element, "role")
    if role not in (None, "client", "server"):
        raise PeerError("sctp role is neither client nor server")
    return Sctp(integer(element, "port", 0, 65535), role)


def _sources_to_xml(sources: tuple[MediaSource, ...]) -> Element:
    return build(COLIBRI2, "sources", None, *map(_media_source_to_xml, sources))


def _sources_from_xml(element: Element) -> tuple[MediaSource, ...]:
    found = children(element, tag(COLIBRI2, "media-source"), limits.SOURCES)
    return tuple(_media_source_from_xml(item) for item in found)


def _media_source_to_xml(source: MediaSource) -> Element:
    attributes = {"type": source.media_type.value, "id": source.name}
    element = build(COLIBRI2, "media-source", attributes)
    for ssrc in source.ssrcs:
        one = Source(ssrc, source.media_type, source.name, video_type=source.video_type)
        element.append(source_to_xml(one))
    element.extend(group_to_xml(group) for group in source.groups)
    return element


def _media_source_from_xml(element: Element) -> MediaSource:
    media = media_type(required(element, "type"))
    sources = [
        source_from_xml(item, media)
        for item in children(element, tag(SSMA, "source"), limits.SOURCES)
    ]
    groups = children(element, tag(SSMA, "ssrc-group"), limits.GROUPS)
    video_types = [item.video_type for item in sources if item.video_type is not None]
    return MediaSource(
        name=parse_source_name(required(element, "id")),
        media_type=media,
        ssrcs=tuple(item.ssrc for item in sources),
        groups=tuple(group_from_xml(item, media) for item in groups),
        video_type=video_types[0] if video_types else None,
    )


def _true(value: bool) -> str | None:
    return "true" if value else None
