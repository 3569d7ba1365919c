"""How often somebody may do something."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class TokenBucket:
    """`burst` times at once, and `rate` times a second in the long run."""

    rate: float
    burst: float
    _used: float = field(default=0.0, init=False)
    _at: float = field(default=0.0, init=False)

    def take(self, now: float) -> bool:
        """Whether it may happen once more now."""
        self._used = max(0.0, self._used - self.rate * max(0.0, now - self._at))
        self._at = max(now, self._at)
        if self._used + 1 > self.burst:
            return False
        self._used += 1
        return True


@dataclass(slots=True)
class Pace:
    """Pauses before work that is done again and again, so that it takes no more than
    `share` of the time, unless that means a pause of more than `longest` seconds.
    """

    share: float
    shortest: float
    longest: float
    _took: float = field(default=0.0, init=False)

    def took(self, seconds: float) -> None:
        """It has just been done, in so much time."""
        self._took = seconds

    @property
    def pause(self) -> float:
        """Seconds until it may be done again."""
        wanted = self._took * (1 - self.share) / self.share
        return min(max(self.shortest, wanted), self.longest)
