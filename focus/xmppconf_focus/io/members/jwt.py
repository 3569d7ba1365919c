"""Members who come with a JSON Web Token."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from xmppconf.config import JwtSettings
from xmppconf.errors import SettingsError
from xmppconf.jid import Jid
from xmppconf_focus.io.members.fetch import Fetcher
from xmppconf_focus.io.members.keys import (
    KeyRing,
    fixed_ring,
    pem_ring,
    ring_of_file,
    ring_of_url,
)
from xmppconf_focus.membership import Member
from xmppconf_focus.tokens import Expected, check_room, member_of, shared_secret


class TokenMembers:
    """Raises `SettingsError` if there is not exactly one source of keys."""

    def __init__(self, settings: JwtSettings, fetcher: Fetcher) -> None:
        self._ring = _ring(settings, fetcher)
        self._any_room = settings.any_room
        self._expected = Expected(
            frozenset(settings.algorithms),
            settings.issuer or None,
            settings.audience or None,
        )

    async def check(self, token: str, room: Jid) -> Member:
        """Whose token it is; raises `TokenRefused`, `SourceUnavailable`."""
        claims = await self.check_any(token)
        check_room(claims, room.local, any_room=self._any_room)
        everywhere = claims.get("room") == "*"
        return replace(member_of(claims), room="" if everywhere else room.bare)

    async def check_any(self, token: str) -> dict[str, Any]:
        """The claims of a token, for whatever room; raises as `check` does."""
        return await self._ring.verify(token, self._expected)


def are_set(settings: JwtSettings) -> bool:
    return any(_sources(settings))


def _sources(settings: JwtSettings) -> tuple[str, ...]:
    return (settings.secret, settings.key_file, settings.jwks_file, settings.jwks_url)


def _ring(settings: JwtSettings, fetcher: Fetcher) -> KeyRing:
    if sum(map(bool, _sources(settings))) != 1:
        raise SettingsError(
            "members.jwt: set one of secret, key_file, jwks_file and jwks_url"
        )
    if settings.secret:
        return fixed_ring(shared_secret(settings.secret))
    if settings.key_file:
        return pem_ring(Path(settings.key_file))
    if settings.jwks_file:
        return ring_of_file(Path(settings.jwks_file))
    fetcher.check(settings.jwks_url)
    return ring_of_url(fetcher, settings.jwks_url)
