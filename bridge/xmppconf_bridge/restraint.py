"""Keeps a receiver from being stepped up and down again and again.

Where a line carries just about what a layer costs, the larger picture's first keyframe
alone makes a queue, the estimate falls, and the picture goes back to what it was.  After a
step up that did not last, the next one waits: longer each time, unless the line has become
better.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from xmppconf_bridge.allocation import Demand
from xmppconf_bridge.layers import Candidates, Layer

#: A step up has lasted after so long (seconds).
LASTING = 15.0
#: Seconds that the next one waits, doubled each time one fails.
FIRST_WAIT = 8.0
LONGEST_WAIT = 60.0
#: An estimate that is better than at the last step up by this factor ends the wait.
BETTER = 1.25


@dataclass(slots=True)
class _Step:
    """The last step up of one source."""

    picture: tuple[int, int]
    """Encoding and spatial layer; temporal layers come and go without harm."""
    at: float
    bandwidth: float
    failures: int = 0
    until: float = 0.0
    """It is not repeated before."""


class Restraint:
    """Of one receiver; sources are known by number."""

    def __init__(self) -> None:
        self._steps: dict[int, _Step] = {}

    def apply(
        self, demands: Iterable[Demand], bandwidth: float, now: float
    ) -> list[Demand]:
        """Leave out what a source must wait for; the rest is as it was."""
        return [self._restrained(demand, bandwidth, now) for demand in demands]

    def _restrained(self, demand: Demand, bandwidth: float, now: float) -> Demand:
        step = self._steps.get(demand.number)
        if step is None or now >= step.until or bandwidth >= step.bandwidth * BETTER:
            return demand
        layers = demand.candidates.layers
        within = tuple(layer for layer in layers if _picture(layer) < step.picture)
        if not within:
            return demand
        return demand._replace(candidates=_first(demand.candidates, within))

    def changed(
        self,
        before: Mapping[int, Layer],
        after: Mapping[int, Layer],
        demands: Iterable[Demand],
        bandwidth: float,
        now: float,
    ) -> None:
        """Take note of an allocation for all of `demands`, before they were restrained."""
        kept: dict[int, _Step] = {}
        for number, candidates, _ in demands:
            step = self._steps.get(number)
            old, new = before.get(number), after.get(number)
            if old is not None and new is not None and _picture(new) > _picture(old):
                failures = step.failures if step and step.picture <= _picture(new) else 0
                step = _Step(_picture(new), now, bandwidth, failures)
            elif step is not None and now - step.at >= LASTING and now >= step.until:
                step = None
            elif step is not None and _fell(step, old, new, candidates):
                wait = min(FIRST_WAIT * 2**step.failures, LONGEST_WAIT)
                step.failures = min(step.failures + 1, 10)
                step.until = now + wait
            if step is not None:
                kept[number] = step
        self._steps = kept


def _fell(step: _Step, old: Layer | None, new: Layer | None, within: Candidates) -> bool:
    """Whether what was stepped up to is gone again, though it is still asked for."""
    return (
        old is not None
        and _picture(old) >= step.picture
        and (new is None or _picture(new) < step.picture)
        and any(_picture(layer) >= step.picture for layer in within.layers)
    )


def _picture(layer: Layer) -> tuple[int, int]:
    return layer.encoding, layer.spatial


def _first(candidates: Candidates, layers: tuple[Layer, ...]) -> Candidates:
    last = len(layers) - 1
    return replace(
        candidates,
        layers=layers,
        preferred=min(candidates.preferred, last),
        oversend=min(candidates.oversend, last),
        dearest=max(layer.bitrate for layer in layers),
    )
