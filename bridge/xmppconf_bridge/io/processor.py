"""What the system says of its processors."""

from __future__ import annotations

import os
from math import ceil
from pathlib import Path

_STAT = Path("/proc/stat")
_STEAL = 8  # field of the first line (proc(5))


def stolen_time() -> float:
    """Seconds since the start of the machine that others took, mean of its processors.

    0 where the system does not say.
    """
    try:
        with _STAT.open() as file:
            fields = file.readline().split()
        ticks = int(fields[_STEAL])
    except (OSError, ValueError, IndexError):
        return 0.0
    return ticks / os.sysconf("SC_CLK_TCK") / (os.cpu_count() or 1)


def waiting_time(thread: Path = Path("/proc/thread-self")) -> float:
    """Seconds that this thread could have run in and others had its processor.

    0 where the system does not say.
    """
    try:
        waited = (thread / "schedstat").read_text().split()[1]
        return int(waited) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def usable_processors(
    groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> int:
    """Processors that this process may use: those it may run on, or fewer if its control
    groups (version 2, cgroups(7)) have no time for so many."""
    usable = float(len(os.sched_getaffinity(0)))
    try:
        lines = own.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        if not line.startswith("0::/"):
            continue
        group = groups / line.removeprefix("0::/")
        for folder in (group, *group.parents):
            usable = min(usable, _quota(folder / "cpu.max"))
            if folder == groups:
                break
    return max(ceil(usable), 1)


def _quota(file: Path) -> float:
    """Processors' worth of time that a control group has; infinite if it does not say."""
    try:
        quota, period = file.read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return float("inf")
