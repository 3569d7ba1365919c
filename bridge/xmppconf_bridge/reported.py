"""What follows from an estimate by a receiver's REMB or its losses, where it has no better
feedback.

Such an estimate is never much more than what comes just then, so it says nothing of what
else the way could carry; and sound is left out of it.  What it does say: if it
falls, there was too much.  If it does not, all that is sent gets through, and the next
larger picture may be tried.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from xmppconf_bridge.allocation import Demand
from xmppconf_bridge.layers import Layer

#: Seconds without a fall, and since the last step up, until the next may be tried.
STEADY = 5.0
#: A fall by less than this share is none.
FALL = 0.03
#: A layer fits what is a little more than it costs.
MARGIN = 1.05


class ReportedBandwidth:
    """Of one receiver."""

    def __init__(self) -> None:
        self._value = 0
        self._fell_at = -math.inf
        self._grew_at = -math.inf

    def reported(self, bits_per_second: int, now: float) -> None:
        if bits_per_second < self._value * (1 - FALL):
            self.fell(now)
        self._value = bits_per_second

    def fell(self, now: float) -> None:
        self._fell_at = now

    def bandwidth(
        self, shown: Mapping[int, Layer], demands: Sequence[Demand], now: float
    ) -> float:
        """Bits per second to divide among `demands`, of which `shown` is sent now."""
        if now - self._fell_at < STEADY:
            return self._value
        sent, steps = 0, []
        for number, candidates, _ in demands:
            layers = candidates.layers
            layer = shown.get(number)
            ranks = [one.rank for one in layers]
            at = ranks.index(layer.rank) if layer and layer.rank in ranks else -1
            cost = layers[at].bitrate if at >= 0 else 0
            sent += cost
            if at + 1 < len(layers):
                steps.append(max(0, layers[at + 1].bitrate - cost))
        if steps and now - self._grew_at >= STEADY:
            sent += min(steps)
        return max(self._value, sent * MARGIN)

    def allocated(
        self, before: Mapping[int, Layer], after: Mapping[int, Layer], now: float
    ) -> None:
        """Take note of what is sent from now on."""
        if any(
            number not in before or layer.rank > before[number].rank
            for number, layer in after.items()
        ):
            self._grew_at = now
