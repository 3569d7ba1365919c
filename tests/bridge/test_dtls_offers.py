"""S9 and S10: with which versions, suites, keys and SRTP profiles one gets through DTLS.

Peers of OpenSSL's offer what it still knows of weak things; hellos made by hand offer every
number there is, one at a time.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from xmppconf_bridge.certificate import CIPHERS, Certificate, fingerprint_value
from xmppconf_bridge.dtls import (
    MTU,
    Connected,
    DtlsTransport,
    Effect,
    SendDatagrams,
    split_records,
)

from tests.support import figures
from tests.support.figures import Figure
from xmppconf.transport import Fingerprint, Setup

NOW = datetime.datetime.now(datetime.UTC)
OURS, THEIRS = Certificate.generate(NOW), Certificate.generate(NOW)
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

DTLS1_0, DTLS1_2 = 0xFEFF, 0xFEFD
#: ECDHE-ECDSA with AES-128-GCM, AES-256-GCM, ChaCha20: what fits the bridge's own key.
STRONG = frozenset({0xC02B, 0xC02C, 0xCCA9})
#: The same for peers with an RSA key, which only the bridge's own hello can offer.
STRONG_RSA = frozenset({0xC02F, 0xC030, 0xCCA8})
#: Suites of every kind that was ever weak: null, export, RC4, DES, CBC, anonymous, no
#: forward secrecy, shared keys, short tags.
WEAK: tuple[int, ...] = (
    *(1, 3, 4, 5, 9, 0xA, 0x18, 0x2F, 0x34, 0x3B, 0x3C, 0x9C, 0x9E, 0xA6, 0xA8),
    *(0xC006, 0xC007, 0xC009, 0xC00A, 0xC018, 0xC023, 0xC024, 0xC0AE, 0x1301, 0x1303),
)

#: SRTP: AES-CM with tags of 80 and of 32 bits, the two without encryption, GCM.
CM_80, CM_32, NULL_80, NULL_32, GCM_128, GCM_256 = 1, 2, 5, 6, 7, 8
BEST_FIRST = (GCM_128, GCM_256, CM_80)

SERVER_HELLO, USE_SRTP = 2, 14


class Answer(NamedTuple):
    """What a server said to a hello; with an alert, everything else is 0."""

    version: int = 0
    suite: int = 0
    profile: int = 0
    alert: int = 0


def vector(data: bytes, width: int) -> bytes:
    return len(data).to_bytes(width) + data


def numbers(values: Iterable[int]) -> bytes:
    return b"".join(value.to_bytes(2) for value in values)


def hello(
    suites: Sequence[int] = tuple(STRONG),
    profiles: Sequence[int] = (GCM_128,),
    *,
    version: int = DTLS1_2,
    compressions: bytes = b"\0",
) -> bytes:
    """A ClientHello in a record of its own (RFC 6347, 4.2; RFC 5764, 4.1.1)."""
    extensions = {
        10: vector(numbers((29, 23)), 2),  # groups: X25519, P-256
        11: vector(b"\0", 1),  # points uncompressed
        13: vector(numbers((0x0403, 0x0804, 0x0401)), 2),  # signatures
        23: b"",  # extended master secret
    }
    if profiles:
        extensions[USE_SRTP] = vector(numbers(profiles), 2) + b"\0"
    body = version.to_bytes(2) + os.urandom(32) + b"\0\0"
    body += vector(numbers(suites), 2) + vector(compressions, 1)
    written = (kind.to_bytes(2) + vector(data, 2) for kind, data in extensions.items())
    body += vector(b"".join(written), 2)
    length = len(body).to_bytes(3)
    message = b"\1" + length + bytes(5) + length + body
    return b"\x16\xfe\xff" + bytes(8) + vector(message, 2)


def read(records: bytes) -> Answer:
    kind, body = records[0], records[13:]
    if kind == 21:
        return Answer(alert=body[1])
    assert (kind, body[0]) == (22, SERVER_HELLO)
    version, at = int.from_bytes(body[12:14]), 12 + 34
    at += 1 + body[at]
    suite = int.from_bytes(body[at : at + 2])
    at, profile = at + 5, 0
    end = 12 + int.from_bytes(body[1:4])
    while at < end:
        extension, length = body[at : at + 2], int.from_bytes(body[at + 2 : at + 4])
        if int.from_bytes(extension) == USE_SRTP:
            profile = int.from_bytes(body[at + 6 : at + 8])
        at += 4 + length
    return Answer(version, suite, profile)


def ask(offer: bytes) -> Answer:
    """What the bridge answers; nothing at all does not occur."""
    server = DtlsTransport(OURS, (THEIRS.fingerprint,), server=True)
    server.start(0.0)
    server.receive(offer, 0.0)
    effects = list(server.effects())
    assert not any(isinstance(effect, Connected) for effect in effects)
    sent = [one for one in effects if isinstance(one, SendDatagrams)]
    answer = read(sent[0].datagrams[0])
    # Either it goes on or it has ended; nothing is left half done.
    assert (server.next_timeout() is None) == (answer.alert > 0)
    return answer


@pytest.mark.timeout(figures.count(30, 400))
def test_of_all_suites_only_the_strong_get_an_answer() -> None:
    few = [*WEAK, *STRONG, *STRONG_RSA, *range(0xC000, 0xC100)]
    offered = figures.count(len(few), 1 << 16)
    suites = few if offered == len(few) else range(1 << 16)
    answers = {suite: ask(hello([suite])) for suite in suites}
    accepted = {suite for suite, answer in answers.items() if not answer.alert}
    assert accepted == STRONG
    assert all(answers[suite].suite == suite for suite in accepted)
    refusals = {answer.alert for answer in answers.values() if answer.alert}
    assert refusals == {40}, "handshake_failure"
    what = "suites offered alone: all refused but ECDHE with AES-GCM or ChaCha20, accepted"
    figures.record(Figure("gate", "S9 suites", f"of {offered:,} {what}", len(accepted), ""))


@pytest.mark.parametrize("suite", sorted(STRONG))
def test_a_strong_suite_is_found_behind_any_number_of_weak(suite: int) -> None:
    assert ask(hello([*WEAK, suite])).suite == suite


@pytest.mark.timeout(figures.count(30, 400))
def test_of_all_versions_only_1_2_is_spoken() -> None:
    few = [DTLS1_0, DTLS1_2, 0x0100, 0xFEFC, 0xFEFE, 0xFF00, 0x0303, 0x0304, 0]
    offered = figures.count(len(few), 1 << 16)
    versions = few if offered == len(few) else range(1 << 16)
    spoken = {}
    for version in versions:
        answer = ask(hello(version=version))
        spoken[version] = answer.version
        assert (answer.version, answer.alert) in {(DTLS1_2, 0), (0, 70)}
    # Version numbers go down; who offers a later one is told ours (RFC 6347, 4.2.1).
    assert spoken[DTLS1_0] == 0
    assert spoken[DTLS1_2] == DTLS1_2
    what = f"of {offered:,} versions offered: another than DTLS 1.2 spoken"
    others = sum(one not in (0, DTLS1_2) for one in spoken.values())
    figures.record(Figure("gate", "S9 versions", what, others, "", "0"))


def test_a_hello_that_insists_on_compression_is_refused() -> None:
    assert ask(hello(compressions=b"\1")).alert > 0
    assert ask(hello(compressions=b"\1\0")).suite in STRONG


def test_of_any_profiles_the_best_is_taken_and_no_other() -> None:
    known = (CM_80, CM_32, NULL_80, NULL_32, GCM_128, GCM_256)
    lists = 0
    for count in range(figures.count(3, 6) + 1):
        for profiles in itertools.permutations(known, count):
            best = next((one for one in BEST_FIRST if one in profiles), 0)
            assert ask(hello(profiles=profiles)).profile == best, profiles
            lists += 1
    what = "lists of SRTP profiles, in every order: GCM before AES-CM with 80 bits, never"
    what += " 32 bits or null"
    figures.record(Figure("gate", "S10", what, lists, ""))


@pytest.mark.timeout(figures.count(30, 400))
def test_no_other_number_is_a_profile() -> None:
    for profile in {*range(64), *range(0, 1 << 16, figures.count(1021, 1))} - {*BEST_FIRST}:
        assert ask(hello(profiles=(profile,))).profile == 0


def test_as_a_client_the_bridge_offers_nothing_else() -> None:
    client = DtlsTransport(OURS, (THEIRS.fingerprint,), server=False)
    client.start(0.0)
    [sent] = [one for one in client.effects() if isinstance(one, SendDatagrams)]
    body = sent.datagrams[0][25:]
    assert int.from_bytes(body[:2]) == DTLS1_2
    assert body[34:36] == b"\0\0"  # neither session nor cookie
    length = int.from_bytes(body[36:38])
    offered = {int.from_bytes(body[at : at + 2]) for at in range(38, 38 + length, 2)}
    assert offered - {0x00FF} == STRONG | STRONG_RSA  # and no renegotiation (RFC 5746)
    assert USE_SRTP.to_bytes(2) + vector(vector(numbers(BEST_FIRST), 2) + b"\0", 2) in body


def certified(key: Key) -> Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + datetime.timedelta(days=1))
    )
    hashed = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Certificate(builder.sign(key, hashed), key)  # type: ignore[arg-type]


def shake(
    key: Key = THEIRS.key,
    *,
    suites: bytes = CIPHERS,
    profiles: bytes = b"SRTP_AEAD_AES_128_GCM",
    with_certificate: bool = True,
    version: int = DTLS1_2,
) -> list[Effect]:
    """What comes of a handshake with a peer that would take anything."""
    peer = certified(key)
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_cipher_list(suites)
    context.set_max_proto_version(version)
    if with_certificate:
        context.use_certificate(peer.certificate)
        context.use_privatekey(key)
    if profiles:
        context.set_tlsext_use_srtp(profiles)
    connection = SSL.Connection(context, None)
    connection.set_ciphertext_mtu(MTU)
    connection.set_connect_state()
    value = fingerprint_value(peer.certificate, "sha-256")
    server = DtlsTransport(
        OURS, (Fingerprint("sha-256", value, Setup.ACTIVE),), server=True
    )
    server.start(0.0)
    seen: list[Effect] = []
    for _ in range(10):
        with contextlib.suppress(SSL.Error):
            connection.do_handshake()
        with contextlib.suppress(SSL.Error):
            for datagram in split_records(connection.bio_read(65536)):
                server.receive(datagram, 0.0)
        for effect in server.effects():
            seen.append(effect)
            if isinstance(effect, SendDatagrams):
                for datagram in effect.datagrams:
                    connection.bio_write(datagram)
    return seen


def rsa_key(bits: int) -> Key:
    return rsa.generate_private_key(65537, bits)


WEAK_KEYS: dict[str, Callable[[], Key]] = {
    "RSA of 1,024 bits": lambda: rsa_key(1024),
    "RSA of 1,536 bits": lambda: rsa_key(1536),
    "P-192": lambda: ec.generate_private_key(ec.SECP192R1()),
    "P-224": lambda: ec.generate_private_key(ec.SECP224R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
}
STRONG_KEYS: dict[str, Callable[[], Key]] = {
    "RSA of 2,048 bits": lambda: rsa_key(2048),
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}
WEAK_PEERS: dict[str, Callable[[], list[Effect]]] = {
    "no certificate": lambda: shake(with_certificate=False),
    "DTLS 1.0": lambda: shake(version=DTLS1_0, suites=b"ALL:@SECLEVEL=0"),
    "CBC only": lambda: shake(suites=b"ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA"),
    "null": lambda: shake(suites=b"ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0"),
    "anonymous": lambda: shake(
        suites=b"AECDH-AES128-SHA:ADH-AES128-GCM-SHA256:@SECLEVEL=0"
    ),
    "no SRTP": lambda: shake(profiles=b""),
    "SRTP with 32 bits only": lambda: shake(profiles=b"SRTP_AES128_CM_SHA1_32"),
}


@pytest.mark.parametrize("kind", STRONG_KEYS)
def test_strong_peers_get_keys(kind: str) -> None:
    seen = shake(STRONG_KEYS[kind](), suites=b"ALL:@SECLEVEL=0")
    assert any(isinstance(effect, Connected) for effect in seen)


def test_weak_peers_get_no_keys() -> None:
    peers = dict(WEAK_PEERS)
    for kind, make in WEAK_KEYS.items():
        peers[kind] = partial(shake, make(), suites=b"ALL:@SECLEVEL=0")
    connected = [
        kind
        for kind, meet in peers.items()
        if any(isinstance(effect, Connected) for effect in meet())
    ]
    assert connected == []
    what = f"peers weak in one of {len(peers)} ways ({', '.join(peers)}): keys given"
    figures.record(Figure("gate", "S9", what, 0, "", "0"))
