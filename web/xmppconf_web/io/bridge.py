"""The bridge channel over WebSocket, carried to the bridge that its path names."""

from __future__ import annotations

import re

from aiohttp import web

from xmppconf_web.io.sockets import carry
from xmppconf_web.io.state import GATEWAY

MAX_MESSAGE = 256 * 1024  # bytes, both ways; the bridge has its own, lower bounds

_PART = re.compile(r"[A-Za-z0-9._:@-]{1,128}")
_QUERY = re.compile(r"pwd=[A-Za-z0-9._~-]{1,256}")


async def open_channel(request: web.Request) -> web.WebSocketResponse:
    """Of a participant, or of another bridge."""
    kind, bridge, conference, endpoint = (
        request.match_info[name] for name in ("kind", "bridge", "conference", "endpoint")
    )
    base = request.app[GATEWAY].settings.web.bridges.get(bridge)
    query = request.rel_url.raw_query_string
    if base is None or not _PART.fullmatch(conference) or not _PART.fullmatch(endpoint):
        raise web.HTTPNotFound
    if not _QUERY.fullmatch(query):
        raise web.HTTPForbidden
    url = f"{base.rstrip('/')}/{kind}/{bridge}/{conference}/{endpoint}?{query}"
    return await carry(request, url, max_in=MAX_MESSAGE, max_out=MAX_MESSAGE)


def routes() -> list[web.RouteDef]:
    return [
        web.get(
            "/{kind:colibri-ws|colibri-relay-ws}/{bridge}/{conference}/{endpoint}",
            open_channel,
            allow_head=False,
        )
    ]
