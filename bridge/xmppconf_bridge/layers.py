"""The layers that a video source comes in, and which of them a receiver may consider.

An order of layers is one of quality: by encoding, then spatial, then temporal layer.
"Height" is the smaller side in pixels.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from xmppconf.bridge_channel import UNLIMITED, VideoConstraints
from xmppconf_bridge.constraints import is_nothing

#: A spatial or temporal layer that stands for all there are.
ALL = 7

#: Who allows more than a thumbnail gets this height at this rate before any more height.
PREFERRED_HEIGHT = 360
PREFERRED_FRAME_RATE = 30.0
THUMBNAIL_HEIGHT = 180

#: Frame rates are measured: a camera's 30 may be 28 for a while, and 31 in the next second.
SUFFICIENT = 0.8
EXCESSIVE = 1.15

#: Heights of simulcast encodings until keyframes tell, by number of encodings.
_GUESSED = {1: (720,), 2: (360, 720), 3: (180, 360, 720)}

#: What an encoding is taken to cost until it has been measured, in bits per second by
#: height: about what clients are told to send.  Larger ones cost as many bits a pixel.
_ASSUMED_BITRATES = ((180, 200_000), (360, 500_000), (720, 1_500_000))
#: The lowest that comes is not taken to cost more, whatever its size: it has to flow before
#: it can be measured.
_ASSUMED_LOWEST = 500_000

#: Receivers choose their constraints: more kinds than this are worked out anew.
MAX_CACHED = 64

Figure = tuple[int, int, int, int, float, int]
"""(encoding, spatial, temporal, height or 0, frames per second, bits per second)."""


class Layer(NamedTuple):
    encoding: int
    spatial: int
    temporal: int
    height: int
    frame_rate: float
    """Frames per second; 0 is unknown."""
    bitrate: int
    """Bits per second of the layer and all it depends on; 0 does not flow."""

    @property
    def rank(self) -> tuple[int, int, int]:
        return self[:3]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The layers of one source that one receiver may get, in ascending quality."""

    layers: tuple[Layer, ...] = ()
    preferred: int = -1
    """Up to this index a source on stage goes before all others."""
    oversend: int = -1
    """Up to this index the first source may exceed the bandwidth."""
    dearest: int = 0
    """The greatest bit rate of all."""

    @property
    def ideal(self) -> Layer:
        return self.layers[-1]


NONE = Candidates()


def consider(
    layers: Sequence[Layer],
    constraints: VideoConstraints,
    *,
    is_screen: bool,
    on_stage: bool,
) -> Candidates:
    """Choose from all `layers` of a source those within `constraints`."""
    if not layers or is_nothing(constraints):
        return NONE
    # Nothing flows yet when the source is new: then something must be chosen nevertheless.
    flowing = [layer for layer in layers if layer.bitrate > 0] or layers
    eligible = _within_rate(flowing, constraints.max_frame_rate)
    height = constraints.max_height
    if is_screen:
        return _of_screen(eligible, height, on_stage=on_stage)
    return _of_camera(eligible, height)


def _within_rate(layers: Sequence[Layer], limit: float) -> Sequence[Layer]:
    """Leave out what has too many frames, but not the slowest of an encoding."""
    if limit == UNLIMITED:
        return layers
    slowest: dict[tuple[int, int], int] = {}
    for layer in layers:
        slowest.setdefault((layer.encoding, layer.spatial), layer.temporal)
    return [
        layer
        for layer in layers
        if layer.frame_rate <= limit * EXCESSIVE
        or slowest[layer.encoding, layer.spatial] == layer.temporal
    ]


def _of_camera(layers: Sequence[Layer], height: int) -> Candidates:
    """Smooth motion first: any frame rate of what is small, only high ones above that."""
    lowest = min(layer.height for layer in layers)
    if height == UNLIMITED or height > THUMBNAIL_HEIGHT:
        preferred = PREFERRED_HEIGHT
        fastest = max(layer.frame_rate for layer in layers) or PREFERRED_FRAME_RATE
        rate = min(fastest, PREFERRED_FRAME_RATE) * SUFFICIENT
    else:
        preferred, rate = lowest, 0.0
    chosen = tuple(
        layer
        for layer in layers
        if layer.height == lowest
        or (
            (height == UNLIMITED or layer.height <= height)
            and (
                layer.height < preferred
                or layer.frame_rate <= 0
                or layer.frame_rate >= rate
            )
        )
    )
    bound = max(preferred, lowest)
    best = max(index for index, layer in enumerate(chosen) if layer.height <= bound)
    return Candidates(chosen, preferred=best, dearest=_dearest(chosen))


def _of_screen(layers: Sequence[Layer], height: int, *, on_stage: bool) -> Candidates:
    """Sharpness first: the largest is preferred, on stage even beyond one's means."""
    chosen = tuple(
        layer for layer in layers if height == UNLIMITED or layer.height <= height
    )
    if not chosen:
        lowest = min(layer.height for layer in layers)
        chosen = tuple(layer for layer in layers if layer.height == lowest)
        if not on_stage and chosen[0].frame_rate <= 0:
            # Several encodings of one size differ in quality only.
            chosen = chosen[:1]
    oversend = -1
    if on_stage:
        greatest = max(layer.height for layer in chosen)
        oversend = min(
            (index for index, layer in enumerate(chosen) if layer.height == greatest),
            key=lambda index: chosen[index].bitrate,
        )
    return Candidates(chosen, len(chosen) - 1, oversend, _dearest(chosen))


def _dearest(layers: Iterable[Layer]) -> int:
    return max(layer.bitrate for layer in layers)


class SourceLayers:
    """What is known of one source's layers; what it offers is shared by its receivers.

    Methods that take news return whether it may change what somebody gets at once.  Bit
    rates alone do not: they change all the time, and count with the next reason.
    """

    def __init__(self, encodings: int) -> None:
        self._count = encodings
        self._active: set[int] = set()
        self._heights: dict[int, int] = {}  # as keyframes tell, by encoding
        self._figures: tuple[Figure, ...] = ()
        self._layers: tuple[Layer, ...] | None = None
        self._considered: dict[tuple[VideoConstraints, bool, bool], Candidates] = {}

    def began(self, encoding: int, height: int | None) -> bool:
        """An encoding flows, or came with a keyframe of another size."""
        if encoding in self._active and height in (None, self._heights.get(encoding)):
            return False
        self._active.add(encoding)
        if height is not None:
            self._heights[encoding] = height
        self._forget()
        return True

    def ended(self, encoding: int) -> bool:
        figures = tuple(one for one in self._figures if one[0] != encoding)
        if encoding not in self._active and figures == self._figures:
            return False
        self._active.discard(encoding)
        self._figures = figures
        self._forget()
        return True

    def measured(self, figures: Sequence[Figure]) -> bool:
        """Take the engine's figures for all layers there are."""
        before = _structure(self._figures)
        self._figures = tuple(sorted(one for one in figures if 0 <= one[0] < self._count))
        self._forget()
        return _structure(self._figures) != before

    def consider(
        self, constraints: VideoConstraints, *, is_screen: bool, on_stage: bool
    ) -> Candidates:
        key = (constraints, is_screen, on_stage)
        found = self._considered.get(key)
        if found is None:
            if len(self._considered) >= MAX_CACHED:
                self._considered.clear()
            found = self._considered[key] = consider(
                self.layers(), constraints, is_screen=is_screen, on_stage=on_stage
            )
        return found

    def within(self, height: int) -> int:
        """The encodings of up to `height` that come or may come, as a bit mask; if none of
        them comes, the lowest that does besides."""
        known = dict(self._heights)
        known.update((one[0], one[3]) for one in self._figures if one[3] > 0)
        heights = encoding_heights(known, self._count)
        fitting = {
            index for index, one in enumerate(heights) if height < 0 or one <= height
        }
        if not fitting & self._active:
            fitting.add(min(self._active, default=0))
        return sum(1 << index for index in fitting)

    def layers(self) -> tuple[Layer, ...]:
        if self._layers is None:
            self._layers = tuple(self._measured() if self._figures else self._assumed())
        return self._layers

    def _forget(self) -> None:
        self._layers = None
        self._considered.clear()

    def _assumed(self) -> list[Layer]:
        """Without figures: whole encodings, but for those below what flows.

        Who shares a screen may send the largest only; the engine itself sends a lower
        encoding until a higher one flows.
        """
        heights = encoding_heights(self._heights, self._count)
        lowest = min(self._active, default=0)
        return [
            Layer(index, ALL, ALL, height, 0.0, assumed_bitrate(height, index == lowest))
            for index, height in enumerate(heights)
            if index >= lowest
        ]

    def _measured(self) -> list[Layer]:
        tops: dict[int, int] = {}  # the highest spatial layer, by encoding
        fastest: dict[tuple[int, int], int] = {}
        known = dict(self._heights)
        for encoding, spatial, temporal, height, _, _ in self._figures:
            tops[encoding] = spatial
            fastest[encoding, spatial] = temporal
            if height > 0:
                known[encoding] = height
        heights = encoding_heights(known, self._count)
        return [
            Layer(
                encoding,
                ALL if spatial == tops[encoding] else spatial,
                ALL if temporal == fastest[encoding, spatial] else temporal,
                height or max(1, heights[encoding] >> (tops[encoding] - spatial)),
                frame_rate,
                bitrate,
            )
            for encoding, spatial, temporal, height, frame_rate, bitrate in self._figures
        ]


def assumed_bitrate(height: int, is_lowest: bool) -> int:
    largest, most = _ASSUMED_BITRATES[-1]
    bitrate = next(
        (bitrate for known, bitrate in _ASSUMED_BITRATES if height <= known),
        most * height * height // (largest * largest),
    )
    return min(bitrate, _ASSUMED_LOWEST) if is_lowest else bitrate


def _structure(figures: Iterable[Figure]) -> list[tuple[int, int, int, int, bool]]:
    return [(*figure[:4], figure[5] > 0) for figure in figures]


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
