"""How bandwidth is divided.  The ramps and what they lead to are those that stock bridges
are tested with, and so is the trace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xmppconf_bridge.allocation import (
    THRESHOLD,
    Allocation,
    Demand,
    allocate,
    is_significant,
)
from xmppconf_bridge.layers import Candidates, Layer, consider

from tests.bridge.test_layers import EVERYTHING, LAYERS, described
from xmppconf.bridge_channel import VideoConstraints

OVERSEND = 500_000


def demand(
    number: int,
    height: int,
    layers: Sequence[Layer] = EVERYTHING,
    *,
    on_stage: bool = False,
    screen: bool = False,
) -> Demand:
    constraints = VideoConstraints(height)
    candidates = consider(layers, constraints, is_screen=screen, on_stage=on_stage)
    return Demand(number, candidates, on_stage)


def outcome(demands: Sequence[Demand], allocation: Allocation) -> str:
    got = [allocation.layers.get(one.number) for one in demands]
    return " ".join("-" if layer is None else described([layer]) for layer in got)


def ramp(demands: Sequence[Demand]) -> list[tuple[int, str]]:
    """(kbit/s, layers) wherever they change, from nothing to 5 Mbit/s by 10 kbit/s.

    A star marks that more is sent than there is.
    """
    history: list[tuple[int, str]] = []
    for bandwidth in range(0, 5_000_001, 10_000):
        allocation = allocate(demands, bandwidth, OVERSEND)
        excess = "*" if allocation.bitrate > bandwidth else ""
        got = outcome(demands, allocation) + excess
        if not history or history[-1][1] != got:
            history.append((bandwidth // 1000, got))
    return history


STAGE_CAMERA = [
    (0, "- - - -"),
    (50, "ld8 - - -"),
    (100, "ld15 - - -"),
    (150, "ld30 - - -"),
    (500, "sd30 - - -"),
    (550, "sd30 ld8 - -"),
    (600, "sd30 ld8 ld8 -"),
    (650, "sd30 ld8 ld8 ld8"),
    (700, "sd30 ld15 ld8 ld8"),
    (750, "sd30 ld15 ld15 ld8"),
    (800, "sd30 ld15 ld15 ld15"),
    (850, "sd30 ld30 ld15 ld15"),
    (900, "sd30 ld30 ld30 ld15"),
    (960, "sd30 ld30 ld30 ld30"),
    (2150, "hd30 ld8 ld8 ld8"),
    (2200, "hd30 ld15 ld8 ld8"),
    (2250, "hd30 ld15 ld15 ld8"),
    (2300, "hd30 ld15 ld15 ld15"),
    (2350, "hd30 ld30 ld15 ld15"),
    (2400, "hd30 ld30 ld30 ld15"),
    (2460, "hd30 ld30 ld30 ld30"),
]
STAGE_SCREEN = [
    (0, "sd30 - - -*"),
    (160, "hd8 - - -*"),
    (660, "hd8 - - -"),
    (1320, "hd15 - - -"),
    (2000, "hd30 - - -"),
    (2050, "hd30 ld8 - -"),
    (2100, "hd30 ld8 ld8 -"),
    (2150, "hd30 ld8 ld8 ld8"),
    (2200, "hd30 ld15 ld8 ld8"),
    (2250, "hd30 ld15 ld15 ld8"),
    (2300, "hd30 ld15 ld15 ld15"),
    (2350, "hd30 ld30 ld15 ld15"),
    (2400, "hd30 ld30 ld30 ld15"),
    (2460, "hd30 ld30 ld30 ld30"),
]
TILES = [
    (0, "- - - -"),
    (50, "ld8 - - -"),
    (100, "ld8 ld8 - -"),
    (150, "ld8 ld8 ld8 -"),
    (200, "ld8 ld8 ld8 ld8"),
    (250, "ld15 ld8 ld8 ld8"),
    (300, "ld15 ld15 ld8 ld8"),
    (350, "ld15 ld15 ld15 ld8"),
    (400, "ld15 ld15 ld15 ld15"),
    (450, "ld30 ld15 ld15 ld15"),
    (500, "ld30 ld30 ld15 ld15"),
    (550, "ld30 ld30 ld30 ld15"),
    (610, "ld30 ld30 ld30 ld30"),
]
TILES_360 = [
    *TILES,
    (960, "sd30 ld30 ld30 ld30"),
    (1310, "sd30 sd30 ld30 ld30"),
    (1660, "sd30 sd30 sd30 ld30"),
    (2010, "sd30 sd30 sd30 sd30"),
]
#: On the stage a layer may cost all there is, in a tile it must cost less.
STAGE_ALONE = [
    (0, "-"), (50, "ld8"), (100, "ld15"), (150, "ld30"), (500, "sd30"), (2010, "hd30"),
]  # fmt: skip
TILE_ALONE = [(0, "-"), (50, "ld8"), (100, "ld15"), (160, "ld30")]
TILE_ALONE_360 = [*TILE_ALONE, (510, "sd30")]


def thumbnails() -> list[Demand]:
    return [demand(number, 180) for number in (2, 3, 4)]


@pytest.mark.parametrize(
    ("demands", "expected"),
    [
        ([demand(1, 720, on_stage=True), *thumbnails()], STAGE_CAMERA),
        ([demand(1, 720, on_stage=True, screen=True), *thumbnails()], STAGE_SCREEN),
        ([demand(1, 720, on_stage=True)], STAGE_ALONE),
        ([demand(number, 180) for number in range(4)], TILES),
        ([demand(number, 360) for number in range(4)], TILES_360),
        ([demand(1, 180)], TILE_ALONE),
        ([demand(1, 360)], TILE_ALONE_360),
        ([], [(0, "")]),
    ],
    ids=["stage", "screen", "stage-alone", "tiles", "360", "tile", "tile-360", "last-n-0"],
)
def test_a_growing_bandwidth_is_spent_step_by_step(
    demands: list[Demand], expected: list[tuple[int, str]]
) -> None:
    assert ramp(demands) == expected


def test_a_screen_may_not_exceed_what_the_operator_forbids() -> None:
    screen = demand(1, 720, on_stage=True, screen=True)
    assert allocate([screen], 40_000, 0).layers == {}
    assert outcome([screen], allocate([screen], 160_000, 0)) == "ld30"
    # Second in the order, it may not either.
    first = demand(2, 180, on_stage=True)
    assert (
        outcome([first, screen], allocate([first, screen], 160_000, OVERSEND)) == "ld30 -"
    )


def test_a_dearer_layer_is_skipped_for_a_better_one() -> None:
    layers = [Layer(0, 0, 0, 180, 30.0, 300_000), Layer(1, 0, 0, 360, 30.0, 200_000)]
    one = demand(1, 360, layers)
    assert allocate([one], 250_000, 0).layers == {}
    assert allocate([one], 310_000, 0).layers == {1: layers[1]}


def test_what_does_not_flow_yet_costs_nothing() -> None:
    silent = [layer._replace(bitrate=0) for layer in EVERYTHING]
    demands = [demand(1, 720, silent), demand(2, 180)]
    assert outcome(demands, allocate(demands, 60_000, 0)) == "hd30 ld8"


def test_no_estimate_means_no_bound() -> None:
    demands = [demand(1, 720), *thumbnails()]
    allocation = allocate(demands, math.inf, 0)
    assert outcome(demands, allocation) == "hd30 ld30 ld30 ld30"
    assert allocation.is_ideal
    assert allocation.bitrate == allocation.ideal == 2_450_000


def test_the_ideal_does_not_depend_on_the_bandwidth() -> None:
    demands = [demand(1, 720), *thumbnails()]
    allocation = allocate(demands, 100_000, 0)
    assert (allocation.ideal, allocation.is_ideal) == (2_450_000, False)


@pytest.mark.parametrize(
    ("used", "now", "significant"),
    [
        (math.inf, 1_000_000, True),
        (math.inf, math.inf, False),
        (1_000_000, math.inf, True),
        (1_000_000, 1_150_000, False),
        (1_000_000, 1_150_001, True),
        (1_000_000, 850_000, False),
        (1_000_000, 849_999, True),
        (0, 0, False),
        (0, 1, True),
    ],
)
def test_small_changes_of_the_estimate_do_not_count(
    used: float, now: float, significant: bool
) -> None:
    assert is_significant(used, now) is significant


def test_an_uneven_ramp_does_not_flicker() -> None:
    """Stock bridges ask for less than 20 changes while the estimate grows from nothing."""
    chance = Random(1)
    costs = [(90_000.0, 150_000.0)] * 6  # of each sender with 7.5 and 30 frames a second
    used, changes, before = math.inf, 0, ""
    estimate = 30_000.0
    for _ in range(120):
        # What is measured every second is never the same, and the estimate rises unevenly.
        estimate *= 1 + chance.uniform(-0.01, 0.09)
        costs = [
            (min(max(few * chance.uniform(0.9, 1.1), 50_000), 120_000), few + 65_000)
            for few, _ in costs
        ]
        bandwidth = int(estimate)
        if not is_significant(used, bandwidth):
            continue
        used = bandwidth
        demands = [
            demand(
                number,
                180,
                [Layer(0, 0, 0, 180, 7.5, int(few)), Layer(0, 0, 2, 180, 30.0, int(all_))],
            )
            for number, (few, all_) in enumerate(costs)
        ]
        allocation = allocate(demands, bandwidth, OVERSEND)
        assert allocation.bitrate <= bandwidth
        got = outcome(demands, allocation)
        changes += got != before
        before = got
    assert before == "ld30 ld30 ld30 ld30 ld30 ld30"
    assert 6 < changes < 20


# -- properties ---------------------------------------------------------------------------
def candidates(layers: list[Layer], kind: tuple[int, bool, bool]) -> Candidates:
    height, screen, on_stage = kind
    constraints = VideoConstraints(height)
    return consider(layers, constraints, is_screen=screen, on_stage=on_stage)


KINDS = st.tuples(st.sampled_from([-1, 180, 720]), st.booleans(), st.booleans())
DEMANDS = st.lists(st.tuples(LAYERS, KINDS), max_size=6).map(
    lambda rows: [
        Demand(number, candidates(layers, kind), kind[2])
        for number, (layers, kind) in enumerate(rows)
    ]
)
BANDWIDTHS = st.integers(0, 8_000_000)


@given(DEMANDS, BANDWIDTHS, st.sampled_from([0, OVERSEND]))
def test_never_more_than_there_is_but_for_the_first_on_stage(
    demands: list[Demand], bandwidth: int, oversend: int
) -> None:
    allocation = allocate(demands, bandwidth, oversend)
    may_exceed = bool(demands) and demands[0].candidates.oversend >= 0
    assert allocation.bitrate <= bandwidth + (oversend if may_exceed else 0)
    if allocation.bitrate > bandwidth:
        assert [number for number, one in allocation.layers.items() if one.bitrate] == [0]
    assert list(allocation.layers) == sorted(allocation.layers)
    by_number = {one.number: one for one in demands}
    for number, layer in allocation.layers.items():
        assert layer in by_number[number].candidates.layers
    assert allocation.bitrate == sum(one.bitrate for one in allocation.layers.values())


@given(DEMANDS, BANDWIDTHS)
def test_nothing_more_fits(demands: list[Demand], bandwidth: int) -> None:
    """Whatever has its turn last could not take another step."""
    allocation = allocate(demands, bandwidth, 0)
    left = bandwidth - allocation.bitrate
    for one in demands:
        layers = one.candidates.layers
        now = allocation.layers.get(one.number)
        index = -1 if now is None else layers.index(now)
        own = 0 if now is None else now.bitrate
        assert index + 1 == len(layers) or layers[index + 1].bitrate >= left + own
        if one.on_stage and index < one.candidates.preferred:
            break


@given(DEMANDS, BANDWIDTHS, BANDWIDTHS)
def test_the_first_gets_no_less_of_more(
    demands: list[Demand], one: int, other: int
) -> None:
    """What is on stage up to what it prefers, and whatever is alone in all it can."""
    little, much = sorted((one, other))

    def index(bandwidth: int, of: Sequence[Demand]) -> int:
        layer = allocate(of, bandwidth, 0).layers.get(0)
        return -1 if layer is None else of[0].candidates.layers.index(layer)

    if not demands:
        return
    alone = demands[:1]
    assert index(little, alone) <= index(much, alone)
    if demands[0].on_stage:
        preferred = demands[0].candidates.preferred
        assert min(index(little, demands), preferred) <= min(
            index(much, demands), preferred
        )


@given(st.integers(1, 8), BANDWIDTHS, BANDWIDTHS, st.sampled_from([180, 360]))
def test_equal_tiles_differ_by_one_step_and_gain_by_more(
    count: int, one: int, other: int, height: int
) -> None:
    demands = [demand(number, height) for number in range(count)]
    little, much = (
        [
            -1
            if (layer := allocate(demands, bandwidth, 0).layers.get(tile.number)) is None
            else tile.candidates.layers.index(layer)
            for tile in demands
        ]
        for bandwidth in sorted((one, other))
    )
    for steps in (little, much):
        assert steps == sorted(steps, reverse=True)
        assert steps[0] - steps[-1] <= 1
    assert little <= much


def test_the_threshold_is_that_of_stock_bridges() -> None:
    assert THRESHOLD == 0.15
