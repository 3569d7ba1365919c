"""JSON Web Tokens (RFC 7519) as members bring them: checked whole, or worth nothing.

The key's kind decides which algorithms may be used with it (RFC 8725, 3.1), so a public key
never serves as a shared secret.  What a header says about where to find a key is not read.
Times are seconds since 1970.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc import jwk, jws
from joserfc.errors import JoseError

from xmppconf.errors import Condition, PeerError
from xmppconf.strict_json import as_object, loads
from xmppconf_focus.membership import Member

LEEWAY = 10.0  # seconds that clocks may differ
MAX_TOKEN = 8192  # characters
MAX_KEYS = 64  # keys in a set that are read
MAX_KEY_ID = 256  # characters

#: What a key of each kind may check (RFC 7518, 3.1).
_ALGORITHMS = {
    "oct": {"HS256", "HS384", "HS512"},
    "RSA": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
    "EC": {"ES256", "ES384", "ES512"},
}
MIN_RSA = 2048  # bits (RFC 7518, 3.3)


class TokenRefused(PeerError):
    """One answer for every fault: who sent it learns nothing from it."""

    condition: Condition = "not-authorized"


class UnknownKey(TokenRefused):
    """The token names a key that is not in the set; a newer set may have it."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    id: str | None
    kind: str
    key: jwk.OctKey | jwk.RSAKey | jwk.ECKey


@dataclass(frozen=True, slots=True)
class Expected:
    """What a good token says besides; None accepts anything."""

    algorithms: frozenset[str]
    issuer: str | None = None
    audience: str | None = None


def shared_secret(secret: str) -> VerificationKey:
    return VerificationKey(None, "oct", jwk.OctKey.import_key(secret))


def key_from_pem(pem: bytes) -> VerificationKey:
    """Raises `PeerError` if it is no RSA or EC key."""
    try:
        public = load_pem_public_key(pem)
        if isinstance(public, rsa.RSAPublicKey) and public.key_size >= MIN_RSA:
            return VerificationKey(None, "RSA", jwk.RSAKey.import_key(pem))
        if isinstance(public, ec.EllipticCurvePublicKey):
            return VerificationKey(None, "EC", jwk.ECKey.import_key(pem))
    except (JoseError, ValueError, UnsupportedAlgorithm):
        pass
    raise PeerError("no public key in PEM, of RSA with 2048 bits or of EC")


def keys_from_set(text: str) -> tuple[VerificationKey, ...]:
    """The usable public keys of a JWK set (RFC 7517, 5); raises `PeerError`."""
    listed = as_object(loads(text, 256 * 1024), "key set").get("keys")
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise PeerError("key set has no keys, or too many")
    found = []
    for item in listed:
        # A set may hold keys for other purposes, and of kinds that we do not know.
        if not isinstance(item, dict) or item.get("use", "sig") != "sig":
            continue
        kind, id, modulus = item.get("kty"), item.get("kid"), item.get("n")
        if kind not in ("RSA", "EC") or (id is not None and not isinstance(id, str)):
            continue
        if kind == "RSA" and (not isinstance(modulus, str) or 6 * len(modulus) < MIN_RSA):
            continue
        try:
            key = jwk.RSAKey if kind == "RSA" else jwk.ECKey
            found.append(VerificationKey(id, kind, key.import_key(item)))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return tuple(found)


def verify(
    token: str, keys: Iterable[VerificationKey], expected: Expected, now: float
) -> dict[str, Any]:
    """The claims of a good token; raises `TokenRefused`, `UnknownKey`."""
    if len(token) > MAX_TOKEN or not token.isascii() or token.count(".") != 2:
        raise TokenRefused("form")
    head, body, _ = token.split(".")
    header = _segment(head)
    algorithm, key_id = header.get("alg"), header.get("kid")
    # Extensions that must be understood (RFC 7515, 4.1.11) are not.
    if algorithm not in expected.algorithms or "crit" in header or "b64" in header:
        raise TokenRefused("header")
    key = _choose(keys, str(algorithm), key_id)
    try:
        jws.deserialize_compact(token, key.key, algorithms=[str(algorithm)])
    except (JoseError, ValueError, TypeError):
        raise TokenRefused("signature") from None
    claims = _segment(body)
    _check_claims(claims, expected, now)
    return claims


def _choose(
    keys: Iterable[VerificationKey], algorithm: str, key_id: Any
) -> VerificationKey:
    fitting = [key for key in keys if algorithm in _ALGORITHMS[key.kind]]
    if key_id is not None:
        if not isinstance(key_id, str) or len(key_id) > MAX_KEY_ID:
            raise TokenRefused("key id")
        # A key that has no id of its own (a file, a secret) is meant by every id.
        fitting = [key for key in fitting if key.id in (key_id, None)]
    if len(fitting) != 1:
        raise UnknownKey("key")
    return fitting[0]


def _segment(text: str) -> dict[str, Any]:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        return as_object(loads(raw.decode(), MAX_TOKEN), "segment")
    except (binascii.Error, UnicodeDecodeError, PeerError):
        raise TokenRefused("segment") from None


def _check_claims(claims: Mapping[str, Any], expected: Expected, now: float) -> None:
    expires, begins = _time(claims.get("exp")), _time(claims.get("nbf", 0))
    if now > expires + LEEWAY or now < begins - LEEWAY:
        raise TokenRefused("time")
    if expected.issuer is not None and claims.get("iss") != expected.issuer:
        raise TokenRefused("issuer")
    if expected.audience is not None:
        audience = claims.get("aud")
        listed = audience if isinstance(audience, list) else [audience]
        if expected.audience not in listed:
            raise TokenRefused("audience")


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused("time")
    return value


def check_room(claims: Mapping[str, Any], room: str, *, any_room: bool) -> None:
    """Whether the token is for this room (its local part); raises `TokenRefused`."""
    named = claims.get("room")
    if named == "*" and any_room:
        return
    if not isinstance(named, str) or named.lower() != room:
        raise TokenRefused("room")


def member_of(claims: Mapping[str, Any]) -> Member:
    """Whom a stock token is about: `context.user`, `context.features`.

    Raises `TokenRefused`.
    """
    context = _table(claims, "context")
    user, features = _table(context, "user"), _table(context, "features")
    id = next(
        (
            text
            for text in (user.get("id"), user.get("email"), claims.get("sub"))
            if isinstance(text, str) and text
        ),
        "",
    )
    name = user.get("name")
    try:
        return Member(
            "jwt",
            id,
            name if isinstance(name, str) else None,
            moderator=_is_moderator(user),
            features=frozenset(key for key, value in features.items() if _is_true(value)),
            expires=float(claims["exp"]),
        )
    except PeerError:
        raise TokenRefused("user") from None


def _is_moderator(user: Mapping[str, Any]) -> bool:
    # Every holder of a token is, unless it says otherwise.
    affiliation = user.get("affiliation")
    if "moderator" in user:
        return _is_true(user["moderator"])
    return affiliation is None or affiliation in ("owner", "moderator", "teacher")


def _is_true(value: Any) -> bool:
    return value is True or value == "true"


def _table(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}
