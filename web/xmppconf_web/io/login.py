"""Signing in and out, carried to the focus.

Nothing that changes anything is a GET, and no cookie is set: what a browser has to keep it
gets in the answer, which only a page of ours can read.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import ClientError, ClientTimeout, web

from xmppconf import clock
from xmppconf.errors import PeerError
from xmppconf.strict_json import as_object, loads
from xmppconf_web.fairness import source_of
from xmppconf_web.io.pages import page
from xmppconf_web.io.state import GATEWAY, base_url, check_own_origin, read_body

MAX_BODY = 16 * 1024  # bytes
TIMEOUT = ClientTimeout(total=30.0, sock_connect=3.0)  # longer than any source may take
CALLBACK = "/login/callback"


async def show_ways(request: web.Request) -> web.Response:
    return await _ask(request, "GET", "ways")


async def sign_in(request: web.Request) -> web.Response:
    body = await _read(request, tries=True)
    return await _ask(request, "POST", "sign-in", body)


async def sign_out(request: web.Request) -> web.Response:
    return await _ask(request, "POST", "sign-out", await _read(request))


async def start_oidc(request: web.Request) -> web.Response:
    body = await _read(request, tries=True)
    body["redirectUri"] = base_url(request) + CALLBACK
    return await _ask(request, "POST", "oidc/start", body)


async def finish_oidc(request: web.Request) -> web.Response:
    return await _ask(request, "POST", "oidc/finish", await _read(request, tries=True))


async def show_page(request: web.Request) -> web.StreamResponse:
    return page(request)


def routes() -> list[web.RouteDef]:
    return [
        web.get("/login", show_page),
        web.get(CALLBACK, show_page),
        web.get("/login/ways", show_ways),
        web.post("/login", sign_in),
        web.post("/logout", sign_out),
        web.post("/login/oidc", start_oidc),
        web.post("/login/oidc/finish", finish_oidc),
    ]


async def _read(request: web.Request, *, tries: bool = False) -> dict[str, Any]:
    """The body of a request that a page of ours sent; `tries` counts it for its address."""
    gateway = request.app[GATEWAY]
    check_own_origin(request)
    # A form of another site can send everything but this.
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    source = source_of(request.remote)
    if tries and not gateway.sign_ins.take(source, clock.monotonic()):
        gateway.refused.increment("sign_ins")
        raise web.HTTPTooManyRequests(
            text='{"error":"later"}',
            content_type="application/json",
            headers={"Retry-After": "30"},
        )
    raw = await read_body(request, MAX_BODY)
    try:
        return as_object(loads(raw.decode(), MAX_BODY), "body")
    except (UnicodeDecodeError, PeerError):
        raise web.HTTPBadRequest(
            text='{"error":"bad"}', content_type="application/json"
        ) from None


async def _ask(
    request: web.Request, method: str, path: str, body: dict[str, Any] | None = None
) -> web.Response:
    gateway = request.app[GATEWAY]
    url = f"{gateway.settings.web.focus_url.rstrip('/')}/members/{path}"
    try:
        async with gateway.http.request(
            method,
            url,
            data=None if body is None else json.dumps(body),
            timeout=TIMEOUT,
            allow_redirects=False,
        ) as answer:
            text = await answer.read()
            status = answer.status
    except (TimeoutError, ClientError):
        gateway.refused.increment("upstream")
        status, text = 503, b'{"error":"unavailable"}'
    return web.Response(
        body=text,
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
