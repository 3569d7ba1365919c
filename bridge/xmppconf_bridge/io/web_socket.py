"""The bridge channel over WebSocket: authenticated before it is accepted."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from aiohttp import ClientWebSocketResponse, WSMsgType, web

from xmppconf import limits
from xmppconf_bridge.bridge import Bridge
from xmppconf_bridge.channel import BridgeChannel, WebSocketCarrier
from xmppconf_bridge.endpoint import Endpoint
from xmppconf_bridge.relay import Relay
from xmppconf_bridge.transport import EndpointTransport

IDLE_TIMEOUT = 60.0  # seconds without a frame
PING_INTERVAL = 15.0
CLOSE_TIMEOUT = 1.0  # seconds
#: What a slow reader may leave unread; with more its socket is closed.
MAX_UNSENT = 1000  # messages
MAX_UNSENT_SIZE = 1024 * 1024  # characters

BRIDGE: web.AppKey[Bridge] = web.AppKey("bridge", Bridge)


class Socket:
    """Sends in its own task, so that nobody waits for a slow reader."""

    def __init__(
        self,
        socket: web.WebSocketResponse | ClientWebSocketResponse,
        abort: Callable[[], None],
    ) -> None:
        """`abort` drops the connection with all that was not sent."""
        self._socket = socket
        self._abort = abort
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue()
        self._size = 0
        self._closing: tuple[int, bytes] | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def send(self, text: str) -> None:
        if self._closing is not None:
            return
        self._size += len(text)
        if self._waiting.qsize() >= MAX_UNSENT or self._size > MAX_UNSENT_SIZE:
            self.close(1008, "too slow")
        else:
            self._waiting.put_nowait(text)

    def abandon(self) -> None:
        self.close(1008, "too many messages")

    def close(self, code: int, reason: str) -> None:
        if self._closing is None:
            self._closing = (code, reason.encode())
            self._waiting.put_nowait(None)
            # Whoever does not read would not read that either.
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(CLOSE_TIMEOUT, self._abort)

    async def run(self) -> None:
        """Send what waits until closed; what is left at a close is not sent."""
        with suppress(ConnectionError, RuntimeError):
            await self._send_all()
        if self._closing is not None:
            code, reason = self._closing
            with suppress(ConnectionError, RuntimeError):
                await self._socket.close(code=code, message=reason)
        if self._deadline is not None:
            self._deadline.cancel()

    async def _send_all(self) -> None:
        while self._closing is None:
            text = await self._waiting.get()
            if text is not None and self._closing is None:
                self._size -= len(text)
                await self._socket.send_str(text)


class Owner(Protocol):
    """Whose channel it is, and who is told what comes over it."""

    channel: BridgeChannel
    transport: EndpointTransport

    def socket_opened(self, socket: WebSocketCarrier) -> None: ...
    def socket_message(self, text: str) -> None: ...


async def open_channel(request: web.Request) -> web.WebSocketResponse:
    """Answer `/colibri-ws/{server}/{conference}/{endpoint}?pwd=...`."""
    path = request.match_info
    bridge = _bridge(request)
    return await _serve(request, bridge.find(path["conference"], path["endpoint"]))


async def open_relay_channel(request: web.Request) -> web.WebSocketResponse:
    """Answer `/colibri-relay-ws/{server}/{conference}/{relay}?pwd=...`."""
    path = request.match_info
    bridge = _bridge(request)
    return await _serve(request, bridge.find_relay(path["conference"], path["relay"]))


def _bridge(request: web.Request) -> Bridge:
    bridge = request.app[BRIDGE]
    if request.match_info["server"] != bridge.identity.id:
        raise web.HTTPNotFound
    return bridge


async def _serve(
    request: web.Request, found: Endpoint | Relay | None
) -> web.WebSocketResponse:
    wanted = found.password if found else ""
    given = request.query.get("pwd", "")
    # One answer, in one time, for "no such endpoint" and "wrong password".
    right = hmac.compare_digest(given.encode(), wanted.encode())
    if not right or found is None or set(request.query) != {"pwd"}:
        raise web.HTTPForbidden

    response = web.WebSocketResponse(
        max_msg_size=limits.CHANNEL_MESSAGE,
        heartbeat=PING_INTERVAL,
        receive_timeout=IDLE_TIMEOUT,
        timeout=CLOSE_TIMEOUT,
        compress=False,
    )
    await response.prepare(request)
    if found.transport.is_closed:
        await response.close(code=1001, message=b"endpoint closed")
        return response
    transport = request.transport
    if transport is not None:
        await run_channel(found, response, transport.abort)
    return response


async def run_channel(
    owner: Owner,
    connection: web.WebSocketResponse | ClientWebSocketResponse,
    abort: Callable[[], None],
) -> None:
    """Let `owner` have the connection as its channel until it ends."""
    loop = asyncio.get_running_loop()
    socket = Socket(connection, abort)
    sender = asyncio.create_task(socket.run())
    owner.socket_opened(socket)
    try:
        async for frame in connection:
            if frame.type is not WSMsgType.TEXT:
                socket.close(1003, "text only")
            elif owner.channel.may_receive(socket, len(frame.data), loop.time()):
                owner.socket_message(frame.data)
    except TimeoutError:
        socket.close(1001, "idle")
    finally:
        owner.channel.closed(socket)
        socket.close(1000, "")
        await sender
