"""The channel of a link over a WebSocket that this bridge opens at the other one."""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import urlsplit

import aiohttp

from xmppconf import limits
from xmppconf_bridge.io.web_socket import CLOSE_TIMEOUT, PING_INTERVAL, run_channel
from xmppconf_bridge.relay import Relay

CONNECT_TIMEOUT = 10.0  # seconds
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds between two tries

log = logging.getLogger(__name__)


class Dialler:
    """Keeps the socket of one link open until the link ends."""

    def __init__(self, relay: Relay, url: str) -> None:
        self._relay = relay
        self._url = url
        self._task = asyncio.get_running_loop().create_task(self._run())

    def close(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        if urlsplit(self._url).scheme not in ("ws", "wss"):
            log.warning("another bridge's channel is no WebSocket")
            return
        wait = FIRST_WAIT
        while not self._relay.transport.is_closed:
            try:
                if await self._connect():
                    return
                wait = FIRST_WAIT
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                log.warning("no channel to another bridge yet: %s", type(error).__name__)
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    async def _connect(self) -> bool:
        """Have the channel until it ends; whether the other bridge has ended the link."""
        # The other resolver keeps a thread.
        connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
        async with aiohttp.ClientSession(connector=connector) as session:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                connection = await session.ws_connect(
                    self._url,
                    max_msg_size=limits.CHANNEL_MESSAGE,
                    heartbeat=PING_INTERVAL,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT),
                )
            # A bridge that does not read is given up.
            async with connection:
                await run_channel(self._relay, connection, self.close)
            return connection.close_code == 1001
