"""The clocks, so that no other module needs to ask the system for the time.

Machines take `now` as an argument; only applications and drivers call these.
"""

from __future__ import annotations

import time


def monotonic() -> float:
    """Seconds of CLOCK_MONOTONIC, the clock of every `now` and of the packet engine."""
    return time.monotonic()


def wall() -> float:
    """Seconds since 1970-01-01 UTC.  For dates that leave the process, never for timers."""
    return time.time()
