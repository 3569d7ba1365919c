"""Tokens: good ones of each kind, and twenty kinds and more of bad ones."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwk, jws
from xmppconf_focus.membership import Member
from xmppconf_focus.tokens import (
    Expected,
    TokenRefused,
    VerificationKey,
    check_room,
    key_from_pem,
    keys_from_set,
    member_of,
    shared_secret,
    verify,
)

from xmppconf.errors import PeerError

NOW = 1_790_000_000.0
SECRET = "0123456789abcdef0123456789abcdef"
EXPECTED = Expected(frozenset({"HS256", "RS256", "ES256"}), "issuer", "xmppconf")
CLAIMS: dict[str, Any] = {
    "iss": "issuer",
    "aud": "xmppconf",
    "sub": "meet.example",
    "room": "Tea",
    "exp": NOW + 300,
    "nbf": NOW - 10,
    "context": {
        "user": {"id": "u1", "name": "Ann"},
        "features": {"recording": "true", "livestreaming": True, "transcription": False},
    },
}


@pytest.fixture(scope="module")
def rsa() -> jwk.RSAKey:
    return jwk.RSAKey.generate_key(2048, {"kid": "r1"})


@pytest.fixture(scope="module")
def ec() -> jwk.ECKey:
    return jwk.ECKey.generate_key("P-256", {"kid": "e1"})


@pytest.fixture(scope="module")
def keys(rsa: jwk.RSAKey, ec: jwk.ECKey) -> tuple[VerificationKey, ...]:
    public = {"keys": [rsa.as_dict(private=False), ec.as_dict(private=False)]}
    return (shared_secret(SECRET), *keys_from_set(json.dumps(public)))


def b64(data: bytes | str) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def hs(
    claims: dict[str, Any] | str | None = None, secret: bytes | str = SECRET, **header: Any
) -> str:
    """Sign without asking a library whether that is wise."""
    import hashlib
    import hmac

    body = claims if isinstance(claims, str) else json.dumps(claims or CLAIMS)
    signed = f"{b64(json.dumps({'alg': 'HS256', **header}))}.{b64(body)}"
    key = secret.encode() if isinstance(secret, str) else secret
    return f"{signed}.{b64(hmac.digest(key, signed.encode(), hashlib.sha256))}"


def signed(
    key: Any, algorithm: str, claims: dict[str, Any] | None = None, **header: Any
) -> str:
    head = {"alg": algorithm, **header}
    return str(jws.serialize_compact(head, json.dumps(claims or CLAIMS), key, [algorithm]))


def test_a_good_token_of_each_kind(
    rsa: jwk.RSAKey, ec: jwk.ECKey, keys: tuple[VerificationKey, ...]
) -> None:
    for token in (
        hs(),
        hs(kid="any"),
        signed(rsa, "RS256", kid="r1"),
        signed(ec, "ES256", kid="e1"),
        signed(ec, "ES256"),
    ):
        claims = verify(token, keys, EXPECTED, NOW)
        check_room(claims, "tea", any_room=False)
        assert member_of(claims) == Member(
            "jwt", "u1", "Ann", True, frozenset({"recording", "livestreaming"}), NOW + 300
        )


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CLAIMS.items() if key != name}


BAD: dict[str, Callable[[jwk.RSAKey, jwk.ECKey], str]] = {
    "alg none": lambda r, e: (
        f"{b64(json.dumps({'alg': 'none'}))}.{b64(json.dumps(CLAIMS))}."
    ),
    "alg None": lambda r, e: (
        f"{b64(json.dumps({'alg': 'None'}))}.{b64(json.dumps(CLAIMS))}."
    ),
    "no alg": lambda r, e: f"{b64('{}')}.{b64(json.dumps(CLAIMS))}.{b64('x')}",
    "alg not allowed": lambda r, e: signed(r, "RS512", kid="r1"),
    "HS with the public key": lambda r, e: hs(secret=r.as_pem(private=False)),
    "HS with the public key and its id": lambda r, e: hs(
        secret=r.as_pem(private=False), kid="r1"
    ),
    "HS with the public key as JSON": lambda r, e: hs(
        secret=json.dumps(r.as_dict(private=False)), kid="r1"
    ),
    "HS with the empty key": lambda r, e: hs(secret=b""),
    "another secret": lambda r, e: hs(secret="x" * 32),
    "another key": lambda r, e: signed(jwk.RSAKey.generate_key(2048), "RS256", kid="r1"),
    "wrong key id": lambda r, e: signed(r, "RS256", kid="r2"),
    "another's key id": lambda r, e: signed(e, "ES256", kid="r1"),
    "kid with ../": lambda r, e: signed(r, "RS256", kid="../../../dev/null"),
    "kid as URL": lambda r, e: signed(r, "RS256", kid="https://evil.example/key"),
    "kid as list": lambda r, e: (
        f"{b64(json.dumps({'alg': 'HS256', 'kid': ['r1']}))}." + hs().partition(".")[2]
    ),
    "its own key in the header": lambda r, e: hs(
        secret="y" * 32, jwk={"kty": "oct", "k": b64("y" * 32)}
    ),
    "key URL in the header": lambda r, e: hs(secret="y" * 32, jku="https://evil.example/"),
    "crit": lambda r, e: hs(crit=["exp"], exp=NOW + 300),
    "b64": lambda r, e: hs(b64=False),
    "expired": lambda r, e: hs({**CLAIMS, "exp": NOW - 31}),
    "no end": lambda r, e: hs(without("exp")),
    "end as text": lambda r, e: hs({**CLAIMS, "exp": str(NOW + 300)}),
    "end as true": lambda r, e: hs({**CLAIMS, "exp": True}),
    "end at infinity": lambda r, e: hs(json.dumps({**CLAIMS, "exp": float("inf")})),
    "not yet": lambda r, e: hs({**CLAIMS, "nbf": NOW + 31}),
    "other room": lambda r, e: hs({**CLAIMS, "room": "coffee"}),
    "no room": lambda r, e: hs(without("room")),
    "room as list": lambda r, e: hs({**CLAIMS, "room": ["tea"]}),
    "room as pattern": lambda r, e: hs({**CLAIMS, "room": "te*"}),
    "wildcard room": lambda r, e: hs({**CLAIMS, "room": "*"}),
    "other audience": lambda r, e: hs({**CLAIMS, "aud": "other"}),
    "other audiences": lambda r, e: hs({**CLAIMS, "aud": ["other", "another"]}),
    "no audience": lambda r, e: hs(without("aud")),
    "other issuer": lambda r, e: hs({**CLAIMS, "iss": "other"}),
    "no issuer": lambda r, e: hs(without("iss")),
    "1 MB": lambda r, e: hs({**CLAIMS, "padding": "x" * 1_000_000}),
    "duplicate claims": lambda r, e: hs(json.dumps(CLAIMS)[:-1] + ', "room": "tea"}'),
    "duplicate header": lambda r, e: (
        b64('{"alg":"HS256","alg":"HS256"}') + "." + hs().partition(".")[2]
    ),
    "claims no object": lambda r, e: hs("[1]"),
    "claims too deep": lambda r, e: hs("[" * 100 + "]" * 100),
    "no user": lambda r, e: hs({**without("sub"), "context": {"user": {}}}),
    "user with line feeds": lambda r, e: hs(
        {**CLAIMS, "context": {"user": {"id": "a\nb"}}}
    ),
    "signature cut": lambda r, e: hs()[:-2],
    "signature missing": lambda r, e: hs().rpartition(".")[0] + ".",
    "two parts": lambda r, e: hs().rpartition(".")[0],
    "five parts": lambda r, e: hs() + ".a.b",
    "other characters": lambda r, e: hs() + "é",
    "changed claims": lambda r, e: (
        f"{hs().split('.')[0]}.{b64(json.dumps(CLAIMS) + ' ')}." + hs().split(".")[2]
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_token_is_refused(
    kind: str, rsa: jwk.RSAKey, ec: jwk.ECKey, keys: tuple[VerificationKey, ...]
) -> None:
    token = BAD[kind](rsa, ec)
    with pytest.raises(TokenRefused) as refused:  # noqa: PT012  (one of three may refuse)
        claims = verify(token, keys, EXPECTED, NOW)
        check_room(claims, "tea", any_room=False)
        member_of(claims)
    assert refused.value.condition == "not-authorized"


def test_clocks_may_differ_by_seconds_but_not_by_half_a_minute(
    keys: tuple[VerificationKey, ...],
) -> None:
    verify(hs({**CLAIMS, "exp": NOW - 9}), keys, EXPECTED, NOW)
    verify(hs({**CLAIMS, "nbf": NOW + 9}), keys, EXPECTED, NOW)


def test_a_token_for_every_room_only_where_the_operator_wants_it() -> None:
    check_room({"room": "*"}, "tea", any_room=True)
    check_room({"room": "tea"}, "tea", any_room=True)
    with pytest.raises(TokenRefused):
        check_room({"room": "coffee"}, "tea", any_room=True)


@pytest.mark.parametrize(
    ("user", "moderator"),
    [
        ({}, True),
        ({"moderator": True}, True),
        ({"moderator": "true"}, True),
        ({"moderator": False}, False),
        ({"moderator": "false"}, False),
        ({"moderator": 1}, False),
        ({"affiliation": "owner"}, True),
        ({"affiliation": "member"}, False),
        ({"affiliation": "member", "moderator": True}, True),
    ],
)
def test_who_is_moderator_by_the_token(user: dict[str, Any], moderator: bool) -> None:
    claims = {**CLAIMS, "context": {"user": {"id": "u", **user}}}
    assert member_of(claims).moderator is moderator


def test_keys_that_cannot_be_used_are_left_out(rsa: jwk.RSAKey) -> None:
    short = {"kty": "RSA", "n": b64(b"\xff" * 128), "e": "AQAB", "kid": "short"}
    public = rsa.as_dict(private=False)
    odd: list[Any] = [
        short,
        {"kty": "oct", "k": b64("secret" * 8)},
        {"kty": "OKP", "crv": "Ed25519", "x": b64(b"1" * 32)},
        {"kty": "EC", "crv": "P-256", "x": "1", "y": "2"},
        {**public, "use": "enc"},
        {"kty": "RSA"},
        "text",
        None,
    ]
    found = keys_from_set(json.dumps({"keys": [*odd, public]}))
    assert [key.id for key in found] == ["r1"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"keys": {}}', json.dumps({"keys": [{}] * 65})]
)
def test_what_is_no_key_set_is_refused(text: str) -> None:
    with pytest.raises(PeerError):
        keys_from_set(text)


def test_keys_from_pem(rsa: jwk.RSAKey, ec: jwk.ECKey) -> None:
    assert key_from_pem(rsa.as_pem(private=False)).kind == "RSA"
    assert key_from_pem(ec.as_pem(private=False)).kind == "EC"
    for wrong in (b"", b"-----BEGIN PUBLIC KEY-----", b"x" * 100):
        with pytest.raises(PeerError):
            key_from_pem(wrong)
