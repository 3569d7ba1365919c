"""Jingle between focus and participant (XEP-0166) as Jitsi clients speak it.

What the focus sends is written with everything those clients need: the whole transport in
every content, `<rtcp-mux/>` in every description, the BUNDLE group, fixed content names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from xml.etree.ElementTree import Element

from xmppconf import limits
from xmppconf.errors import Condition, PeerError
from xmppconf.ids import EndpointId
from xmppconf.jingle import Action, Offer, Received
from xmppconf.media import MediaType
from xmppconf.sources import OwnedSources, SourceSet
from xmppconf.transport import IceTransport
from xmppconf.xmpp.ice import ice_from_xml, ice_to_xml
from xmppconf.xmpp.json_sources import sources_to_json
from xmppconf.xmpp.rtp import media_from_xml, media_to_xml
from xmppconf.xmpp.sources import merge, sources_from_xml, sources_to_xml
from xmppconf.xmpp.xml import (
    COLIBRI2,
    FOCUS,
    GROUPING,
    ICE,
    JINGLE,
    JITMEET,
    RTP,
    attribute,
    build,
    child,
    children,
    content,
    flag,
    integer,
    local_name,
    required,
    tag,
)

NAME = tag(JINGLE, "jingle")

_MAX_CONTENTS = 8
_MAX_LAST_N = 10_000
_MAX_SID = 128
_START_MUTED = "http://jitsi.org/jitmeet/start-muted"
_OLD_SPELLINGS = {"addsource": Action.SOURCE_ADD, "removesource": Action.SOURCE_REMOVE}


class UnknownAction(PeerError):
    condition: Condition = "feature-not-implemented"


def offer_to_xml(offer: Offer) -> Element:
    """The session-initiate of an offer."""
    attributes = {
        "action": Action.SESSION_INITIATE.value,
        "sid": offer.sid,
        "initiator": offer.initiator,
    }
    jingle = build(JINGLE, "jingle", attributes)
    bundled = replace(offer.transport, sctp_port=None)
    for media in offer.media:
        description = _description(media.type.value, *media_to_xml(media))
        if not offer.json_sources:
            description.extend(_owned_sources(offer.sources, media.type))
        jingle.append(_content(media.type.value, description, bundled))
    if offer.data:
        jingle.append(_content("data", _description("application"), offer.transport))
    names = [required(item, "name") for item in jingle]
    group = [build(GROUPING, "content", {"name": name}) for name in names]
    jingle.append(build(GROUPING, "group", {"semantics": "BUNDLE"}, *group))
    session = {"id": offer.bridge_session_id, "region": offer.region}
    jingle.append(build(FOCUS, "bridge-session", session))
    if offer.json_sources:
        jingle.append(_json_message(offer.sources))
    if offer.start_audio_muted or offer.start_video_muted:
        muted = {
            "audio": str(offer.start_audio_muted).lower(),
            "video": str(offer.start_video_muted).lower(),
        }
        jingle.append(build(_START_MUTED, "startmuted", muted))
    return jingle


def sources_changed_to_xml(
    action: Action, sid: str, initiator: str, sources: OwnedSources, *, as_json: bool
) -> Element:
    """A source-add or source-remove from the focus."""
    jingle = build(
        JINGLE, "jingle", {"action": action.value, "sid": sid, "initiator": initiator}
    )
    if as_json:
        jingle.append(_json_message(sources))
        return jingle
    for media in MediaType:
        elements = list(_owned_sources(sources, media))
        if elements:
            description = build(RTP, "description", {"media": media.value}, *elements)
            item = {"creator": "initiator", "name": media.value}
            jingle.append(build(JINGLE, "content", item, description))
    return jingle


def transport_to_xml(sid: str, initiator: str, transport: IceTransport) -> Element:
    """A transport-info about the one transport of all contents."""
    attributes = {
        "action": Action.TRANSPORT_INFO.value,
        "sid": sid,
        "initiator": initiator,
    }
    item = {"creator": "initiator", "name": MediaType.AUDIO.value}
    element = build(JINGLE, "content", item, ice_to_xml(transport))
    return build(JINGLE, "jingle", attributes, element)


def terminate_to_xml(sid: str, initiator: str, reason: str, text: str = "") -> Element:
    """A session-terminate; `reason` is an element name of XEP-0166, 7.4."""
    element = build(JINGLE, "reason", None, build(JINGLE, reason))
    if text:
        element.append(build(JINGLE, "text", text=text))
    attributes = {
        "action": Action.SESSION_TERMINATE.value,
        "sid": sid,
        "initiator": initiator,
    }
    return build(JINGLE, "jingle", attributes, element)


def jingle_from_xml(element: Element) -> Received:
    """Read what a participant sent; raises `PeerError`."""
    action = _action(element)
    contents = children(element, tag(JINGLE, "content"), _MAX_CONTENTS)
    descriptions = [
        (MediaType(name), description)
        for item in contents
        if (description := child(item, tag(RTP, "description"))) is not None
        and (name := description.get("media") or item.get("name")) in ("audio", "video")
    ]
    described = action in (Action.SESSION_ACCEPT, Action.SESSION_INITIATE)
    session = child(element, tag(FOCUS, "bridge-session"))
    return Received(
        action=action,
        sid=required(element, "sid", limit=_MAX_SID),
        media=tuple(media_from_xml(item, media) for media, item in descriptions)
        if described
        else (),
        transport=_bundled_transport(contents),
        sources=merge(sources_from_xml(item, media) for media, item in descriptions),
        initial_last_n=_initial_last_n(contents),
        reason=_reason(element),
        restart=False if session is None else flag(session, "restart"),
        ice_restart=False if session is None else flag(session, "ice-restart"),
        bridge_session_id=None if session is None else attribute(session, "id"),
        session_info=_ice_state(element),
    )


def _action(element: Element) -> Action:
    text = required(element, "action")
    if text in _OLD_SPELLINGS:
        return _OLD_SPELLINGS[text]
    try:
        return Action(text)
    except ValueError:
        raise UnknownAction("action is unknown") from None


def _bundled_transport(contents: list[Element]) -> IceTransport | None:
    """One transport of all contents: there is only one, told several times."""
    transports = [
        ice_from_xml(item)
        for parent in contents
        if (item := child(parent, tag(ICE, "transport"))) is not None
    ]
    if not transports:
        return None
    first = next((item for item in transports if item.ufrag is not None), transports[0])
    candidates = dict.fromkeys(
        candidate for item in transports for candidate in item.candidates
    )
    fingerprints = next((item.fingerprints for item in transports if item.fingerprints), ())
    ports = [item.sctp_port for item in transports if item.sctp_port is not None]
    return replace(
        first,
        fingerprints=first.fingerprints or fingerprints,
        candidates=tuple(candidates)[: limits.CANDIDATES],
        sctp_port=ports[0] if ports else None,
    )


def _initial_last_n(contents: list[Element]) -> int | None:
    for item in contents:
        element = child(item, tag(COLIBRI2, "initial-last-n"))
        if element is not None:
            return integer(element, "value", -1, _MAX_LAST_N)
    return None


def _reason(element: Element) -> str | None:
    reason = child(element, tag(JINGLE, "reason"))
    if reason is None:
        return None
    names = [local_name(item) for item in reason[:4]]
    return next((name[:64] for name in names if name != "text"), None)


def _ice_state(element: Element) -> str | None:
    state = child(element, tag(FOCUS, "ice-state"))
    return None if state is None else content(state, 64)


def _description(media: str, *elements: Element) -> Element:
    attributes = {"media": media, "maxptime": "60" if media == "audio" else None}
    return build(RTP, "description", attributes, *elements, build(RTP, "rtcp-mux"))


def _content(name: str, description: Element, transport: IceTransport) -> Element:
    attributes = {"creator": "initiator", "name": name, "senders": "both"}
    return build(JINGLE, "content", attributes, description, ice_to_xml(transport))


def _owned_sources(sources: OwnedSources, media: MediaType) -> Iterable[Element]:
    owners: Iterable[tuple[EndpointId, SourceSet]] = sources.items()
    for owner, owned in owners:
        yield from sources_to_xml(owned, media, owner)


def _json_message(sources: OwnedSources) -> Element:
    return build(JITMEET, "json-message", text=sources_to_json(sources))
