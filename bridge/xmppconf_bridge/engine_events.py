"""What the packet engine tells of: tuples of the native code become values with names."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_LEVEL = struct.Struct("<IIB3x")


@dataclass(frozen=True, slots=True)
class IceValid:
    """The first pair is validated: DTLS may begin.  `rtt` in seconds."""

    transport: int
    host: str
    port: int
    rtt: float


@dataclass(frozen=True, slots=True)
class IceSelected:
    transport: int
    host: str
    port: int
    relayed: bool


@dataclass(frozen=True, slots=True)
class IceFailed:
    transport: int


@dataclass(frozen=True, slots=True)
class DtlsDatagram:
    transport: int
    data: bytes


@dataclass(frozen=True, slots=True)
class SrtpActive:
    transport: int


@dataclass(frozen=True, slots=True)
class SourceActive:
    """An encoding began, or a keyframe had another size (width, height)."""

    source: int
    encoding: int
    size: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class SourceSilent:
    source: int
    encoding: int


@dataclass(frozen=True, slots=True)
class Levels:
    """Audio levels (RFC 6464) as (source, wrapping milliseconds, level, 0 the loudest)."""

    conference: int
    levels: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """What the way to the peer can carry, as estimated, in bits per second."""

    transport: int
    bits_per_second: int
    besides: int = 0
    """How much of that is taken by what is not video."""


@dataclass(frozen=True, slots=True)
class LayersMeasured:
    """All layers of a video source as (encoding, spatial, temporal, height, frames per
    second, bits per second); height 0 is unknown, a bit rate includes what the layer
    depends on."""

    source: int
    layers: list[tuple[int, int, int, int, float, int]]


@dataclass(frozen=True, slots=True)
class LostEvents:
    count: int


Event = (
    IceValid
    | IceSelected
    | IceFailed
    | DtlsDatagram
    | SrtpActive
    | SourceActive
    | SourceSilent
    | Levels
    | Bandwidth
    | LayersMeasured
    | LostEvents
)

_EVENTS: dict[str, Callable[..., Event]] = {
    "ice-valid": IceValid,
    "ice-selected": IceSelected,
    "ice-failed": IceFailed,
    "dtls": DtlsDatagram,
    "srtp-active": SrtpActive,
    "source-active": SourceActive,
    "source-silent": SourceSilent,
    "bandwidth": Bandwidth,
    "layers": LayersMeasured,
    "lost-events": LostEvents,
}


def read_event(event: tuple[Any, ...]) -> Event:
    """Give an event of the native engine its type."""
    name, *rest = event
    if name == "levels":
        conference, data = rest
        return Levels(conference, read_levels(data))
    return _EVENTS[name](*rest)


def read_levels(data: bytes) -> tuple[tuple[int, int, int], ...]:
    """Unpack the records of a "levels" event; the top bit of a level is voice activity."""
    return tuple(
        (source, at, level & 0x7F) for source, at, level in _LEVEL.iter_unpack(data)
    )
