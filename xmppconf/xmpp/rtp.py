"""Codecs and header extensions as XML (XEP-0167, XEP-0293, XEP-0294)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmppconf import limits
from xmppconf.errors import PeerError
from xmppconf.media import (
    HeaderExtension,
    MediaDescription,
    MediaType,
    PayloadType,
    RtcpFeedback,
)
from xmppconf.xmpp.xml import (
    RTCP_FEEDBACK,
    RTP,
    RTP_HEADER_EXTENSION,
    attribute,
    build,
    child,
    children,
    integer,
    required,
    tag,
)

_MAX_CLOCK_RATE = 1_000_000


def media_type(text: str) -> MediaType:
    """Read "audio" or "video"; raises `PeerError`."""
    try:
        return MediaType(text)
    except ValueError:
        raise PeerError("media type is neither audio nor video") from None


def media_to_xml(media: MediaDescription) -> list[Element]:
    """The children that `<description/>` (RTP) and `<media/>` (Colibri2) have in common."""
    elements = [_payload_type_to_xml(item) for item in media.payload_types]
    elements += [
        build(RTP_HEADER_EXTENSION, "rtp-hdrext", {"id": item.id, "uri": item.uri})
        for item in media.header_extensions
    ]
    if media.extmap_allow_mixed:
        elements.append(build(RTP_HEADER_EXTENSION, "extmap-allow-mixed"))
    return elements


def media_from_xml(element: Element, media: MediaType) -> MediaDescription:
    """Read those children; raises `PeerError`."""
    return MediaDescription(
        media,
        tuple(
            _payload_type_from_xml(item)
            for item in children(element, tag(RTP, "payload-type"), limits.PAYLOAD_TYPES)
        ),
        tuple(
            HeaderExtension(_required_integer(item, "id", 255), required(item, "uri"))
            for item in children(
                element, tag(RTP_HEADER_EXTENSION, "rtp-hdrext"), limits.HEADER_EXTENSIONS
            )
        ),
        child(element, tag(RTP_HEADER_EXTENSION, "extmap-allow-mixed")) is not None,
    )


def _payload_type_to_xml(payload_type: PayloadType) -> Element:
    channels = payload_type.channels if payload_type.channels != 1 else None
    element = build(
        RTP,
        "payload-type",
        {
            "id": payload_type.id,
            "name": payload_type.name,
            "clockrate": payload_type.clock_rate,
            "channels": channels,
        },
    )
    for name, value in payload_type.parameters:
        # A parameter may have no name: RED's list of payload types.
        element.append(build(RTP, "parameter", {"name": name or None, "value": value}))
    for feedback in payload_type.feedback:
        attributes = {"type": feedback.type, "subtype": feedback.subtype}
        element.append(build(RTCP_FEEDBACK, "rtcp-fb", attributes))
    return element


def _payload_type_from_xml(element: Element) -> PayloadType:
    return PayloadType(
        id=_required_integer(element, "id", 127),
        name=attribute(element, "name", ""),
        clock_rate=integer(element, "clockrate", 0, _MAX_CLOCK_RATE, 0),
        channels=integer(element, "channels", 1, 255, 1),
        parameters=tuple(
            (attribute(item, "name", ""), attribute(item, "value", ""))
            for item in children(element, tag(RTP, "parameter"), limits.PARAMETERS)
        ),
        feedback=tuple(
            RtcpFeedback(required(item, "type"), attribute(item, "subtype") or None)
            for item in children(element, tag(RTCP_FEEDBACK, "rtcp-fb"), limits.FEEDBACK)
        ),
    )


def _required_integer(element: Element, name: str, high: int) -> int:
    required(element, name)
    return integer(element, name, 0, high, 0)
