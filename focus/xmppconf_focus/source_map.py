"""Who sends what in one conference, with the rules that keep it unambiguous.

A request changes the map wholly or not at all.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Iterator

from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId
from xmppconf.media import MediaType, Ssrc
from xmppconf.sources import Semantics, Source, SourceSet, SsrcGroup


class Violation(enum.StrEnum):
    """Which rule a request broke; the wire only says bad-request and this word."""

    SSRC_ALREADY_USED = "ssrc-already-used"
    TOO_MANY_SOURCES = "too-many-sources"
    TOO_MANY_GROUPS = "too-many-groups"
    MSID_CONFLICT = "msid-conflict"
    NAME_CONFLICT = "name-conflict"
    GROUP_CONTAINS_UNKNOWN_SOURCE = "group-contains-unknown-source"
    INVALID_FID = "invalid-fid"
    REQUIRED_PARAMETER = "required-parameter"
    GROUP_MSID_MISMATCH = "group-msid-mismatch"
    SOURCE_DOES_NOT_EXIST = "source-does-not-exist"


class SourcesRefused(PeerError):
    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.value)
        self.violation = violation


class SourceMap:
    """Sources by owner.  `max_per_endpoint` bounds SSRCs, and groups, of one owner."""

    def __init__(self, max_per_endpoint: int) -> None:
        self._max = max_per_endpoint
        self._sets: dict[EndpointId, SourceSet] = {}
        self._owner_by_ssrc: dict[Ssrc, EndpointId] = {}
        self._owner_by_msid: dict[str, EndpointId] = {}
        self._reserved: frozenset[Ssrc] = frozenset()

    def __iter__(self) -> Iterator[tuple[EndpointId, SourceSet]]:
        return iter(self._sets.items())

    def of(self, owner: EndpointId) -> SourceSet:
        return self._sets.get(owner, SourceSet())

    def reserve(self, ssrcs: Iterable[Ssrc]) -> None:
        """Keep participants off the SSRCs with which the bridge sends its feedback."""
        self._reserved = frozenset(ssrcs)

    def add(self, owner: EndpointId, added: SourceSet) -> None:
        """Add sources of one owner; raises `SourcesRefused` and changes nothing."""
        old = self.of(owner)
        self._check_unused(owner, added.sources)
        groups = list(old.groups)
        for group in added.groups:
            if group.ssrcs and group not in groups:
                groups.append(group)
        new = SourceSet(old.sources + added.sources, tuple(groups))
        if len(new.sources) > self._max:
            raise SourcesRefused(Violation.TOO_MANY_SOURCES)
        if len(new.groups) > self._max:
            raise SourcesRefused(Violation.TOO_MANY_GROUPS)
        _check_consistent(owner, new)
        self._store(owner, new)

    def remove(self, owner: EndpointId, removed: SourceSet) -> None:
        """Remove sources of one owner and the groups they were in.

        Groups in the request are not looked at: they go with their sources.  Raises
        `SourcesRefused` and changes nothing.
        """
        gone = {source.ssrc for source in removed.sources}
        if any(self._owner_by_ssrc.get(ssrc) != owner for ssrc in gone):
            raise SourcesRefused(Violation.SOURCE_DOES_NOT_EXIST)
        old = self.of(owner)
        left = SourceSet(
            tuple(source for source in old.sources if source.ssrc not in gone),
            tuple(group for group in old.groups if gone.isdisjoint(group.ssrcs)),
        )
        self._store(owner, left)

    def remove_owner(self, owner: EndpointId) -> SourceSet:
        removed = self.of(owner)
        self._store(owner, SourceSet())
        return removed

    def _check_unused(self, owner: EndpointId, sources: tuple[Source, ...]) -> None:
        seen: set[Ssrc] = set()
        for source in sources:
            ssrc = source.ssrc
            if ssrc in seen or ssrc in self._reserved or ssrc in self._owner_by_ssrc:
                raise SourcesRefused(Violation.SSRC_ALREADY_USED)
            seen.add(ssrc)
            if source.msid and self._owner_by_msid.get(source.msid, owner) != owner:
                raise SourcesRefused(Violation.MSID_CONFLICT)

    def _store(self, owner: EndpointId, new: SourceSet) -> None:
        for source in self._sets.pop(owner, SourceSet()).sources:
            self._owner_by_ssrc.pop(source.ssrc, None)
            if source.msid:
                self._owner_by_msid.pop(source.msid, None)
        for source in new.sources:
            self._owner_by_ssrc[source.ssrc] = owner
            if source.msid:
                self._owner_by_msid[source.msid] = owner
        if new:
            self._sets[owner] = new


def _check_consistent(owner: EndpointId, sources: SourceSet) -> None:
    by_ssrc = {source.ssrc: source for source in sources.sources}
    types_by_name: dict[str, MediaType] = {}
    for source in sources.sources:
        if source.name is None:
            continue
        # A name says whose track it is to everybody else, so nobody picks another's.
        if not source.name.startswith(f"{owner}-"):
            raise SourcesRefused(Violation.NAME_CONFLICT)
        if types_by_name.setdefault(source.name, source.media_type) != source.media_type:
            raise SourcesRefused(Violation.NAME_CONFLICT)
    for group in sources.groups:
        _check_group(group, by_ssrc)
    _check_one_track_per_msid(sources, by_ssrc)


def _check_group(group: SsrcGroup, by_ssrc: dict[Ssrc, Source]) -> None:
    members = [by_ssrc.get(ssrc) for ssrc in group.ssrcs]
    known = [m for m in members if m is not None and m.media_type is group.media_type]
    if len(known) != len(members):
        raise SourcesRefused(Violation.GROUP_CONTAINS_UNKNOWN_SOURCE)
    if len(set(group.ssrcs)) != len(members) or (
        group.semantics is not Semantics.SIM and len(members) != 2
    ):
        raise SourcesRefused(Violation.INVALID_FID)
    if any(not member.msid for member in known):
        raise SourcesRefused(Violation.REQUIRED_PARAMETER)
    if len({member.msid for member in known}) != 1:
        raise SourcesRefused(Violation.GROUP_MSID_MISMATCH)


def _check_one_track_per_msid(sources: SourceSet, by_ssrc: dict[Ssrc, Source]) -> None:
    """Per medium an msid is one track: SIM group with FIDs, FID, or lone source."""
    leader = {ssrc: ssrc for ssrc in by_ssrc}

    def find(ssrc: Ssrc) -> Ssrc:
        while leader[ssrc] != ssrc:
            ssrc = leader[ssrc]
        return ssrc

    for group in sources.groups:
        first = find(group.ssrcs[0])
        for ssrc in group.ssrcs[1:]:
            leader[find(ssrc)] = first
    tracks = Counter(
        (source.media_type, source.msid)
        for source in sources.sources
        if source.msid and find(source.ssrc) == source.ssrc
    )
    if any(count > 1 for count in tracks.values()):
        raise SourcesRefused(Violation.MSID_CONFLICT)
