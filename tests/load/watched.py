"""What the parts of a service hold while it runs, from /proc."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PARTS = ("bridge", "focus", "web", "prosody")
MIB = 1024 * 1024
#: A line through fewer is chance.
MIN_SAMPLES = 5


@dataclass(frozen=True, slots=True)
class Held:
    """What one process has of what can leak."""

    memory: int
    """Bytes resident."""
    files: int
    sockets: int
    """Of those files."""
    threads: int


@dataclass(frozen=True, slots=True)
class Sample:
    """`at` in seconds since the run began."""

    at: float
    pid: int
    held: Held


@dataclass(frozen=True, slots=True)
class Slope:
    """How fast a part grew within one life of its process."""

    mib_per_hour: float
    seconds: float
    """From the first sample to the last."""


def held(pid: int) -> Held:
    """Raises OSError for a process that is gone."""
    folder = Path(f"/proc/{pid}")
    names = []
    for one in os.listdir(folder / "fd"):
        with suppress(FileNotFoundError):  # closed since
            names.append(os.readlink(folder / "fd" / one))
    pages = int((folder / "statm").read_text().split()[1])
    return Held(
        pages * os.sysconf("SC_PAGE_SIZE"),
        len(names),
        sum(name.startswith("socket:") for name in names),
        len(os.listdir(folder / "task")),
    )


class Watch:
    """Samples of every part, in order."""

    def __init__(self) -> None:
        self.samples: dict[str, list[Sample]] = {part: [] for part in PARTS}

    def sample(self, children: Mapping[str, int], at: float) -> dict[str, Held]:
        """Look at all parts that are there; what they hold."""
        found = {}
        for part in PARTS:
            pid = children.get(part)
            if pid is None:
                continue
            with suppress(OSError):  # killed since
                found[part] = held(pid)
                self.samples[part].append(Sample(at, pid, found[part]))
        return found

    def steepest(self, part: str, *, begin: float, settling: float) -> Slope | None:
        """The fastest growth of a part from `begin` on, or None if no life was long enough.

        The first `settling` seconds of each further process are left out: they are a start,
        and everybody coming back.
        """
        samples = self.samples[part]
        slopes = []
        for pid in dict.fromkeys(sample.pid for sample in samples):
            life = [sample for sample in samples if sample.pid == pid]
            first = life[0].at + settling if pid != samples[0].pid else 0.0
            slope = _slope(one for one in life if one.at >= max(begin, first))
            if slope is not None:
                slopes.append(slope)
        return max(slopes, key=lambda slope: slope.mib_per_hour, default=None)


def _slope(samples: Iterable[Sample]) -> Slope | None:
    taken = list(samples)
    if len(taken) < MIN_SAMPLES:
        return None
    times = [sample.at for sample in taken]
    sizes = [sample.held.memory / MIB for sample in taken]
    line = statistics.linear_regression(times, sizes)
    return Slope(line.slope * 3600, times[-1] - times[0])
