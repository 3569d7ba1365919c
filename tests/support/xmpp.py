"""A component over an in-memory transport: feed it XML, see what it writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from xml.etree.ElementTree import Element, fromstring

from xmppconf.xmpp.stream import COMPONENT, GuardedComponent

OPEN = (
    f"<stream:stream xmlns='{COMPONENT}' "
    "xmlns:stream='http://etherx.jabber.org/streams' id='s1' from='focus.example'>"
)


class Wire(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class ComponentStream:
    """The server's side of one component."""

    def __init__(self, domain: str) -> None:
        self.wire = Wire()
        self.xmpp = GuardedComponent(domain, "secret")

    async def start(self) -> None:
        self.xmpp.connection_made(self.wire)
        self.xmpp.data_received(OPEN)
        self.xmpp.data_received("<handshake/>")
        await asyncio.wait_for(self.xmpp.session.wait(), 1)
        self.take_text()

    async def feed(self, xml: str | bytes) -> list[Element]:
        """Deliver bytes, let everything run that can, and return what was written."""
        self.xmpp.data_received(xml)
        return await self.settle()

    async def settle(self) -> list[Element]:
        for _ in range(8):
            await asyncio.sleep(0)
        return self.take()

    def take_text(self) -> str:
        text = self.wire.written.decode()
        self.wire.written.clear()
        return text

    def take(self) -> list[Element]:
        """The stanzas written since the last call, as the server's parser sees them."""
        root = fromstring(OPEN + self.take_text() + "</stream:stream>")
        return list(root)


@asynccontextmanager
async def component_stream(domain: str) -> AsyncIterator[ComponentStream]:
    stream = ComponentStream(domain)
    await stream.start()
    try:
        yield stream
    finally:
        stream.wire.closed = True
        stream.xmpp.transport = None
        await stream.xmpp.close()
