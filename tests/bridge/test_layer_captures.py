"""What Chromium sends in layers, and what receivers can decode of what becomes of it.

The captures hold packets' headers, dependency descriptors and first bytes of payload;
padding is cut to one byte.  Each packet: milliseconds (u32), length (u8), bytes.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xmppconf_bridge._native import MediaMachine

from tests.support.model_layers import Decoder, Dependencies, Frame, read_vp9

FOLDER = Path(__file__).parents[1] / "data" / "rtp"
SENDER, RECEIVER, SOURCE, SLOT = 1, 2, 3, 4242
MS = 1_000_000
DESCRIPTOR = 13
URI = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
#: By name: payload type and codec.
CAPTURES = {
    "vp9-l3t3-key": (98, "vp9"),
    "av1-l3t3-key": (47, "av1"),
    "h264-l1t3": (102, "h264"),
}

Limits = tuple[int, int]
ALL: Limits = (7, 7)


def capture(name: str) -> Iterator[tuple[int, bytes]]:
    data = (FOLDER / f"{name}.bin").read_bytes()
    at = 0
    while at < len(data):
        time, length = struct.unpack_from("!IB", data, at)
        yield time, data[at + 5 : at + 5 + length]
        at += 5 + length


def machine(name: str, ssrc: int) -> MediaMachine:
    kind, codec = CAPTURES[name]
    media = MediaMachine(7)
    media.add_conference(1, 10, 11)
    for transport in (SENDER, RECEIVER):
        media.add_transport(transport, 1)
        media.set_payload_types(transport, [(kind, codec, 90000, None, True, True, False)])
        media.set_header_extensions(transport, [(DESCRIPTOR, URI)])
    media.set_sources(SENDER, [(SOURCE, "video", [(ssrc, None)])])
    return media


def extension(block: bytes, *, one_byte: bool) -> bytes:
    """The dependency descriptor in a block of header extensions (RFC 8285)."""
    at = 0
    while at < len(block):
        if block[at] == 0:
            at += 1
            continue
        if one_byte:
            number, length, at = block[at] >> 4, (block[at] & 0xF) + 1, at + 1
        else:
            number, length, at = block[at], block[at + 1], at + 2
        if number == DESCRIPTOR:
            return block[at : at + length]
        at += length
    return b""


def read(packet: bytes, dependencies: Dependencies) -> tuple[int, int, bool, Frame]:
    """Sequence number, timestamp, marker and frame of a packet that was sent."""
    _, kind, sequence, timestamp = struct.unpack_from("!BBHI", packet)
    start, descriptor = 12, b""
    if packet[0] & 0x10:
        profile, words = struct.unpack_from("!HH", packet, 12)
        start = 16 + 4 * words
        descriptor = extension(packet[16:start], one_byte=profile == 0xBEDE)
    payload = packet[start:]
    frame = read_vp9(payload) if packet[1] & 0x7F == 98 else dependencies.read(descriptor)
    return sequence, timestamp, kind & 0x80 != 0, frame


def replay(name: str, changes: dict[int, Limits]) -> tuple[Decoder, list[Frame], int]:
    """Play a capture to a receiver; `changes` are limits by the index of the packet.

    Gives the decoder, what it took, and how often a keyframe was asked for.
    """
    packets = list(capture(name))
    ssrc = int.from_bytes(packets[0][1][8:12], "big")
    media = machine(name, ssrc)
    decoder, dependencies = Decoder(), Dependencies()
    frames = []
    requests = 0
    for index, (at, packet) in enumerate(packets):
        now = (1000 + at) * MS
        if index in changes or index == 0:
            spatial, temporal = changes.get(index, ALL)
            media.set_route(now, RECEIVER, SOURCE, SLOT, None, 0, spatial, temporal)
        media.receive_rtp(now, SENDER, packet)
        for _, sent in media.take_rtp():
            sequence, timestamp, marker, frame = read(sent, dependencies)
            decoder.take(sequence, timestamp, marker, frame)
            frames.append(frame)
        requests += sum(compound[1] == 206 for _, compound in media.take_rtcp())
    return decoder, frames, requests


@pytest.mark.parametrize("name", CAPTURES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_whatever_layers_are_chosen_can_be_decoded(name: str, seed: int) -> None:
    chance = random.Random(seed)
    count = sum(1 for _ in capture(name))
    changes = {
        chance.randrange(count): (chance.choice((0, 1, 2, 7)), chance.choice((0, 1, 2, 7)))
        for _ in range(chance.randrange(12))
    }
    changes[0] = (chance.choice((0, 1, 2)), chance.choice((0, 1, 2)))
    decoder, frames, _ = replay(name, changes)
    assert decoder.pictures
    assert all(frame.active != 0 for frame in frames)


@pytest.mark.parametrize("name", CAPTURES)
@pytest.mark.parametrize("spatial", [0, 1, 2])
@pytest.mark.parametrize("temporal", [0, 1, 2])
def test_a_receiver_gets_the_layers_it_is_limited_to(
    name: str, spatial: int, temporal: int
) -> None:
    everything, _, _ = replay(name, {0: ALL})
    top = min(spatial, max(layer for layer, _ in everything.pictures))
    fastest = min(temporal, max(layer for _, layer in everything.pictures))
    decoder, frames, requests = replay(name, {0: (spatial, temporal)})
    assert {layer for layer, _ in decoder.pictures} == {top}
    assert max(layer for _, layer in decoder.pictures) == fastest
    assert max(frame.temporal for frame in frames) == fastest
    wanted = [one for one in everything.pictures if one[1] <= temporal]
    assert len(decoder.pictures) == len(wanted)
    assert requests == 1, "the first keyframe, which the capture begins with"


@pytest.mark.parametrize("name", CAPTURES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), loss=st.sampled_from([0.01, 0.1, 0.3]))
def test_under_loss_nothing_is_sent_that_needs_what_was_left_out(
    name: str, seed: int, loss: float
) -> None:
    """What was lost on the way may come again; what the engine left out will not."""
    chance = random.Random(seed)
    packets = list(capture(name))
    ssrc = int.from_bytes(packets[0][1][8:12], "big")
    media = machine(name, ssrc)
    theirs = Dependencies()
    came: set[tuple[int, int]] = set()
    forwarded: set[tuple[int, int]] = set()
    numbers: list[int] = []
    begun = False
    for index, (at, packet) in enumerate(packets):
        now = (1000 + at) * MS
        if index == 0 or chance.random() < 0.02:
            layers = (chance.choice((0, 1, 2, 7)), chance.choice((0, 1, 2, 7)))
            media.set_route(now, RECEIVER, SOURCE, SLOT, None, 0, *layers)
        padding = packet[0] & 0x20 != 0
        frame = None if padding else read(packet, theirs)[3]
        if begun and chance.random() < loss:
            continue
        media.receive_rtp(now, SENDER, packet)
        sent = [data for _, data in media.take_rtp()]
        numbers += [int.from_bytes(data[2:4], "big") for data in sent]
        if frame is None:
            assert sent == []
            continue
        came.add(frame.id)
        if sent:
            begun = True
            forwarded.add(frame.id)
            left_out = (frame.needs & came) - forwarded
            assert not left_out, "it needs a frame that the receiver was not given"
    first = numbers[0]
    distances = [(number - first) & 0xFFFF for number in numbers]
    assert distances == sorted(set(distances)), "a number steps back or comes twice"
