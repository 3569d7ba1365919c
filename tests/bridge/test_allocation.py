from __future__ import annotations

import pytest
from xmppconf_bridge.allocation import (
    Candidate,
    VideoConstraints,
    effective_heights,
    encoding_heights,
    highest,
    max_encoding,
    prioritise,
)

from xmppconf.ids import SourceName

A, B, C, D = (SourceName(f"{letter}-v0") for letter in "abcd")


def order(constraints: VideoConstraints, *off: SourceName) -> list[SourceName]:
    candidates = [Candidate(name, name not in off) for name in (A, B, C, D)]
    return [one.name for one in prioritise(candidates, constraints)]


def heights(constraints: VideoConstraints, limit: int = 50) -> dict[SourceName, int]:
    candidates = [Candidate(name, True) for name in (A, B, C, D)]
    return effective_heights(prioritise(candidates, constraints), constraints, limit)


def test_no_video_before_the_receiver_spoke() -> None:
    assert set(heights(VideoConstraints()).values()) == {0}
    assert set(heights(VideoConstraints().with_last_n(3)).values()) == {0}


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
    assert second.height_of(A) == 90
    assert second.height_of(C) == 720


def test_on_stage_comes_before_selected_before_speech_before_switched_off() -> None:
    constraints = VideoConstraints(on_stage=(C,), selected=(D, C))
    assert order(constraints) == [C, D, A, B]
    assert order(constraints, C, A) == [D, B, A, C]


def test_last_n_goes_by_priority() -> None:
    got = heights(VideoConstraints(last_n=2, on_stage=(D,), default_height=360))
    assert got == {A: 360, B: 0, C: 0, D: 360}
    assert set(heights(VideoConstraints(last_n=0, default_height=360)).values()) == {0}


def test_an_unwanted_source_does_not_use_up_last_n() -> None:
    got = heights(VideoConstraints(last_n=1, default_height=360, heights={A: 0}))
    assert got == {A: 0, B: 360, C: 0, D: 0}


def test_the_bridges_limit_holds_for_unlimited_receivers() -> None:
    got = heights(VideoConstraints(default_height=-1), limit=3)
    assert sorted(got.values()) == [-1, -1, -1, 0]


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


def test_unlimited_is_the_highest() -> None:
    assert highest([180, -1, 720]) == -1
    assert highest([180, 720]) == 720
    assert highest([]) == 0
