"""One port for two protocols: the first byte of a connection tells which it speaks.

HTTP begins with a letter; of a STUN message the first two bits are zero (RFC 8489, 5).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from aiohttp import web

from xmppconf.config import Settings
from xmppconf.errors import UsageError
from xmppconf_web.io.state import GATEWAY
from xmppconf_web.io.turn import Relay

FIRST_BYTE_TIMEOUT = 30.0  # seconds
_LETTERS = 0x40

Takeover = Callable[[asyncio.Transport], asyncio.Protocol | None]


class FirstByte(asyncio.Protocol):
    """Waits for it, then hands the connection over and is gone.

    `http` makes a protocol, `turn` one for a connection; None closes it.  `waiting` holds
    the connections that have not said anything yet.
    """

    def __init__(
        self,
        http: Callable[[], asyncio.Protocol],
        turn: Takeover,
        waiting: set[asyncio.Transport],
    ) -> None:
        self._http = http
        self._turn = turn
        self._waiting = waiting
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = stream = cast("asyncio.Transport", transport)
        self._waiting.add(stream)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(FIRST_BYTE_TIMEOUT, transport.close)

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or self._timer is None:
            return
        self._done()
        if data[0] < _LETTERS:
            turn = self._turn(transport)
            if turn is None:
                transport.close()
                return
            heir = turn
        else:
            heir = self._http()
            heir.connection_made(transport)
        transport.set_protocol(heir)
        heir.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()

    def _done(self) -> None:
        if self._transport is not None and self._timer is not None:
            self._timer.cancel()
            self._waiting.discard(self._transport)


class Listener:
    """The gateway's port.  `runner` is set up, and is cleaned up after this is closed."""

    def __init__(self, runner: web.AppRunner, settings: Settings) -> None:
        if runner.server is None:
            raise UsageError("the runner is not set up")
        self._http = runner.server
        self._port = settings.web.port
        relay = None
        if settings.turn.relay and settings.turn.secret:
            relay = Relay(settings, runner.app[GATEWAY].metrics)
        self._relay = relay
        self._servers: list[asyncio.Server] = []
        self._waiting: set[asyncio.Transport] = set()

    async def listen(self, host: str | None, tls: ssl.SSLContext | None) -> None:
        """Accept connections at an address, None for all; raises `OSError`."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._accept, host, self._port, ssl=tls)
        self._servers.append(server)

    def close(self) -> None:
        """Accept no more, and end what does not speak HTTP; the runner ends the others."""
        for server in self._servers:
            server.close()
        for transport in tuple(self._waiting):
            transport.close()
        if self._relay is not None:
            self._relay.close()

    def _accept(self) -> FirstByte:
        relay = self._relay
        turn = (lambda _: None) if relay is None else relay.serve
        return FirstByte(self._http, turn, self._waiting)
