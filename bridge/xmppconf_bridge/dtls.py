"""DTLS-SRTP with one peer, as a machine without I/O over OpenSSL's memory BIOs.

The caller feeds datagrams that came over a validated ICE pair and nothing else
(RFC 8827, 6.5; a stranger must not reach a TLS stack).  No input raises.
"""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from OpenSSL import SSL

from xmppconf.errors import UsageError
from xmppconf.transport import Fingerprint
from xmppconf_bridge.certificate import HASHES, Certificate, fingerprint_value

HANDSHAKE_TIMEOUT = 30.0  # seconds from start to keys
#: Seconds after a flight at which its datagrams are sent once more.  OpenSSL's own timer
#: begins at 1 s, which a lost first packet would make everybody wait for.
EARLY_RESENDS = (0.1, 0.3, 0.6)
MTU = 1200  # bytes of one datagram; fits every path that carries WebRTC
MAX_DATAGRAM = 1500
MAX_EARLY = 16  # datagrams kept that came before the role was known
MAX_SEND = 16 * 1024  # bytes of one record (RFC 6347, 4.1)


@dataclass(frozen=True, slots=True)
class Profile:
    """An SRTP protection profile (RFC 5764, 4.1.2; RFC 7714, 14.2); lengths in bytes."""

    id: int
    key_length: int
    salt_length: int


#: By OpenSSL's names; which of them we offer is said in `certificate`.
PROFILES = {
    b"SRTP_AEAD_AES_128_GCM": Profile(0x0007, 16, 12),
    b"SRTP_AEAD_AES_256_GCM": Profile(0x0008, 32, 12),
    b"SRTP_AES128_CM_SHA1_80": Profile(0x0001, 16, 14),
}

EXPORTER_LABEL = b"EXTRACTOR-dtls_srtp"


@dataclass(frozen=True, slots=True)
class SendDatagrams:
    datagrams: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Connected:
    """The handshake is done and the peer is who its fingerprint says (RFC 5764, 4.2)."""

    profile: int
    send_key: bytes
    send_salt: bytes
    receive_key: bytes
    receive_salt: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """Application data: one SCTP packet (RFC 8261)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    reason: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The peer sent close_notify."""


Effect = SendDatagrams | Connected | Received | Failed | Closed


def matches_fingerprint(
    connection: SSL.Connection, signalled: tuple[Fingerprint, ...]
) -> bool:
    """Whether the strongest signalled hash fits the peer's certificate (RFC 8122, 5)."""
    certificate = connection.get_peer_certificate(as_cryptography=True)
    if certificate is None:
        return False
    for algorithm in HASHES:
        values = [f.value for f in signalled if f.hash.lower() == algorithm]
        if values:
            own = fingerprint_value(certificate, algorithm).encode()
            return any(hmac.compare_digest(v.upper().encode(), own) for v in values)
    return False


def split_records(data: bytes) -> list[bytes]:
    """Cut OpenSSL's output into datagrams of whole records, as few as fit the MTU."""
    datagrams: list[bytes] = []
    start = end = 0
    while end + 13 <= len(data):
        record_end = end + 13 + int.from_bytes(data[end + 11 : end + 13])
        if record_end - start > MTU and end > start:
            datagrams.append(data[start:end])
            start = end
        end = record_end
    if len(data) > start:
        datagrams.append(data[start:])
    return datagrams


class DtlsTransport:
    def __init__(
        self,
        certificate: Certificate,
        fingerprints: tuple[Fingerprint, ...],
        *,
        server: bool,
    ) -> None:
        self._fingerprints = fingerprints
        self._server = server
        self._connection = SSL.Connection(certificate.context, None)
        self._connection.set_ciphertext_mtu(MTU)
        if server:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()
        self._started = False
        self._connected = False
        self._ended = False
        self._early: deque[bytes] = deque(maxlen=MAX_EARLY)
        self._deadline: float | None = None
        self._openssl_due: float | None = None
        self._flight: list[bytes] = []  # what we sent last, while shaking hands
        self._resends: deque[float] = deque()  # when to send it once more
        self._effects: deque[Effect] = deque()

    @property
    def is_connected(self) -> bool:
        return self._connected and not self._ended

    def start(self, now: float) -> None:
        """Begin the handshake: the first validated pair is there."""
        if self._started or self._ended:
            raise UsageError("started twice, or after the end")
        self._started = True
        self._deadline = now + HANDSHAKE_TIMEOUT
        self._shake(now)
        while self._early:
            self.receive(self._early.popleft(), now)

    def receive(self, datagram: bytes, now: float) -> None:
        """Take one datagram from the peer.  Whatever is in it, nothing is raised."""
        if self._ended or not 13 <= len(datagram) <= MAX_DATAGRAM:
            return
        if not self._started:
            self._early.append(datagram)
            return
        self._connection.bio_write(datagram)
        if not self._connected:
            self._shake(now)
        if self._connected:
            self._read(now)

    def send(self, data: bytes, now: float) -> None:
        """Send application data.  Dropped unless connected: SCTP sends again."""
        if not self.is_connected or not 0 < len(data) <= MAX_SEND:
            return
        try:
            self._connection.send(data)
        except SSL.Error:
            self._fail("cannot send")
        self._flush(now)

    def close(self) -> None:
        """Say close_notify; nothing is sent or received afterwards."""
        if self.is_connected:
            try:
                self._connection.shutdown()
            except SSL.Error:
                self._fail("cannot close")
            self._flush(0.0)
        self._end()

    def next_timeout(self) -> float | None:
        waits = [
            self._deadline,
            self._openssl_due,
            self._resends[0] if self._resends else None,
        ]
        return min((due for due in waits if due is not None), default=None)

    def timeout(self, now: float) -> None:
        if self._ended:
            return
        if self._deadline is not None and now >= self._deadline:
            self._fail("handshake timed out")
            return
        if self._openssl_due is not None and now >= self._openssl_due:
            try:
                self._connection.DTLSv1_handle_timeout()
            except SSL.Error:
                self._fail("handshake timed out")
                return
            self._flush(now)
        elif self._resends and now >= self._resends[0]:
            self._resends.popleft()
            if self._flight:
                self._effects.append(SendDatagrams(tuple(self._flight)))

    def effects(self) -> Iterator[Effect]:
        while self._effects:
            yield self._effects.popleft()

    def _shake(self, now: float) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self._flush(now)
            return
        except SSL.Error:
            self._flush(now)  # the alert, so that the peer need not wait
            self._fail("handshake failed")
            return
        self._flush(now)
        self._complete()

    def _complete(self) -> None:
        if not matches_fingerprint(self._connection, self._fingerprints):
            self._fail("certificate does not match the signalled fingerprint")
            return
        profile = PROFILES.get(self._connection.get_selected_srtp_profile())
        if profile is None:
            self._fail("no SRTP profile in common")
            return
        key, salt = profile.key_length, profile.salt_length
        material = self._connection.export_keying_material(EXPORTER_LABEL, 2 * (key + salt))
        client_key, server_key = material[:key], material[key : 2 * key]
        client_salt, server_salt = (
            material[2 * key : 2 * key + salt],
            material[2 * key + salt :],
        )
        self._connected = True
        self._deadline = None
        if self._server:
            connected = Connected(
                profile.id, server_key, server_salt, client_key, client_salt
            )
        else:
            connected = Connected(
                profile.id, client_key, client_salt, server_key, server_salt
            )
        self._effects.append(connected)

    def _read(self, now: float) -> None:
        while not self._ended:
            try:
                data = self._connection.recv(MAX_SEND)
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                self._effects.append(Closed())
                self._end()
                break
            except SSL.Error:
                # A forged or damaged record is dropped (RFC 6347, 4.1.2.7).
                break
            self._resends.clear()
            self._effects.append(Received(data))
        self._flush(now)  # the last flight once more, if the peer repeated its own

    def _flush(self, now: float) -> None:
        output = bytearray()
        while True:
            try:
                output += self._connection.bio_read(65536)
            except SSL.Error:
                break
        if output:
            datagrams = split_records(bytes(output))
            self._effects.append(SendDatagrams(tuple(datagrams)))
            if not self._connected:
                self._flight = datagrams
                self._resends = deque(now + after for after in EARLY_RESENDS)
        due = (
            None
            if self._connected or self._ended
            else self._connection.DTLSv1_get_timeout()
        )
        self._openssl_due = None if due is None else now + due

    def _fail(self, reason: str) -> None:
        if not self._ended:
            self._effects.append(Failed(reason))
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._deadline = self._openssl_due = None
        self._resends.clear()
        self._early.clear()
