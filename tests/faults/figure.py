"""Seconds that a fault cost, as figures."""

from __future__ import annotations

import time
from collections import Counter
from typing import Literal

from tests.support.figures import Figure, count, record

#: How often each fault happens when figures are wanted.
RUNS = range(count(1, 3))


def scope(fixture_name: str, config: object) -> Literal["function", "module"]:
    """Of the service: one for all tests, but of its own for each where figures are wanted.

    A part that dies again and again is restarted later each time, and that is not what is
    measured.
    """
    return "module" if len(RUNS) == 1 else "function"


_seen: Counter[str] = Counter()


def figure(row: str, what: str, value: float, mark: str) -> None:
    """Record seconds; each further one of the same row is a run of its own."""
    _seen[row] += 1
    name = row if _seen[row] == 1 else f"{row} ({_seen[row]})"
    record(Figure("faults", name, what, value, "s", mark))


def since(row: str, what: str, began: float, mark: str) -> None:
    """The seconds from `began` until now."""
    figure(row, what, time.monotonic() - began, mark)
