"""What video each receiver gets: constraints in, heights and encodings out.

Bandwidth is not looked at here; a receiver gets what it asks for, as far as last-N goes.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

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

    def mentions(self, source: SourceName) -> bool:
        """Whether the receiver singled this source out."""
        return (
            source in self.on_stage
            or source in self.selected
            or self.heights.get(source, 0) != 0
        )


class Candidate(Protocol):
    """A video source of somebody else that is not switched off."""

    @property
    def number(self) -> int: ...
    @property
    def name(self) -> SourceName: ...


def allot(
    candidates: Sequence[Candidate], constraints: VideoConstraints, limit: int
) -> dict[int, int]:
    """The height each source may have, by number, most wanted first; others get nothing.

    On stage comes first, then what is selected, then the order of `candidates`, which is
    that of speech.  A source that is not wanted anyway does not use up last-N, which
    `limit` bounds as well.
    """
    left = limit if constraints.last_n < 0 else min(limit, constraints.last_n)
    allotted: dict[int, int] = {}
    if left <= 0:
        return allotted
    heights, default = constraints.heights, constraints.default_height
    for candidate in (*_singled_out(candidates, constraints), *candidates):
        height = heights.get(candidate.name, default)
        if height != 0 and candidate.number not in allotted:
            allotted[candidate.number] = height
            if len(allotted) == left:
                break
    return allotted


def _singled_out(
    candidates: Iterable[Candidate], constraints: VideoConstraints
) -> list[Candidate]:
    names = dict.fromkeys((*constraints.on_stage, *constraints.selected))
    if not names:
        return []
    found = {one.name: one for one in candidates if one.name in names}
    return [found[name] for name in names if name in found]


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


def max_encoding(height: int, heights: Sequence[int], active: Collection[int] = ()) -> int:
    """The best encoding within `height`, or the lowest there is; 0 pauses (-1).

    An encoding that is not `active` is no help: who shares a screen may send the largest
    only.  As long as none is active, all count.
    """
    if height == 0 or not heights:
        return -1
    if height < 0:
        return len(heights) - 1
    best = max((index for index, one in enumerate(heights) if one <= height), default=0)
    return max(best, min(active, default=0))


def highest(heights: Iterable[int]) -> int:
    """The greatest of several constraints, unlimited above all; 0 if there are none."""
    values = tuple(heights)
    return UNLIMITED if UNLIMITED in values else max(values, default=0)
