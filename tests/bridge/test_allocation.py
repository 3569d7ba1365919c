from __future__ import annotations

from dataclasses import dataclass

import pytest
from xmppconf_bridge.allocation import (
    VideoConstraints,
    allot,
    encoding_heights,
    highest,
    max_encoding,
)

from xmppconf.ids import SourceName

A, B, C, D = (SourceName(f"{letter}-v0") for letter in "abcd")


@dataclass(frozen=True)
class Candidate:
    number: int
    name: SourceName


CANDIDATES = [Candidate(number, name) for number, name in enumerate((A, B, C, D))]


def heights(constraints: VideoConstraints, limit: int = 50) -> dict[SourceName, int]:
    """What may be shown, most wanted first."""
    allotted = allot(CANDIDATES, constraints, limit)
    return {CANDIDATES[number].name: height for number, height in allotted.items()}


def test_no_video_before_the_receiver_spoke() -> None:
    assert heights(VideoConstraints()) == {}
    assert heights(VideoConstraints().with_last_n(3)) == {}


def test_the_first_words_without_a_default_mean_180() -> None:
    spoken = VideoConstraints().updated(last_n=-1)
    assert spoken.default_height == 180
    assert spoken.updated(default_height=0).updated(last_n=3).default_height == 0


def test_absent_fields_keep_their_value_and_heights_are_replaced_whole() -> None:
    first = VideoConstraints().updated(
        last_n=3, selected=(A,), on_stage=(B,), default_height=90, heights={A: 720, B: 360}
    )
    second = first.updated(heights={C: 720})
    assert (second.last_n, second.selected, second.on_stage) == (3, (A,), (B,))
    assert (second.default_height, second.heights) == (90, {C: 720})


def test_on_stage_comes_before_selected_before_speech() -> None:
    constraints = VideoConstraints(on_stage=(C,), selected=(D, C), default_height=90)
    assert list(heights(constraints)) == [C, D, A, B]
    gone = SourceName("gone-v0")
    constraints = VideoConstraints(on_stage=(gone,), selected=(B,), default_height=90)
    assert list(heights(constraints)) == [B, A, C, D]


def test_last_n_goes_by_priority() -> None:
    got = heights(VideoConstraints(last_n=2, on_stage=(D,), default_height=360))
    assert got == {D: 360, A: 360}
    assert heights(VideoConstraints(last_n=0, default_height=360)) == {}


def test_an_unwanted_source_does_not_use_up_last_n() -> None:
    got = heights(VideoConstraints(last_n=1, default_height=360, heights={A: 0}))
    assert got == {B: 360}
    on_stage = VideoConstraints(last_n=1, on_stage=(A,), default_height=360, heights={A: 0})
    assert heights(on_stage) == {B: 360}


def test_the_bridges_limit_holds_for_unlimited_receivers() -> None:
    got = heights(VideoConstraints(default_height=-1), limit=3)
    assert got == {A: -1, B: -1, C: -1}


@pytest.mark.parametrize(
    ("known", "count", "expected"),
    [
        ({}, 3, (180, 360, 720)),
        ({}, 1, (720,)),
        ({0: 270}, 3, (270, 540, 1080)),
        ({2: 720, 0: 200}, 3, (200, 400, 720)),
    ],
)
def test_unknown_heights_follow_from_the_neighbours(
    known: dict[int, int], count: int, expected: tuple[int, ...]
) -> None:
    assert encoding_heights(known, count) == expected


@pytest.mark.parametrize(
    ("height", "expected"),
    [(0, -1), (-1, 2), (90, 0), (180, 0), (359, 0), (360, 1), (720, 2), (2160, 2)],
)
def test_the_best_encoding_within_a_height(height: int, expected: int) -> None:
    assert max_encoding(height, (180, 360, 720)) == expected


@pytest.mark.parametrize(
    ("height", "active", "expected"),
    [(360, {2}, 2), (360, {0, 2}, 1), (90, {1, 2}, 1), (0, {2}, -1), (360, set(), 1)],
)
def test_an_encoding_that_does_not_flow_is_no_help(
    height: int, active: set[int], expected: int
) -> None:
    """A shared screen may come at its largest only; that is better than nothing."""
    assert max_encoding(height, (180, 360, 720), active) == expected


def test_unlimited_is_the_highest() -> None:
    assert highest([180, -1, 720]) == -1
    assert highest([180, 720]) == 720
    assert highest([]) == 0
