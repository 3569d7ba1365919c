"""SCTP chunks into the data channel, on a fresh and on an open association (Z10).

An input is one octet (odd: open first), then chunk lists with a 16-bit length before each.
They go in packets with a right tag and checksum, as an authenticated peer could send them.
Numbers are not drawn but those of the corpus, so that its acknowledgements and data fit.
"""

from __future__ import annotations

from unittest import mock

from aiortc import rtcsctptransport
from aiortc.rtcsctptransport import CookieEchoChunk, InitAckChunk, parse_packet
from google_crc32c import value as crc32c
from xmppconf_bridge.io.sctp import MAX_MESSAGE, PORT, DataChannel

from tests.fuzz.dtls import datagrams
from tests.support.hand_loop import HandLoop

#: The bridge's tag and first TSN: the one that the corpus acknowledges.
OUR_NUMBER = 0x3939_25F3
#: INIT: tag, window, streams each way, and the first TSN, after which the corpus goes on.
HELLO = bytes.fromhex("01000014 00000001 00100000 ffff ffff f768c335")
#: DATA with the first TSN: DCEP's OPEN on stream 0, of a reliable channel without name.
OPENING = bytes.fromhex("0003001c f768c335 0000 0000 00000032 03000000 00000000 00000000")
COOKIE = 7  # a parameter of INIT ACK
#: Seconds after which whatever was to be sent again has been, once.
LATER = 4.0


def one_input(data: bytes) -> None:
    if not data:
        return
    loop = HandLoop()
    known = mock.patch.object(rtcsctptransport, "random32", _our_number)
    with loop.in_use(), known:
        _feed(loop, data)
        assert not loop.faults, loop.faults
        assert not loop.unfinished


def _our_number() -> int:
    return OUR_NUMBER


def _feed(loop: HandLoop, data: bytes) -> None:
    sent: list[bytes] = []
    messages: list[str] = []
    ends: list[None] = []
    bridge = DataChannel(
        sent.append, lambda: None, messages.append, lambda: ends.append(None)
    )
    loop.drain()
    if data[0] % 2:
        _open(loop, bridge, sent)
    for chunks in datagrams(data[1:]):
        ended = bool(ends)
        _deliver(loop, bridge, chunks)
        if ended:
            break  # all that comes later is dropped unread as well
    loop.advance(LATER)
    assert all(len(message) <= MAX_MESSAGE for message in messages)
    assert len(ends) <= 1
    bridge.close()
    loop.drain()


def _open(loop: HandLoop, bridge: DataChannel, sent: list[bytes]) -> None:
    """What a peer says until its channel is open (RFC 9260, 5.1; RFC 8832, 5.1)."""
    _deliver(loop, bridge, HELLO)
    [answer] = parse_packet(sent[-1])[3]
    assert isinstance(answer, InitAckChunk)
    _deliver(loop, bridge, bytes(CookieEchoChunk(body=dict(answer.params)[COOKIE])))
    _deliver(loop, bridge, OPENING)
    assert bridge.is_open


def _deliver(loop: HandLoop, bridge: DataChannel, chunks: bytes) -> None:
    # The first chunk of an association, INIT, goes without tag (RFC 9260, 8.5.1).
    tag = 0 if chunks[:1] == b"\x01" else OUR_NUMBER
    head = PORT.to_bytes(2) + PORT.to_bytes(2) + tag.to_bytes(4)
    checksum: int = crc32c(head + bytes(4) + chunks)
    bridge.receive(head + checksum.to_bytes(4, "little") + chunks)
    loop.drain()
