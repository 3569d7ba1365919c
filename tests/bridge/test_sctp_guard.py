from __future__ import annotations

import pytest
from xmppconf_bridge.sctp_guard import MAX_GAP_SPAN, may_parse

HEADER = bytes(12)


def chunk(kind: int, body: bytes) -> bytes:
    length = 4 + len(body)
    return bytes([kind, 0]) + length.to_bytes(2) + body + bytes(-length % 4)


def sack(*gaps: tuple[int, int]) -> bytes:
    blocks = b"".join(first.to_bytes(2) + last.to_bytes(2) for first, last in gaps)
    return chunk(3, bytes(8) + len(gaps).to_bytes(2) + bytes(2) + blocks)


@pytest.mark.parametrize("kind", [4, 5, 6, 9, 130])
def test_a_parameter_without_length_is_stopped(kind: int) -> None:
    assert not may_parse(HEADER + chunk(kind, b"\0\1\0\0"))
    assert not may_parse(HEADER + chunk(kind, b"\0\1\0\5x\0\0\0" + b"\0\1\0\3"))
    assert may_parse(HEADER + chunk(kind, b"\0\1\0\5x\0\0\0" + b"\0\1\0\4"))


@pytest.mark.parametrize("kind", [1, 2])
def test_so_it_is_in_an_init(kind: int) -> None:
    assert not may_parse(HEADER + chunk(kind, bytes(20)))
    assert may_parse(HEADER + chunk(kind, bytes(16)))


def test_it_is_found_in_a_later_chunk() -> None:
    assert not may_parse(HEADER + chunk(11, b"") + chunk(4, b"\0\1\0\0"))


def test_acknowledgements_may_not_span_too_much() -> None:
    assert may_parse(HEADER + sack((2, 3), (5, 5)))
    assert may_parse(HEADER + sack((1, MAX_GAP_SPAN)))
    assert not may_parse(HEADER + sack((1, MAX_GAP_SPAN), (1, 1)))
    assert not may_parse(HEADER + sack(*[(0, 65535)] * 200))


def test_chunks_must_fit_the_packet() -> None:
    assert not may_parse(HEADER + b"\0\0\0\3")
    assert not may_parse(HEADER + b"\0\0\0\5")
    assert may_parse(HEADER)
    assert may_parse(b"")
