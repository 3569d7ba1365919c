from __future__ import annotations

from dataclasses import replace

import pytest
from xmppconf_focus.source_map import SourceMap, SourcesRefused, Violation
from xmppconf_focus.source_views import strip_simulcast, to_media_sources

from tests.focus.support import camera
from xmppconf.ids import EndpointId, SourceName
from xmppconf.media import MediaType, Ssrc, VideoType
from xmppconf.sources import Semantics, Source, SourceSet, SsrcGroup

ANN, BOB = EndpointId("ann"), EndpointId("bob")
VIDEO = MediaType.VIDEO


def source(ssrc: int, name: str = "ann-v0", msid: str | None = "s t") -> Source:
    return Source(Ssrc(ssrc), VIDEO, SourceName(name), msid)


def group(semantics: Semantics, *ssrcs: int) -> SsrcGroup:
    return SsrcGroup(semantics, tuple(Ssrc(s) for s in ssrcs), VIDEO)


FID, SIM = Semantics.FID, Semantics.SIM

REFUSED = {
    "ssrc of another": (Violation.SSRC_ALREADY_USED, [source(2000, msid="x y")], []),
    "ssrc twice in one request": (
        Violation.SSRC_ALREADY_USED,
        [source(1), source(1)],
        [],
    ),
    "ssrc of the bridge": (Violation.SSRC_ALREADY_USED, [source(11)], []),
    "msid of another": (
        Violation.MSID_CONFLICT,
        [source(1, msid="bob-video-0 track")],
        [],
    ),
    "name of another": (Violation.NAME_CONFLICT, [source(1, name="bob-v0")], []),
    "one name for two media": (
        Violation.NAME_CONFLICT,
        [source(1), Source(Ssrc(2), MediaType.AUDIO, SourceName("ann-v0"), "a b")],
        [],
    ),
    "group with unknown source": (
        Violation.GROUP_CONTAINS_UNKNOWN_SOURCE,
        [source(1)],
        [group(FID, 1, 2)],
    ),
    "group with a source of another": (
        Violation.GROUP_CONTAINS_UNKNOWN_SOURCE,
        [source(1)],
        [group(FID, 1, 2000)],
    ),
    "group of the other medium": (
        Violation.GROUP_CONTAINS_UNKNOWN_SOURCE,
        [source(1), source(2)],
        [SsrcGroup(FID, (Ssrc(1), Ssrc(2)), MediaType.AUDIO)],
    ),
    "FID of three": (
        Violation.INVALID_FID,
        [source(1), source(2), source(3)],
        [group(FID, 1, 2, 3)],
    ),
    "FID with itself": (Violation.INVALID_FID, [source(1)], [group(FID, 1, 1)]),
    "group without msid": (
        Violation.REQUIRED_PARAMETER,
        [source(1, msid=None), source(2, msid=None)],
        [group(FID, 1, 2)],
    ),
    "group with two msids": (
        Violation.GROUP_MSID_MISMATCH,
        [source(1, msid="a b"), source(2, msid="c d")],
        [group(FID, 1, 2)],
    ),
    "one msid for two tracks": (
        Violation.MSID_CONFLICT,
        [source(1), source(2), source(3), source(4)],
        [group(FID, 1, 2), group(FID, 3, 4)],
    ),
    "one msid for a group and a lone source": (
        Violation.MSID_CONFLICT,
        [source(1), source(2), source(3)],
        [group(FID, 1, 2)],
    ),
    "too many sources": (
        Violation.TOO_MANY_SOURCES,
        [source(i, msid=f"s {i}") for i in range(101, 122)],
        [],
    ),
    "too many groups": (
        Violation.TOO_MANY_GROUPS,
        [source(i) for i in range(1, 9)],
        [group(FID, i, j) for i in range(1, 9) for j in range(1, 9) if i != j],
    ),
}


def make_map() -> SourceMap:
    sources = SourceMap(20)
    sources.reserve([Ssrc(11)])
    sources.add(BOB, camera("bob", 2000))
    return sources


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_request_is_named_and_changes_nothing(case: str) -> None:
    violation, added, groups = REFUSED[case]
    sources = make_map()
    before = dict(sources)
    with pytest.raises(SourcesRefused) as refusal:
        sources.add(ANN, SourceSet(tuple(added), tuple(groups)))
    assert refusal.value.violation is violation
    assert refusal.value.condition == "bad-request"
    assert dict(sources) == before
    sources.add(ANN, camera("ann", 1000))  # nothing of the refused request is left over


def test_adding_again_what_is_there_is_refused() -> None:
    sources = make_map()
    with pytest.raises(SourcesRefused) as refusal:
        sources.add(BOB, camera("bob", 2000))
    assert refusal.value.violation is Violation.SSRC_ALREADY_USED


def test_empty_and_repeated_groups_are_ignored() -> None:
    sources = make_map()
    pair = group(FID, 1, 2)
    added = SourceSet((source(1), source(2)), (pair, pair, group(SIM)))
    sources.add(ANN, added)
    assert sources.of(ANN).groups == (pair,)


def test_removal_takes_the_groups_along_and_frees_ssrc_and_msid() -> None:
    sources = make_map()
    whole = camera("bob", 2000)
    video = tuple(s for s in whole.sources if s.media_type is VIDEO)
    sources.remove(BOB, SourceSet(video))
    assert [s.ssrc for s in sources.of(BOB).sources] == [2006]
    assert sources.of(BOB).groups == ()
    taken_over = tuple(replace(s, name=SourceName("ann-v0")) for s in video)
    sources.add(ANN, SourceSet(taken_over, whole.groups))


@pytest.mark.parametrize("ssrc", [2000, 9999])
def test_nobody_removes_what_is_not_his(ssrc: int) -> None:
    sources = make_map()
    before = dict(sources)
    with pytest.raises(SourcesRefused) as refusal:
        sources.remove(ANN, SourceSet((source(ssrc),)))
    assert refusal.value.violation is Violation.SOURCE_DOES_NOT_EXIST
    assert dict(sources) == before


def test_receivers_are_told_the_first_layer_and_its_rtx_only() -> None:
    stripped = strip_simulcast(camera("bob", 2000))
    assert [s.ssrc for s in stripped.sources] == [2000, 2003, 2006]
    assert stripped.groups == (group(FID, 2000, 2003),)


def test_a_bridge_is_told_everything_by_name() -> None:
    screen = Source(Ssrc(5), VIDEO, SourceName("bob-v1"), "x y", VideoType.DESKTOP)
    whole = camera("bob", 2000)
    names = {
        m.name: m
        for m in to_media_sources(BOB, SourceSet((*whole.sources, screen), whole.groups))
    }
    assert set(names) == {"bob-v0", "bob-a0", "bob-v1"}
    assert names[SourceName("bob-v0")].ssrcs == tuple(range(2000, 2006))
    assert names[SourceName("bob-v0")].groups == whole.groups
    assert names[SourceName("bob-v1")].video_type is VideoType.DESKTOP
    assert names[SourceName("bob-a0")].groups == ()


def test_a_source_without_name_gets_the_first_of_its_medium() -> None:
    [media] = to_media_sources(BOB, SourceSet((Source(Ssrc(5), VIDEO),)))
    assert media.name == "bob-v0"
