"""Carries WebSocket frames between a browser and a server behind the gateway.

A side that reads slowly stops the other one: each frame is sent before the next is read,
and sending waits while the write buffer is full.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import (
    ClientError,
    ClientTimeout,
    ClientWebSocketResponse,
    WSCloseCode,
    WSMsgType,
    web,
)

from xmppconf import clock
from xmppconf_web.io.state import GATEWAY, Gateway, check_origin, hold
from xmppconf_web.stanzas import Pace

CONNECT_TIMEOUT = ClientTimeout(total=None, sock_connect=5.0)
HANDSHAKE_TIMEOUT = 10.0  # seconds
CLOSE_TIMEOUT = 3.0  # seconds for the whole good-bye
HEARTBEAT = 30.0  # seconds between pings; a peer that does not answer is gone
#: Codes that exist only inside a program and never on the wire (RFC 6455, 7.4.1).
_NEVER_SENT = frozenset({1005, 1006, 1015})

Socket = web.WebSocketResponse | ClientWebSocketResponse
Look = Callable[[str], Awaitable[bool]]


async def carry(
    request: web.Request,
    url: str,
    *,
    protocols: tuple[str, ...] = (),
    headers: dict[str, str] | None = None,
    max_in: int,
    max_out: int,
    look: Look | None = None,
    pace: Pace | None = None,
    name: str = "",
) -> web.WebSocketResponse:
    """Connect to `url`, then accept the browser, then carry frames until one side ends.

    `max_in` and `max_out` bound a message from and to the browser, in bytes.  `look` sees
    each text from the server before the browser does, until it has seen enough.  `pace`
    says how fast texts from the browser go on.  `name` is what `end_stream` knows it by,
    unless another one that lives has that name.
    """
    check_origin(request)
    with hold(request):
        return await _carry(
            request, url, protocols, headers, max_in, max_out, look, pace, name
        )


async def end_stream(gateway: Gateway, name: str) -> None:
    """Say good-bye to the server for a client whose old network is no more."""
    far = gateway.streams.pop(name, None)
    if far is not None:
        await _close(far, 1000, b"")


async def _carry(
    request: web.Request,
    url: str,
    protocols: tuple[str, ...],
    headers: dict[str, str] | None,
    max_in: int,
    max_out: int,
    look: Look | None,
    pace: Pace | None,
    name: str,
) -> web.WebSocketResponse:
    gateway = request.app[GATEWAY]
    near = web.WebSocketResponse(
        protocols=protocols, max_msg_size=max_in, heartbeat=HEARTBEAT, compress=False
    )
    if not near.can_prepare(request):
        raise web.HTTPUpgradeRequired(headers={"Upgrade": "websocket"})
    gateway.sockets.add(near)
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT):
            far = await gateway.http.ws_connect(
                url, protocols=protocols, headers=headers, max_msg_size=max_out
            )
    except (TimeoutError, ClientError) as exc:
        gateway.sockets.discard(near)
        status = getattr(exc, "status", None)
        if status in (401, 403, 404):
            # One answer for "no such" and "not allowed", the one the server chose.
            raise web.HTTPForbidden if status != 404 else web.HTTPNotFound from None
        gateway.refused.increment("upstream")
        raise web.HTTPBadGateway(
            text="the server behind this one does not answer\n"
        ) from None
    if name:
        gateway.streams.setdefault(name, far)
    try:
        try:
            await near.prepare(request)
        except ConnectionResetError:
            # The browser went while we connected; nobody hears this, and nobody logs it.
            raise web.HTTPBadRequest from None
        await _exchange(near, far, look, pace)
    finally:
        gateway.sockets.discard(near)
        if gateway.streams.get(name) is far:
            del gateway.streams[name]
        await _close(far, 1000, b"")
    return near


async def _close(socket: Socket, code: int, reason: bytes) -> None:
    """Say good-bye; who goes on talking instead of answering is cut off."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await socket.close(code=code, message=reason)


async def _exchange(
    near: web.WebSocketResponse,
    far: ClientWebSocketResponse,
    look: Look | None,
    pace: Pace | None,
) -> None:
    outward = asyncio.create_task(_pump(near, far, pace=pace))
    inward = asyncio.create_task(_pump(far, near, look))
    try:
        done, _ = await asyncio.wait((outward, inward), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (outward, inward):
            task.cancel()
        await asyncio.gather(outward, inward, return_exceptions=True)
    for task in done:
        code, reason = task.result()
        sink: Socket = far if task is outward else near
        await _close(sink, code, reason)


async def _pump(
    source: Socket, sink: Socket, look: Look | None = None, pace: Pace | None = None
) -> tuple[int, bytes]:
    """Carry messages one way; returns the close code and reason to pass on."""
    while True:
        message = await source.receive()
        try:
            if message.type is WSMsgType.TEXT:
                if look is not None and await look(message.data):
                    look = None
                if pace is not None:
                    wait = pace.wait(message.data, clock.monotonic())
                    if wait is None:
                        refusal = WSCloseCode.POLICY_VIOLATION, b"too much at once"
                        await _close(source, *refusal)
                        return refusal
                    if wait:
                        await asyncio.sleep(wait)
                await sink.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await sink.send_bytes(message.data)
            elif message.type is WSMsgType.CLOSE:
                code = message.data if message.data else 1000
                reason = (message.extra or "").encode()[:120]
                return (1001 if code in _NEVER_SENT else code), reason
            else:  # broken, or already closed
                code = source.close_code or 1001
                return (1001 if code in _NEVER_SENT else code), b""
        except (ConnectionError, RuntimeError):
            # The sink closed while we were sending; its own pump tells why.
            return 1001, b""
