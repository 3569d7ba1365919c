"""Time in the hand of the test: for machines, and for whole event loops."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Iterator
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
E = TypeVar("E", covariant=True)


class Machine(Protocol[E]):
    def next_timeout(self) -> float | None: ...
    def timeout(self, now: float) -> None: ...
    def effects(self) -> Iterator[E]: ...


class Clock:
    """A clock that goes when told to."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def advance(self, seconds: float) -> float:
        """Go on; returns the new time."""
        if seconds < 0:
            raise ValueError("time goes forward")
        self.now += seconds
        return self.now

    def run(self, machine: Machine[T], seconds: float) -> list[tuple[float, T]]:
        """Let a machine's timers fire for so long; returns its effects with their times.

        A timer that is due at the moment it fires for a thousand times in a row is a loop,
        and fails the test.
        """
        end = self.now + seconds
        happened = [(self.now, effect) for effect in machine.effects()]
        spins = 0
        while (due := machine.next_timeout()) is not None and due <= end:
            spins = spins + 1 if due <= self.now else 0
            assert spins < 1000, f"the timer keeps being due at {self.now}"
            self.now = max(self.now, due)
            machine.timeout(self.now)
            happened += [(self.now, effect) for effect in machine.effects()]
        self.now = end
        return happened


class _SkippingSelector(selectors.DefaultSelector):
    """Polls, and lets the loop's clock jump over the wait."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if timeout is None:
            if not ready and not super().select(1.0):
                raise RuntimeError("nothing is due and nothing comes: a deadlock")
        elif not ready:
            self._clock.advance(max(timeout, 0.0))
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose sleeps take no time.  For code without real peers."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        super().__init__(_SkippingSelector(self.clock))

    def time(self) -> float:
        return self.clock.now


def run_virtual(main: Coroutine[Any, Any, T], *, clock: Clock | None = None) -> T:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(clock)) as runner:
        try:
            return runner.run(main)
        except RuntimeError:
            # A deadlock: the loop stopped, the coroutine did not.
            for task in asyncio.all_tasks(runner.get_loop()):
                task.cancel()
            raise
