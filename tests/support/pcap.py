"""Reads what the bridge shows of packets, by the format's description and RFCs alone."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Datagram:
    """One of a file; `length` is of the UDP payload as it was, `data` what is left."""

    at: float
    source: str
    destination: str
    port: int
    length: int
    data: bytes


def read(file: bytes) -> list[Datagram]:
    """draft-ietf-opsawg-pcap, nanoseconds, raw IP; asserts what it says of itself."""
    magic, major, minor, _, _, snapshot, link = struct.unpack_from("<IHHiIII", file)
    assert (magic, major, minor, link) == (0xA1B23C4D, 2, 4, 101)
    found = []
    at = 24
    while at < len(file):
        seconds, rest, here, whole = struct.unpack_from("<IIII", file, at)
        assert rest < 10**9
        assert here <= min(whole, snapshot)
        packet = file[at + 16 : at + 16 + here]
        assert len(packet) == here
        at += 16 + here
        assert packet[0] == 0x45
        assert packet[9] == 17
        total, udp = int.from_bytes(packet[2:4]), int.from_bytes(packet[24:26])
        assert total == whole == udp + 20
        assert packet[20:22] == packet[22:24]
        found.append(
            Datagram(
                seconds + rest / 1e9,
                str(ipaddress.IPv4Address(packet[12:16])),
                str(ipaddress.IPv4Address(packet[16:20])),
                int.from_bytes(packet[20:22]),
                udp - 8,
                packet[28:],
            )
        )
    return found


def rtp_header(packet: bytes) -> int:
    """How long the header of an RTP packet is (RFC 3550, 5.1 and 5.3.1)."""
    assert packet[0] >> 6 == 2
    length = 12 + 4 * (packet[0] & 15)
    if packet[0] & 16:
        length += 4 + 4 * int.from_bytes(packet[length + 2 : length + 4])
    return length


def rtcp_kinds(compound: bytes) -> list[int]:
    """The packet types of a compound, which must be whole (RFC 3550, 6.4)."""
    kinds = []
    while compound:
        assert compound[0] >> 6 == 2
        kinds.append(compound[1])
        length = 4 + 4 * int.from_bytes(compound[2:4])
        assert length <= len(compound)
        compound = compound[length:]
    return kinds
