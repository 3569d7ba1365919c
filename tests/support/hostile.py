"""What strangers send: datagrams at a media port, stanzas no library would write.

All of it is bounded in count and goes to loopback only.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import ipaddress
import itertools
import os
import random
import re
import select
import socket
import struct
import threading
import time
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

MAGIC_COOKIE = 0x2112A442

# -- datagrams ----------------------------------------------------------------------------


def client_hello(*, suites: tuple[int, ...] = (0x0001,), minor: int = 0xFD) -> bytes:
    """A DTLS ClientHello (RFC 6347, 4.2) with these cipher suites; 0x0001 is null."""
    offered = b"".join(suite.to_bytes(2, "big") for suite in suites)
    body = struct.pack("!BB32sBBH", 0xFE, minor, os.urandom(32), 0, 0, len(offered))
    body += offered + b"\x01\x00"
    length = len(body).to_bytes(3, "big")
    message = b"\x01" + length + b"\x00\x00" + b"\x00\x00\x00" + length + body
    return (
        b"\x16\xfe" + bytes([minor]) + bytes(8) + len(message).to_bytes(2, "big") + message
    )


def stun(
    kind: int = 0x0001,
    attributes: tuple[tuple[int, bytes], ...] = (),
    *,
    transaction: bytes | None = None,
    fingerprint: bool = True,
    wrong_fingerprint: bool = False,
) -> bytes:
    """A STUN message (RFC 8489, 5) with or without a right fingerprint; no integrity."""
    body = b"".join(
        struct.pack("!HH", type_, len(value)) + value + bytes(-len(value) % 4)
        for type_, value in attributes
    )
    length = len(body) + (8 if fingerprint else 0)
    head = struct.pack("!HHI", kind, length, MAGIC_COOKIE) + (transaction or os.urandom(12))
    if not fingerprint:
        return head + body
    crc = zlib.crc32(head + body) ^ 0x5354554E ^ (1 if wrong_fingerprint else 0)
    return head + body + struct.pack("!HHI", 0x8028, 4, crc)


def wrong_checks(user: str) -> Iterator[bytes]:
    """Binding requests to a known or unknown user, each with one thing wrong."""
    name = (0x0006, user.encode())
    priority = (0x0024, struct.pack("!I", 1_853_817_087))
    controlled, controlling = (0x8029, os.urandom(8)), (0x802A, os.urandom(8))
    forged = (0x0008, os.urandom(20))
    yield stun(attributes=(name, priority, controlled))
    yield stun(attributes=(name, priority, controlled, forged))
    yield stun(attributes=(name, priority, controlling, (0x0025, b""), forged))
    yield stun(attributes=(name, priority, controlled, forged), wrong_fingerprint=True)
    yield stun(attributes=(name, priority, controlled, forged), fingerprint=False)
    yield stun(attributes=((0x0006, b"nobody:nowhere"), priority, controlled, forged))
    yield stun(attributes=((0x0006, b":"), forged))
    yield stun(0x0101, (name, forged))  # a response nobody asked for
    yield stun(0x0111, ((0x0009, b"\x00\x00\x04\x87"), forged))  # role conflict
    whole = stun(attributes=(name, priority, controlled, forged))
    for length in range(0, len(whole), 7):
        yield whole[:length]


def check(
    user: str,
    password: str,
    *,
    attributes: tuple[tuple[int, bytes], ...] | None = None,
    kind: int = 0x0001,
) -> bytearray:
    """A connectivity check as it should be (RFC 8445, 7.2.2), integrity included."""
    if attributes is None:
        attributes = (
            (0x0006, user.encode()),
            (0x0024, struct.pack("!I", 1_853_817_087)),
            (0x8029, os.urandom(8)),
        )
    plain = bytearray(stun(kind, attributes, fingerprint=False))
    struct.pack_into("!H", plain, 2, len(plain) - 20 + 24)
    digest = hmac.digest(password.encode(), bytes(plain), "sha1")
    plain += struct.pack("!HH", 0x0008, 20) + digest
    struct.pack_into("!H", plain, 2, len(plain) - 20 + 8)
    crc = zlib.crc32(plain) ^ 0x5354554E
    return plain + struct.pack("!HHI", 0x8028, 4, crc)


def one_thing_wrong(user: str, password: str) -> Iterator[tuple[str, bytes]]:
    """Checks that know everything, each with one thing wrong; all to be dropped."""
    local, _, remote = user.partition(":")
    priority = (0x0024, struct.pack("!I", 1_853_817_087))
    role = (0x8029, os.urandom(8))
    yield "user of nobody", bytes(check(f"x{local[1:]}x:{remote}", password))
    yield "user of half the length", bytes(check(f"{local[: len(local) // 2]}:x", password))
    yield "no colon in the user", bytes(check(local + remote, password))
    yield "no user", bytes(check(user, password, attributes=(priority, role)))
    yield "password", bytes(check(user, password[::-1]))
    yield "no password", bytes(check(user, ""))
    yield "a stray response", bytes(check(user, password, kind=0x0101))
    yield "a stray error", bytes(check(user, password, kind=0x0111))
    yield "another method", bytes(check(user, password, kind=0x0003))
    for place, name in ((4, "magic cookie"), (10, "transaction"), (26, "user's bytes")):
        yield name, _flipped(check(user, password), place)
    whole = check(user, password)
    yield "integrity", _flipped(whole, len(whole) - 20)
    yield "fingerprint", _flipped(whole, len(whole) - 1)
    yield "length", _flipped(whole, 3)
    for length in range(len(whole)):
        yield f"cut after {length}", bytes(whole[:length])


def _flipped(message: bytearray, place: int) -> bytes:
    changed = bytearray(message)
    changed[place] ^= 1
    return bytes(changed)


def every_length(limit: int = 1500) -> Iterator[bytes]:
    """Zeros, then random bytes, of each length; and one datagram as large as they get."""
    for length in range(limit + 1):
        yield bytes(length)
        yield os.urandom(length)
    yield bytes(65_507)


def like_media(chance: random.Random, count: int) -> Iterator[bytes]:
    """What looks like RTP and RTCP at the first octets and is nothing."""
    for _ in range(count):
        first = chance.randrange(0x80, 0xC0)
        yield bytes([first, chance.randrange(256)]) + chance.randbytes(
            chance.randrange(1300)
        )


def stranger(seed: int, *, user: str = "") -> Iterator[bytes]:
    """About seven thousand datagrams of every kind."""
    chance = random.Random(seed)
    yield from every_length()
    yield from (client_hello() for _ in range(200))
    yield from (client_hello(suites=(0xC02B, 0xC02F), minor=0xFF) for _ in range(50))
    yield from (client_hello()[: chance.randrange(1, 60)] for _ in range(200))
    for _ in range(20):
        yield from wrong_checks(user)
    yield from like_media(chance, 2000)
    yield from (chance.randbytes(chance.randrange(1200)) for _ in range(500))


@dataclass(frozen=True, slots=True)
class Answered:
    """What a stranger sent and got back, in bytes, and for how long."""

    sent: int
    received: int
    count: int = 0
    """Datagrams."""
    seconds: float = 0.0


async def pester(
    address: tuple[str, int],
    datagrams: Iterable[bytes],
    *,
    limit: int = 20_000,
    rate: int = 20_000,
) -> Answered:
    """Send from a socket of nobody, so many a second; says how much was answered.

    It runs in a thread: what the test does meanwhile is not kept waiting.
    """
    if not ipaddress.ip_address(address[0]).is_loopback:
        raise ValueError("strangers live on loopback")
    stop = threading.Event()
    flood = asyncio.to_thread(
        _pester, address, itertools.islice(datagrams, limit), rate, stop
    )
    try:
        return await flood
    finally:
        stop.set()


def _pester(
    address: tuple[str, int], datagrams: Iterator[bytes], rate: int, stop: threading.Event
) -> Answered:
    sent = received = count = 0
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    batch = max(1, min(100, rate // 100))
    with socket.socket(family, socket.SOCK_DGRAM) as nobody:
        nobody.setblocking(False)
        begin = time.monotonic()
        while not stop.is_set() and (some := list(itertools.islice(datagrams, batch))):
            for datagram in some:
                _send(nobody, datagram, address)
                sent += len(datagram)
            count += len(some)
            received += _read_all(nobody)
            # Behind, it does not catch up: a burst would only fill the receiver's buffer.
            ahead = begin + count / rate - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            else:
                begin -= ahead
        seconds = time.monotonic() - begin
        time.sleep(0.2)
        received += _read_all(nobody)
    return Answered(sent, received, count, seconds)


def _send(sock: socket.socket, datagram: bytes, address: tuple[str, int]) -> None:
    while True:
        try:
            sock.sendto(datagram, address)
            return
        except BlockingIOError:
            select.select([], [sock], [], 1.0)


def _read_all(sock: socket.socket) -> int:
    total = 0
    while True:
        try:
            total += len(sock.recv(65_535))
        except BlockingIOError:
            return total


# -- stanzas ------------------------------------------------------------------------------


class RawClient:
    """An XMPP client that writes whatever bytes it is given.  Anonymous login, no TLS."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, domain: str
    ) -> None:
        self._reader, self._writer = reader, writer
        self._domain = domain
        self._got = ""
        self.jid = ""

    @classmethod
    async def login(
        cls, host: str, port: int, domain: str, *, local_address: str | None = None
    ) -> RawClient:
        """Connect to c2s and log in; raises TimeoutError after 10 s without an answer."""
        reader, writer = await asyncio.open_connection(
            host, port, local_addr=None if local_address is None else (local_address, 0)
        )
        self = cls(reader, writer, domain)
        try:
            await self._login()
        except BaseException:
            await self.close()
            raise
        return self

    async def _login(self) -> None:
        begin = (
            f"<stream:stream to='{self._domain}' version='1.0' xmlns='jabber:client' "
            "xmlns:stream='http://etherx.jabber.org/streams'>"
        )
        await self.send(begin)
        await self.read_until(r"</stream:features>")
        sasl = "urn:ietf:params:xml:ns:xmpp-sasl"
        await self.send(f"<auth xmlns='{sasl}' mechanism='ANONYMOUS'/>")
        await self.read_until(r"<success")
        await self.send(begin)
        await self.read_until(r"</stream:features>")
        await self.send(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
        )
        bound = await self.read_until(r"<jid>([^<]+)</jid>")
        self.jid = bound.group(1)

    async def send(self, data: str | bytes) -> None:
        """Write bytes as they are."""
        self._writer.write(data.encode() if isinstance(data, str) else data)
        await self._writer.drain()

    async def read_until(self, pattern: str, *, seconds: float = 10.0) -> re.Match[str]:
        """Read on until this has come; what came before it is forgotten."""
        async with asyncio.timeout(seconds):
            while not (match := re.search(pattern, self._got)):
                data = await self._reader.read(65_536)
                if not data:
                    raise ConnectionResetError("the server closed the stream")
                self._got += data.decode(errors="replace")
        self._got = self._got[match.end() :]
        return match

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return


@asynccontextmanager
async def logged_in(
    host: str, port: int, domain: str, *, local_address: str | None = None
) -> AsyncIterator[RawClient]:
    """A client that is logged in, and closed whatever happens."""
    client = await RawClient.login(host, port, domain, local_address=local_address)
    try:
        yield client
    finally:
        await client.close()


def hostile_stanzas(to: str) -> Iterator[str]:
    """Well-formed stanzas that are wrong, deep, large or odd, for one recipient."""
    big = "x" * 100_000
    colibri = "http://jitsi.org/protocol/focus"
    jingle = "urn:xmpp:jingle:1"
    yield f"<iq type='set' id='h1' to='{to}'><conference xmlns='{colibri}'/></iq>"
    large = f"<conference xmlns='{colibri}' room='{big}'/>"
    yield f"<iq type='set' id='h2' to='{to}'>{large}</iq>"
    yield f"<iq type='set' id='h3' to='{to}'><conference xmlns='{colibri}' room='@'/></iq>"
    yield f"<iq type='get' id='h4' to='{to}'>{'<a>' * 2000}{'</a>' * 2000}</iq>"
    yield f"<iq type='set' id='h5' to='{to}'><a xmlns='urn:x' {_attributes(500)}/></iq>"
    yield f"<iq type='result' id='h6' to='{to}'/>"
    yield f"<iq type='error' id='h7' to='{to}'><error type='cancel'/></iq>"
    for number, action in enumerate(
        (
            "session-initiate",
            "session-accept",
            "source-add",
            "session-terminate",
            "nonsense",
            "",
        )
    ):
        yield (
            f"<iq type='set' id='j{number}' to='{to}'><jingle xmlns='{jingle}' "
            f"action='{action}' sid='none'><content name='video' creator='x'>"
            "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>"
            "<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='99999999999'/>"
            "</description></content></jingle></iq>"
        )
    noise = base64.b64encode(os.urandom(99)).decode()
    yield f"<message to='{to}' type='error'><body>{noise}</body></message>"
    yield f"<message to='{to}'><body>&#x202e;${{jndi:x}} %s {{0}}</body></message>"
    yield f"<presence to='{to}' type='unavailable'/>"
    yield f"<presence to='{to}' type='subscribe'/>"


def _attributes(count: int) -> str:
    return " ".join(f"a{number}='{number}'" for number in range(count))
