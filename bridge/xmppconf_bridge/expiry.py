"""When an endpoint counts as gone: first for its fellows, later for good."""

from __future__ import annotations

CHECK_INTERVAL = 0.5  # seconds between two looks at everybody's activity
EXPIRE_INTERVAL = 60.0  # seconds between two looks for what to expire
FIRST_ACTIVITY = 15.0  # seconds a new endpoint may take to its first packet
INACTIVE_AFTER = 8.0
EXPIRE_AFTER = 60.0
EXPIRE_UNSEEN_AFTER = 120.0  # for endpoints that never showed any activity
EMPTY_CONFERENCE = 20.0  # seconds a conference may live without endpoints and links
UNOCCUPIED_CONFERENCE = 60.0  # the same with links to other bridges only


class Activity:
    """One endpoint's signs of life: authenticated packets and consent answers."""

    def __init__(self, now: float) -> None:
        self._created_at = now
        self._last: float | None = None
        self.is_active = True
        self.ice_failed = False
        """Until there is a valid pair again."""
        self.dtls_failed = False
        """Until there are keys, from a handshake with another peer."""

    def seen(self, at: float | None) -> None:
        """The latest activity is at `at`, if there was any."""
        if at is not None and (self._last is None or at > self._last):
            self._last = at

    def check(self, now: float) -> bool:
        """Update `is_active`; whether it changed."""
        before = self.is_active
        if self._last is None:
            self.is_active = now - self._created_at < FIRST_ACTIVITY
        else:
            self.is_active = now - self._last < INACTIVE_AFTER
        return self.is_active != before

    def is_expired(self, now: float) -> bool:
        if self.ice_failed or self.dtls_failed:
            return True
        if self._last is None:
            return now - self._created_at > EXPIRE_UNSEEN_AFTER
        return now - self._last > EXPIRE_AFTER
