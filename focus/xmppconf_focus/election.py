"""Who becomes moderator of a room that has none: the first who can, and only once.

A moderator who lost the connection may come back before another becomes one.
"""

from __future__ import annotations

from collections.abc import Iterable

from xmppconf_focus.occupant import Occupant

ELECTION_GRACE = 20.0  # seconds that a moderator's place is kept


class Election:
    def __init__(self) -> None:
        self.had_moderator = False
        """Whether there has been one in this meeting."""
        self.due: float | None = None
        """When the place is given to another."""

    def moderator_seen(self) -> None:
        self.had_moderator = True
        self.due = None

    def put_off(self) -> None:
        """Nobody is to be made moderator."""
        self.due = None

    def hold(self, candidates: Iterable[Occupant], now: float) -> Occupant | None:
        """There is no moderator: who becomes one now."""
        first = next((c for c in candidates if c.bare_jid is not None), None)
        if first is None:
            self.due = None
        elif not self.had_moderator or (self.due is not None and now >= self.due):
            # Once: if the server refuses, asking again for every presence helps nobody.
            self.moderator_seen()
            return first
        elif self.due is None:
            self.due = now + ELECTION_GRACE
        return None
