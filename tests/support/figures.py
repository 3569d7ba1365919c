"""What tests measure: printed always, and kept when `FIGURES` names a file.

`script/results` runs the tests that measure at full counts and makes docs/results.md of
what they kept.  With `FULL_COUNTS` set, counts are those of the promises; without, they
are small enough for every day.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of a table."""

    area: str
    row: str
    """Short and unique in the area, such as `S3 memory`."""
    what: str
    """What was done, counts included."""
    value: float
    unit: str
    mark: str = ""
    """What it should be, such as `≤ 10`; empty where it is only to be known."""


def count(few: int, full: int) -> int:
    """How often to do a thing today."""
    return full if os.environ.get("FULL_COUNTS") else few


def record(figure: Figure) -> None:
    """Say it, and keep it if somebody asked for it; with what `FIGURES_NOTE` says of the
    circumstances, such as that the machine had other work."""
    if note := os.environ.get("FIGURES_NOTE"):
        figure = replace(figure, what=f"{figure.what}, {note}")
    print(json.dumps(asdict(figure), ensure_ascii=False))
    if path := os.environ.get("FIGURES"):
        with Path(path).open("a") as file:
            file.write(json.dumps(asdict(figure), ensure_ascii=False) + "\n")
