"""A token on the URL of a socket or of BOSH, for clients that show it nowhere else.

A plain XMPP server does not read it.  So we look for the address that the server gives to
this session, and tell the focus whose token it is before the client knows its address.
"""

from __future__ import annotations

import json

from aiohttp import ClientError, ClientTimeout, web

from xmppconf_web.address_watch import AddressWatch
from xmppconf_web.io.sockets import Look
from xmppconf_web.io.state import GATEWAY, Gateway

MAX_TOKEN = 8192  # characters
TIMEOUT = ClientTimeout(total=6.0, sock_connect=2.0)


def token_watch(request: web.Request) -> Look | None:
    """What is to look at the server's texts; None if there is no token to tell of."""
    token = token_of(request)
    if not token:
        return None
    gateway, watch = request.app[GATEWAY], AddressWatch(token)

    async def look(text: str) -> bool:
        await tell(gateway, watch, text)
        return watch.over

    return look


def token_of(request: web.Request) -> str:
    """The token on the URL; empty if there is none that could be one."""
    token = request.query.get("token", "")
    return token if len(token) <= MAX_TOKEN else ""


async def tell(gateway: Gateway, watch: AddressWatch, text: str) -> None:
    """Tell the focus whose token it is if `text`, the server's, gives the address."""
    if (jid := watch.look(text)) is None:
        return
    url = f"{gateway.settings.web.focus_url.rstrip('/')}/members/socket"
    body = json.dumps({"jid": jid, "token": watch.token})
    try:
        async with gateway.http.post(
            url, data=body, timeout=TIMEOUT, allow_redirects=False
        ) as answer:
            await answer.read()
    except (TimeoutError, ClientError):
        # Without it the client is a guest, and is told so when it asks for a room.
        gateway.refused.increment("upstream")
