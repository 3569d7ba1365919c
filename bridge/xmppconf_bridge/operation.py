"""Whether the bridge takes new conferences, and how it comes to its end.

Draining is a word to the focus and nothing else: it gives the bridge no new conferences and
participants if it has another.  A graceful shutdown refuses new conferences and ends with
the last endpoint.  What is left after a day, or what is shut down at once, is told to go
elsewhere and has a minute for it.
"""

from __future__ import annotations

import enum

GRACEFUL_TIMEOUT = 86_400.0  # seconds
GOING_TIMEOUT = 60.0  # seconds from "shutting down" to the end


class State(enum.Enum):
    RUNNING = "running"
    GRACEFUL = "graceful shutdown"
    GOING = "shutting down"
    ENDED = "ended"


class Operation:
    """Never goes back, but for draining."""

    def __init__(self, *, drain: bool = False) -> None:
        self.drain = drain
        self.state = State.RUNNING
        self._due: float | None = None

    @property
    def takes_conferences(self) -> bool:
        return self.state is State.RUNNING

    def shut_down(self, now: float, *, graceful: bool) -> None:
        """End with the last endpoint, or soon."""
        if graceful and self.state is State.RUNNING:
            self.state = State.GRACEFUL
            self._due = now + GRACEFUL_TIMEOUT
        elif not graceful and self.state in (State.RUNNING, State.GRACEFUL):
            self._go(now)

    def update(self, endpoints: int, now: float) -> None:
        """Go on with so many endpoints; to be called now and then."""
        if self.state is State.RUNNING:
            return
        if not endpoints:
            self.state = State.ENDED
        elif self._due is not None and now >= self._due:
            if self.state is State.GRACEFUL:
                self._go(now)
            else:
                self.state = State.ENDED

    def _go(self, now: float) -> None:
        self.state = State.GOING
        self._due = now + GOING_TIMEOUT
