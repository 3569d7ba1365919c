"""Who may see figures and give orders over HTTP: only peers in networks named beforehand.

The port also carries clients' WebSockets, through a gateway that may be on another machine,
so it can be open to more than may be told everything.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from xmppconf.errors import SettingsError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: What a proxy adds; behind one, the peer's address says nothing about who asks.  Nor does
#: it with a page in a browser on a trusted machine, which may be anybody's.
_OTHERS = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Origin")


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Read networks, or single addresses; raises `SettingsError`."""
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError:
        raise SettingsError("bridge.http_trusted: not an address or network") from None


def is_trusted(request: web.Request, trusted: Sequence[Network]) -> bool:
    if any(header in request.headers for header in _OTHERS):
        return False
    try:
        address = ipaddress.ip_address(request.remote or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in trusted)


def only_trusted(handler: Handler, trusted: Sequence[Network]) -> Handler:
    async def guarded(request: web.Request) -> web.StreamResponse:
        if not is_trusted(request, trusted):
            raise web.HTTPForbidden
        return await handler(request)

    return guarded
