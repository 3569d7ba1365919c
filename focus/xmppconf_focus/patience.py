"""How long a conference is kept: a room without anybody, and media of one who is alone."""

from __future__ import annotations

from xmppconf.config import FocusSettings

BREAKOUT_PATIENCE = 30.0  # seconds a main room without anybody in it is kept
LOBBY_PATIENCE = 600.0  # seconds a room without anybody in it is kept for who waits


class Patience:
    def __init__(self, settings: FocusSettings) -> None:
        self.is_main = False
        """It has breakout rooms, and may be empty for a while."""
        self.busy_elsewhere = False
        """Somebody is in one of them."""
        self._settings = settings
        self._empty_until: float | None = None
        self._alone_until: float | None = None

    # -- nobody ------------------------------------------------------------------------
    def opened(self, now: float, at_least: float | None = None) -> None:
        """Somebody has asked for the room, in which nobody is yet."""
        self._empty_until = max(now + self._settings.initial_timeout, at_least or 0.0)

    def somebody_waits(self, now: float) -> None:
        """Whoever is in the lobby may be let in by a moderator who is on the way."""
        self._empty_until = now + LOBBY_PATIENCE

    def somebody_came(self) -> None:
        self._empty_until = None

    def emptied(self, now: float, *, lobby: bool) -> bool:
        """The last one left; `lobby` if somebody waits there.  Whether the room is kept."""
        if self.is_main:
            # Who moves leaves one room before entering the other.
            self._empty_until = now + BREAKOUT_PATIENCE
        elif lobby:
            self.somebody_waits(now)
        else:
            return False
        return True

    def is_given_up(self, now: float) -> bool:
        """Whether nobody came, in time."""
        if self._empty_until is None or now < self._empty_until:
            return False
        if self.busy_elsewhere:
            self._empty_until = now + BREAKOUT_PATIENCE
            return False
        return True

    # -- one alone ---------------------------------------------------------------------
    def alone(self, now: float) -> None:
        """Bridges are kept for one who has nobody to talk to."""
        if self._alone_until is None:
            self._alone_until = now + self._settings.single_participant_timeout

    def not_alone(self) -> None:
        """There are two who talk, or no bridge is kept."""
        self._alone_until = None

    def was_alone(self, now: float) -> bool:
        """Whether that has been so for too long; said once."""
        if self._alone_until is None or now < self._alone_until:
            return False
        self._alone_until = None
        return True

    # -- time --------------------------------------------------------------------------
    def next_timeout(self) -> float | None:
        dues = (self._empty_until, self._alone_until)
        return min((due for due in dues if due is not None), default=None)

    def forget(self) -> None:
        """We are away, or the conference has ended."""
        self._empty_until = self._alone_until = None
