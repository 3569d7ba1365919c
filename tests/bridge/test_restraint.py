from __future__ import annotations

import pytest
from xmppconf_bridge.allocation import Demand
from xmppconf_bridge.layers import Candidates, Layer
from xmppconf_bridge.restraint import (
    EXCESS,
    FIRST_WAIT,
    HOLD,
    LASTING,
    LONGEST_WAIT,
    TRIAL,
    TRIAL_WAIT,
    Restraint,
)

LAYERS = tuple(
    Layer(
        encoding, 0, temporal, 180 << encoding, 30.0, 100_000 << (2 * encoding + temporal)
    )
    for encoding in range(3)
    for temporal in range(2)
)
LARGE, MIDDLE, SMALL = LAYERS[5], LAYERS[3], LAYERS[1]
DEMANDS = [Demand(7, Candidates(LAYERS, preferred=4, oversend=-1, dearest=1), True)]
WIDE, NARROW = 1e6, 4e5


class Receiver:
    """One source, of which it is given what the test says."""

    def __init__(self) -> None:
        self.restraint = Restraint()
        self.now = 0.0
        self.layer: Layer | None = MIDDLE

    def give(self, layer: Layer | None, bandwidth: float = WIDE) -> None:
        before = {} if self.layer is None else {7: self.layer}
        after = {} if layer is None else {7: layer}
        self.restraint.changed(before, after, DEMANDS, bandwidth, self.now)
        self.layer = layer

    def best(self, wished: Layer = LARGE, bandwidth: float = WIDE) -> Layer:
        """What it may be given if there is enough for `wished`."""
        due = self.restraint.wait(DEMANDS, bandwidth, self.now)
        [demand] = due
        wish = min(wished, demand.candidates.ideal, key=lambda layer: layer.bitrate)
        shown = {} if self.layer is None else {7: self.layer}
        [demand] = self.restraint.try_out(due, shown, {7: wish}, self.now)
        assert demand.candidates.preferred < len(demand.candidates.layers)
        return min(demand.candidates.ideal, wish, key=lambda layer: layer.bitrate)

    def fail(self, after: float = 1.0) -> None:
        self.give(LARGE)
        self.now += after
        self.give(MIDDLE, NARROW)

    def until(self, layer: Layer) -> float:
        """Seconds until it may have it."""
        since = self.now
        while self.best() is not layer:
            self.now += 0.5
        return self.now - since


def test_a_step_up_that_did_not_last_waits_longer_each_time_and_is_tried_out() -> None:
    receiver = Receiver()
    waits = []
    for _ in range(6):
        receiver.fail()
        waits.append(receiver.until(LARGE) - TRIAL)
    doubled = [FIRST_WAIT * 2**failures for failures in range(6)]
    assert waits == [min(wait, LONGEST_WAIT) for wait in doubled]


def test_one_that_has_lasted_is_no_failure_but_tried_out() -> None:
    receiver = Receiver()
    receiver.fail(after=LASTING)
    assert receiver.until(LARGE) == TRIAL
    receiver.give(LARGE)
    receiver.now += LASTING
    receiver.give(LARGE)
    # It has lasted: what comes next is as at the beginning.
    receiver.layer = MIDDLE
    assert receiver.best() is LARGE


def test_a_trial_that_fails_is_repeated_after_a_while() -> None:
    receiver = Receiver()
    receiver.fail(after=LASTING)
    assert receiver.best() is MIDDLE
    assert receiver.restraint.is_trying
    assert receiver.restraint.due == receiver.now + TRIAL
    receiver.now += TRIAL / 2
    assert receiver.best(MIDDLE) is MIDDLE
    assert not receiver.restraint.is_trying
    assert receiver.restraint.due == receiver.now + TRIAL_WAIT
    assert receiver.until(LARGE) == TRIAL_WAIT + TRIAL


def test_each_step_of_a_deep_fall_is_tried_out() -> None:
    receiver = Receiver()
    receiver.fail(after=LASTING)
    receiver.give(SMALL, NARROW / 2)
    assert receiver.best(MIDDLE) is SMALL
    receiver.now += TRIAL
    assert receiver.best(MIDDLE) is MIDDLE
    receiver.give(MIDDLE, NARROW)
    assert receiver.best() is MIDDLE
    receiver.now += TRIAL
    assert receiver.best() is LARGE


def test_what_was_gone_comes_back_at_its_smallest_without_a_trial() -> None:
    receiver = Receiver()
    receiver.give(MIDDLE)
    receiver.give(None, NARROW)
    assert receiver.best(SMALL) is SMALL
    assert receiver.best() is SMALL


def test_a_better_line_ends_the_wait() -> None:
    receiver = Receiver()
    receiver.fail()
    receiver.best(bandwidth=1.2 * WIDE)
    assert not receiver.restraint.is_trying
    receiver.best(bandwidth=1.3 * WIDE)
    assert receiver.restraint.is_trying


def test_temporal_layers_come_and_go_freely() -> None:
    receiver = Receiver()
    receiver.layer = LAYERS[2]
    for layer, bandwidth in ((LAYERS[3], WIDE), (LAYERS[2], NARROW), (LAYERS[3], WIDE)):
        receiver.give(layer, bandwidth)
        assert receiver.best() is LARGE


def test_only_less_bandwidth_makes_careful() -> None:
    receiver = Receiver()
    receiver.give(LARGE)
    # Somebody else was preferred.
    receiver.give(MIDDLE)
    assert receiver.best() is LARGE


def test_what_is_not_asked_for_any_more_is_no_failure_either() -> None:
    receiver = Receiver()
    receiver.give(LARGE)
    few = [Demand(7, Candidates(LAYERS[:4], dearest=1), True)]
    receiver.restraint.changed({7: LARGE}, {7: MIDDLE}, few, NARROW, receiver.now)
    receiver.layer = MIDDLE
    assert receiver.best() is LARGE


def test_a_source_that_is_gone_is_forgotten() -> None:
    receiver = Receiver()
    receiver.fail()
    receiver.restraint.changed({7: MIDDLE}, {}, [], WIDE, receiver.now)
    assert receiver.best() is LARGE


def test_something_is_always_left() -> None:
    receiver = Receiver()
    receiver.fail()
    only = [Demand(7, Candidates(LAYERS[4:], dearest=1), True)]
    assert receiver.restraint.wait(only, NARROW, receiver.now) == only


@pytest.mark.parametrize(("share", "stays"), [(1.01, True), (0.99, False)])
def test_a_picture_stays_for_a_while_if_little_is_missing(
    share: float, stays: bool
) -> None:
    restraint = Restraint()
    least = LAYERS[0].bitrate / EXCESS * share
    held = restraint.hold({7: MIDDLE}, {}, DEMANDS, least, 10.0)
    assert held == ({7: LAYERS[0]} if stays else {})
    assert restraint.due == 10.0 + HOLD
    assert restraint.hold({7: LAYERS[0]}, {}, DEMANDS, least, 10.0 + HOLD) == {}
    # It has gone: nothing is held any more.
    assert restraint.hold({}, {}, DEMANDS, least, 11.0 + HOLD) == {}
    assert restraint.due == float("inf")


def test_the_most_wanted_stays_first_if_not_all_can() -> None:
    demands = [Demand(number, Candidates(LAYERS, dearest=1), False) for number in (7, 5, 9)]
    shown = dict.fromkeys((7, 5, 9), SMALL)
    held = Restraint().hold(shown, {5: LAYERS[0]}, demands, 140_000, 0.0)
    assert list(held) == [7, 5]
