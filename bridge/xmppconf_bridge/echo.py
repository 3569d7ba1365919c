"""Asks the bridge's own UDP port as a client's ICE agent would (RFC 8489, RFC 8445).

An answer proves that the socket is open, the worker alive, and commands reach it.
"""

from __future__ import annotations

import hmac
import struct
import zlib

_COOKIE = 0x2112A442
_REQUEST, _SUCCESS = 0x0001, 0x0101
_USERNAME, _INTEGRITY, _PRIORITY = 0x0006, 0x0008, 0x0024
_FINGERPRINT, _CONTROLLING = 0x8028, 0x802A
_FINGERPRINT_XOR = 0x5354554E
_HEADER = 20  # bytes
_DIGEST = 20

TRANSACTION_LENGTH = 12  # bytes


def request(transaction: bytes, ufrag: str, password: str) -> bytes:
    """A connectivity check for the agent of that user fragment and password."""
    body = (
        _attribute(_USERNAME, f"{ufrag}:health".encode())
        + _attribute(_PRIORITY, struct.pack("!I", 1))
        + _attribute(_CONTROLLING, bytes(8))
    )
    message = _header(_REQUEST, len(body) + 4 + _DIGEST, transaction) + body
    body += _attribute(_INTEGRITY, _digest(message, password))
    message = _header(_REQUEST, len(body) + 8, transaction) + body
    checksum = zlib.crc32(message) ^ _FINGERPRINT_XOR
    return message + _attribute(_FINGERPRINT, struct.pack("!I", checksum))


def is_answer(data: bytes, transaction: bytes, password: str) -> bool:
    """Whether `data` is the success response to `request`, and authentic."""
    if len(data) < _HEADER or data[:2] != struct.pack("!H", _SUCCESS):
        return False
    if data[8:_HEADER] != transaction:
        return False
    at = _HEADER
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("!HH", data, at)
        if kind == _INTEGRITY:
            signed = _header(_SUCCESS, at + 4 + _DIGEST - _HEADER, transaction)
            expected = _digest(signed + data[_HEADER:at], password)
            return hmac.compare_digest(data[at + 4 : at + 4 + _DIGEST], expected)
        at += 4 + length + -length % 4
    return False


def _header(kind: int, length: int, transaction: bytes) -> bytes:
    return struct.pack("!HHI", kind, length, _COOKIE) + transaction


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _digest(message: bytes, password: str) -> bytes:
    return hmac.digest(password.encode(), message, "sha1")
