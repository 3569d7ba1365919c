"""What video each receiver gets: constraints in, heights and encodings out.

Bandwidth is not looked at here; a receiver gets what it asks for, as far as last-N goes.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from xmppconf.ids import SourceName

UNLIMITED = -1
#: The default height once a receiver spoke without naming one.
DEFAULT_HEIGHT = 180

#: Heights of simulcast encodings until keyframes tell, by number of encodings.
_GUESSED = {1: (720,), 2: (360, 720), 3: (180, 360, 720)}


@dataclass(frozen=True, slots=True)
class VideoConstraints:
    """What a receiver wants; -1 is unlimited, height 0 means not at all."""

    last_n: int = UNLIMITED
    selected: tuple[SourceName, ...] = ()
    on_stage: tuple[SourceName, ...] = ()
    default_height: int = 0
    heights: Mapping[SourceName, int] = field(default_factory=dict)
    spoken: bool = False
    """Whether the receiver ever sent constraints."""

    def updated(
        self,
        *,
        last_n: int | None = None,
        selected: tuple[SourceName, ...] | None = None,
        on_stage: tuple[SourceName, ...] | None = None,
        default_height: int | None = None,
        heights: Mapping[SourceName, int] | None = None,
    ) -> VideoConstraints:
        """Take a partial update: None leaves a field; `heights` replaces the whole map."""
        if default_height is None:
            default_height = self.default_height if self.spoken else DEFAULT_HEIGHT
        return VideoConstraints(
            last_n=self.last_n if last_n is None else last_n,
            selected=self.selected if selected is None else selected,
            on_stage=self.on_stage if on_stage is None else on_stage,
            default_height=default_height,
            heights=self.heights if heights is None else dict(heights),
            spoken=True,
        )

    def with_last_n(self, last_n: int) -> VideoConstraints:
        """As the legacy message does, or the focus's initial value: height is untouched."""
        return replace(self, last_n=last_n)

    def height_of(self, source: SourceName) -> int:
        return self.heights.get(source, self.default_height)

    def mentions(self, source: SourceName) -> bool:
        """Whether the receiver singled this source out."""
        return (
            source in self.on_stage
            or source in self.selected
            or self.heights.get(source, 0) != 0
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A video source of somebody else; `enabled` unless its owner switched it off."""

    name: SourceName
    enabled: bool


def prioritise(
    candidates: Iterable[Candidate], constraints: VideoConstraints
) -> list[Candidate]:
    """On stage first, then selected, then by speech, then what is switched off.

    `candidates` come in speech order of their owners.
    """
    wanted = {
        name: rank
        for rank, name in enumerate(
            dict.fromkeys((*constraints.on_stage, *constraints.selected))
        )
    }

    def rank(candidate: Candidate) -> tuple[int, int]:
        if not candidate.enabled:
            return 2, 0
        if candidate.name in wanted:
            return 0, wanted[candidate.name]
        return 1, 0

    return sorted(candidates, key=rank)


def effective_heights(
    ordered: Sequence[Candidate], constraints: VideoConstraints, limit: int
) -> dict[SourceName, int]:
    """The height each source may have, 0 for none; `limit` bounds last-N as well.

    A source that is not wanted anyway does not use up last-N.
    """
    left = limit if constraints.last_n < 0 else min(limit, constraints.last_n)
    heights: dict[SourceName, int] = {}
    for candidate in ordered:
        height = constraints.height_of(candidate.name) if candidate.enabled else 0
        if height != 0 and left > 0:
            left -= 1
            heights[candidate.name] = height
        else:
            heights[candidate.name] = 0
    return heights


def encoding_heights(known: Mapping[int, int], count: int) -> tuple[int, ...]:
    """Heights of `count` encodings from those `known` by index.

    What is not known is half or double its neighbour, or guessed if nothing is known.
    """
    if not known:
        return _GUESSED.get(count) or tuple(90 << index for index in range(count))
    indices = sorted(known)
    nearest = [
        min(indices, key=functools.partial(_distance, index)) for index in range(count)
    ]
    return tuple(
        known[near] << (index - near) if index >= near else known[near] >> (near - index)
        for index, near in enumerate(nearest)
    )


def _distance(one: int, other: int) -> int:
    return abs(one - other)


def max_encoding(height: int, heights: Sequence[int]) -> int:
    """The best encoding within `height`; the lowest is always kept, 0 pauses (-1)."""
    if height == 0 or not heights:
        return -1
    if height < 0:
        return len(heights) - 1
    fitting = [index for index, one in enumerate(heights) if one <= height]
    return max(fitting, default=0)


def highest(heights: Iterable[int]) -> int:
    """The greatest of several constraints, unlimited above all; 0 if there are none."""
    values = tuple(heights)
    return UNLIMITED if UNLIMITED in values else max(values, default=0)
