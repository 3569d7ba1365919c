"""Which layers a source has: from the SSRC groups that a focus signals, and from what comes
under these SSRCs.

RIDs (RFC 8851) say nothing here: clients of this family signal every SSRC with its group,
and the bridge must not take another stream for one because its packets claim a RID.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from xml.etree.ElementTree import fromstring

import pytest
from xmppconf_bridge._native import MediaMachine
from xmppconf_bridge.engine_events import LayersMeasured, read_event
from xmppconf_bridge.layers import ALL, SourceLayers
from xmppconf_bridge.media import MAX_ENCODINGS, Encodings, encodings_of

from tests.support.bandwidth_loop import FRAME, VP8, Sender, nanoseconds
from xmppconf.errors import PeerError
from xmppconf.media import ExtensionUri
from xmppconf.xmpp.colibri2 import modify_from_xml

SSMA = "urn:xmpp:jingle:apps:rtp:ssma:0"


# -- from what is signalled ---------------------------------------------------------------
def signalled(sources: str, *groups: str) -> Encodings:
    """`sources` are SSRCs with further attributes, `groups` semantics with SSRCs."""
    each = ""
    for source in sources.split(", "):
        ssrc, _, attributes = source.partition(" ")
        each += f"<source xmlns='{SSMA}' ssrc='{ssrc}' {attributes}/>"
    for group in groups:
        semantics, *ssrcs = group.split()
        members = "".join(f"<source ssrc='{one}'/>" for one in ssrcs)
        each += f"<ssrc-group xmlns='{SSMA}' semantics='{semantics}'>{members}</ssrc-group>"
    return read(each)


def read(inner: str) -> Encodings:
    request = modify_from_xml(
        fromstring(
            "<conference-modify xmlns='jitsi:colibri2' meeting-id='m'><endpoint id='a'>"
            f"<sources><media-source type='video' id='a-v0'>{inner}</media-source>"
            "</sources></endpoint></conference-modify>"
        )
    )
    [source] = request.endpoints[0].sources or ()
    return encodings_of(source)


THREE = ((1, 11), (2, 12), (3, 13))
REPAIRS = ("FID 1 11", "FID 2 12", "FID 3 13")
TABLE: dict[str, tuple[str, tuple[str, ...], Encodings]] = {
    "one stream": ("1", (), ((1, None),)),
    "with retransmissions": ("1, 11", ("FID 1 11",), ((1, 11),)),
    "the other way round": ("11, 1", ("FID 1 11",), ((1, 11),)),
    "three": ("1, 2, 3", ("SIM 1 2 3",), ((1, None), (2, None), (3, None))),
    "three, repaired": ("1, 2, 3, 11, 12, 13", ("SIM 1 2 3", *REPAIRS), THREE),
    "repairs first": ("1, 2, 3, 11, 12, 13", (*REPAIRS, "SIM 1 2 3"), THREE),
    # The order is that of the group: it says which is the lowest.
    "sources in another order": ("3, 13, 1, 11, 2, 12", ("SIM 1 2 3", *REPAIRS), THREE),
    "some are repaired": (
        "1, 2, 3, 12",
        ("SIM 1 2 3", "FID 2 12"),
        ((1, None), (2, 12), (3, None)),
    ),
    "two groups": ("1, 2, 3", ("SIM 1 2", "SIM 3"), ((1, None), (2, None))),
    "the same one twice": ("1, 2", ("SIM 1 1 2",), ((1, None), (2, None))),
    "not all are announced": ("1, 3", ("SIM 1 2 3",), ((1, None), (3, None))),
    "none is announced": ("4", ("SIM 1 2 3",), ((4, None),)),
    # Without a group nobody knows which is which.
    "two without a group": ("1, 2", (), ((1, None),)),
    "forward error correction": ("1, 21", ("FEC-FR 1 21",), ((1, None),)),
    "all of it": (
        "1, 11, 21",
        ("FID 1 11", "FEC-FR 1 21"),
        ((1, 11),),
    ),
    "too many": (
        "1, 2, 3, 4, 5",
        ("SIM 1 2 3 4 5",),
        tuple((one, None) for one in range(1, MAX_ENCODINGS + 1)),
    ),
    "a group of three repairs": ("1, 2, 3", ("FID 1 2 3",), ((1, None),)),
    "RIDs besides": (
        "1 rid='h', 2 rid='m', 3 rid='l', 11, 12, 13",
        ("SIM 1 2 3", *REPAIRS),
        THREE,
    ),
    "RIDs instead": ("1 rid='l', 2 rid='h'", (), ((1, None),)),
}


@pytest.mark.parametrize("name", TABLE)
def test_encodings_are_those_of_the_groups(name: str) -> None:
    sources, groups, expected = TABLE[name]
    assert signalled(sources, *groups) == expected


def test_who_has_a_rid_and_no_ssrc_is_no_source() -> None:
    with pytest.raises(PeerError):
        read(f"<source xmlns='{SSMA}' rid='h' name='a-v0'/>")


def test_groups_of_rids_are_none() -> None:
    source = f"<source xmlns='{SSMA}' ssrc='1'/><source xmlns='{SSMA}' ssrc='2'/>"
    group = f"<rid-group xmlns='{SSMA}' semantics='SIM'><source rid='h'/></rid-group>"
    assert read(source + group) == ((1, None),)


# -- from what comes ----------------------------------------------------------------------
SENDER, RECEIVER, SOURCE, SLOT = 1, 2, 7, 4001
VP9 = 101
RID, MID = 4, 10
EXTENSIONS: list[tuple[int, str]] = [(RID, ExtensionUri.RID), (MID, ExtensionUri.MID)]
FIRST = 600
SECONDS = 3.0


class Wire:
    """The engine's media path with one source of three encodings, and one receiver."""

    def __init__(self) -> None:
        self.machine = MediaMachine(1)
        self.machine.add_conference(5, 90, 91)
        for transport in (SENDER, RECEIVER):
            self.machine.add_transport(transport, 5)
            codecs = [(VP8, "vp8"), (VP9, "vp9")]
            self.machine.set_payload_types(
                transport,
                [(kind, name, 90_000, None, True, True, False) for kind, name in codecs],
            )
            self.machine.set_header_extensions(transport, EXTENSIONS)
        encodings = list(signalled("600, 601, 602", "SIM 600 601 602"))
        self.machine.set_sources(SENDER, [(SOURCE, "video", encodings)])
        self.layers = SourceLayers(len(encodings))
        self.sent: list[bytes] = []
        # Two encodings at most: what comes of the third is seen, but not sent.
        now = nanoseconds(10.0)
        self.machine.set_route(now, RECEIVER, SOURCE, SLOT, None, 1, ALL, ALL)

    def receive(self, at: float, packet: bytes) -> None:
        self.machine.receive_rtp(nanoseconds(at), SENDER, packet)
        self.machine.timeout(nanoseconds(at))
        for one in map(read_event, self.machine.take_events()):
            if isinstance(one, LayersMeasured):
                assert one.source == SOURCE
                self.layers.measured(one.layers)
        self.sent += [packet for _, packet in self.machine.take_rtp()]

    @property
    def table(self) -> list[tuple[int, int, int, int, int]]:
        """Encoding, spatial, temporal, height, and frames a second."""
        return [
            (*layer[:4], round(layer.frame_rate / 7.5)) for layer in self.layers.layers()
        ]


def film_vp8(sender: Sender) -> Iterator[tuple[float, bytes]]:
    for frame in range(round(SECONDS / FRAME)):
        now = 10.0 + frame * FRAME
        for packet in sender.packets(now):
            yield now, packet


def film_vp9() -> Iterator[tuple[float, bytes]]:
    """Three encodings of one spatial layer each, whose number is 0 in all of them."""
    for frame in range(round(SECONDS / FRAME)):
        now, temporal = 10.0 + frame * FRAME, (0, 2, 1, 2)[frame % 4]
        for encoding in range(3):
            key = frame == 0
            flags = 0x80 | (0 if key else 0x40) | 0x20 | 0x08 | 0x04 | (0x02 if key else 0)
            descriptor = struct.pack(
                "!BHBB", flags, 0x8000 | frame, temporal << 5, frame // 4
            )
            if key:
                descriptor += struct.pack("!BHH", 0x10, 320 << encoding, 180 << encoding)
            head = struct.pack(
                "!BBHII",
                0x80,
                VP9 | 0x80,
                frame,
                round(now * 90_000) & 0xFFFFFFFF,
                FIRST + encoding,
            )
            yield now, head + (descriptor + b"\x82").ljust(400 << encoding, b"\x55")


def marked(packet: bytes, rid: bytes, mid: bytes = b"0") -> bytes:
    """With a RID and a MID in header extensions (RFC 8285)."""
    block = (
        bytes([RID << 4 | (len(rid) - 1)]) + rid + bytes([MID << 4 | (len(mid) - 1)]) + mid
    )
    block += bytes(-len(block) % 4)
    start = bytes([packet[0] | 0x10]) + packet[1:12]
    return start + struct.pack("!HH", 0xBEDE, len(block) // 4) + block + packet[12:]


def expected_table() -> list[tuple[int, int, int, int, int]]:
    """Temporal layers have a quarter, a half and all of the frames."""
    return [
        (encoding, ALL, ALL if temporal == 2 else temporal, 180 << encoding, 1 << temporal)
        for encoding in range(3)
        for temporal in range(3)
    ]


def test_encodings_of_vp8_and_their_temporal_layers_make_the_table() -> None:
    wire = Wire()
    for at, packet in film_vp8(Sender("s", (150_000, 500_000, 1_500_000), FIRST)):
        wire.receive(at, packet)
    assert wire.table == expected_table()
    rates = [layer.bitrate for layer in wire.layers.layers() if layer.temporal == ALL]
    assert rates == sorted(rates)
    assert [round(rate / 100_000) for rate in rates] == pytest.approx([2, 5, 15], abs=1)


def test_so_do_those_of_vp9_although_all_are_of_spatial_layer_0() -> None:
    wire = Wire()
    for at, packet in film_vp9():
        wire.receive(at, packet)
    assert wire.table == expected_table()


def test_rids_change_nothing_and_go_no_further() -> None:
    """Not even those that contradict the groups."""
    plain, with_rids = Wire(), Wire()
    for at, packet in film_vp8(Sender("s", (150_000, 500_000, 1_500_000), FIRST)):
        rid = b"hml"[packet[11] - FIRST % 256 :][:1]
        plain.receive(at, packet)
        with_rids.receive(at, marked(packet, rid))
    assert with_rids.table == plain.table == expected_table()
    assert plain.sent
    assert with_rids.sent == plain.sent


def test_a_stream_that_is_not_signalled_has_no_layers_whatever_its_rid() -> None:
    wire = Wire()
    for at, packet in film_vp8(Sender("s", (150_000, 500_000, 1_500_000), FIRST + 100)):
        wire.receive(at, marked(packet, b"h"))
    assert wire.sent == []
    assert [layer.bitrate > 0 for layer in wire.layers.layers()] == [True] * 3
    assert all(layer.frame_rate == 0 for layer in wire.layers.layers()), "merely assumed"
    assert wire.machine.stats()["dropped_unknown_ssrc"] > 0
