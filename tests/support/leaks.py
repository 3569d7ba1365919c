"""What a test process holds: descriptors, threads, children; and what was left of it."""

from __future__ import annotations

import gc
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

#: Opened once by libraries and kept for the life of the process.
_KEPT_ON_PURPOSE = ("/dev/urandom", "/dev/random", "/dev/null")


@dataclass(frozen=True, slots=True)
class Census:
    """The resources of this process at one moment."""

    descriptors: frozenset[tuple[int, str]]
    threads: frozenset[int]
    children: frozenset[int]

    @classmethod
    def take(cls) -> Census:
        """Count now.  Linux only: it reads /proc."""
        return cls(
            frozenset(_descriptors()),
            frozenset(thread.ident or 0 for thread in threading.enumerate()),
            frozenset(_children()),
        )

    def left_since(self, before: Census) -> list[str]:
        """Name what is here now and was not before."""
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        return [
            *(
                f"descriptor {fd} ({what})"
                for fd, what in sorted(self.descriptors - before.descriptors)
            ),
            *(f"thread {names.get(ident, '?')}" for ident in self.threads - before.threads),
            *(
                f"child process {pid} ({_command(pid)})"
                for pid in self.children - before.children
            ),
        ]


def wait_until_clean(before: Census, *, seconds: float, sockets: bool = True) -> list[str]:
    """Wait for what is about to end; returns what stayed, with or without sockets."""

    def look() -> list[str]:
        left = Census.take().left_since(before)
        return left if sockets else [what for what in left if "(socket:" not in what]

    deadline = time.monotonic() + seconds
    left = look()
    if left:
        gc.collect()
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = look()
    return left


def _descriptors() -> list[tuple[int, str]]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # The listing's own descriptor.
            continue
        # Standard streams are pytest's: it swaps them when a test is interrupted.
        if int(name) > 2 and not target.startswith(_KEPT_ON_PURPOSE):
            found.append((int(name), target))
    return found


def _children() -> list[int]:
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        try:
            found += map(int, (task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):  # The thread ended meanwhile.
            continue
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "gone"
