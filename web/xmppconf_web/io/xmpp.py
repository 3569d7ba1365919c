"""XMPP over WebSocket (RFC 7395) and BOSH (XEP-0124), carried to the XMPP server.

The server learns nothing about the browser from us: no address, no header.
"""

from __future__ import annotations

import asyncio
import re

from aiohttp import ClientError, ClientTimeout, web

from xmppconf import clock
from xmppconf.host_port import join_address
from xmppconf_web.io.socket_tokens import tell, token_of, token_watch
from xmppconf_web.io.sockets import carry, end_stream
from xmppconf_web.io.state import (
    GATEWAY,
    Gateway,
    check_origin,
    cors_headers,
    hold,
    read_body,
)
from xmppconf_web.stanzas import Pace

MAX_IN = 512 * 1024  # bytes; Prosody itself takes stanzas of 256 KiB
MAX_OUT = 4 * 1024 * 1024  # bytes; the server's escaping makes stanzas longer
BOSH_TIMEOUT = ClientTimeout(total=150.0, sock_connect=5.0)  # `wait` is 60 s, 120 at most

OWN_PARAMETERS = ("stream", "replaces")
_STREAM = re.compile("[0-9a-f]{32}")


async def open_stream(request: web.Request) -> web.StreamResponse:
    origin = check_origin(request)
    if request.headers.get("Upgrade", "").lower() != "websocket":
        # Stock clients fetch this now and then, so that no proxy forgets them.
        return web.Response(text="XMPP over WebSocket\n", headers=cors_headers(origin))
    if "xmpp" not in _offered(request):
        raise web.HTTPBadRequest(text="the subprotocol must be xmpp\n")
    gateway = request.app[GATEWAY]
    # In another network the old socket is dead, but the server does not know it yet, and
    # would not let its owner into the room under the same nickname.
    await end_stream(gateway, _stream(request, "replaces"))
    url = _url(gateway, gateway.settings.xmpp.websocket_path)
    return await carry(
        request,
        url + _query(request),
        protocols=("xmpp",),
        headers={"Host": gateway.settings.domain},
        max_in=MAX_IN,
        max_out=MAX_OUT,
        look=token_watch(request),
        pace=Pace(),
        name=_stream(request, "stream"),
    )


async def exchange_body(request: web.Request) -> web.Response:
    gateway = request.app[GATEWAY]
    cors = cors_headers(check_origin(request))
    if request.method == "OPTIONS":
        return web.Response(headers=cors)
    body = await read_body(request, MAX_IN)
    if b"\0" in body:
        raise web.HTTPBadRequest(text="the encoding must be UTF-8 (RFC 6120, 11.6)\n")
    await end_stream(gateway, _stream(request, "replaces"))
    with hold(request):
        asked = body.decode(errors="replace")
        wait = gateway.bosh_paces.wait(asked, clock.monotonic())
        if wait is None:
            raise web.HTTPRequestEntityTooLarge(MAX_IN, len(body))
        await asyncio.sleep(wait)
        status, text = await _post(gateway, _query(request), body)
        answer = text.decode(errors="replace")
        watch = gateway.bosh.watch_for(asked, answer, token_of(request))
        if watch is not None:
            await tell(gateway, watch, answer)
    return web.Response(
        body=text,
        status=status,
        headers={"Content-Type": "text/xml; charset=utf-8", **cors},
    )


async def _post(gateway: Gateway, query: str, body: bytes) -> tuple[int, bytes]:
    """Carry one BOSH request; it may be held for `wait` seconds."""
    try:
        async with gateway.http.post(
            _url(gateway, gateway.settings.xmpp.bosh_path) + query,
            data=body,
            headers={"Host": gateway.settings.domain, "Content-Type": "text/xml"},
            timeout=BOSH_TIMEOUT,
            allow_redirects=False,
        ) as answer:
            text = await answer.content.read(MAX_OUT + 1)
            while len(text) <= MAX_OUT and not answer.content.at_eof():
                text += await answer.content.read(MAX_OUT + 1 - len(text))
            status = answer.status
    except (TimeoutError, ClientError):
        gateway.refused.increment("upstream")
        raise web.HTTPBadGateway(text="the XMPP server does not answer\n") from None
    if len(text) > MAX_OUT:
        raise web.HTTPBadGateway(text="the XMPP server's answer is too long\n")
    return status, text


def routes() -> list[web.RouteDef]:
    return [
        web.get("/xmpp-websocket", open_stream, allow_head=False),
        web.post("/http-bind", exchange_body),
        web.options("/http-bind", exchange_body),
    ]


def _url(gateway: Gateway, path: str) -> str:
    xmpp = gateway.settings.xmpp
    return f"http://{join_address(xmpp.host, xmpp.http_port)}{path}"


def _stream(request: web.Request, key: str) -> str:
    """A client's own name of a socket, which nobody else can guess; empty: none."""
    name = request.query.get(key, "")
    return name if _STREAM.fullmatch(name) else ""


def _query(request: web.Request) -> str:
    """`token`, `previd` and `room` mean something to servers; they go on as they came."""
    query = request.rel_url.without_query_params(*OWN_PARAMETERS).raw_query_string
    if len(query) > 8000:
        raise web.HTTPRequestURITooLong(text="query too long\n")
    return f"?{query}" if query else ""


def _offered(request: web.Request) -> list[str]:
    offers = ",".join(request.headers.getall("Sec-WebSocket-Protocol", ()))
    return [offer.strip() for offer in offers.split(",")]
