"""Headers of one endpoint's packets as a pcap file, made in memory.

What may be in it is decided in the packet engine (`native/src/tap.rs`), which cuts
payloads, audio levels and names before anything gets here.  Here records get the form that
Wireshark reads: each in an IPv4 and a UDP header with made-up addresses, since real ones
are nobody's business.
"""

from __future__ import annotations

import struct
from typing import Protocol

MEDIA_TYPE = "application/vnd.tcpdump.pcap"
MAX_PACKETS = 200_000
MAX_OCTETS = 16 << 20  # of one file

ENDPOINT, BRIDGE = bytes((127, 0, 0, 1)), bytes((127, 0, 0, 2))
RTP_PORT, RTCP_PORT = 5004, 5005  # RFC 3551, 8: analysers expect them

#: As in `native/src/tap.rs`: nanoseconds, octets carried, octets kept, flags.
_RECORD = struct.Struct("<QIHH")
_SENT, _RTCP = 1, 2

_MAGIC_NANOSECONDS = 0xA1B23C4D
_LINK_RAW_IP = 101  # LINKTYPE_RAW
_SNAPSHOT = 65_535
_PACKET = struct.Struct("<IIII")
_IP_AND_UDP = struct.Struct("!BBHHHBBH4s4sHHHH")
_DONT_FRAGMENT, _TIME_TO_LIVE, _UDP = 0x4000, 64, 17
_BILLION = 1_000_000_000


class Tap(Protocol):
    """What the packet engine notes of one transport."""

    def take(self) -> tuple[bytes, bool]: ...
    def close(self) -> None: ...


class Capture:
    """Makes a file of records, as much of them as a file may have."""

    def __init__(self, offset: float) -> None:
        """`offset` in seconds leads from the engine's clock to that of people."""
        self.is_full = False
        self._offset = round(offset * _BILLION)
        self._packets = 0
        self._octets = 0

    def begin(self) -> bytes:
        """The head of the file."""
        head = struct.pack(
            "<IHHiIII", _MAGIC_NANOSECONDS, 2, 4, 0, 0, _SNAPSHOT, _LINK_RAW_IP
        )
        self._octets += len(head)
        return head

    def add(self, records: bytes) -> bytes:
        """The part of the file for records that the engine has noted."""
        parts = []
        at = 0
        while at < len(records) and not self.is_full:
            time, carried, kept, flags = _RECORD.unpack_from(records, at)
            at += _RECORD.size
            packet = self._packet(time, carried, flags, records[at : at + kept])
            at += kept
            self.is_full = (
                self._packets == MAX_PACKETS or self._octets + len(packet) > MAX_OCTETS
            )
            if not self.is_full:
                parts.append(packet)
                self._packets += 1
                self._octets += len(packet)
        return b"".join(parts)

    def _packet(self, time: int, carried: int, flags: int, kept: bytes) -> bytes:
        port = RTCP_PORT if flags & _RTCP else RTP_PORT
        ends = (BRIDGE, ENDPOINT) if flags & _SENT else (ENDPOINT, BRIDGE)
        whole = _IP_AND_UDP.size + carried
        headers = _IP_AND_UDP.pack(
            0x45,
            0,
            whole,
            0,
            _DONT_FRAGMENT,
            _TIME_TO_LIVE,
            _UDP,
            0,  # checksums are left out
            *ends,
            port,
            port,
            8 + carried,
            0,
        )
        seconds, rest = divmod(time + self._offset, _BILLION)
        here = len(headers) + len(kept)
        return _PACKET.pack(seconds, rest, here, whole) + headers + kept
