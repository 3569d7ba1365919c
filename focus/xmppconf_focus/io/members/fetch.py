"""Requests to login servers: bounded, and never to a machine that was not meant.

Their addresses come from the settings or from a document that a login server gave, so a
mistake or a broken server must not make us talk to what only this machine can reach.
Every address is judged after its name was resolved and is the one that is connected to:
no form of writing it, redirect or changing name gets around that.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Mapping
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from xmppconf.errors import Condition, PeerError

MAX_ANSWER = 256 * 1024  # bytes, unpacked
TIMEOUT = aiohttp.ClientTimeout(total=5.0, sock_connect=3.0)
#: Networks that lead elsewhere though they count as global.
_DETOURS = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16"))


class SourceUnavailable(PeerError):
    """A source of members cannot be asked now."""

    condition: Condition = "service-unavailable"


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return is_public(str(parsed.ipv4_mapped))
        if any(parsed in network for network in _DETOURS):
            return False
    return parsed.is_global and not parsed.is_multicast


class _PublicOnly(AbstractResolver):
    def __init__(self, internal: Collection[str]) -> None:
        self._resolver = aiohttp.ThreadedResolver()
        self._internal = internal

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if host not in self._internal:
            found = [result for result in found if is_public(result["host"])]
        if not found:
            raise OSError("no public address")
        return found

    async def close(self) -> None:
        await self._resolver.close()


class Fetcher:
    """`internal_hosts` may have private addresses, and be asked without TLS."""

    def __init__(self, internal_hosts: Collection[str]) -> None:
        self._internal = frozenset(host.lower() for host in internal_hosts)
        self._session: aiohttp.ClientSession | None = None

    def check(self, url: str) -> URL:
        """The URL if it may be asked; raises `SourceUnavailable`."""
        try:
            parsed = URL(url)
            host = parsed.host or ""
            parsed.port  # noqa: B018  (raises if it is out of range)
        except ValueError:
            raise SourceUnavailable("URL") from None
        internal = host.lower() in self._internal
        if parsed.scheme != "https" and not (parsed.scheme == "http" and internal):
            raise SourceUnavailable("URL without TLS, and not of an internal host")
        if not host or parsed.user or parsed.password:
            raise SourceUnavailable("URL with user, or without host")
        # Addresses are not resolved, so they are judged here.
        if not internal and _is_address(host) and not is_public(host):
            raise SourceUnavailable("URL of a private address")
        return parsed

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        """Status and body; raises `SourceUnavailable`.  No redirect is followed."""
        checked = self.check(url)
        try:
            async with self._open().request(
                method,
                checked,
                headers=headers,
                json=json,
                data=form,
                allow_redirects=False,
            ) as answer:
                body = bytearray()
                async for chunk in answer.content.iter_chunked(64 * 1024):
                    body += chunk
                    if len(body) > MAX_ANSWER:
                        raise SourceUnavailable("answer is too long")
                return answer.status, body.decode()
        except (aiohttp.ClientError, TimeoutError, OSError, UnicodeDecodeError) as error:
            raise SourceUnavailable(f"cannot be asked: {type(error).__name__}") from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=_PublicOnly(self._internal), limit=20, use_dns_cache=False
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=TIMEOUT,
                trust_env=False,
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
