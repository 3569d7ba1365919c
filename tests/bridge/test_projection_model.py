"""The engine's rewriting against the slow model, under loss, reordering and switches.

A tenth of the gate's number of journeys by default, all with XMPPCONF_FUZZ=full.
"""

from __future__ import annotations

import os
import random
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from xmppconf_bridge._native import MediaMachine

from tests.support.model_rtp import Packet, Projection, Sent

MS = 1_000_000
JOURNEYS = 2000 if os.environ.get("XMPPCONF_FUZZ") == "full" else 200
FRAMES = 34
"""Of three encodings with two packets each on average: about 200 packets."""
SENDER, RECEIVER, SOURCE, SLOT = 1, 2, 3, 4242
SSRCS = (100, 101, 102)
RTX = (200, 201, 202)
#: Temporal layers and sync bits of the usual pattern of three layers.
PATTERN = ((0, False), (2, True), (1, True), (2, False))
TYPES: list[tuple[int, str, int, int | None, bool, bool, bool]] = [
    (100, "vp8", 90000, None, True, True, False),
    (96, "rtx", 90000, 100, False, False, False),
]


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad the way to the bridge is."""

    seed: int
    loss: float
    recovered: float
    duplicates: float
    reordered: float
    keyframes: float
    changes: float
    padding: float


weathers = st.builds(
    Weather,
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.02, 0.1, 0.3]),
    recovered=st.sampled_from([0.0, 0.5, 1.0]),
    duplicates=st.sampled_from([0.0, 0.1]),
    reordered=st.sampled_from([0.0, 0.05, 0.3]),
    keyframes=st.sampled_from([0.02, 0.1, 0.4]),
    changes=st.sampled_from([0.0, 0.02, 0.1]),
    padding=st.sampled_from([0.0, 0.05]),
)


def frames(chance: random.Random, weather: Weather) -> Iterator[tuple[int, list[Packet]]]:
    """Packets of all encodings by the time they are sent, in milliseconds."""
    sequences = [chance.randrange(65_000, 66_000) for _ in SSRCS]
    pictures = [chance.randrange(2**15) for _ in SSRCS]
    tl0s = [chance.randrange(256) for _ in SSRCS]
    clock = [chance.randrange(2**31) for _ in SSRCS]
    for index in range(FRAMES):
        key = index == 0 or chance.random() < weather.keyframes
        packets = []
        for encoding in range(3):
            layer, sync = (0, True) if key else PATTERN[index % 4]
            tl0s[encoding] += layer == 0
            pictures[encoding] += 1
            for number in range(chance.randrange(1, 4)):
                sequences[encoding] += 1
                padding = number > 0 and chance.random() < weather.padding
                packets.append(
                    Packet(
                        encoding,
                        sequences[encoding],
                        clock[encoding] + index * 3000,
                        pictures[encoding],
                        tl0s[encoding],
                        0 if padding else layer,
                        sync,
                        key and number == 0,
                        b"" if padding else chance.randbytes(12),
                    )
                )
        yield index * 33, packets


def journey(chance: random.Random, weather: Weather) -> list[tuple[int, bool, Packet]]:
    """What arrives when; the flag says by retransmission."""
    arrivals = []
    for at, packets in frames(chance, weather):
        for packet in packets:
            delay = chance.randrange(40) if chance.random() < weather.reordered else 0
            if chance.random() >= weather.loss or (at == 0 and packet.keyframe):
                arrivals.append((at + delay, False, packet))
                if chance.random() < weather.duplicates:
                    arrivals.append((at + delay + chance.randrange(20), False, packet))
            elif packet.body and chance.random() < weather.recovered:
                arrivals.append((at + chance.randrange(20, 80), True, packet))
    return sorted(arrivals, key=lambda arrival: arrival[0])


def written(packet: Packet, *, recovered: bool) -> bytes:
    payload = b""
    if packet.body:
        first = 0x90 if packet.keyframe else 0x80
        layers = packet.temporal_layer << 6 | packet.layer_sync << 5
        payload = struct.pack(
            "!BBHBB",
            first,
            0xE0,
            0x8000 | packet.picture_id & 0x7FFF,
            packet.tl0_picture_index & 0xFF,
            layers,
        )
        payload += (b"\0" if packet.keyframe else b"\1") + packet.body
    kind, ssrc, sequence = 100, SSRCS[packet.encoding], packet.sequence & 0xFFFF
    if recovered:
        payload = struct.pack("!H", sequence) + payload
        kind, ssrc, sequence = 96, RTX[packet.encoding], 1
    header = struct.pack(
        "!BBHII", 0x80, kind, sequence, packet.timestamp & 0xFFFFFFFF, ssrc
    )
    return header + payload


def read(data: bytes) -> Sent:
    first, kind, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
    assert (kind & 0x7F, ssrc) == (100, SLOT)
    if first & 0x20:
        assert data[12:] == b"\1"
        return Sent(sequence, timestamp, 0, 0, b"")
    picture, tl0 = struct.unpack_from("!HB", data, 14)
    return Sent(sequence, timestamp, picture & 0x7FFF, tl0, data[19:])


def machine() -> MediaMachine:
    media = MediaMachine(5)
    media.add_conference(1, 10, 11)
    for transport in (SENDER, RECEIVER):
        media.add_transport(transport, 1)
        media.set_payload_types(transport, TYPES)
    encodings: list[tuple[int, int | None]] = list(zip(SSRCS, RTX, strict=True))
    media.set_sources(SENDER, [(SOURCE, "video", encodings)])
    return media


def run(weather: Weather) -> tuple[list[Sent], list[Sent], list[tuple[int, bool, Packet]]]:
    """What the engine sent, what the model says, and what had arrived."""
    chance = random.Random(weather.seed)
    arrivals = journey(chance, weather)
    media, model = machine(), Projection()
    limits = (2, 7)
    model.limit(*limits)
    start = 1000
    media.set_route(start * MS, RECEIVER, SOURCE, SLOT, None, limits[0], 7, limits[1])
    got: list[Sent] = []
    expected: list[Sent] = []
    for at, recovered, packet in arrivals:
        now = start + at
        if chance.random() < weather.changes:
            limits = (chance.choice((-1, 0, 1, 2, 2)), chance.choice((0, 1, 2, 7)))
            model.limit(*limits)
            media.set_route(now * MS, RECEIVER, SOURCE, SLOT, None, limits[0], 7, limits[1])
        media.receive_rtp(now * MS, SENDER, written(packet, recovered=recovered))
        if not recovered or packet.encoding in model.highest:
            expected += model.receive(now, packet)
        got += [read(data) for receiver, data in media.take_rtp() if receiver == RECEIVER]
    return got, expected, arrivals


def bare(sent: Sent, first: Sent) -> tuple[int, int, int | None, int | None, bytes]:
    """A packet relative to the first, so that random starts do not matter."""
    return (
        (sent.sequence - first.sequence) & 0xFFFF,
        (sent.timestamp - first.timestamp) & 0xFFFFFFFF,
        (sent.picture_id - first.picture_id) & 0x7FFF if sent.body else None,
        (sent.tl0_picture_index - first.tl0_picture_index) & 0xFF if sent.body else None,
        sent.body,
    )


def note(count: int, seconds: float) -> None:
    """Add a row to the table of results, if there is one."""
    if path := os.environ.get("XMPPCONF_RESULTS"):
        what = "journeys of 200 packets under loss, reordering, duplicates, switches"
        row = (
            f"| Z16 | {what} | {count} | {seconds:.1f} | the model agrees on every packet |"
        )
        with Path(path).open("a") as file:
            print(row, file=file)


def test_the_engine_does_what_the_model_says() -> None:
    start = time.monotonic()
    compare()
    note(JOURNEYS, time.monotonic() - start)


@given(weathers)
@settings(max_examples=JOURNEYS, deadline=None)
def compare(weather: Weather) -> None:
    got, expected, _ = run(weather)
    assert [bare(sent, got[0]) for sent in got] == [
        bare(sent, expected[0]) for sent in expected
    ]


@given(weathers)
@settings(max_examples=JOURNEYS, deadline=None)
def test_the_receiver_sees_no_gap_no_repeat_and_no_step_back(weather: Weather) -> None:
    got, _, arrivals = run(weather)
    if not got:
        return  # paused from the beginning
    first = got[0].sequence
    view = {(sent.sequence - first) & 0xFFFF: sent for sent in got}
    assert len(view) == len(got), "a number was used twice"
    bodies = [sent.body for sent in got if sent.body]
    assert len(bodies) == len(set(bodies)), "a packet was sent twice"
    ordered = [view[number] for number in sorted(view)]
    start = ordered[0]
    for name, modulus in (("timestamp", 2**32), ("picture_id", 2**15)):
        numbers = [
            (getattr(sent, name) - getattr(start, name)) % modulus
            for sent in ordered
            if sent.body or name == "timestamp"
        ]
        assert numbers == sorted(numbers), f"{name} steps back"
    if weather.loss == 0 and weather.reordered == 0:
        assert sorted(view) == list(range(len(view))), "a gap that nobody lost"
    # Each number that is missing stands for a packet that did not come, or too late.
    present = {(packet.encoding, packet.sequence) for _, _, packet in arrivals}
    newest: dict[int, int] = {}
    missing = 0
    for _, recovered, packet in arrivals:
        before = newest.get(packet.encoding)
        if recovered or (before is not None and packet.sequence <= before):
            continue
        if before is not None:
            missing += sum(
                (packet.encoding, number) not in present or weather.changes > 0
                for number in range(before + 1, packet.sequence)
            )
        newest[packet.encoding] = packet.sequence
    assert max(view) + 1 - len(view) <= missing
