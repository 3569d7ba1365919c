"""Whether a bridge has been too busy for new conferences for so long that it is no chance.

A bridge that is busy for a moment is not full: what it reports is a mean of some seconds
already, and has to be too much in every report for some more.  It stays full until it has
some room again, so that rooms are not opened and refused in turns.
"""

from __future__ import annotations

SUSTAINED = 10.0  # seconds of nothing but reports of too much
#: Of that stress, what it must have come down to until it is not full any more.
RECOVERED = 0.9


class Fullness:
    """`limit` is the stress that is too much; 0: none is."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._since: float | None = None

    def reported(self, stress: float, now: float) -> None:
        """The bridge says how much it has to do."""
        if self._limit <= 0:
            return
        if stress >= self._limit:
            if self._since is None:
                self._since = now
        elif not self.is_full(now) or stress < RECOVERED * self._limit:
            self._since = None

    def is_full(self, now: float) -> bool:
        return self._since is not None and now - self._since >= SUSTAINED
