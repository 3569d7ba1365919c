"""Drives sans-I/O machines from asyncio: one timer, one drain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from xmppconf import clock

E = TypeVar("E", covariant=True)
F = TypeVar("F")


class Machine(Protocol[E]):
    """What every machine offers: the due time of its timer, and its effects."""

    def next_timeout(self) -> float | None: ...
    def timeout(self, now: float) -> None: ...
    def effects(self) -> Iterator[E]: ...


class Driver(Generic[F]):
    """Call `pump()` after every input.

    `perform` carries out one effect.  It may feed the machine and call `pump()` again:
    the call in progress then carries out what that added, so nothing recurses.
    """

    def __init__(self, machine: Machine[F], perform: Callable[[F], None]) -> None:
        self._machine = machine
        self._perform = perform
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._pumping = False
        self._closed = False

    def now(self) -> float:
        """The time to give to the machine, in seconds."""
        return clock.monotonic()

    def pump(self) -> None:
        """Carry out all waiting effects and set the timer anew."""
        if self._pumping or self._closed:
            return
        self._pumping = True
        try:
            for effect in self._machine.effects():
                self._perform(effect)
        finally:
            self._pumping = False
        self._cancel_timer()
        due = self._machine.next_timeout()
        if due is not None and not self._closed:
            delay = max(0.0, due - self.now())
            self._timer = self._loop.call_later(delay, self._fire, due)

    def close(self) -> None:
        """Stop the timer; later calls of `pump()` do nothing."""
        self._closed = True
        self._cancel_timer()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self, due: float) -> None:
        self._timer = None
        # The loop may fire a hair early; the machine must still see its deadline.
        self._machine.timeout(max(due, self.now()))
        self.pump()
