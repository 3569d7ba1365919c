"""Sources in the compact JSON form that current clients understand.

Per owner a list of up to four lists: video sources, video groups, audio sources, audio
groups.  It travels in `<json-message xmlns='http://jitsi.org/jitmeet'>` inside `<jingle/>`,
only from the focus to a client.
"""

from __future__ import annotations

from typing import Any

from xmppconf import limits
from xmppconf.errors import PeerError
from xmppconf.ids import parse_endpoint_id, parse_source_name
from xmppconf.media import MediaType, Ssrc, VideoType, parse_ssrc
from xmppconf.sources import OwnedSources, Semantics, Source, SourceSet, SsrcGroup
from xmppconf.strict_json import as_list, as_object, as_text, dumps, loads

MAX_LENGTH = 100_000

_SEMANTICS = {"f": Semantics.FID, "s": Semantics.SIM}
_LETTERS = {value: key for key, value in _SEMANTICS.items()}
_SCREEN = (VideoType.DESKTOP, VideoType.DESKTOP_HIGH_FPS)


def sources_to_json(sources: OwnedSources) -> str:
    """The text of `<json-message/>`.  Groups without a letter (FEC-FR) are left out."""
    return dumps({"sources": {owner: _owner(item) for owner, item in sources.items()}})


def sources_from_json(text: str) -> OwnedSources:
    """Read it; raises `PeerError`."""
    message = as_object(loads(text, MAX_LENGTH), "message")
    owners = as_object(message.get("sources"), "sources")
    if len(owners) > limits.ENDPOINTS:
        raise PeerError("too many owners")
    return {parse_endpoint_id(key): _parse_owner(value) for key, value in owners.items()}


def _owner(sources: SourceSet) -> list[Any]:
    lists: list[list[Any]] = []
    for media in (MediaType.VIDEO, MediaType.AUDIO):
        lists.append(
            [_source(item) for item in sources.sources if item.media_type is media]
        )
        lists.append(
            [
                [_LETTERS[item.semantics], *item.ssrcs]
                for item in sources.groups
                if item.media_type is media and item.semantics in _LETTERS
            ]
        )
    while lists and not lists[-1]:
        lists.pop()
    return lists


def _source(source: Source) -> dict[str, Any]:
    value: dict[str, Any] = {"s": source.ssrc}
    if source.name is not None:
        value["n"] = source.name
    if source.msid is not None:
        value["m"] = source.msid
    if source.video_type in _SCREEN:
        # The client only looks whether the key is there.
        value["v"] = "d"
    return value


def _parse_owner(value: Any) -> SourceSet:
    lists = as_list(value, "owner's sources", 4)
    lists = [as_list(item, "owner's list", limits.SOURCES) for item in lists]
    lists += [[]] * (4 - len(lists))
    video, audio = MediaType.VIDEO, MediaType.AUDIO
    return SourceSet(
        (
            *(_parse_source(item, video) for item in lists[0]),
            *(_parse_source(item, audio) for item in lists[2]),
        ),
        (
            *(_parse_group(item, video) for item in lists[1]),
            *(_parse_group(item, audio) for item in lists[3]),
        ),
    )


def _parse_source(value: Any, media: MediaType) -> Source:
    item = as_object(value, "source")
    name, msid = item.get("n"), item.get("m")
    screen = media is MediaType.VIDEO and bool(item.get("v"))
    return Source(
        ssrc=_parse_ssrc(item.get("s")),
        media_type=media,
        name=None if name is None else parse_source_name(as_text(name, "name")),
        msid=None if msid is None else as_text(msid, "msid"),
        video_type=VideoType.DESKTOP if screen else None,
    )


def _parse_group(value: Any, media: MediaType) -> SsrcGroup:
    letter, *ssrcs = as_list(value, "group", limits.GROUP_SOURCES + 1) or [None]
    semantics = _SEMANTICS.get(letter) if isinstance(letter, str) else None
    if semantics is None:
        raise PeerError("group has unknown semantics")
    return SsrcGroup(semantics, tuple(_parse_ssrc(item) for item in ssrcs), media)


def _parse_ssrc(value: Any) -> Ssrc:
    # Both spellings are in use: 1001 and "1001".
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise PeerError("ssrc is not a number")
    return parse_ssrc(str(value))
