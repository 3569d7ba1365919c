"""Divides a receiver's bandwidth among the sources it may have.

In turns, in order of priority: every source takes a step at a time while that fits; what
is on stage goes before the others as far as its preferred layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from xmppconf_bridge.layers import Candidates, Layer

#: An estimate that differs from the one last used by less than this share changes nothing.
THRESHOLD = 0.15


class Demand(NamedTuple):
    """A source that a receiver may have; `number` is its id."""

    number: int
    candidates: Candidates
    on_stage: bool


@dataclass(frozen=True, slots=True)
class Allocation:
    layers: dict[int, Layer] = field(default_factory=dict)
    """The layer of each source that is sent, by number, most wanted first."""
    bitrate: int = 0
    """Bits per second of these."""
    ideal: int = 0
    """What it would be without a bound."""
    is_ideal: bool = True
    """Whether there is nothing that more bandwidth would change."""


def is_significant(used: float, now: float) -> bool:
    """Whether a new estimate is reason enough to allocate anew."""
    return used != now and (math.isinf(used) or abs(now - used) > used * THRESHOLD)


def ideal(demands: Sequence[Demand]) -> int:
    """Bits per second that would be given without a bound."""
    return sum(
        demand.candidates.ideal.bitrate for demand in demands if demand.candidates.layers
    )


def allocate(demands: Sequence[Demand], bandwidth: float, oversend: int) -> Allocation:
    """Divide `bandwidth` (bits per second, may be infinite); most wanted come first.

    The first may take up to `oversend` more than there is, to show a screen on stage at
    its full size.
    """
    demands = [demand for demand in demands if demand.candidates.layers]
    if not demands:
        return Allocation()
    best_bitrate = ideal(demands)
    if sum(demand.candidates.dearest for demand in demands) < bandwidth:
        # Whatever the order of steps, each fits.
        best = {demand.number: demand.candidates.ideal for demand in demands}
        return Allocation(best, best_bitrate, best_bitrate)
    chosen = _divide(demands, bandwidth, oversend)
    layers = {
        demand.number: demand.candidates.layers[index]
        for demand, index in zip(demands, chosen, strict=True)
        if index >= 0
    }
    bitrate = sum(layer.bitrate for layer in layers.values())
    is_ideal = all(
        index == len(demand.candidates.layers) - 1
        for demand, index in zip(demands, chosen, strict=True)
    )
    return Allocation(layers, bitrate, best_bitrate, is_ideal)


def lowest_of_first(demands: Sequence[Demand]) -> Allocation:
    """The lowest layer of the most wanted source, whatever it costs."""
    first = next((demand for demand in demands if demand.candidates.layers), None)
    if first is None:
        return Allocation()
    layer = first.candidates.layers[0]
    return Allocation({first.number: layer}, layer.bitrate, ideal(demands), is_ideal=False)


def _divide(demands: Sequence[Demand], bandwidth: float, oversend: int) -> list[int]:
    """The index of each demand's layer, -1 for none."""
    chosen = [-1] * len(demands)
    left = bandwidth
    changing = True
    while changing:
        changing = False
        for position, (_, candidates, on_stage) in enumerate(demands):
            before = chosen[position]
            own = _bitrate(candidates, before)
            excess = oversend if position == 0 else 0
            after = _improve(candidates, before, left + own, excess, on_stage=on_stage)
            if after != before:
                chosen[position] = after
                left += own - _bitrate(candidates, after)
                changing = True
            if on_stage and after < candidates.preferred:
                # Thumbnails wait, or they would vanish again once it takes its step.
                break
    return chosen


def _improve(
    candidates: Candidates, index: int, limit: float, excess: int, *, on_stage: bool
) -> int:
    """The index after one turn with `limit` bits per second to spend on this source."""
    layers = candidates.layers
    if index < 0 and on_stage:
        while index < candidates.preferred and layers[index + 1].bitrate <= limit:
            index += 1
    elif index + 1 < len(layers) and layers[index + 1].bitrate < limit:
        index += 1
    if index >= 0:
        index = _best_within(layers, index, len(layers), layers[index].bitrate)
    if excess > 0 and index < candidates.oversend:
        index = _best_within(layers, index, candidates.oversend + 1, limit + excess)
    return index


def _best_within(layers: Sequence[Layer], index: int, end: int, limit: float) -> int:
    """The last before `end` that costs no more than `limit`, or `index`."""
    for better in range(end - 1, index, -1):
        if layers[better].bitrate <= limit:
            return better
    return index


def _bitrate(candidates: Candidates, index: int) -> int:
    return candidates.layers[index].bitrate if index >= 0 else 0
