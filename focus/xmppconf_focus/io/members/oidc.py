"""Login at an OpenID Connect provider: authorization code with PKCE (RFC 7636).

The browser goes to the provider with a challenge and comes back with a code, which only we
can exchange.  A flow belongs to the browser (its machine-uid) that began it, so nobody can
be made to finish somebody else's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from yarl import URL

from xmppconf import clock
from xmppconf.config import OidcSettings
from xmppconf.errors import LimitExceeded, PeerError
from xmppconf.strict_json import as_object, as_text, loads
from xmppconf_focus.io.members.fetch import MAX_ANSWER, Fetcher, SourceUnavailable
from xmppconf_focus.io.members.keys import KeyRing, ring_of_url
from xmppconf_focus.membership import MAX_USER, Member, check_machine_uid
from xmppconf_focus.tokens import Expected, TokenRefused

FLOW_LIFETIME = 600.0  # seconds for logging in at the provider
MAX_FLOWS = 5_000  # logins that are under way; the oldest is forgotten
MAX_CODE = 4096  # characters
DISCOVERY_AGE = 3600.0  # seconds
#: What id tokens may be signed with; never a shared secret.
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Flow:
    machine_uid: str
    nonce: str
    verifier: str
    redirect_uri: str
    room: str
    until: float


@dataclass(frozen=True, slots=True)
class _Provider:
    authorize: str
    token: str
    ring: KeyRing
    basic: bool
    """Whether the secret goes into a header rather than into the form."""


class OidcLogin:
    def __init__(self, settings: OidcSettings, fetcher: Fetcher) -> None:
        self._settings = settings
        self._fetcher = fetcher
        self._issuer = settings.issuer.rstrip("/")
        self._flows: OrderedDict[str, _Flow] = OrderedDict()
        self._provider: _Provider | None = None
        self._provider_at = 0.0

    async def start(self, machine_uid: str, redirect_uri: str, room: str) -> str:
        """The URL to send the browser to; raises `PeerError`."""
        check_machine_uid(machine_uid)
        if len(room) > MAX_USER:
            raise LimitExceeded("length of the room's name", MAX_USER)
        provider = await self._discover()
        now = clock.monotonic()
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        flow = _Flow(
            machine_uid,
            secrets.token_urlsafe(24),
            verifier,
            redirect_uri,
            room,
            now + FLOW_LIFETIME,
        )
        self._flows[state] = flow
        if len(self._flows) > MAX_FLOWS:
            self._flows.popitem(last=False)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": state,
            "nonce": flow.nonce,
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        return str(URL(provider.authorize).update_query(query))

    async def finish(self, code: str, state: str, machine_uid: str) -> tuple[Member, str]:
        """The member, and the room meant; raises `TokenRefused`, `SourceUnavailable`."""
        flow = self._flows.get(state)
        if (
            flow is None
            or flow.until < clock.monotonic()
            or not 0 < len(code) <= MAX_CODE
            or not hmac.compare_digest(flow.machine_uid.encode(), machine_uid.encode())
        ):
            raise TokenRefused("no such login")
        del self._flows[state]
        provider = await self._discover()
        id_token = await self._exchange(provider, code, flow)
        client = self._settings.client_id
        expected = Expected(ALGORITHMS, self._settings.issuer, client)
        claims = await provider.ring.verify(id_token, expected)
        audience = claims.get("aud")
        if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != client:
            raise TokenRefused("azp")
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(
            nonce.encode(), flow.nonce.encode()
        ):
            raise TokenRefused("nonce")
        return self._member(claims), flow.room

    async def _exchange(self, provider: _Provider, code: str, flow: _Flow) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
            "client_id": self._settings.client_id,
        }
        headers = {"Accept": "application/json"}
        if secret := self._settings.client_secret:
            if provider.basic:
                pair = f"{quote(self._settings.client_id, '')}:{quote(secret, '')}"
                headers["Authorization"] = (
                    f"Basic {base64.b64encode(pair.encode()).decode()}"
                )
            else:
                form["client_secret"] = secret
        status, text = await self._fetcher.request(
            "POST", provider.token, headers=headers, form=form
        )
        if status in (400, 401, 403):
            log.warning("the login provider refuses our exchange: status %d", status)
            raise TokenRefused("code")
        if status != 200:
            raise SourceUnavailable("token endpoint")
        answer = as_object(loads(text, MAX_ANSWER), "answer")
        return as_text(answer.get("id_token"), "id_token", MAX_ANSWER)

    async def _discover(self) -> _Provider:
        """The provider's settings (OpenID Connect Discovery 1.0, 4)."""
        now = clock.monotonic()
        if self._provider is not None and now - self._provider_at < DISCOVERY_AGE:
            return self._provider
        status, text = await self._fetcher.request(
            "GET", f"{self._issuer}/.well-known/openid-configuration"
        )
        if status != 200:
            raise SourceUnavailable("discovery")
        try:
            document = as_object(loads(text, MAX_ANSWER), "discovery")
            if document.get("issuer") != self._settings.issuer:
                raise PeerError("another issuer")
            authorize, token, keys = (
                str(self._fetcher.check(as_text(document.get(name), name, 2048)))
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
            )
        except PeerError as error:
            log.warning("the login provider's settings cannot be used: %s", error)
            raise SourceUnavailable("discovery") from None
        methods = document.get("token_endpoint_auth_methods_supported")
        basic = not isinstance(methods, list) or "client_secret_basic" in methods
        self._provider = _Provider(
            authorize, token, ring_of_url(self._fetcher, keys), basic
        )
        self._provider_at = now
        return self._provider

    def _member(self, claims: dict[str, Any]) -> Member:
        settings = self._settings
        listed = claims.get(settings.groups_claim)
        groups = (
            {group for group in listed if isinstance(group, str)}
            if isinstance(listed, list)
            else set()
        )
        if settings.groups and not groups & set(settings.groups):
            raise TokenRefused("group")
        user, name = claims.get("sub"), claims.get("name")
        if not isinstance(name, str):
            name = claims.get("preferred_username")
        wanted = set(settings.moderator_groups)
        try:
            return Member(
                "oidc",
                user if isinstance(user, str) else "",
                name if isinstance(name, str) else None,
                moderator=not wanted or bool(groups & wanted),
            )
        except PeerError:
            raise TokenRefused("sub") from None
