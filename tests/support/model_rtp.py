"""What a receiver must get of a simulcast VP8 source, said slowly.

Where the engine keeps differences between numbers in rings, the model keeps every number
ever given out in a dictionary.  Sequence numbers in here do not wrap.
"""

from __future__ import annotations

from dataclasses import dataclass, field

VIDEO_CLOCK = 90  # per millisecond
CATCH_UP = 128
"""So many packets back a late keyframe may still be begun with."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of an encoding, as its sender numbered it."""

    encoding: int
    sequence: int
    timestamp: int
    picture_id: int
    tl0_picture_index: int
    temporal_layer: int
    layer_sync: bool
    keyframe: bool
    """The first packet of a keyframe."""
    body: bytes
    """Empty for a packet of nothing but padding."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One packet for the receiver; numbers count from those of the first one."""

    sequence: int
    timestamp: int
    picture_id: int
    tl0_picture_index: int
    body: bytes
    """Empty for one that only says that its number will not be used."""


STALLED = 700  # milliseconds after which an encoding has been stopped
OVERTAKEN = 250  # milliseconds after which it has, if another began so many frames:
OVERTAKEN_FRAMES = 5


@dataclass(slots=True)
class Flow:
    """Which encodings of a source are coming."""

    last: dict[int, int] = field(default_factory=dict)
    """When the last packet of an encoding came."""
    newest: dict[int, int] = field(default_factory=dict)
    """Its frame, by timestamp."""
    begun: dict[int, dict[int, int]] = field(default_factory=dict)
    """Frames that each other encoding has begun since then."""

    def receive(self, now: int, packet: Packet) -> set[int]:
        encoding = packet.encoding
        if self.newest.get(encoding) != packet.timestamp:
            self.newest[encoding] = packet.timestamp
            for others in self.begun.values():
                others[encoding] = others.get(encoding, 0) + 1
        self.last[encoding] = now
        self.begun[encoding] = {}
        return {one for one in self.last if self._comes(now, one)}

    def _comes(self, now: int, encoding: int) -> bool:
        age = now - self.last[encoding]
        most = max(self.begun[encoding].values(), default=0)
        return age < STALLED and not (age >= OVERTAKEN and most >= OVERTAKEN_FRAMES)


@dataclass(slots=True)
class Place:
    """A number given out."""

    sequence: int
    timestamp_shift: int
    picture_shift: int
    tl0_shift: int
    temporal: int
    """The highest temporal layer that was forwarded then."""
    filled: bool


@dataclass(slots=True)
class Projection:
    """One receiver's view, the way it is meant."""

    max_encoding: int = 0
    max_temporal: int = 7
    current: int | None = None
    sequence: int = -1
    """The newest number given out."""
    timestamp: int = 0
    arrival: int | None = None
    """When the newest timestamp was first seen, in milliseconds."""
    picture_id: int = -1
    tl0: int = -1
    temporal: int = 7
    frame: int | None = None
    frame_wanted: bool = False
    timestamp_shift: int = 0
    picture_shift: int = 0
    tl0_shift: int = 0
    highest: dict[int, int] = field(default_factory=dict)
    lowest: dict[int, int] = field(default_factory=dict)
    keyframe: dict[int, int] = field(default_factory=dict)
    """The timestamp of the newest keyframe of an encoding."""
    flow: Flow = field(default_factory=Flow)
    seen: dict[tuple[int, int], Packet] = field(default_factory=dict)
    places: dict[tuple[int, int], Place] = field(default_factory=dict)

    def limit(self, max_encoding: int, max_temporal: int) -> None:
        self.max_encoding = max_encoding
        self.max_temporal = max_temporal
        if max_encoding < 0:
            self.current = None

    def receive(self, now: int, packet: Packet) -> list[Sent]:
        """Take a packet at `now` (milliseconds)."""
        key = (packet.encoding, packet.sequence)
        before = self.highest.get(packet.encoding)
        if key in self.seen or packet.sequence < self.lowest.get(packet.encoding, 0):
            return []
        flowing = self.flow.receive(now, packet)
        self.seen[key] = packet
        self.lowest.setdefault(packet.encoding, packet.sequence)
        newest_keyframe = packet.timestamp > self.keyframe.get(packet.encoding, -1)
        if packet.keyframe and packet.body and newest_keyframe:
            self.keyframe[packet.encoding] = packet.timestamp
        if before is not None and packet.sequence < before:
            if (
                packet.body
                and newest_keyframe
                and key not in self.places
                and before - packet.sequence < CATCH_UP
                and self.current != packet.encoding
                and self._may_begin(packet, flowing)
            ):
                return self._catch_up(now, packet, before, flowing)
            late = self._late(key, packet)
            return [] if late is None else [late]
        self.highest[packet.encoding] = packet.sequence
        sent = self._next(now, packet, before, flowing)
        return [] if sent is None else [sent]

    def _catch_up(
        self, now: int, first: Packet, newest: int, flowing: set[int]
    ) -> list[Sent]:
        """Begin with a packet that came late, and send what has followed it."""
        sent = []
        before = None
        for number in range(first.sequence, newest + 1):
            packet = self.seen.get((first.encoding, number))
            if packet is not None:
                sent.append(self._next(now, packet, before, flowing))
                before = number
        return [packet for packet in sent if packet is not None]

    def _next(
        self, now: int, packet: Packet, before: int | None, flowing: set[int]
    ) -> Sent | None:
        key = (packet.encoding, packet.sequence)
        if self.current != packet.encoding:
            if not packet.body or not self._may_begin(packet, flowing):
                return None
            self._begin(now, packet)
        else:
            assert before is not None
            for missing in range(before + 1, packet.sequence):
                self.sequence += 1
                self.places[packet.encoding, missing] = self._place(filled=False)
            if not packet.body or not self._wants(packet):
                # Those missing before it may still come, with numbers up to its own.
                self._advance_clock(now, packet.timestamp + self.timestamp_shift)
                if packet.body:
                    self.picture_id = packet.picture_id + self.picture_shift
                    self.tl0 = packet.tl0_picture_index + self.tl0_shift
                else:
                    self.picture_id += packet.sequence - before - 1
                    self.tl0 += packet.sequence - before - 1
                return None
        self.sequence += 1
        place = self.places[key] = self._place(filled=True)
        sent = self._apply(place, packet)
        self._advance_clock(now, sent.timestamp)
        self.picture_id, self.tl0 = sent.picture_id, sent.tl0_picture_index
        return sent

    def _advance_clock(self, now: int, timestamp: int) -> None:
        if self.arrival is None or timestamp != self.timestamp:
            self.timestamp, self.arrival = timestamp, now

    def _place(self, *, filled: bool) -> Place:
        return Place(
            self.sequence,
            self.timestamp_shift,
            self.picture_shift,
            self.tl0_shift,
            self.temporal,
            filled,
        )

    @staticmethod
    def _apply(place: Place, packet: Packet, *, empty: bool = False) -> Sent:
        return Sent(
            place.sequence,
            packet.timestamp + place.timestamp_shift,
            packet.picture_id + place.picture_shift,
            packet.tl0_picture_index + place.tl0_shift,
            b"" if empty else packet.body,
        )

    def _late(self, key: tuple[int, int], packet: Packet) -> Sent | None:
        place = self.places.get(key)
        if self.max_encoding < 0 or place is None or place.filled:
            return None
        place.filled = True
        unwanted = packet.temporal_layer > place.temporal
        return self._apply(place, packet, empty=unwanted or not packet.body)

    def _may_begin(self, packet: Packet, flowing: set[int]) -> bool:
        if not packet.keyframe or packet.encoding > self.max_encoding:
            return False
        if self.current is None or packet.encoding > self.current:
            return True
        return self.current > self.max_encoding or self.current not in flowing

    def _begin(self, now: int, packet: Packet) -> None:
        step = 0
        if self.arrival is not None:
            step = max(VIDEO_CLOCK, (now - self.arrival) * VIDEO_CLOCK)
        self.timestamp_shift = self.timestamp + step - packet.timestamp
        self.picture_shift = self.picture_id + 1 - packet.picture_id
        self.tl0_shift = self.tl0 + 1 - packet.tl0_picture_index
        self.current = packet.encoding
        self.frame, self.frame_wanted = packet.timestamp, True
        self.temporal = self.max_temporal

    def _wants(self, packet: Packet) -> bool:
        if packet.timestamp == self.frame:
            return self.frame_wanted
        assert self.current is not None
        most = 0 if self.current > self.max_encoding else self.max_temporal
        self.frame = packet.timestamp
        self.temporal = most if packet.keyframe else min(self.temporal, most)
        layer = packet.temporal_layer
        if layer == self.temporal + 1 and layer <= most and packet.layer_sync:
            self.temporal = layer
        self.frame_wanted = layer <= self.temporal
        if not self.frame_wanted:
            self.picture_shift -= 1
        return self.frame_wanted
