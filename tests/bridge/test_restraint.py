from __future__ import annotations

from xmppconf_bridge.allocation import Demand
from xmppconf_bridge.layers import Candidates, Layer
from xmppconf_bridge.restraint import FIRST_WAIT, LASTING, LONGEST_WAIT, Restraint

LAYERS = tuple(
    Layer(
        encoding, 0, temporal, 180 << encoding, 30.0, 100_000 << (2 * encoding + temporal)
    )
    for encoding in range(3)
    for temporal in range(2)
)
LARGE, SMALL = LAYERS[5], LAYERS[3]
DEMANDS = [Demand(7, Candidates(LAYERS, preferred=4, oversend=-1, dearest=1), True)]


class Receiver:
    """One source, of which it is given what the test says."""

    def __init__(self) -> None:
        self.restraint = Restraint()
        self.now = 0.0
        self.layer: Layer | None = SMALL

    def give(self, layer: Layer | None, bandwidth: float = 1e6) -> None:
        before = {} if self.layer is None else {7: self.layer}
        after = {} if layer is None else {7: layer}
        self.restraint.changed(before, after, DEMANDS, bandwidth, self.now)
        self.layer = layer

    def best(self, bandwidth: float = 1e6) -> Layer:
        [demand] = self.restraint.apply(DEMANDS, bandwidth, self.now)
        assert demand.candidates.preferred < len(demand.candidates.layers)
        return demand.candidates.ideal

    def fail(self, after: float = 1.0) -> None:
        self.give(LARGE)
        self.now += after
        self.give(SMALL)


def test_a_step_up_that_did_not_last_waits_longer_each_time() -> None:
    receiver = Receiver()
    waits = []
    for _ in range(6):
        receiver.fail()
        since = receiver.now
        while receiver.best() is not LARGE:
            receiver.now += 0.5
        waits.append(receiver.now - since)
    assert waits == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT, *[LONGEST_WAIT] * 3]


def test_one_that_has_lasted_is_no_failure() -> None:
    receiver = Receiver()
    receiver.give(LARGE)
    receiver.now += LASTING
    receiver.give(LARGE)
    receiver.give(SMALL)
    assert receiver.best() is LARGE


def test_a_better_line_ends_the_wait() -> None:
    receiver = Receiver()
    receiver.fail()
    assert receiver.best(1.2e6) is LAYERS[3]
    assert receiver.best(1.3e6) is LARGE


def test_temporal_layers_come_and_go_freely() -> None:
    receiver = Receiver()
    receiver.layer = LAYERS[2]
    for layer in (LAYERS[3], LAYERS[2], LAYERS[3], LAYERS[2]):
        receiver.give(layer)
        assert receiver.best() is LARGE


def test_what_is_not_asked_for_any_more_is_no_failure_either() -> None:
    receiver = Receiver()
    receiver.give(LARGE)
    few = [Demand(7, Candidates(LAYERS[:4], dearest=1), True)]
    receiver.restraint.changed({7: LARGE}, {7: SMALL}, few, 1e6, receiver.now)
    receiver.layer = SMALL
    assert receiver.best() is LARGE


def test_a_source_that_is_gone_is_forgotten() -> None:
    receiver = Receiver()
    receiver.fail()
    receiver.restraint.changed({7: SMALL}, {}, [], 1e6, receiver.now)
    assert receiver.best() is LARGE


def test_something_is_always_left() -> None:
    receiver = Receiver()
    receiver.layer = LAYERS[0]
    receiver.fail()
    only = [Demand(7, Candidates(LAYERS[4:], dearest=1), True)]
    assert receiver.restraint.apply(only, 1e6, receiver.now) == only
