"""Which layers of a source are considered; the scenarios with three encodings are those
that stock bridges are tested with."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xmppconf_bridge.layers import (
    ALL,
    Candidates,
    Figure,
    Layer,
    SourceLayers,
    consider,
    encoding_heights,
)

from xmppconf.bridge_channel import UNLIMITED, VideoConstraints

#: Kilobits per second of whole encodings of 180, 360 and 720 lines.
RATES = (150, 500, 2000)
SHARES = ((7.5, 0.33), (15.0, 0.66), (30.0, 1.0))


def encoding(index: int, *, kbps: Sequence[float] | None = None) -> list[Layer]:
    full = RATES[index] * 1000
    bitrates = [share * full for _, share in SHARES]
    if kbps is not None:
        bitrates = [1000 * rate for rate in kbps]
    return [
        Layer(index, 0, temporal, 180 << index, SHARES[temporal][0], int(bitrate))
        for temporal, bitrate in enumerate(bitrates)
    ]


LOW, STANDARD, HIGH = (encoding(index) for index in range(3))
EVERYTHING = [*LOW, *STANDARD, *HIGH]
OFF = (0, 0, 0)


def described(layers: Sequence[Layer]) -> str:
    names = ("ld", "sd", "hd")
    return " ".join(f"{names[one.encoding]}{one.frame_rate:.0f}" for one in layers)


def considered(
    layers: Sequence[Layer],
    height: int,
    rate: float = UNLIMITED,
    *,
    screen: bool = False,
    on_stage: bool = False,
) -> tuple[str, str | None, str | None]:
    """The layers considered, the preferred one, and the one to exceed the bandwidth for."""
    result = consider(
        layers, VideoConstraints(height, rate), is_screen=screen, on_stage=on_stage
    )

    def name(index: int) -> str | None:
        return described([result.layers[index]]) if index >= 0 else None

    return described(result.layers), name(result.preferred), name(result.oversend)


@pytest.mark.parametrize(
    ("layers", "height", "expected", "preferred"),
    [
        (EVERYTHING, 720, "ld8 ld15 ld30 sd30 hd30", "sd30"),
        (EVERYTHING, UNLIMITED, "ld8 ld15 ld30 sd30 hd30", "sd30"),
        (EVERYTHING, 360, "ld8 ld15 ld30 sd30", "sd30"),
        (EVERYTHING, 181, "ld8 ld15 ld30", "ld30"),
        (EVERYTHING, 180, "ld8 ld15 ld30", "ld30"),
        (EVERYTHING, 90, "ld8 ld15 ld30", "ld30"),
        (EVERYTHING, 0, "", None),
        (HIGH, 360, "hd8 hd15 hd30", "hd30"),
        (HIGH, 0, "", None),
        (
            [*LOW, *encoding(1, kbps=(165, 330, 0)), *encoding(2, kbps=OFF)],
            720,
            "ld8 ld15 ld30",
            "ld30",
        ),
        ([*encoding(0, kbps=OFF), *STANDARD, *HIGH], 180, "sd8 sd15 sd30", "sd30"),
        (
            [*encoding(0, kbps=OFF), *encoding(1, kbps=OFF), *encoding(2, kbps=OFF)],
            360,
            "ld8 ld15 ld30 sd30",
            "sd30",
        ),
    ],
)
def test_a_camera_is_smooth_before_it_is_large(
    layers: Sequence[Layer], height: int, expected: str, preferred: str | None
) -> None:
    assert considered(layers, height) == (expected, preferred, None)
    assert considered(layers, height, on_stage=True) == (expected, preferred, None)


@pytest.mark.parametrize(
    ("layers", "height", "expected", "preferred", "oversend"),
    [
        (EVERYTHING, 720, described(EVERYTHING), "hd30", "hd8"),
        (EVERYTHING, 360, described([*LOW, *STANDARD]), "sd30", "sd8"),
        (
            [*LOW, *STANDARD, *encoding(2, kbps=OFF)],
            720,
            described([*LOW, *STANDARD]),
            "sd30",
            "sd8",
        ),
        (
            [*encoding(0, kbps=OFF), *encoding(1, kbps=OFF), *HIGH],
            720,
            described(HIGH),
            "hd30",
            "hd8",
        ),
        (
            [*encoding(0, kbps=OFF), *encoding(1, kbps=OFF), *HIGH],
            180,
            described(HIGH),
            "hd30",
            "hd8",
        ),
        (EVERYTHING, 0, "", None, None),
    ],
)
def test_a_screen_is_sharp_before_it_is_smooth(
    layers: Sequence[Layer],
    height: int,
    expected: str,
    preferred: str | None,
    oversend: str | None,
) -> None:
    on_stage = considered(layers, height, screen=True, on_stage=True)
    assert on_stage == (expected, preferred, oversend)
    assert considered(layers, height, screen=True) == (expected, preferred, None)


@pytest.mark.parametrize(
    ("height", "on_stage", "kbps", "preferred", "oversend"),
    [
        (720, True, [150, 370, 750], 2, 0),
        (180, True, [150, 370, 750], 2, 0),
        (180, False, [150], 0, -1),
        (720, False, [150, 370, 750], 2, -1),
    ],
)
def test_a_screen_in_encodings_of_one_size(
    height: int, on_stage: bool, kbps: list[int], preferred: int, oversend: int
) -> None:
    """As VP9 has them: the same size in several qualities, at no known frame rate."""
    layers = [Layer(0, s, 0, 720, 0.0, 1000 * r) for s, r in enumerate((150, 370, 750))]
    result = consider(layers, VideoConstraints(height), is_screen=True, on_stage=on_stage)
    assert [layer.bitrate // 1000 for layer in result.layers] == kbps
    assert (result.preferred, result.oversend) == (preferred, oversend)


@pytest.mark.parametrize(
    ("rate", "expected", "preferred"),
    [
        (30, "ld8 ld15 ld30 sd30 hd30", "sd30"),
        (15, "ld8 ld15 sd15 hd15", "sd15"),
        (10, "ld8 sd8 hd8", "sd8"),
        (1, "ld8 sd8 hd8", "sd8"),
        (0, "", None),
    ],
)
def test_a_receiver_may_bound_the_frame_rate(
    rate: float, expected: str, preferred: str | None
) -> None:
    assert considered(EVERYTHING, 720, rate) == (expected, preferred, None)


def test_measured_frame_rates_need_not_be_exact() -> None:
    measured = [
        layer._replace(frame_rate=layer.frame_rate * (1.05 if layer.encoding else 0.95))
        for layer in EVERYTHING
    ]
    result = consider(measured, VideoConstraints(720, 30), is_screen=False, on_stage=False)
    assert [layer.rank for layer in result.layers] == [
        (0, 0, 0), (0, 0, 1), (0, 0, 2), (1, 0, 2), (2, 0, 2),
    ]  # fmt: skip


# -- the layers of one source as they become known ----------------------------------------
def figures(*rows: tuple[int, int, int]) -> list[Figure]:
    """Of (encoding, height, kbit/s), with two temporal layers each."""
    return [
        (index, 0, temporal, height, 15.0 * (temporal + 1), kbps * 500 * (temporal + 1))
        for index, height, kbps in rows
        for temporal in range(2)
    ]


def best(source: SourceLayers, height: int, **kind: bool) -> tuple[int, int, int]:
    kind = {"is_screen": False, "on_stage": False, **kind}
    return source.consider(VideoConstraints(height), **kind).ideal.rank


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
    ("height", "encoding"),
    [(-1, 2), (90, 0), (180, 0), (359, 0), (360, 1), (720, 2), (2160, 2)],
)
def test_without_figures_whole_encodings_are_chosen_by_height(
    height: int, encoding: int
) -> None:
    assert best(SourceLayers(3), height) == (encoding, ALL, ALL)


@pytest.mark.parametrize(
    ("height", "active", "encoding"), [(360, {2}, 2), (360, {0, 2}, 1), (90, {1, 2}, 1)]
)
def test_an_encoding_below_all_that_flow_is_no_help(
    height: int, active: set[int], encoding: int
) -> None:
    """A shared screen may come at its largest only; that is better than nothing."""
    source = SourceLayers(3)
    for index in active:
        assert source.began(index, None)
    assert best(source, height) == (encoding, ALL, ALL)


def test_only_what_may_change_a_choice_is_news() -> None:
    source = SourceLayers(3)
    assert source.began(0, None)
    assert not source.began(0, None)
    assert source.began(0, 270)
    assert not source.began(0, 270)
    assert source.measured(figures((0, 270, 200)))
    assert not source.measured(figures((0, 270, 300)))
    assert source.measured(figures((0, 270, 300), (1, 540, 900)))
    assert source.measured(figures((0, 270, 300), (1, 540, 0)))
    assert source.ended(0)
    assert not source.ended(0)


def test_figures_count_from_then_on_and_the_top_layer_stands_for_all() -> None:
    source = SourceLayers(3)
    source.measured(figures((0, 180, 200), (1, 360, 700), (2, 720, 0)))
    layers = [(layer.rank, layer.height, layer.bitrate) for layer in source.layers()]
    assert layers[1:4] == [
        ((0, ALL, ALL), 180, 200_000),
        ((1, ALL, 0), 360, 350_000),
        ((1, ALL, ALL), 360, 700_000),
    ]
    assert best(source, 720) == (1, ALL, ALL)
    assert best(source, 180) == (0, ALL, ALL)
    source.measured(figures((0, 180, 200), (1, 360, 700), (2, 720, 2000)))
    assert best(source, 720) == (2, ALL, ALL)
    source.ended(2)
    assert best(source, 720) == (1, ALL, ALL)


def test_unknown_heights_in_figures_are_guessed() -> None:
    """Spatial layers halve the size, encodings follow their neighbours."""
    scalable = SourceLayers(1)
    scalable.began(0, 720)
    scalable.measured([(0, s, 0, 0, 0.0, 100_000 * (s + 1)) for s in range(3)])
    assert [layer.height for layer in scalable.layers()] == [180, 360, 720]
    assert [layer.spatial for layer in scalable.layers()] == [0, 1, ALL]
    assert best(scalable, 360) == (0, 1, ALL)
    simulcast = SourceLayers(3)
    simulcast.measured(figures((0, 90, 200), (1, 0, 400), (2, 0, 800)))
    assert [one.height for one in simulcast.layers()] == [90, 90, 180, 180, 360, 360]


LAYERS = st.lists(
    st.builds(
        Layer,
        st.integers(0, 2),
        st.integers(0, 2),
        st.integers(0, 2),
        st.sampled_from([90, 180, 360, 720, 1080]),
        st.sampled_from([0.0, 5.0, 7.5, 15.0, 24.0, 30.0, 60.0]),
        st.sampled_from([0, 50_000, 150_000, 500_000, 2_000_000]),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda layer: layer.rank,
).map(sorted)


@given(
    LAYERS,
    st.sampled_from([-1, 1, 90, 180, 360, 720]),
    st.sampled_from([-1, 0.5, 7.5, 15, 30]),
    st.booleans(),
    st.booleans(),
)
def test_something_is_considered_of_all_that_is_wanted(
    layers: list[Layer], height: int, rate: float, screen: bool, on_stage: bool
) -> None:
    constraints = VideoConstraints(height, rate)
    result = consider(layers, constraints, is_screen=screen, on_stage=on_stage)
    assert result != Candidates()
    assert list(result.layers) == [layer for layer in layers if layer in result.layers]
    assert 0 <= result.preferred < len(result.layers)
    assert -1 <= result.oversend < len(result.layers)
    assert result.oversend < 0 or (screen and on_stage)
    assert result.dearest == max(layer.bitrate for layer in result.layers)
    flowing = [layer for layer in layers if layer.bitrate > 0] or layers
    assert set(result.layers) <= set(flowing)
    lowest = min(layer.height for layer in result.layers)
    if height != UNLIMITED:
        assert all(
            one.height in range(height + 1) or one.height == lowest for one in result.layers
        )
