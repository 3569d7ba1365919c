"""One child process as a machine: when to start, restart, ask to end, and kill it.

The adapter says what happened (`ready`, `exited`), carries out the effects, and wakes the
machine at `next_timeout`.  Times are seconds of a monotonic clock.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from xmppconf.errors import UsageError

FIRST_DELAY = 0.5  # seconds before the first restart; each next one takes twice as long
LAST_DELAY = 30.0  # seconds, the longest delay
STEADY = 60.0  # seconds of life after which a death counts as the first again
END_TIMEOUT = 2.0  # seconds from asking a child to end to killing it
#: What a part answers when a setting cannot work: a restart would end the same way.
BAD_SETTINGS = 2


class State(enum.Enum):
    IDLE = "idle"
    STARTING = "starting"  # it runs, and does not answer yet
    READY = "ready"
    WAITING = "waiting"  # it died, and will be started again
    ENDING = "ending"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Spawn:
    pass


@dataclass(frozen=True, slots=True)
class Terminate:
    pass


@dataclass(frozen=True, slots=True)
class Kill:
    pass


@dataclass(frozen=True, slots=True)
class BecameReady:
    pass


@dataclass(frozen=True, slots=True)
class Died:
    """It will be started again after `delay` seconds."""

    code: int
    delay: float


@dataclass(frozen=True, slots=True)
class GaveUp:
    """It cannot work with these settings."""

    code: int


@dataclass(frozen=True, slots=True)
class Ended:
    pass


Effect = Spawn | Terminate | Kill | BecameReady | Died | GaveUp | Ended

RUNNING = frozenset({State.STARTING, State.READY, State.ENDING})


class Child:
    def __init__(self) -> None:
        self.state = State.IDLE
        self._delay = FIRST_DELAY
        self._started_at = 0.0
        self._deadline: float | None = None
        self._effects: deque[Effect] = deque()

    def start(self, now: float) -> None:
        if self.state is not State.IDLE:
            raise UsageError(f"started in state {self.state.value}")
        self._spawn(now)

    def ready(self, now: float) -> None:
        """It answers; said twice, or too late, this means nothing."""
        if self.state is State.STARTING:
            self.state = State.READY
            self._effects.append(BecameReady())

    def exited(self, now: float, code: int) -> None:
        """The process is gone."""
        if self.state not in RUNNING:
            raise UsageError(f"exited in state {self.state.value}")
        self._deadline = None
        if self.state is State.ENDING:
            self._end()
        elif code == BAD_SETTINGS:
            self._effects.append(GaveUp(code))
            self._end()
        else:
            if now - self._started_at >= STEADY:
                self._delay = FIRST_DELAY
            self._effects.append(Died(code, self._delay))
            self._deadline = now + self._delay
            self._delay = min(2 * self._delay, LAST_DELAY)
            self.state = State.WAITING

    def stop(self, now: float) -> None:
        """End it; `Ended` comes when it is gone.  Said twice: kill it."""
        if self.state is State.ENDING:
            self._effects.append(Kill())
        elif self.state in RUNNING:
            self.state = State.ENDING
            self._effects.append(Terminate())
            self._deadline = now + END_TIMEOUT
        elif self.state is not State.ENDED:
            self._end()

    def next_timeout(self) -> float | None:
        return self._deadline

    def timeout(self, now: float) -> None:
        if self._deadline is None or now < self._deadline:
            return
        self._deadline = None
        if self.state is State.WAITING:
            self._spawn(now)
        elif self.state is State.ENDING:
            self._effects.append(Kill())

    def effects(self) -> Iterator[Effect]:
        while self._effects:
            yield self._effects.popleft()

    def _spawn(self, now: float) -> None:
        self.state = State.STARTING
        self._started_at = now
        self._effects.append(Spawn())

    def _end(self) -> None:
        self.state = State.ENDED
        self._deadline = None
        self._effects.append(Ended())
