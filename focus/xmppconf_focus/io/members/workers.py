"""Threads for what would block the loop, with a bound on how many wait for one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from xmppconf.errors import LimitExceeded

T = TypeVar("T")

MAX_WAITING = 64  # a longer queue is answered so late that nobody waits for it


class Workers:
    """At most `threads` at once: each password hash takes 19 MiB and a processor."""

    def __init__(self, threads: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._waiting = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Raises `LimitExceeded` if too many wait already."""
        if self._waiting >= MAX_WAITING:
            raise LimitExceeded("sign-ins at once", MAX_WAITING)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Take no more work; what a slow directory is still asked holds nobody up."""
        self._pool.shutdown(wait=False, cancel_futures=True)
