"""Whether this bridge can serve anybody, as last checked."""

from __future__ import annotations

INTERVAL = 60.0  # seconds between two checks
VALID_FOR = 90.0  # seconds; an older result counts as failure


class Health:
    def __init__(self) -> None:
        self._checked_at: float | None = None
        self._passed = False

    def checked(self, passed: bool, now: float) -> None:
        """Note the result of a check: sockets bound, candidates there, engine answering."""
        self._checked_at = now
        self._passed = passed

    def is_healthy(self, now: float) -> bool:
        return (
            self._passed
            and self._checked_at is not None
            and now - self._checked_at <= VALID_FOR
        )
