"""Which SCTP packets may reach aiortc's association at all.

Its parser trusts two lengths that a peer chooses: a parameter of length zero is read for
ever, and the gaps of one acknowledgement are counted out one by one, up to millions.
Everything else that it stumbles over ends in an exception, which is contained.
"""

from __future__ import annotations

HEADER = 12  # bytes (RFC 9260, 3.1)
#: Packets that the gaps of one acknowledgement may span; a window holds far fewer.
MAX_GAP_SPAN = 8192

_SACK = 3
#: Bytes before the parameters, by chunk type (RFC 9260, 3.3; RFC 6525, 3.1).
_PARAMETERS_AT = {1: 16, 2: 16, 4: 0, 5: 0, 6: 0, 9: 0, 130: 0}


def may_parse(packet: bytes) -> bool:
    """Whether reading a packet ends, and soon."""
    at = HEADER
    while at + 4 <= len(packet):
        length = int.from_bytes(packet[at + 2 : at + 4])
        if length < 4 or at + length > len(packet):
            return False
        body = packet[at + 4 : at + length]
        kind = packet[at]
        if kind == _SACK and _gap_span(body) > MAX_GAP_SPAN:
            return False
        if kind in _PARAMETERS_AT and not _parameters_end(body[_PARAMETERS_AT[kind] :]):
            return False
        at += length + -length % 4
    return True


def _parameters_end(body: bytes) -> bool:
    at = 0
    while at + 4 <= len(body):
        length = int.from_bytes(body[at + 2 : at + 4])
        if length < 4:
            return False
        at += length + -length % 4
    return True


def _gap_span(body: bytes) -> int:
    count = int.from_bytes(body[8:10])
    span = 0
    for at in range(12, min(12 + 4 * count, len(body) - 3), 4):
        first, last = (
            int.from_bytes(body[at : at + 2]),
            int.from_bytes(body[at + 2 : at + 4]),
        )
        span += max(0, last - first + 1)
    return span
