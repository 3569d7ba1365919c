"""Finds what keeps an event loop busy or waiting while everybody else is kept waiting."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: Seconds of this thread's own processor in one step.  Making an XMPP stream takes up to
#: 0.2, once; a busy machine adds nothing but cold caches.  Garbage collection does not
#: count: it looks at what all tests before have left, which takes half a second at last.
MAX_CPU = 0.4


@contextmanager
def watched(found: list[str]) -> Iterator[None]:
    """Note each step of a loop that takes too much processor, or sleeps."""
    run, sleep = asyncio.Handle._run, time.sleep
    inside = 0
    collecting, collected = 0.0, 0.0

    def watched_collection(phase: str, _: dict[str, int]) -> None:
        nonlocal collecting, collected
        if phase == "start":
            collecting = time.thread_time()
        else:
            collected += time.thread_time() - collecting

    def watched_run(handle: Any) -> None:
        nonlocal inside
        inside += 1
        before = time.thread_time() - collected
        try:
            run(handle)
        finally:
            inside -= 1
            took = time.thread_time() - collected - before
            if took > MAX_CPU:
                found.append(f"{took * 1000:.0f} ms of processor in {handle!r}")

    def watched_sleep(seconds: Any) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            if inside and seconds > 0:
                found.append(f"a sleep of {seconds} s inside the event loop")
        sleep(seconds)

    asyncio.Handle._run = watched_run  # type: ignore[method-assign,assignment]
    time.sleep = watched_sleep
    gc.callbacks.append(watched_collection)
    try:
        yield
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]
        time.sleep = sleep
        gc.callbacks.remove(watched_collection)
