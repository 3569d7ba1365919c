"""What the system says of its processors."""

from __future__ import annotations

import os
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
