"""Keeps a receiver from being stepped up and down again and again.

Where a line carries just about what a layer costs, or lets short trains through that it
cannot go on with, the larger picture's first keyframe alone makes a queue, the estimate
falls, and the picture goes back to what it was.  Once that has happened, a step up is
tried out first: its bit rate is filled with what does no harm, and only an estimate that
stands that is believed.  After a step up that did not last, the next one waits as well,
longer each time, unless the line has become better.

The other way round, a picture does not go away altogether for an estimate that is a little
short for a moment.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from xmppconf_bridge.allocation import Demand
from xmppconf_bridge.layers import Candidates, Layer

#: A step up has lasted after so long (seconds).
LASTING = 15.0
#: Seconds that the next one waits, doubled each time one fails.
FIRST_WAIT = 4.0
LONGEST_WAIT = 60.0
#: An estimate that is better than at the last step up by this factor ends the wait.
BETTER = 1.25
#: How long (seconds) an estimate has to stand what a step would cost, and how long the next
#: trial waits after one that failed: nobody has seen anything of that.
TRIAL = 1.0
TRIAL_WAIT = 4.0
#: What is shown stays for so long (seconds) at its smallest though there is too little for
#: it, as long as it costs no more than so many times of what there is.
HOLD = 3.0
EXCESS = 1.5


@dataclass(slots=True)
class _Step:
    """The last step up of one source."""

    picture: tuple[int, int]
    """Encoding and spatial layer; temporal layers come and go without harm."""
    at: float
    bandwidth: float
    failures: int = 0
    """How often it did not last."""
    careful: bool = False
    """There was a fall, and no step up has lasted since."""
    until: float = -math.inf
    """It is not repeated before."""
    tried_since: float | None = None

    def has_lasted(self, now: float) -> bool:
        return now - self.at >= LASTING

    def waits(self, bandwidth: float, now: float) -> bool:
        return now < self.until and bandwidth < self.bandwidth * BETTER

    def fail(self, picture: tuple[int, int], now: float) -> None:
        """It is taken back from `picture`."""
        if self.has_lasted(now):
            self.failures = 0
        else:
            self.until = now + min(FIRST_WAIT * 2**self.failures, LONGEST_WAIT)
            self.failures = min(self.failures + 1, 10)
        self.picture, self.at = picture, -math.inf
        self.careful = True
        self.tried_since = None


class Restraint:
    """Of one receiver; sources are known by number."""

    def __init__(self) -> None:
        self._steps: dict[int, _Step] = {}
        self._short_since: float | None = None
        self._bandwidth = 0.0
        self._applied_at = -math.inf

    @property
    def is_trying(self) -> bool:
        """Whether a step is being tried out."""
        return any(step.tried_since is not None for step in self._steps.values())

    @property
    def due(self) -> float:
        """When time alone may change what the receiver gets."""
        short = self._short_since
        times = [math.inf if short is None else short + HOLD]
        for step in self._steps.values():
            if step.tried_since is not None:
                times.append(step.tried_since + TRIAL)
            elif step.until > self._applied_at:
                times.append(step.until)
        return min(times)

    def wait(self, demands: Iterable[Demand], bandwidth: float, now: float) -> list[Demand]:
        """Leave out what a source must wait for; the rest is as it was.

        `bandwidth` in bits per second, `now` in seconds.
        """
        self._applied_at = now
        waiting = []
        for demand in demands:
            step = self._steps.get(demand.number)
            waits = step is not None and step.waits(bandwidth, now)
            waiting.append(_below(demand, step.picture) if step and waits else demand)
        return waiting

    def try_out(
        self,
        demands: Iterable[Demand],
        shown: Mapping[int, Layer],
        wished: Mapping[int, Layer],
        now: float,
    ) -> list[Demand]:
        """Leave out what has to be tried out before it is shown.

        `shown` is what the receiver gets now, `wished` what it would get of `demands`.
        """
        return [
            self._tried_out(
                demand, shown.get(demand.number), wished.get(demand.number), now
            )
            for demand in demands
        ]

    def _tried_out(
        self, demand: Demand, shown: Layer | None, wished: Layer | None, now: float
    ) -> Demand:
        step = self._steps.get(demand.number)
        if step is None or not step.careful or not demand.candidates.layers:
            return demand
        floor = _picture(shown or demand.candidates.layers[0])
        if wished is None or _picture(wished) <= floor:
            if step.tried_since is not None:
                step.tried_since = None
                step.until = now + TRIAL_WAIT
                step.picture = min(step.picture, _next_above(demand.candidates, floor))
            return demand
        if step.tried_since is None:
            step.tried_since = now
        if now - step.tried_since >= TRIAL:
            return demand
        return _below(demand, _next_above(demand.candidates, floor))

    def changed(
        self,
        before: Mapping[int, Layer],
        after: Mapping[int, Layer],
        demands: Iterable[Demand],
        bandwidth: float,
        now: float,
    ) -> None:
        """Take note of an allocation for all of `demands`, before they were restrained."""
        less = bandwidth < self._bandwidth
        self._bandwidth = bandwidth
        kept: dict[int, _Step] = {}
        for number, candidates, _ in demands:
            step = self._steps.get(number)
            old, new = before.get(number), after.get(number)
            if old is not None and new is not None and _picture(new) > _picture(old):
                known = step is not None and step.picture <= _picture(new)
                failures = step.failures if step is not None and known else 0
                careful = step is not None and step.careful
                step = _Step(_picture(new), now, bandwidth, failures, careful)
            elif old is not None and less and _fell(old, new, candidates):
                step = step or _Step(_picture(old), -math.inf, bandwidth)
                step.fail(_picture(old), now)
            elif step is not None and step.at > -math.inf and step.has_lasted(now):
                step = None
            if step is not None:
                kept[number] = step
        self._steps = kept

    def hold(
        self,
        before: Mapping[int, Layer],
        after: Mapping[int, Layer],
        demands: Sequence[Demand],
        bandwidth: float,
        now: float,
    ) -> dict[int, Layer]:
        """`after`, and of what was shown `before` the smallest for a while; in the order of
        `demands`, the most wanted first."""
        lost = {
            number: candidates.layers[0]
            for number, candidates, _ in demands
            if candidates.layers and number in before and number not in after
        }
        if not lost:
            self._short_since = None
            return dict(after)
        if self._short_since is None:
            self._short_since = now
        if now - self._short_since >= HOLD:
            return dict(after)
        left = bandwidth * EXCESS - sum(layer.bitrate for layer in after.values())
        held = dict(after)
        for number, layer in lost.items():
            if layer.bitrate <= left:
                left -= layer.bitrate
                held[number] = layer
        return {number: held[number] for number, *_ in demands if number in held}


def _fell(old: Layer, new: Layer | None, within: Candidates) -> bool:
    """Whether a picture is gone that is still asked for."""
    return (new is None or _picture(new) < _picture(old)) and any(
        _picture(layer) >= _picture(old) for layer in within.layers
    )


def _picture(layer: Layer) -> tuple[int, int]:
    return layer.encoding, layer.spatial


def _next_above(candidates: Candidates, floor: tuple[int, int]) -> tuple[int, int]:
    above = [_picture(one) for one in candidates.layers if _picture(one) > floor]
    return min(above, default=floor)


def _below(demand: Demand, picture: tuple[int, int]) -> Demand:
    """Without what is `picture` or larger, unless nothing would be left."""
    candidates = demand.candidates
    layers = tuple(layer for layer in candidates.layers if _picture(layer) < picture)
    if not layers:
        return demand
    last = len(layers) - 1
    within = replace(
        candidates,
        layers=layers,
        preferred=min(candidates.preferred, last),
        oversend=min(candidates.oversend, last),
        dearest=max(layer.bitrate for layer in layers),
    )
    return demand._replace(candidates=within)
