"""`/health` for whoever watches, `/metrics` for this machine only."""

from __future__ import annotations

import asyncio

from aiohttp import ClientError, ClientTimeout, web

from xmppconf.local_request import is_local
from xmppconf_web.io.state import GATEWAY, Gateway

CHECK_TIMEOUT = 2.0  # seconds


async def show_health(request: web.Request) -> web.Response:
    gateway = request.app[GATEWAY]
    names = ("xmpp", "focus")
    answers = await asyncio.gather(_xmpp_answers(gateway), _focus_answers(gateway))
    parts = dict(zip(names, answers, strict=True))
    well = all(answers)
    return web.json_response(
        {"healthy": well, **parts},
        status=200 if well else 503,
        headers={"Cache-Control": "no-store"},
    )


async def show_metrics(request: web.Request) -> web.Response:
    if not is_local(request.remote, request.headers):
        raise web.HTTPNotFound(text="no such page\n")
    body, content_type = request.app[GATEWAY].metrics.render()
    return web.Response(body=body, headers={"Content-Type": content_type})


def routes() -> list[web.RouteDef]:
    return [web.get("/health", show_health), web.get("/metrics", show_metrics)]


async def _xmpp_answers(gateway: Gateway) -> bool:
    xmpp = gateway.settings.xmpp
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            _, writer = await asyncio.open_connection(xmpp.host, xmpp.http_port)
    except OSError:
        return False
    writer.close()
    return True


async def _focus_answers(gateway: Gateway) -> bool:
    url = gateway.settings.web.focus_url.rstrip("/") + "/health"
    try:
        async with gateway.http.get(
            url, timeout=ClientTimeout(total=CHECK_TIMEOUT)
        ) as answer:
            return answer.status == 200
    except (TimeoutError, ClientError):
        return False
