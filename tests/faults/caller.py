"""A participant who stays in a call through faults, as a browser's client does.

Whenever the focus invites anew, the old media end and fresh ones begin.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from xml.etree.ElementTree import Element

from tests.support.peer import Peer
from tests.support.rtc_peer import Colour, RtcPeer
from xmppconf.config import Settings
from xmppconf.jingle import Received
from xmppconf.xmpp.jingle import jingle_from_xml
from xmppconf.xmpp.stanza import StanzaError
from xmppconf.xmpp.stream import Request

RED: Colour = (200, 30, 30)
BLUE: Colour = (30, 60, 210)
TONES = {RED: 440.0, BLUE: 880.0}


class Caller(Peer):
    """`sessions` counts the media sessions that were set up completely.

    `sid` is that of the last.
    """

    def __init__(self, settings: Settings, room: str, colour: Colour) -> None:
        self.colour = colour
        self.sessions = 0
        self.sid = ""
        self.focus_left = asyncio.Event()
        self._offers: asyncio.Queue[Received] = asyncio.Queue()
        self._changed = asyncio.Condition()
        super().__init__(settings, secrets.token_hex(4), room, colour, TONES[colour])
        self._serving = asyncio.create_task(self._serve())

    async def in_session(self, number: int) -> None:
        """Wait until that many sessions were set up."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.sessions >= number)

    async def _jingle(self, request: Request) -> None:
        received = jingle_from_xml(request.payload)
        self.actions.append(received.action.value)
        if received.action.value == "session-initiate":
            self._offers.put_nowait(received)

    def _presence(self, element: Element) -> None:
        super()._presence(element)
        if element.get("from", "").endswith("/focus") and element.get("type"):
            self.focus_left.set()

    async def come_back(self) -> None:
        """Enter the room again after the server restarted, with the session that runs."""
        session = Element("{urn:xmppconf:focus:0}session", sid=self.sid)
        while True:
            try:
                await self.enter(session)
                return
            except StanzaError:  # the focus is not back itself
                await asyncio.sleep(0.1)

    async def _serve(self) -> None:
        while True:
            offer = await self._offers.get()
            if self.sessions:
                await self.media.close()
                self.media = RtcPeer(self.id, self.colour, TONES[self.colour])
            self._offer = asyncio.get_running_loop().create_future()
            self._offer.set_result(offer)
            await self.accept()
            self.sid = offer.sid
            async with self._changed:
                self.sessions += 1
                self._changed.notify_all()

    async def close(self) -> None:
        self._serving.cancel()
        with suppress(asyncio.CancelledError):
            await self._serving
        await super().close()


@asynccontextmanager
async def call(
    settings: Settings, room: str, *, others: Settings | None = None
) -> AsyncIterator[tuple[Caller, Caller]]:
    """Two people in a room who see and hear each other; the first one with `others`."""
    ann, ben = Caller(others or settings, room, RED), Caller(settings, room, BLUE)
    try:
        await ann.enter()
        await ben.enter()
        await talking(ann, ben, session=1)
        yield ann, ben
    finally:
        await ann.close()
        await ben.close()


async def talking(ann: Caller, ben: Caller, *, session: int, within: float = 20.0) -> None:
    """Both see and hear each other in that session or a later one."""
    async with asyncio.timeout(within):
        await asyncio.gather(ann.in_session(session), ben.in_session(session))
        await asyncio.gather(
            ben.media.see(ann.colour),
            ann.media.see(ben.colour),
            ben.media.listen(TONES[ann.colour]),
            ann.media.listen(TONES[ben.colour]),
        )
