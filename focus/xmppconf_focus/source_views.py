"""The same sources as a bridge, a receiver and an offer want to see them."""

from __future__ import annotations

from dataclasses import replace

from xmppconf.ids import EndpointId, SourceName
from xmppconf.media import MediaType, Ssrc
from xmppconf.sources import MediaSource, OwnedSources, Semantics, Source, SourceSet

#: In one stanza to a client; one owner's are never divided.
MAX_SOURCES_AT_ONCE = 200


def with_names(owner: EndpointId, sources: SourceSet) -> SourceSet:
    """Every source under a name: old clients and gateways leave names out."""
    return SourceSet(
        tuple(replace(s, name=_name_of(owner, s)) for s in sources.sources), sources.groups
    )


def to_media_sources(owner: EndpointId, sources: SourceSet) -> tuple[MediaSource, ...]:
    """All SSRCs and groups by source name, as a bridge is told (`media-source`)."""
    by_name: dict[SourceName, list[Source]] = {}
    for source in sources.sources:
        by_name.setdefault(_name_of(owner, source), []).append(source)
    result = []
    for name, members in by_name.items():
        ssrcs = tuple(member.ssrc for member in members)
        result.append(
            MediaSource(
                name,
                members[0].media_type,
                ssrcs,
                tuple(g for g in sources.groups if set(g.ssrcs) <= set(ssrcs)),
                next((m.video_type for m in members if m.video_type), None),
            )
        )
    return tuple(result)


def _name_of(owner: EndpointId, source: Source) -> SourceName:
    letter = "a" if source.media_type is MediaType.AUDIO else "v"
    return source.name or SourceName(f"{owner}-{letter}0")


def strip_simulcast(sources: SourceSet) -> SourceSet:
    """What receivers are told: of each simulcast group the first SSRC and its RTX.

    Bridges rewrite whatever layer they forward to that SSRC.
    """
    dropped: set[Ssrc] = set()
    for group in sources.groups:
        if group.semantics is Semantics.SIM:
            dropped.update(group.ssrcs[1:])
    for group in sources.groups:
        if group.semantics is not Semantics.SIM and group.ssrcs[0] in dropped:
            dropped.update(group.ssrcs)
    return SourceSet(
        tuple(s for s in sources.sources if s.ssrc not in dropped),
        tuple(
            g
            for g in sources.groups
            if g.semantics is not Semantics.SIM and dropped.isdisjoint(g.ssrcs)
        ),
    )


def difference(left: SourceSet, right: SourceSet) -> SourceSet:
    """Sources and groups that only `left` has."""
    sources, groups = frozenset(right.sources), frozenset(right.groups)
    return SourceSet(
        tuple(s for s in left.sources if s not in sources),
        tuple(g for g in left.groups if g not in groups),
    )


def split(sources: OwnedSources) -> list[OwnedSources]:
    """The same in parts that fit into a stanza each, as servers bound those."""
    parts: list[OwnedSources] = []
    room = 0
    for owner, owned in sources.items():
        if len(owned.sources) > room or not parts:
            parts.append({})
            room = MAX_SOURCES_AT_ONCE
        parts[-1][owner] = owned
        room -= len(owned.sources)
    return parts


def bridge_sources(feedback: tuple[MediaSource, ...]) -> SourceSet:
    """The bridge's own sources as an offer lists them first.

    Clients know by the stream id `mixedmslabel` that they are no tracks, and send their
    own media on these m-lines.
    """
    return SourceSet(
        tuple(
            Source(
                ssrc,
                source.media_type,
                source.name,
                f"mixedmslabel mixedlabel{source.media_type}0",
            )
            for source in feedback
            for ssrc in source.ssrcs
        )
    )
