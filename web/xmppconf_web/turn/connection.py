"""One client of the relay on its stream: at most one allocation (RFC 8656).

The stream carries STUN messages and channel data; each tells its length.  Nothing but a
bridge can be reached, so what a stranger could do with an allocation is to send packets
to a port that is open to everybody.
"""

from __future__ import annotations

import enum
import struct
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, assert_never

from xmppconf_web.fairness import Bucket
from xmppconf_web.turn import messages
from xmppconf_web.turn.messages import (
    Address,
    Attribute,
    Kind,
    MalformedMessage,
    Message,
    Method,
    address_value,
    error_value,
)
from xmppconf_web.turn.peers import Bridges

MAX_PAYLOAD = 2048  # bytes of one datagram; none that media needs is as large
MAX_MESSAGE = MAX_PAYLOAD + 256  # bytes
MAX_REFUSALS = 8  # until a connection that keeps asking wrongly is closed
REQUESTS_PER_SECOND = 10.0  # in the long run; a client asks a dozen times at its beginning
REQUESTS_AT_ONCE = 100.0
MAX_PEERS = 16  # hosts, addresses and channels of one allocation
SIGN_IN_TIMEOUT = 10.0  # seconds until there must be an allocation
LIFETIME = 600  # seconds an allocation lives without a refresh, if the client names none
MAX_LIFETIME = 3600
PERMISSION_LIFETIME = 300.0
CHANNEL_LIFETIME = 600.0
BYTES_PER_SECOND = 1_500_000  # through one allocation, both ways together

_UDP = 17
_FAMILIES: dict[int, Literal[4, 6]] = {1: 4, 2: 6}
_CHANNELS = range(0x4000, 0x8000)

#: What RFC 8489 and RFC 8656 call the errors.
_REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    420: "Unknown Attribute",
    437: "Allocation Mismatch",
    438: "Stale Nonce",
    440: "Address Family not Supported",
    441: "Wrong Credentials",
    442: "Unsupported Transport Protocol",
    443: "Peer Address Family Mismatch",
    508: "Insufficient Capacity",
}


class _State(enum.Enum):
    NEW = "new"
    OPENING = "opening"  # the relay's socket is awaited
    ALLOCATED = "allocated"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Write:
    """Send bytes to the client."""

    data: bytes
    media: bool = False
    """May be left out if the client reads too slowly."""


@dataclass(frozen=True, slots=True)
class OpenRelay:
    """Open the socket of the allocation; answer with `relay_opened`."""

    version: Literal[4, 6]


@dataclass(frozen=True, slots=True)
class Forward:
    """Send a datagram from the relay's socket."""

    address: Address
    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection and its allocation."""


Effect = Write | OpenRelay | Forward | Close


@dataclass(frozen=True, slots=True)
class Rules:
    """What is the same for all clients."""

    realm: str
    password_of: Callable[[str], str | None]
    """The password of a user name; None if that is none of ours, or does not hold now."""
    bridges: Bridges


@dataclass(frozen=True, slots=True)
class _Channel:
    peer: Address
    until: float


class _Refused(Exception):
    def __init__(self, code: int, *attributes: tuple[int, bytes]) -> None:
        super().__init__(code)
        self.code = code
        self.attributes = attributes


class TurnConnection:
    """`client` is the stream's other end; `nonce` is random and its own."""

    def __init__(self, rules: Rules, client: Address, nonce: str, now: float) -> None:
        self._rules = rules
        self._client = client
        self._nonce = nonce
        self._state = _State.NEW
        self._ends = now + SIGN_IN_TIMEOUT
        self._effects: deque[Effect] = deque()
        self._buffer = bytearray()
        self._refusals = 0
        self._username = ""
        self._key = b""
        self._version: Literal[4, 6] = 4
        self._lifetime = LIFETIME
        self._opening: Message | None = None
        self._hosts: dict[str, float] = {}
        """Hosts with a permission, and until when."""
        self._targets: dict[Address, Address] = {}
        """The client's name for a bridge's address to where it is sent."""
        self._peers: dict[Address, Address] = {}
        """The way back."""
        self._channels: dict[int, _Channel] = {}
        self._numbers: dict[Address, int] = {}
        self._bucket = Bucket(BYTES_PER_SECOND, BYTES_PER_SECOND)
        self._requests = Bucket(REQUESTS_PER_SECOND, REQUESTS_AT_ONCE)

    # -- inputs -----------------------------------------------------------------------
    def receive(self, data: bytes, now: float) -> None:
        """Bytes of the stream, in whatever pieces."""
        self._buffer += data
        while self._state is not _State.CLOSED and len(self._buffer) >= 4:
            first, length = struct.unpack_from("!HH", self._buffer)
            is_channel = first in _CHANNELS
            size = 4 + length if is_channel else messages.HEADER + length
            if size > MAX_MESSAGE or (first >= 0x4000 and not is_channel):
                self._close()
                return
            padded = size + -size % 4
            if len(self._buffer) < padded:
                return
            piece = bytes(self._buffer[:size])
            del self._buffer[:padded]
            if is_channel:
                self._channel_data(first, piece[4:], now)
            else:
                self._message(piece, now)

    def relay_opened(self, address: Address | None, now: float) -> None:
        """The socket that `OpenRelay` asked for is there; None: it cannot be had."""
        asked, self._opening = self._opening, None
        if self._state is not _State.OPENING or asked is None:
            return
        if address is None:
            self._state = _State.NEW
            self._refuse(asked, _Refused(508), self._key)
            return
        self._state = _State.ALLOCATED
        self._ends = now + self._lifetime
        self._succeed(
            asked,
            (Attribute.XOR_RELAYED_ADDRESS, address_value(address, asked.transaction)),
            (Attribute.LIFETIME, struct.pack("!I", self._lifetime)),
            (Attribute.XOR_MAPPED_ADDRESS, address_value(self._client, asked.transaction)),
        )

    def datagram(self, source: Address, data: bytes, now: float) -> None:
        """A datagram reached the relay's socket."""
        peer = self._peers.get(source)
        if peer is None or self._hosts.get(peer[0], 0.0) <= now or len(data) > MAX_PAYLOAD:
            return
        if not self._bucket.take(now, len(data)):
            return
        number = self._numbers.get(peer)
        if number is not None and self._channels[number].until > now:
            header = struct.pack("!HH", number, len(data))
            self._effects.append(Write(header + data + bytes(-len(data) % 4), media=True))
            return
        transaction = bytes(12)
        indication = Message(
            *(Method.DATA, Kind.INDICATION, transaction),
            (
                (Attribute.XOR_PEER_ADDRESS, address_value(peer, transaction)),
                (Attribute.DATA, data),
            ),
        )
        self._effects.append(Write(messages.write(indication), media=True))

    def next_timeout(self) -> float | None:
        """When `timeout` is due."""
        return None if self._state is _State.CLOSED else self._ends

    def timeout(self, now: float) -> None:
        """An allocation that was not refreshed is over, as is who never got one."""
        if self._state is not _State.CLOSED and now >= self._ends:
            self._close()

    def effects(self) -> Iterator[Effect]:
        """Take what has to be done."""
        while self._effects:
            yield self._effects.popleft()

    # -- from the client --------------------------------------------------------------
    def _channel_data(self, number: int, data: bytes, now: float) -> None:
        channel = self._channels.get(number)
        if channel is not None and channel.until > now:
            self._forward(channel.peer, data, now)

    def _forward(self, peer: Address, data: bytes, now: float) -> None:
        target = self._targets.get(peer)
        if target is None or self._hosts.get(peer[0], 0.0) <= now:
            return
        if len(data) <= MAX_PAYLOAD and self._bucket.take(now, len(data)):
            self._effects.append(Forward(target, data))

    def _message(self, data: bytes, now: float) -> None:
        try:
            message = messages.read(data)
        except MalformedMessage:
            self._close()  # on a stream, nothing after it can be trusted to begin right
            return
        match message.kind:
            case Kind.REQUEST if self._requests.take(now):
                self._request(message, now)
            case Kind.REQUEST:
                self._close()  # each is answered, and nobody needs so many
            case Kind.INDICATION:
                if message.method == Method.SEND and self._state is _State.ALLOCATED:
                    self._send(message, now)
            case Kind.SUCCESS | Kind.ERROR:
                pass
            case _:
                assert_never(message.kind)

    def _send(self, message: Message, now: float) -> None:
        payload = message.get(Attribute.DATA)
        try:
            peer = next(message.addresses(), None)
        except MalformedMessage:
            return
        if payload is None or peer is None or self._hosts.get(peer[0], 0.0) <= now:
            return
        if self._know(peer):
            self._forward(peer, payload, now)

    def _request(self, message: Message, now: float) -> None:
        if message.method == Method.BINDING:
            mapped = address_value(self._client, message.transaction)
            answer = Message(
                *(Method.BINDING, Kind.SUCCESS, message.transaction),
                ((Attribute.XOR_MAPPED_ADDRESS, mapped),),
            )
            self._effects.append(Write(messages.write(answer)))
            return
        try:
            self._authenticate(message)
        except _Refused as refused:
            self._refuse(message, refused)
            return
        try:
            self._authenticated(message, now)
        except _Refused as refused:
            self._refuse(message, refused, self._key)
        except MalformedMessage:
            self._refuse(message, _Refused(400), self._key)

    def _authenticated(self, message: Message, now: float) -> None:
        if unknown := message.unknown():
            types = struct.pack(f"!{len(unknown)}H", *unknown)
            raise _Refused(420, (Attribute.UNKNOWN_ATTRIBUTES, types))
        if message.method == Method.ALLOCATE:
            self._allocate(message)
        elif message.method not in (
            *(Method.REFRESH, Method.CREATE_PERMISSION, Method.CHANNEL_BIND),
        ):
            raise _Refused(400)
        elif self._state is not _State.ALLOCATED:
            raise _Refused(437)
        elif message.method == Method.REFRESH:
            self._refresh(message, now)
        elif message.method == Method.CREATE_PERMISSION:
            self._permit(message, now)
        else:
            self._bind(message, now)

    def _authenticate(self, message: Message) -> None:
        """Long-term credentials (RFC 8489, 9.2.4); raises `_Refused`."""
        challenge = (
            (Attribute.REALM, self._rules.realm.encode()),
            (Attribute.NONCE, self._nonce.encode()),
        )
        if not message.raw:
            raise _Refused(401, *challenge)
        username = message.text(Attribute.USERNAME)
        if not username or message.get(Attribute.REALM) is None:
            raise _Refused(400)
        if message.text(Attribute.NONCE) != self._nonce:
            raise _Refused(438, *challenge)
        if self._state is _State.NEW:
            password = self._rules.password_of(username)
            if password is None:
                raise _Refused(401, *challenge)
            key = messages.long_term_key(username, self._rules.realm, password)
        elif username != self._username:
            raise _Refused(441)
        else:
            # A call may take longer than its credentials last.
            key = self._key
        if not messages.is_signed(message, key):
            raise _Refused(401, *challenge)
        self._username, self._key = username, key

    def _allocate(self, message: Message) -> None:
        if self._state is not _State.NEW:
            raise _Refused(437)
        transport = message.get(Attribute.REQUESTED_TRANSPORT)
        if not transport:
            raise _Refused(400)
        if transport[0] != _UDP:
            raise _Refused(442)
        family = message.get(Attribute.REQUESTED_ADDRESS_FAMILY)
        version = _FAMILIES.get(family[0] if family else 1)
        if version is None:
            raise _Refused(440)
        self._version = version
        self._lifetime = max(LIFETIME, _lifetime(message))
        self._state = _State.OPENING
        self._opening = message
        self._effects.append(OpenRelay(version))

    def _refresh(self, message: Message, now: float) -> None:
        lifetime = _lifetime(message)
        self._ends = now + lifetime
        self._succeed(message, (Attribute.LIFETIME, struct.pack("!I", lifetime)))
        if not lifetime:
            self._close()

    def _permit(self, message: Message, now: float) -> None:
        peers = list(message.addresses())
        if not peers:
            raise _Refused(400)
        for peer in peers:
            self._check_host(peer[0], now)
        for peer in peers:
            self._hosts[peer[0]] = now + PERMISSION_LIFETIME
        self._succeed(message)

    def _check_host(self, host: str, now: float) -> None:
        if (":" in host) != (self._version == 6):
            raise _Refused(443)
        if not self._rules.bridges.permits(host):
            raise _Refused(403)
        self._hosts = {h: until for h, until in self._hosts.items() if until > now}
        if host not in self._hosts and len(self._hosts) >= MAX_PEERS:
            raise _Refused(508)

    def _bind(self, message: Message, now: float) -> None:
        number = int.from_bytes((message.get(Attribute.CHANNEL_NUMBER) or b"")[:2])
        peer = next(message.addresses(), None)
        if peer is None or number not in _CHANNELS:
            raise _Refused(400)
        self._check_host(peer[0], now)
        if not self._know(peer):
            raise _Refused(403)
        channel = self._channels.get(number)
        if (channel is not None and channel.peer != peer) or self._numbers.get(
            peer, number
        ) != number:
            raise _Refused(400)
        self._channels[number] = _Channel(peer, now + CHANNEL_LIFETIME)
        self._numbers[peer] = number
        self._hosts[peer[0]] = now + PERMISSION_LIFETIME
        self._succeed(message)

    def _know(self, peer: Address) -> bool:
        """Whether a bridge is reached under this address; then both ways are noted."""
        if peer in self._targets:
            return True
        target = self._rules.bridges.reach(peer)
        if target is None or len(self._targets) >= MAX_PEERS:
            return False
        self._targets[peer] = target
        self._peers[target] = peer
        return True

    # -- to the client ------------------------------------------------------------------
    def _succeed(self, asked: Message, *attributes: tuple[int, bytes]) -> None:
        answer = Message(asked.method, Kind.SUCCESS, asked.transaction, attributes)
        self._effects.append(Write(messages.write(answer, self._key)))

    def _refuse(self, asked: Message, refused: _Refused, key: bytes = b"") -> None:
        error = (Attribute.ERROR_CODE, error_value(refused.code, _REASONS[refused.code]))
        answer = Message(
            *(asked.method, Kind.ERROR, asked.transaction), (error, *refused.attributes)
        )
        self._effects.append(Write(messages.write(answer, key)))
        self._refusals += 1
        if self._refusals >= MAX_REFUSALS:
            self._close()

    def _close(self) -> None:
        self._state = _State.CLOSED
        self._buffer.clear()
        self._effects.append(Close())


def _lifetime(message: Message) -> int:
    value = message.get(Attribute.LIFETIME)
    if value is None:
        return LIFETIME
    return min(int.from_bytes(value[:4]), MAX_LIFETIME)
