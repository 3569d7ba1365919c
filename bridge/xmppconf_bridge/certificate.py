"""The bridge's own DTLS certificate: self-signed, short-lived, never on disk."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from OpenSSL.crypto import X509

from xmppconf.transport import Fingerprint, Setup

VALID_BEFORE = datetime.timedelta(days=1)  # for peers whose clock is behind
VALID_AFTER = datetime.timedelta(days=7)

DTLS1_2 = 0xFEFD

CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    b"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:@SECLEVEL=2"
)
#: In the order we prefer them (RFC 7714, 14.2; RFC 5764, 4.1.2).
SRTP_PROFILES = (
    b"SRTP_AEAD_AES_128_GCM",
    b"SRTP_AEAD_AES_256_GCM",
    b"SRTP_AES128_CM_SHA1_80",
)

#: The hashes of RFC 8122, section 5, that we accept, strongest first.
HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha-512": hashes.SHA512,
    "sha-384": hashes.SHA384,
    "sha-256": hashes.SHA256,
}


#: The key of a peer's certificate falls short of the security level of `CIPHERS`, as RSA
#: with 1024 bits does (OpenSSL's X509_V_ERR_EE_KEY_TOO_SMALL).
_KEY_TOO_SMALL = 66


def _may_prove_its_key(
    _connection: SSL.Connection, _certificate: X509, error: int, _depth: int, _verdict: int
) -> bool:
    """Whether a handshake goes on in spite of what OpenSSL says about the certificate.

    It is self-signed by design: the fingerprint decides, once the handshake has proved the
    key.  But a key that a stranger can find out proves nobody.
    """
    return error != _KEY_TOO_SMALL


def fingerprint_value(certificate: x509.Certificate, algorithm: str) -> str:
    """Hash a certificate as SDP writes it: upper-case hex with colons (RFC 8122, 5)."""
    return certificate.fingerprint(HASHES[algorithm]()).hex(":").upper()


@dataclass(frozen=True)
class Certificate:
    """A P-256 key with its self-signed certificate, and how it is used."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def generate(cls, now: datetime.datetime) -> Self:
        """Make a new one, valid from a day before `now` (UTC) to a week after."""
        key = ec.generate_private_key(ec.SECP256R1())
        # The same name for everybody: it tells nothing and nobody checks it.
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bridge")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - VALID_BEFORE)
            .not_valid_after(now + VALID_AFTER)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @cached_property
    def context(self) -> SSL.Context:
        """OpenSSL's settings for all connections that use it.

        Making them takes milliseconds and 50 KiB, which no handshake should have to.
        """
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_min_proto_version(DTLS1_2)
        context.set_options(
            SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET
        )
        # Every connection proves its keys anew.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_verify(
            SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _may_prove_its_key
        )
        context.use_certificate(self.certificate)
        context.use_privatekey(self.key)
        context.set_cipher_list(CIPHERS)
        context.set_tlsext_use_srtp(b":".join(SRTP_PROFILES))
        return context

    @property
    def fingerprint(self) -> Fingerprint:
        """What the bridge signals: either side may begin (RFC 5763, 5)."""
        return Fingerprint(
            "sha-256", fingerprint_value(self.certificate, "sha-256"), Setup.ACTPASS
        )
