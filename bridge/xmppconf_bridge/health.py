"""Whether this bridge can serve anybody, as last checked."""

from __future__ import annotations

INTERVAL = 30.0  # seconds between two checks
TIMEOUT = 3.0  # seconds that one check may take
VALID_FOR = 90.0  # seconds; an older result counts as failure


class Health:
    def __init__(self) -> None:
        self._checked_at: float | None = None
        self._passed = False

    def checked(self, passed: bool, now: float) -> None:
        """Note the result of a check."""
        self._checked_at = now
        self._passed = passed

    def is_due(self, now: float) -> bool:
        """Whether to check again: regularly, and soon after a failure."""
        return (
            not self._passed
            or self._checked_at is None
            or now - self._checked_at >= INTERVAL
        )

    def is_healthy(self, now: float) -> bool:
        return (
            self._passed
            and self._checked_at is not None
            and now - self._checked_at <= VALID_FOR
        )
