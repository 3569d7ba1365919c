"""A call in virtual time: the whole control side of the bridge, the engine's media machine,
senders of simulcast VP8, and receivers shaped like libwebrtc's behind bad links.

Nothing in here waits or draws a chance of its own; a run follows from its seed.
"""

from __future__ import annotations

import heapq
import itertools
import random
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from xmppconf_bridge._native import MediaMachine
from xmppconf_bridge.colibri import modify
from xmppconf_bridge.engine_events import Bandwidth, read_event

from tests.support.fake_engine import BridgeBench, FakeEngine, RecordingCarrier
from tests.support.virtual_network import Impairment, Link
from xmppconf.colibri2 import ConferenceModify, EndpointRequest, Transport
from xmppconf.ids import EndpointId, MeetingId, SourceName
from xmppconf.media import (
    HeaderExtension,
    MediaDescription,
    MediaType,
    PayloadType,
    RtcpFeedback,
    Ssrc,
)
from xmppconf.sources import MediaSource, Semantics, SsrcGroup

TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
TRANSPORT_CC_ID = 5
VP8, RTX, OPUS = 100, 96, 111
PACKET = 1100
OVERHEAD = 44
"""Bytes of a packet on the way besides its RTP: IPv4, UDP, authentication tag."""
HEADERS = 24
FRAME = 1 / 30
TICK = 0.005
#: Shares of temporal layers 0, 1 and 2, and the order they come in, as libwebrtc does VP8.
SHARES = (0.4, 0.2, 0.4)
PATTERN = (0, 2, 1, 2)
KEYFRAME = 5.0
"""Times the size of a usual frame."""
HEIGHTS = (180, 360, 720)
AUDIO_INTERVAL = 0.02
AUDIO_PAYLOAD = 80


def nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


class LoopEngine(FakeEngine):
    """Commands go to a media machine as well, with the time."""

    def __init__(self, seed: int, clock: Callable[[], float]) -> None:
        super().__init__()
        self.machine = MediaMachine(seed)
        self._clock = clock

    def _call(self, name: str, *arguments: Any, **named: Any) -> None:
        now = nanoseconds(self._clock())
        match name:
            case "add_transport":
                transport, conference, *_ = arguments
                self.machine.add_transport(transport, conference)
            case "set_route" | "remove_route" | "set_demand":
                getattr(self.machine, name)(now, *arguments, *named.values())
            case "add_conference" | "set_payload_types" | "set_header_extensions":
                getattr(self.machine, name)(*arguments)
            case "set_sources":
                self.machine.set_sources(*arguments)
            case _:
                pass

    def stats(self) -> dict[str, int]:
        return self.machine.stats()


@dataclass(slots=True)
class Sender:
    """One participant's camera: up to three encodings, each only as the bridge asks."""

    name: str
    rates: tuple[int, ...]
    """Bits per second of each encoding."""
    ssrc: int
    frame: int = 0
    sequence: list[int] = field(default_factory=lambda: [1000, 1000, 1000])
    tl0: int = 0
    keyframe: bool = True
    keyframes: int = 0
    keyframe_at: float = -1.0
    height: int = 720
    audio_sequence: int = 0
    every: tuple[int, ...] = (1, 1, 1)
    """Each encoding has one of so many pictures, and that much larger: an encoder that has
    too little for what it films leaves pictures out."""
    uneven: float = 0.0
    """By which share a picture may be larger or smaller than the usual."""
    chance: random.Random = field(default_factory=partial(random.Random, 1))

    def packets(self, now: float) -> Iterator[bytes]:
        """The packets of the next frame of every encoding that is asked for."""
        keyframe, self.keyframe = self.keyframe, False
        if keyframe:
            self.frame = 0
            self.keyframes += 1
        temporal = PATTERN[self.frame % 4]
        if temporal == 0:
            self.tl0 = (self.tl0 + 1) & 0xFF
        timestamp = round(now * 90_000) & 0xFFFFFFFF
        picture = round(now / FRAME) & 0x7FFF
        for encoding, rate in enumerate(self.rates):
            every = self.every[encoding]
            if HEIGHTS[encoding] > self.height or (self.frame % every and not keyframe):
                continue
            if every > 1:
                temporal = 0
                self.tl0 = (self.tl0 + 1) & 0xFF
                share = every * (KEYFRAME / 2 if keyframe else 1)
            else:
                share = KEYFRAME if keyframe else 4 * share_of(temporal)
            size = rate * FRAME / 8 * share * (1 + self.uneven * self.chance.uniform(-1, 1))
            count = max(1, round(size / PACKET))
            length = max(20, int(size / count) - HEADERS - OVERHEAD)
            for index in range(count):
                self.sequence[encoding] = (self.sequence[encoding] + 1) & 0xFFFF
                first = index == 0
                head = struct.pack(
                    "!BBHII",
                    0x80,
                    VP8 | (0x80 if index == count - 1 else 0),
                    self.sequence[encoding],
                    timestamp,
                    self.ssrc + encoding,
                )
                sync = (
                    0x20 if temporal == 1 or (temporal == 2 and self.frame % 4 == 1) else 0
                )
                descriptor = bytes(
                    (
                        0x80 | (0x10 if first else 0),
                        0xE0,
                        0x80 | picture >> 8,
                        picture & 0xFF,
                        self.tl0,
                        temporal << 6 | sync,
                    )
                )
                if keyframe and first:
                    width, height = HEIGHTS[encoding] * 16 // 9, HEIGHTS[encoding]
                    start = b"\x10\x02\x00\x9d\x01\x2a" + struct.pack("<HH", width, height)
                else:
                    start = b"\x01\x01\x02\x03"
                yield head + (descriptor + start).ljust(length, b"\x55")
        self.frame += 1

    def voice(self, now: float) -> bytes:
        self.audio_sequence = (self.audio_sequence + 1) & 0xFFFF
        timestamp = round(now * 48_000) & 0xFFFFFFFF
        head = struct.pack(
            "!BBHII", 0x80, OPUS, self.audio_sequence, timestamp, self.ssrc - 50
        )
        return head + bytes(AUDIO_PAYLOAD)


def share_of(temporal: int) -> float:
    """A frame's part of what four frames have."""
    return SHARES[temporal] / (2 if temporal == 2 else 1)


class Stream:
    """What is counted of one stream for reports (RFC 3550, A.3), one every second."""

    def __init__(self, sequence: int, now: float) -> None:
        self.base = self.highest = sequence
        self.received = 0
        self.before = (0, 0)
        self.report_at = now + 1

    def receive(self, sequence: int) -> None:
        ahead = (sequence - self.highest) & 0xFFFF
        self.highest += ahead if ahead < 0x8000 else 0
        self.received += 1

    def report(self, ssrc: int, now: float) -> bytes:
        self.report_at = now + 1
        expected = self.highest - self.base + 1
        packets, received = expected - self.before[0], self.received - self.before[1]
        self.before = (expected, self.received)
        share = max(0, packets - received) * 256 // packets if packets else 0
        lost = max(0, expected - self.received)
        block = struct.pack("!IIIIII", ssrc, share << 24 | lost, self.highest, 0, 0, 0)
        return struct.pack("!BBHI", 0x81, 201, 7, 1) + block


class Receiver:
    """What libwebrtc does on the receiving side, as far as a bridge can see it."""

    def __init__(
        self, *, feedback: bool = True, losses: bool = False, interval: float = 0.05
    ) -> None:
        """`feedback`: reports when each packet came; `losses`: how many were lost."""
        self.feedback = feedback
        self.losses = losses
        self.streams: dict[int, Stream] = {}
        self.knows_video_from = 0.0
        """Before, what comes of video is thrown away uncounted, as by Firefox."""
        self.interval = interval
        self.arrived: dict[int, float] = {}
        self.base: int | None = None
        self.count = 0
        self.highest: dict[int, int] = {}
        self.missing: dict[tuple[int, int], tuple[float, float, int]] = {}
        self.rtx_of: dict[int, int] = {}
        self.frames: list[tuple[float, int]] = []
        """When each frame was complete, and its encoding's height if known."""
        self.keyframe_requests: list[float] = []
        self.waiting_since: dict[int, float] = {}

    def receive(self, now: float, packet: bytes) -> None:
        extension = packet[0] & 0x10
        ssrc = int.from_bytes(packet[8:12], "big")
        sequence = int.from_bytes(packet[2:4], "big")
        if now < self.knows_video_from and packet[1] & 0x7F != OPUS:
            return
        if extension and packet[16] >> 4 == TRANSPORT_CC_ID:
            self._note(now, int.from_bytes(packet[17:19], "big"))
        payload_type = packet[1] & 0x7F
        if payload_type in (VP8, OPUS):
            self.streams.setdefault(ssrc, Stream(sequence, now)).receive(sequence)
        if payload_type == RTX:
            words = int.from_bytes(packet[14:16], "big") if extension else -1
            start = 12 + (4 + 4 * words if extension else 0)
            sequence = int.from_bytes(packet[start : start + 2], "big")
            ssrc = self.rtx_of.get(ssrc, 0)
            self.missing.pop((ssrc, sequence), None)
            return
        if payload_type != VP8 or packet[0] & 0x20:
            return
        self.missing.pop((ssrc, sequence), None)
        highest = self.highest.get(ssrc)
        if highest is None:
            self.highest[ssrc] = sequence
            return
        ahead = (sequence - highest) & 0xFFFF
        if 0 < ahead < 0x8000:
            for back in range(1, min(ahead, 200)):
                number = (sequence - back) & 0xFFFF
                self.missing[ssrc, number] = (now, now + 0.01, 0)
            self.highest[ssrc] = sequence

    def _note(self, now: float, number: int) -> None:
        if self.base is None:
            self.base = number
            extended = number
        else:
            extended = self.base + ((number - self.base + 0x8000) & 0xFFFF) - 0x8000
        if extended > self.base - 200:
            # What comes late moves the beginning of the next report back.
            self.base = min(self.base, extended)
            self.arrived.setdefault(extended, now)

    def reports(self, now: float) -> Iterator[bytes]:
        """The RTCP that is due."""
        if self.feedback and self.arrived:
            yield self._transport_feedback()
        if self.losses:
            for ssrc, stream in self.streams.items():
                if now >= stream.report_at:
                    yield stream.report(ssrc, now)
        due: dict[int, list[int]] = {}
        for (ssrc, number), (since, at, tries) in list(self.missing.items()):
            if tries >= 10 or now - since > 1.0:
                del self.missing[ssrc, number]
                self.waiting_since.setdefault(ssrc, now)
            elif at <= now:
                self.missing[ssrc, number] = (since, now + 0.1, tries + 1)
                due.setdefault(ssrc, []).append(number)
        for ssrc, numbers in due.items():
            items = b"".join(struct.pack("!HH", number, 0) for number in numbers[:100])
            yield struct.pack("!BBHII", 0x81, 205, 2 + len(items) // 4, 1, ssrc) + items
        for ssrc in list(self.waiting_since):
            del self.waiting_since[ssrc]
            self.keyframe_requests.append(now)
            yield struct.pack("!BBHII", 0x81, 206, 2, 1, ssrc)

    def _transport_feedback(self) -> bytes:
        assert self.base is not None
        base, end = self.base, max(self.arrived) + 1
        first = min(self.arrived)
        reference = int(self.arrived[first] / 0.064)
        clock = reference * 256
        symbols: list[int] = []
        deltas = b""
        for number in range(base, end):
            at = self.arrived.get(number)
            if at is None:
                symbols.append(0)
                continue
            delta = round(at / 0.00025) - clock
            clock += delta
            if 0 <= delta <= 255:
                symbols.append(1)
                deltas += bytes((delta,))
            else:
                symbols.append(2)
                deltas += struct.pack("!h", max(-32768, min(32767, delta)))
        chunks = b""
        for index in range(0, len(symbols), 7):
            chunk = 0xC000
            for place, symbol in enumerate(symbols[index : index + 7]):
                chunk |= symbol << (12 - 2 * place)
            chunks += struct.pack("!H", chunk)
        body = struct.pack(
            "!IIHHI",
            1,
            0,
            base & 0xFFFF,
            len(symbols),
            (reference & 0xFFFFFF) << 8 | self.count,
        )
        body += chunks + deltas
        body += bytes(-len(body) % 4)
        self.count = (self.count + 1) & 0xFF
        self.base = end
        self.arrived = {}
        return struct.pack("!BBH", 0x8F, 205, len(body) // 4) + body


@dataclass(slots=True)
class Trace:
    """What happened to one receiver, sample by sample."""

    estimates: list[tuple[float, int]] = field(default_factory=list)
    """(seconds, bit/s) whenever the bridge heard of one."""
    arrivals: list[tuple[float, int, float, bool]] = field(default_factory=list)
    """(seconds, bytes on the way, seconds under way, whether it is media)."""
    layers: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    """(seconds, encoding by source) whenever it changed; -1 is none."""

    def estimate_at(self, at: float) -> int:
        return next((bps for when, bps in reversed(self.estimates) if when <= at), 0)

    def rate(self, begin: float, end: float, *, media: bool = False) -> float:
        """Bit/s that arrived."""
        sizes = (
            size
            for at, size, _, is_media in self.arrivals
            if begin <= at < end and (is_media or not media)
        )
        return sum(sizes) * 8 / (end - begin)

    def delays(self, begin: float, end: float) -> list[float]:
        return sorted(delay for at, _, delay, _ in self.arrivals if begin <= at < end)


def description(bandwidth: Sequence[str]) -> tuple[MediaDescription, ...]:
    """`bandwidth`: the kinds of feedback that tell of it."""
    kinds = (("nack",), ("nack", "pli"), *((kind,) for kind in bandwidth))
    feedback = tuple(RtcpFeedback(*kind) for kind in kinds)
    audio = tuple(one for one in feedback if one.type == "transport-cc")
    extension = HeaderExtension(TRANSPORT_CC_ID, TRANSPORT_CC)
    return (
        MediaDescription(
            MediaType.AUDIO,
            (PayloadType(OPUS, "opus", 48_000, feedback=audio),),
            (extension,),
        ),
        MediaDescription(
            MediaType.VIDEO,
            (
                PayloadType(VP8, "VP8", 90_000, feedback=feedback),
                PayloadType(RTX, "rtx", 90_000, parameters=(("apt", str(VP8)),)),
            ),
            (extension,),
        ),
    )


class Loop(BridgeBench):
    """`senders` send to each other and to the receivers named in `links`."""

    def __init__(
        self,
        links: dict[str, Impairment],
        *,
        senders: int = 1,
        rates: tuple[int, ...] = (150_000, 500_000, 2_500_000),
        seed: int = 1,
        height: int = 720,
        bandwidth: Sequence[str] = ("transport-cc", "goog-remb"),
        feedback: bool = True,
        losses: bool = False,
        interval: float = 0.05,
        return_delay: float = 0.02,
        shared: bool = False,
        voices: bool = True,
    ) -> None:
        """`bandwidth`: what receivers negotiate; `shared`: all receivers are behind the
        first link; `voices`: there is sound."""
        super().__init__()
        self.engine = LoopEngine(seed, lambda: self.clock.now)
        self.bridge.engine = self.engine
        self.machine = self.engine.machine
        self.return_delay = return_delay
        self.start = self.clock.now
        self.senders = {
            f"s{index}": Sender(f"s{index}", rates, 10_000 + 100 * index)
            for index in range(senders)
        }
        self.links = {
            name: Link(impairment, seed=seed * 100 + index)
            for index, (name, impairment) in enumerate(links.items())
        }
        if shared:
            first = next(iter(self.links.values()))
            self.links = dict.fromkeys(self.links, first)
        self.receivers = {
            name: Receiver(
                feedback=feedback and "transport-cc" in bandwidth,
                losses=losses,
                interval=interval,
            )
            for name in links
        }
        self.traces = {name: Trace() for name in links}
        self.carriers: dict[str, RecordingCarrier] = {}
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._tokens = itertools.count()
        self._expected: dict[int, float] = {}
        self._rivals: dict[bytes, Competitor] = {}
        self._sent: dict[bytes, tuple[str, float]] = {}
        self._description = description(bandwidth)
        for name in (*self.senders, *links):
            self._join(name)
        for name in links:
            self.watch(name, height)
        for index, sender in enumerate(self.senders.values()):
            self._every(FRAME, index * 0.007, partial(self._film, sender))
            if voices:
                self._every(AUDIO_INTERVAL, index * 0.003, partial(self._speak, sender))
        for name, receiver in self.receivers.items():
            self._every(receiver.interval, 0.0, partial(self._report, name))
        self._every(TICK, 0.0, self._timeout)
        self._every(0.5, 0.25, self._check)

    def _join(self, name: str) -> None:
        sender = self.senders.get(name)
        sources: tuple[MediaSource, ...] = ()
        if sender is not None:
            encodings = range(len(sender.rates))
            ssrcs = [Ssrc(sender.ssrc + index) for index in encodings]
            rtx = [Ssrc(sender.ssrc + 10 + index) for index in encodings]
            simulcast = SsrcGroup(Semantics.SIM, tuple(ssrcs), MediaType.VIDEO)
            groups = (
                *([simulcast] if len(ssrcs) > 1 else []),
                *(
                    SsrcGroup(Semantics.FID, pair, MediaType.VIDEO)
                    for pair in zip(ssrcs, rtx, strict=True)
                ),
            )
            sources = (
                MediaSource(
                    SourceName(f"{name}-a0"),
                    MediaType.AUDIO,
                    (Ssrc(sender.ssrc - 50),),
                ),
                MediaSource(
                    SourceName(f"{name}-v0"),
                    MediaType.VIDEO,
                    (*ssrcs, *rtx),
                    groups,
                ),
            )
        meeting = MeetingId("m1")
        request = EndpointRequest(
            EndpointId(name),
            create=True,
            media=self._description,
            capabilities=frozenset({"source-names", "ssrc-rewriting"}),
            transport=Transport(ice_controlling=True),
            sources=sources,
        )
        create = meeting not in self.bridge.conferences
        modify(self.bridge, ConferenceModify(meeting, create=create, endpoints=(request,)))
        self.carriers[name] = self.connect(name)

    def _source(self, sender: str) -> int:
        return self.endpoint(sender).sources[SourceName(f"{sender}-v0")].number

    # -- time ---------------------------------------------------------------------------
    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self.clock.now - self.start

    def _at(self, at: float, action: Callable[[], object]) -> None:
        heapq.heappush(self._events, (at, next(self._order), action))

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        self._at(self.start + seconds, action)

    def _every(
        self, interval: float, first: float, action: Callable[[float], None]
    ) -> None:
        def run(at: float) -> None:
            self._at(at + interval, partial(run, at + interval))
            action(at)

        self._at(self.start + first, partial(run, self.start + first))

    def run(self, seconds: float) -> None:
        """Go on until so many seconds after the beginning."""
        end = self.start + seconds
        while self._events and self._events[0][0] <= end:
            at, _, action = heapq.heappop(self._events)
            self.clock.now = at
            action()
        self.clock.now = end

    def compete(self, name: str) -> Competitor:
        """Let a transfer by TCP begin on the link of `name`."""
        rival = Competitor(self, self.links[name])
        rival.fill()
        return rival

    def watch(self, name: str, height: int) -> None:
        """Let a receiver ask for all pictures, `height` lines high at most."""
        self.say(
            name,
            colibriClass="ReceiverVideoConstraints",
            defaultConstraints={"maxHeight": height},
        )

    def change(self, name: str, impairment: Impairment) -> None:
        self.links[name].impairment = impairment

    # -- what happens -------------------------------------------------------------------
    def _film(self, sender: Sender, now: float) -> None:
        number = self.endpoint(sender.name).transport.number
        for packet in sender.packets(now):
            self.machine.receive_rtp(nanoseconds(now), number, packet)
        self._collect(now)

    def _speak(self, sender: Sender, now: float) -> None:
        number = self.endpoint(sender.name).transport.number
        self.machine.receive_rtp(nanoseconds(now), number, sender.voice(now))
        self._collect(now)

    def _report(self, name: str, now: float) -> None:
        number = self.endpoint(name).transport.number
        for report in self.receivers[name].reports(now):
            self._at(now + self.return_delay, partial(self._feedback, number, report))

    def _feedback(self, number: int, data: bytes) -> None:
        self.machine.receive_rtcp(nanoseconds(self.clock.now), number, data)
        self._collect(self.clock.now)

    def _timeout(self, now: float) -> None:
        due = self.machine.next_timeout()
        if due is not None and due <= nanoseconds(now):
            self.machine.timeout(nanoseconds(now))
            self._collect(now)

    def _check(self, now: float) -> None:
        for endpoint in self.conference.endpoints.values():
            self.engine.activity[endpoint.transport.number] = now
        self.bridge.timeout(now)
        self._watch()

    def _collect(self, now: float) -> None:
        """Carry what the machine has sent and told."""
        numbers = {
            self.endpoint(name).transport.number: name
            for name in (*self.senders, *self.receivers)
        }
        for number, packet in self.machine.take_rtp():
            name = numbers[number]
            if name in self.receivers:
                self._carry(now, name, packet)
        for number, compound in self.machine.take_rtcp():
            name = numbers[number]
            if name in self.senders:
                self._ask(now, self.senders[name], compound)
        events = [read_event(event) for event in self.machine.take_events()]
        if events:
            for event in events:
                if isinstance(event, Bandwidth):
                    trace = self.traces.get(numbers[event.transport])
                    if trace is not None:
                        trace.estimates.append((self.now, event.bits_per_second))
            self.bridge.receive(events)
            self._watch()

    def _ask(self, now: float, sender: Sender, compound: bytes) -> None:
        if compound[1] == 206 and compound[0] & 0x1F == 1:  # PLI
            sender.keyframe = True

    def _carry(self, now: float, name: str, packet: bytes) -> None:
        link = self.links[name]
        token = next(self._tokens).to_bytes(8, "big")
        self._sent[token] = (name, now)
        link.send(token + packet + bytes(OVERHEAD - len(token)), now=now)
        self._expect(link)

    def _expect(self, link: Link) -> None:
        """Be there when the next packet arrives, once."""
        due = link.next_arrival()
        expected = self._expected.get(id(link))
        if due is not None and (expected is None or due < expected):
            self._expected[id(link)] = due
            self._at(max(due, self.clock.now), partial(self._arrive, link, due))

    def _arrive(self, link: Link, due: float) -> None:
        if self._expected.get(id(link)) != due:
            return  # another came before it
        del self._expected[id(link)]
        now = self.clock.now
        for whole in link.receive(now=now):
            token = whole[:8]
            rival = self._rivals.pop(token, None)
            if rival is not None:
                rival.arrived += len(whole)
                self._at(now + self.return_delay, rival.acknowledged)
                continue
            if token not in self._sent:
                continue
            name, sent_at = self._sent.pop(token)
            packet = whole[8 : len(whole) - OVERHEAD + 8]
            media = packet[1] & 0x7F != RTX and not packet[0] & 0x20
            self.traces[name].arrivals.append((self.now, len(whole), now - sent_at, media))
            receiver = self.receivers[name]
            for slot in self.endpoint(name).slots[MediaType.VIDEO].sources():
                found = self.endpoint(name).slots[MediaType.VIDEO].get(slot)
                if found is not None and found.rtx_ssrc is not None:
                    receiver.rtx_of[found.rtx_ssrc] = found.ssrc
            receiver.receive(now, packet)
        self._expect(link)

    def _watch(self) -> None:
        for name, trace in self.traces.items():
            layers = self.endpoint(name).video.layers
            seen = {
                sender: layers[self._source(sender)].encoding
                if self._source(sender) in layers
                else -1
                for sender in self.senders
            }
            if not trace.layers or trace.layers[-1][1] != seen:
                trace.layers.append((self.now, seen))


class Competitor:
    """A bulk transfer by TCP (Reno, RFC 5681, without timeouts): it yields to losses."""

    def __init__(self, loop: Loop, link: Link) -> None:
        self._loop = loop
        self._link = link
        self._window = 10.0
        self._threshold = 1000.0
        self._under_way = 0
        self._deaf_until = 0.0
        self.arrived = 0
        """Bytes."""

    def fill(self) -> None:
        """Send what the window allows."""
        loop, now = self._loop, self._loop.clock.now
        while self._under_way < self._window:
            self._under_way += 1
            token = next(loop._tokens).to_bytes(8, "big")
            before = self._link.figures.overflowed + self._link.figures.lost
            loop._rivals[token] = self
            self._link.send(token.ljust(1500, b"."), now=now)
            if self._link.figures.overflowed + self._link.figures.lost > before:
                del loop._rivals[token]
                loop._at(now + 0.2, self._lost)
        loop._expect(self._link)

    def acknowledged(self) -> None:
        self._under_way -= 1
        slow_start = self._window < self._threshold
        self._window += 1 if slow_start else 1 / self._window
        self.fill()

    def _lost(self) -> None:
        self._under_way -= 1
        if self._loop.clock.now >= self._deaf_until:
            self._threshold = self._window = max(2.0, self._window / 2)
            self._deaf_until = self._loop.clock.now + 0.2
        self.fill()
