"""A token on the socket's URL, for clients that show it nowhere else.

A plain XMPP server does not read it.  So we look for the address that the server gives to
this socket, and tell the focus whose token it is before the client knows its address.
"""

from __future__ import annotations

import html
import json
import re

from aiohttp import ClientError, ClientTimeout, web

from xmppconf_web.io.sockets import Look
from xmppconf_web.io.state import GATEWAY

MAX_TOKEN = 8192  # characters
MAX_FRAMES = 20  # until a client has its address, or never gets one
TIMEOUT = ClientTimeout(total=6.0, sock_connect=2.0)

#: The server's answer to the binding of a resource (RFC 6120, 7.6.1).
_BOUND = re.compile(
    r"<bind\s[^>]*urn:ietf:params:xml:ns:xmpp-bind[^>]*>\s*<jid>([^<]{3,3071})</jid>"
)


def token_watch(request: web.Request) -> Look | None:
    """What is to look at the server's texts; None if there is no token to tell of."""
    token = request.query.get("token", "")
    if not token or len(token) > MAX_TOKEN:
        return None
    gateway = request.app[GATEWAY]
    url = f"{gateway.settings.web.focus_url.rstrip('/')}/members/socket"
    frames = 0

    async def look(text: str) -> bool:
        nonlocal frames
        frames += 1
        bound = _BOUND.search(text)
        if bound is None:
            return frames >= MAX_FRAMES
        body = json.dumps({"jid": html.unescape(bound[1]), "token": token})
        try:
            async with gateway.http.post(
                url, data=body, timeout=TIMEOUT, allow_redirects=False
            ) as answer:
                await answer.read()
        except (TimeoutError, ClientError):
            # Without it the client is a guest, and is told so when it asks for a room.
            gateway.refused.increment("upstream")
        return True

    return look
