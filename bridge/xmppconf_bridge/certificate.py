"""The bridge's own DTLS certificate: self-signed, short-lived, never on disk."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from xmppconf.transport import Fingerprint, Setup

VALID_BEFORE = datetime.timedelta(days=1)  # for peers whose clock is behind
VALID_AFTER = datetime.timedelta(days=7)

#: The hashes of RFC 8122, section 5, that we accept, strongest first.
HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha-512": hashes.SHA512,
    "sha-384": hashes.SHA384,
    "sha-256": hashes.SHA256,
}


def fingerprint_value(certificate: x509.Certificate, algorithm: str) -> str:
    """Hash a certificate as SDP writes it: upper-case hex with colons (RFC 8122, 5)."""
    return certificate.fingerprint(HASHES[algorithm]()).hex(":").upper()


@dataclass(frozen=True)
class Certificate:
    """A P-256 key with its self-signed certificate."""

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

    @property
    def fingerprint(self) -> Fingerprint:
        """What the bridge signals: either side may begin (RFC 5763, 5)."""
        return Fingerprint(
            "sha-256", fingerprint_value(self.certificate, "sha-256"), Setup.ACTPASS
        )
