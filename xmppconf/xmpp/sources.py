"""Sources and groups as XML (XEP-0339 as Jitsi extends it)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree.ElementTree import Element

from xmppconf import limits
from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId, SourceName, parse_source_name
from xmppconf.media import MediaType, Ssrc, VideoType, parse_ssrc
from xmppconf.sources import Semantics, Source, SourceSet, SsrcGroup
from xmppconf.xmpp.xml import (
    JITMEET,
    SSMA,
    attribute,
    build,
    children,
    required,
    tag,
)

# RFC 8830, 2: two tokens; longer ones are in use, but none that XML or JSON must escape.
_WORD = r"[!#$%()*+,\-./0-9:;=?@A-Z\[\]^_`a-z{|}~]{1,128}"
_MSID = re.compile(f"{_WORD}( {_WORD})?")


def sources_to_xml(
    sources: SourceSet, media: MediaType, owner: EndpointId | None = None
) -> list[Element]:
    """The `<source/>` and `<ssrc-group/>` elements of one media type."""
    elements = [
        source_to_xml(source, owner=owner)
        for source in sources.sources
        if source.media_type is media
    ]
    elements += [
        group_to_xml(group) for group in sources.groups if group.media_type is media
    ]
    return elements


def sources_from_xml(element: Element, media: MediaType) -> SourceSet:
    """Read those elements; raises `PeerError`.  Empty groups are left out."""
    sources = tuple(
        source_from_xml(item, media)
        for item in children(element, tag(SSMA, "source"), limits.SOURCES)
    )
    groups = tuple(
        group
        for item in children(element, tag(SSMA, "ssrc-group"), limits.GROUPS)
        if (group := group_from_xml(item, media)).ssrcs
    )
    return SourceSet(sources, groups)


def merge(sets: Iterable[SourceSet]) -> SourceSet:
    """All sources and groups of several sets, in order."""
    sets = tuple(sets)
    return SourceSet(
        tuple(source for item in sets for source in item.sources),
        tuple(group for item in sets for group in item.groups),
    )


def source_to_xml(source: Source, *, owner: EndpointId | None = None) -> Element:
    attributes = {
        "ssrc": str(source.ssrc),
        "name": source.name,
        "videoType": source.video_type.value if source.video_type is not None else None,
    }
    element = build(SSMA, "source", attributes)
    if source.msid is not None:
        element.append(build(SSMA, "parameter", {"name": "msid", "value": source.msid}))
    if owner is not None:
        element.append(build(JITMEET, "ssrc-info", {"owner": owner}))
    return element


def source_from_xml(element: Element, media: MediaType) -> Source:
    msid = None
    for parameter in children(element, tag(SSMA, "parameter"), limits.PARAMETERS):
        if parameter.get("name") == "msid":
            msid = attribute(parameter, "value") or None
            if msid is not None and not _MSID.fullmatch(msid):
                raise PeerError("msid is not one or two tokens")
    return Source(
        ssrc=ssrc_from_xml(element),
        media_type=media,
        name=_name_from_xml(element),
        msid=msid,
        video_type=video_type_from_text(element.get("videoType")),
    )


def ssrc_from_xml(element: Element) -> Ssrc:
    return parse_ssrc(required(element, "ssrc"))


def video_type_from_text(text: str | None) -> VideoType | None:
    """Read a video type in any case; raises `PeerError` for an unknown one."""
    if text is None:
        return None
    try:
        return VideoType(text.lower())
    except ValueError:
        raise PeerError("video type is unknown") from None


def group_to_xml(group: SsrcGroup) -> Element:
    members = [build(SSMA, "source", {"ssrc": ssrc}) for ssrc in group.ssrcs]
    return build(SSMA, "ssrc-group", {"semantics": group.semantics.value}, *members)


def group_from_xml(element: Element, media: MediaType) -> SsrcGroup:
    try:
        semantics = Semantics(required(element, "semantics"))
    except ValueError:
        raise PeerError("ssrc-group has unknown semantics") from None
    members = children(element, tag(SSMA, "source"), limits.GROUP_SOURCES)
    return SsrcGroup(semantics, tuple(ssrc_from_xml(item) for item in members), media)


def _name_from_xml(element: Element) -> SourceName | None:
    name = attribute(element, "name")
    return None if name is None else parse_source_name(name)
