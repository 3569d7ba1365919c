"""STUN messages as TURN uses them over a stream (RFC 8489, RFC 8656): read and written."""

from __future__ import annotations

import enum
import hashlib
import hmac
import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from xmppconf.errors import PeerError

COOKIE = 0x2112A442
HEADER = 20  # bytes
MAX_ATTRIBUTES = 32
INTEGRITY = 24  # bytes of a MESSAGE-INTEGRITY attribute

#: Host and port; an IPv4 address is never written as an IPv6 one.
Address = tuple[str, int]


class Method(enum.IntEnum):
    BINDING = 0x001
    ALLOCATE = 0x003
    REFRESH = 0x004
    SEND = 0x006
    DATA = 0x007
    CREATE_PERMISSION = 0x008
    CHANNEL_BIND = 0x009


class Kind(enum.IntEnum):
    """The class of a message (RFC 8489, 5), as its bits in the type."""

    REQUEST = 0x000
    INDICATION = 0x010
    SUCCESS = 0x100
    ERROR = 0x110


class Attribute(enum.IntEnum):
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    CHANNEL_NUMBER = 0x000C
    LIFETIME = 0x000D
    XOR_PEER_ADDRESS = 0x0012
    DATA = 0x0013
    REALM = 0x0014
    NONCE = 0x0015
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_ADDRESS_FAMILY = 0x0017
    REQUESTED_TRANSPORT = 0x0019
    XOR_MAPPED_ADDRESS = 0x0020


_KNOWN = frozenset(Attribute)
_FIRST_OPTIONAL = 0x8000  # attribute types from here on may be ignored


class MalformedMessage(PeerError):
    """The bytes are no STUN message."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `attributes` are in the order of the wire, up to the integrity."""

    method: int
    kind: Kind
    transaction: bytes
    """12 bytes that an answer repeats."""
    attributes: tuple[tuple[int, bytes], ...] = ()
    raw: bytes = field(default=b"", repr=False)
    """The whole message up to its MESSAGE-INTEGRITY, if it was read and has one."""

    def get(self, attribute: Attribute) -> bytes | None:
        """The first value of that type; the others do not count (RFC 8489, 14)."""
        return next((value for kind, value in self.attributes if kind == attribute), None)

    def text(self, attribute: Attribute) -> str:
        """Empty if it is not there or no UTF-8, which nothing that is looked for is."""
        return (self.get(attribute) or b"").decode(errors="ignore")

    def addresses(self) -> Iterator[Address]:
        """Every XOR-PEER-ADDRESS.  Raises `MalformedMessage`."""
        for kind, value in self.attributes:
            if kind == Attribute.XOR_PEER_ADDRESS:
                yield _read_address(value, self.transaction)

    def unknown(self) -> list[int]:
        """Types that must be understood, and are not."""
        return [k for k, _ in self.attributes if k < _FIRST_OPTIONAL and k not in _KNOWN]


def read(data: bytes) -> Message:
    """Read one whole message; raises `MalformedMessage`."""
    if len(data) < HEADER:
        raise MalformedMessage("message is shorter than its header")
    kind, length, cookie = struct.unpack_from("!HHI", data)
    if kind & 0xC000 or cookie != COOKIE or length % 4 or length != len(data) - HEADER:
        raise MalformedMessage("message has a wrong header")
    attributes: list[tuple[int, bytes]] = []
    signed = b""
    at = HEADER
    while at < len(data):
        name, size = struct.unpack_from("!HH", data, at)
        end = at + 4 + size
        if end > len(data) or len(attributes) == MAX_ATTRIBUTES:
            raise MalformedMessage("attribute is longer than the message, or one too many")
        attributes.append((name, data[at + 4 : end]))
        if name == Attribute.MESSAGE_INTEGRITY:
            # What follows it is not protected, and is ignored.
            signed = data[:at]
            break
        at = end + -size % 4
    method = kind & 0x000F | (kind & 0x00E0) >> 1 | (kind & 0x3E00) >> 2
    return Message(method, Kind(kind & 0x110), data[8:HEADER], tuple(attributes), signed)


def write(message: Message, key: bytes = b"") -> bytes:
    """The bytes of a message; with a key it is signed with MESSAGE-INTEGRITY."""
    body = b"".join(
        struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)
        for kind, value in message.attributes
    )
    number = message.method
    kind = (
        (number & 0x000F) | (number & 0x0070) << 1 | (number & 0x0F80) << 2 | message.kind
    )
    length = len(body) + (INTEGRITY if key else 0)
    data = struct.pack("!HHI", kind, length, COOKIE) + message.transaction + body
    if key:
        digest = _sign(key, data)
        data += struct.pack("!HH", Attribute.MESSAGE_INTEGRITY, len(digest)) + digest
    return data


def is_signed(message: Message, key: bytes) -> bool:
    """Whether a message that was read carries a MESSAGE-INTEGRITY made with this key."""
    if not message.raw:
        return False
    # The length that was signed ends with the integrity, whatever came after it.
    length = len(message.raw) - HEADER + INTEGRITY
    signed = message.raw[:2] + struct.pack("!H", length) + message.raw[4:]
    digest = message.get(Attribute.MESSAGE_INTEGRITY) or b""
    return hmac.compare_digest(digest, _sign(key, signed))


def long_term_key(username: str, realm: str, password: str) -> bytes:
    """The key of long-term credentials (RFC 8489, 9.2.2)."""
    text = f"{username}:{realm}:{password}".encode()
    # The protocol's choice: the password behind it is random, and short-lived.
    return hashlib.md5(text, usedforsecurity=False).digest()


def address_value(address: Address, transaction: bytes) -> bytes:
    """An address as the XOR-... attributes carry it (RFC 8489, 14.2)."""
    host, port = ipaddress.ip_address(address[0]), address[1]
    mask = struct.pack("!I", COOKIE) + transaction
    masked = bytes(a ^ b for a, b in zip(host.packed, mask, strict=False))
    family = 1 if host.version == 4 else 2
    return struct.pack("!BBH", 0, family, port ^ COOKIE >> 16) + masked


def error_value(code: int, reason: str) -> bytes:
    """An ERROR-CODE (RFC 8489, 14.8)."""
    return struct.pack("!HBB", 0, code // 100, code % 100) + reason.encode()


def _read_address(value: bytes, transaction: bytes) -> Address:
    sizes = {1: 4, 2: 16}
    if len(value) < 4 or sizes.get(value[1]) != len(value) - 4:
        raise MalformedMessage("address has a wrong length")
    mask = struct.pack("!I", COOKIE) + transaction
    host = ipaddress.ip_address(bytes(a ^ b for a, b in zip(value[4:], mask, strict=False)))
    if isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped is not None:
        host = host.ipv4_mapped
    return str(host), int.from_bytes(value[2:4]) ^ COOKIE >> 16


def _sign(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha1")
