"""Public keys of token issuers, read from files and URLs and kept for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from xmppconf import clock
from xmppconf.errors import PeerError, SettingsError
from xmppconf_focus.io.members.fetch import Fetcher, SourceUnavailable
from xmppconf_focus.tokens import (
    Expected,
    UnknownKey,
    VerificationKey,
    key_from_pem,
    keys_from_set,
    verify,
)

MIN_AGE = 30.0  # seconds a set is kept whatever key a token names
MAX_AGE = 600.0  # seconds after which a set is read again: a key may have been withdrawn

Keys = tuple[VerificationKey, ...]


class KeyRing:
    """Keys that are read when needed; `read` raises `PeerError`."""

    def __init__(self, read: Callable[[], Awaitable[Keys]], fixed: Keys = ()) -> None:
        self._read = read
        self._fixed = fixed
        self._keys: Keys = ()
        self._read_at = -MAX_AGE
        self._reading = asyncio.Lock()

    async def verify(self, token: str, expected: Expected) -> dict[str, Any]:
        """The claims of a good token.  Raises `TokenRefused`, `SourceUnavailable`."""
        keys = await self._fresh(MAX_AGE)
        try:
            return verify(token, keys, expected, clock.wall())
        except UnknownKey:
            # The issuer may have a new one; a stranger's token must not make us ask often.
            keys = await self._fresh(MIN_AGE)
            return verify(token, keys, expected, clock.wall())

    async def _fresh(self, age: float) -> Keys:
        async with self._reading:
            if clock.monotonic() - self._read_at >= age:
                self._read_at = clock.monotonic()
                try:
                    self._keys = await self._read()
                except PeerError as error:
                    # Those we have may still be good; without any nobody can be judged.
                    self._read_at = clock.monotonic() - MAX_AGE + MIN_AGE
                    if not self._keys and not self._fixed:
                        raise SourceUnavailable(f"keys: {error}") from None
        return self._fixed + self._keys


def ring_of_file(path: Path) -> KeyRing:
    """Keys of a JWK set in a file, which may be replaced; raises `SettingsError`."""

    def read_now() -> Keys:
        try:
            return keys_from_set(path.read_text())
        except (OSError, UnicodeDecodeError):
            raise SourceUnavailable("key file") from None

    async def read() -> Keys:
        return read_now()

    if not _read_or_refuse(read_now, "members.jwt.jwks_file"):
        raise SettingsError("members.jwt.jwks_file: has no key that can be used")
    return KeyRing(read)


def ring_of_url(fetcher: Fetcher, url: str) -> KeyRing:
    async def read() -> Keys:
        status, text = await fetcher.request("GET", url)
        if status != 200:
            raise SourceUnavailable("key set")
        return keys_from_set(text)

    return KeyRing(read)


def fixed_ring(*keys: VerificationKey) -> KeyRing:
    async def read() -> Keys:
        return ()

    return KeyRing(read, keys)


def pem_ring(path: Path) -> KeyRing:
    """Raises `SettingsError`."""
    return fixed_ring(
        _read_or_refuse(lambda: key_from_pem(path.read_bytes()), "members.jwt.key_file")
    )


def _read_or_refuse(read: Callable[[], Any], setting: str) -> Any:
    try:
        return read()
    except OSError as error:
        raise SettingsError(f"{setting}: {error.strerror}") from None
    except PeerError as error:
        raise SettingsError(f"{setting}: {error}") from None
