"""What the handlers share, made once in `app`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import ClientSession, ClientWebSocketResponse, web

from xmppconf.config import Settings
from xmppconf.metrics import Counter, Metrics
from xmppconf_web.address_watch import BoshWatches
from xmppconf_web.fairness import Allowance, Held, source_of
from xmppconf_web.origins import is_host, may_connect
from xmppconf_web.stanzas import BoshPaces

BODY_TIMEOUT = 10.0  # seconds in which a request's body must be here


@dataclass(frozen=True, slots=True)
class Gateway:
    settings: Settings
    public_url: str
    http: ClientSession
    metrics: Metrics
    refused: Counter
    held: Held
    requests: Allowance
    sign_ins: Allowance
    sockets: set[web.WebSocketResponse] = field(default_factory=set)
    streams: dict[str, ClientWebSocketResponse] = field(default_factory=dict)
    """The server's ends of XMPP sockets, by the names that their clients gave them."""
    bosh: BoshWatches = field(default_factory=BoshWatches)
    bosh_paces: BoshPaces = field(default_factory=BoshPaces)


GATEWAY: web.AppKey[Gateway] = web.AppKey("gateway", Gateway)


async def read_body(request: web.Request, most: int) -> bytes:
    """The request's body; 413 if it has more than `most` octets, 408 if it comes slowly."""
    if (request.content_length or 0) > most:
        raise web.HTTPRequestEntityTooLarge(most, request.content_length or 0)
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            body = await request.read()
    except TimeoutError:
        # The rest would be taken for the next request.
        raise web.HTTPRequestTimeout(headers={"Connection": "close"}) from None
    if len(body) > most:
        raise web.HTTPRequestEntityTooLarge(most, len(body))
    return body


def base_url(request: web.Request) -> str:
    """The address under which the browser found us, as far as it can be believed."""
    gateway = request.app[GATEWAY]
    if gateway.settings.web.public_url or not is_host(request.host):
        return gateway.public_url
    return f"{request.scheme}://{request.host}"


def check_origin(request: web.Request) -> str | None:
    """The request's origin if its page may talk to us; otherwise 403."""
    gateway = request.app[GATEWAY]
    origin = request.headers.get("Origin")
    others = gateway.settings.web.origins
    if not may_connect(origin, request.host, gateway.public_url, others):
        gateway.refused.increment("origin")
        raise web.HTTPForbidden(text="not from this page\n")
    return origin


def check_own_origin(request: web.Request) -> None:
    """Refuse pages of every other site, those that may open sockets too; with 403."""
    gateway = request.app[GATEWAY]
    origin = request.headers.get("Origin")
    if not may_connect(origin, request.host, gateway.public_url, ()):
        gateway.refused.increment("origin")
        raise web.HTTPForbidden(text="not from this page\n")


@contextmanager
def hold(request: web.Request) -> Iterator[None]:
    """Count a socket, or a request that is held open, while it lives; otherwise 503."""
    gateway = request.app[GATEWAY]
    source = source_of(request.remote)
    if not gateway.held.enter(source):
        gateway.refused.increment("sockets")
        raise web.HTTPServiceUnavailable(text="too many connections\n")
    try:
        yield
    finally:
        gateway.held.leave(source)


def cors_headers(origin: str | None) -> dict[str, str]:
    """Let a page that `check_origin` passed read the answer (no cookies are involved)."""
    if origin is None:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Max-Age": "86400",
        "Vary": "Origin",
    }
