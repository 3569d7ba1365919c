"""Sources: what an endpoint sends, in the words of the wire."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from xmppconf.ids import EndpointId, SourceName
from xmppconf.media import MediaType, Ssrc, VideoType


class Semantics(enum.StrEnum):
    """Why SSRCs are grouped (RFC 5576, RFC 5888 registry)."""

    SIM = "SIM"
    FID = "FID"
    FEC_FR = "FEC-FR"


@dataclass(frozen=True, slots=True)
class Source:
    """One SSRC of a named source.  All SSRCs of a track share `name` and `msid`."""

    ssrc: Ssrc
    media_type: MediaType
    name: SourceName | None = None
    msid: str | None = None
    video_type: VideoType | None = None


@dataclass(frozen=True, slots=True)
class SsrcGroup:
    semantics: Semantics
    ssrcs: tuple[Ssrc, ...]
    media_type: MediaType


@dataclass(frozen=True, slots=True)
class SourceSet:
    """Sources and groups of one owner, in the order of the wire."""

    sources: tuple[Source, ...] = ()
    groups: tuple[SsrcGroup, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sources or self.groups)


#: Sources of several owners, as an offer, a source-add or a source-remove carries them.
OwnedSources = dict[EndpointId, SourceSet]


@dataclass(frozen=True, slots=True)
class MediaSource:
    """A whole track: one name, all its SSRCs (Colibri2 `media-source`)."""

    name: SourceName
    media_type: MediaType
    ssrcs: tuple[Ssrc, ...] = ()
    groups: tuple[SsrcGroup, ...] = field(default=())
    video_type: VideoType | None = None
