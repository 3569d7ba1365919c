"""An event loop without files that stands still between two steps of the test."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class HandLoop(asyncio.BaseEventLoop):
    """Runs what is due when told to, in virtual time.

    For code that is run a million times: a selector, and a task of the test's own, would
    cost more than it does.  What a task or a callback raised is in `faults`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[asyncio.TimerHandle] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._raised: list[BaseException] = []
        self.set_exception_handler(self._fault)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """What is called inside finds this loop as the running one; closed afterwards."""
        asyncio._set_running_loop(self)
        try:
            yield
        finally:
            asyncio._set_running_loop(None)
            self.close()

    def drain(self) -> None:
        """Run what is ready, and what gets ready by that."""
        while self._ready:
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()

    def advance(self, seconds: float) -> None:
        """Let time go by, and timers go off on the way."""
        end = self._now + seconds
        self.drain()
        while self._timers and self._timers[0].when() <= end:
            timer = heapq.heappop(self._timers)
            if not timer.cancelled():
                self._now = timer.when()
                timer._run()
                self.drain()
        self._now = end

    @property
    def faults(self) -> list[BaseException]:
        ended = [task for task in self._tasks if task.done() and not task.cancelled()]
        return self._raised + [fault for t in ended if (fault := t.exception()) is not None]

    @property
    def unfinished(self) -> int:
        """Tasks that still run, and timers that are set."""
        running = sum(not task.done() for task in self._tasks)
        return running + sum(not timer.cancelled() for timer in self._timers)

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, timer)
        return timer

    def create_task(
        self, coro: Generator[Any, None, T] | Coroutine[Any, Any, T], **named: Any
    ) -> asyncio.Task[T]:
        task = asyncio.Task(coro, loop=self, **named)
        self._tasks.append(task)
        return task

    def _timer_handle_cancelled(self, timer: asyncio.TimerHandle) -> None:
        """It is passed over when it would have gone off."""

    def _fault(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._raised.append(context.get("exception") or RuntimeError(context["message"]))
