"""A decoder that takes nothing on trust: is what a receiver gets of layered video whole?

It keeps every frame it ever got and looks each reference up; a stream that leaves out a
frame that another needs, numbers frames anew without reason, or ends a picture in the wrong
place, is found out.  Dependency descriptors are read independently of the engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Frame:
    """One spatial layer of one picture, as one packet tells of it."""

    id: tuple[int, int]
    """Frame number or picture id, and spatial layer."""
    spatial: int
    temporal: int
    starts: bool
    ends: bool
    needs: frozenset[tuple[int, int]]
    active: int | None = None
    """Which decode targets are active, if that is said."""


class Bits:
    def __init__(self, data: bytes) -> None:
        self._text = "".join(f"{byte:08b}" for byte in data)
        self._at = 0

    def read(self, count: int) -> int:
        start, self._at = self._at, self._at + count
        assert self._at <= len(self._text), "a descriptor that is too short"
        return int(self._text[start : self._at] or "0", 2)

    def below(self, bound: int) -> int:
        width = bound.bit_length()
        short = (1 << width) - bound
        value = self.read(width - 1)
        return value if value < short else (value << 1 | self.read(1)) - short


@dataclass(slots=True)
class Template:
    spatial: int
    temporal: int
    targets: list[int] = field(default_factory=list)
    references: list[int] = field(default_factory=list)


class Dependencies:
    """Reads the dependency descriptors of one stream, in order."""

    def __init__(self) -> None:
        self._offset = 0
        self._templates: list[Template] = []
        self.targets = 0
        self._newest: int | None = None

    def read(self, data: bytes) -> Frame:
        bits = Bits(data)
        starts, ends = bits.read(1) == 1, bits.read(1) == 1
        template_id, number = bits.read(6), self._extend(bits.read(16))
        flags = [bits.read(1) for _ in range(5)] if len(data) > 3 else [0] * 5
        if flags[0]:
            self._read_structure(bits)
        active = bits.read(self.targets) if flags[1] else None
        template = self._templates[(template_id - self._offset) % 64]
        if flags[2]:
            for _ in range(self.targets):
                bits.read(2)
        references = list(template.references)
        if flags[3]:
            references = []
            while size := bits.read(2):
                references.append(bits.read(4 * size) + 1)
        return Frame(
            (number, 0),
            template.spatial,
            template.temporal,
            starts,
            ends,
            frozenset((number - back, 0) for back in references),
            active,
        )

    def _extend(self, number: int) -> int:
        if self._newest is not None:
            number = self._newest + (number - self._newest + 0x8000) % 0x10000 - 0x8000
        self._newest = number
        return number

    def _read_structure(self, bits: Bits) -> None:
        self._offset = bits.read(6)
        self.targets = bits.read(5) + 1
        spatial = temporal = 0
        self._templates = []
        while True:
            self._templates.append(Template(spatial, temporal))
            step = bits.read(2)
            if step == 3:
                break
            if step == 1:
                temporal += 1
            elif step == 2:
                spatial, temporal = spatial + 1, 0
        for template in self._templates:
            template.targets = [bits.read(2) for _ in range(self.targets)]
        for template in self._templates:
            while bits.read(1):
                template.references.append(bits.read(4) + 1)
        if chains := bits.below(self.targets + 1):
            for _ in range(self.targets):
                bits.below(chains)
            bits.read(4 * chains * len(self._templates))
        if bits.read(1):
            bits.read(32 * (spatial + 1))


def read_vp9(payload: bytes) -> Frame:
    """A descriptor of flexible mode (RFC 9628, 4.2) with layers and a 15-bit picture id."""
    first = payload[0]
    assert first & 0xB0 == 0xB0, "not of flexible mode with layers"
    picture = int.from_bytes(payload[1:3], "big") & 0x7FFF
    layers = payload[3]
    spatial = layers >> 1 & 7
    needs = set()
    if first & 0x40:
        at = 4
        more = True
        while more:
            needs.add(((picture - (payload[at] >> 1)) & 0x7FFF, spatial))
            more = payload[at] & 1 == 1
            at += 1
    if layers & 1:
        needs.add((picture, spatial - 1))
    return Frame(
        (picture, spatial),
        spatial,
        layers >> 5,
        first & 0x08 != 0,
        first & 0x04 != 0,
        frozenset(needs),
    )


@dataclass(slots=True)
class Decoder:
    """Takes packets in order; complains of what a decoder could not show."""

    frames: set[tuple[int, int]] = field(default_factory=set)
    """Those that were whole, with all they need."""
    pictures: list[tuple[int, int]] = field(default_factory=list)
    """The largest (spatial, temporal) layer of each picture."""
    _sequence: int | None = None
    _timestamp: int | None = None
    _ended: bool = True
    _open: tuple[int, int] | None = None

    def take(self, sequence: int, timestamp: int, marker: bool, frame: Frame) -> None:
        if self._sequence is not None:
            assert sequence == (self._sequence + 1) & 0xFFFF, "a gap"
        self._sequence = sequence
        if timestamp != self._timestamp:
            assert self._ended, "a picture without an end"
            if self._timestamp is not None:
                step = (timestamp - self._timestamp) & 0xFFFFFFFF
                assert step < 0x80000000, "time steps back"
            self._timestamp = timestamp
            self.pictures.append((frame.spatial, frame.temporal))
        else:
            assert not self._ended, "a picture goes on after its end"
            self.pictures[-1] = max(self.pictures[-1], (frame.spatial, frame.temporal))
        self._ended = marker
        if frame.starts:
            assert self._open is None, "a frame without an end"
            self._open = frame.id
        assert self._open == frame.id, "a frame without a beginning"
        if frame.ends:
            self._open = None
            assert frame.needs <= self.frames, "a frame that cannot be decoded"
            self.frames.add(frame.id)
