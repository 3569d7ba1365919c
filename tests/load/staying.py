"""A participant who stays in a call through faults, with the load generator's packets.

Whenever the focus invites anew, the old media end and fresh ones begin; when the server or
the gateway was away, it enters the room and opens the bridge channel again, as a client
does.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from xml.etree.ElementTree import Element

import aiohttp
from xmppconf_bridge.generator import plan
from xmppconf_bridge.generator.io.participant import Participant
from xmppconf_bridge.generator.io.peers import NoConnection, Peers

from xmppconf.config import Settings
from xmppconf.errors import PeerError
from xmppconf.jingle import Action, Received
from xmppconf.xmpp.jingle import jingle_from_xml
from xmppconf.xmpp.stream import Request
from xmppconf.xmpp.xml import FOCUS, JINGLE, STREAM, build

#: Sound in packets of 40 ms and a small picture: enough to hear whether a call goes on,
#: and little enough that hundreds fit beside the service on one machine.
SPEAKER = plan.Person(audio=plan.Layer(80, 25), video=(plan.Layer(400, 10),))
AGAIN = 0.5  # seconds until something that failed is tried again
RESTART_PAUSE = 5.5  # seconds; who asks more often gets no further session
LOOK = 0.02  # seconds between two looks for the first packet
SESSION = "{urn:xmppconf:focus:0}session"


class Staying(Participant):
    """`sessions` counts the media sessions that were set up completely."""

    def __init__(
        self,
        settings: Settings,
        room: str,
        number: int,
        peers: Peers,
        http: aiohttp.ClientSession,
    ) -> None:
        super().__init__(settings, room, number, SPEAKER)
        self.sessions = 0
        self.complaints: list[str] = []
        """Why media could not be set up."""
        self._peers = peers
        self._http = http
        self._sid = ""
        self._offers: asyncio.Queue[Received] = asyncio.Queue()
        self._lost = asyncio.Event()
        self._in_room = False
        self._has_media = False
        self._has_channel = False
        self._tasks: list[asyncio.Task[None]] = []
        self._channel_task: asyncio.Task[None] | None = None
        self._stream.add_event_handler("disconnected", self._disconnected)

    @property
    def is_whole(self) -> bool:
        """Whether it is in the room, has media, and its bridge channel is open."""
        return self._in_room and self._has_media and self._has_channel

    async def stay(self) -> None:
        """Come in and stay until `close`; returns once it is in the room.

        Raises `PeerError`, `NoConnection` or TimeoutError if it is not let in.
        """
        await self.enter()
        self._in_room = True
        for work in (self._keep_media(), self._keep_room()):
            self._tasks.append(asyncio.create_task(work))

    async def first_packet(self, within: float) -> float:
        """Seconds until somebody else's media arrived; raises TimeoutError."""
        began = time.monotonic()
        async with asyncio.timeout(within):
            while not self.hears():  # noqa: ASYNC110 (the generator tells nobody)
                await asyncio.sleep(LOOK)
        return time.monotonic() - began

    def hears(self) -> bool:
        """Whether packets came since the last reset."""
        return self.peer is not None and self._peers.native.received(self.peer) > 0

    async def close(self) -> None:
        await _end(*self._tasks, self._channel_task)
        await super().close()
        if self.peer is not None:
            self._peers.end(self.peer)
            self.peer = None

    async def _jingle(self, request: Request) -> None:
        received = jingle_from_xml(request.payload)
        if received.action is Action.SESSION_INITIATE:
            self._offers.put_nowait(received)

    def _disconnected(self, _: object) -> None:
        self._in_room = False
        self._lost.set()

    async def _keep_room(self) -> None:
        while True:
            await self._lost.wait()
            self._lost.clear()
            while not self._in_room:
                # Media go on without the server; the focus is told which they are.
                known = [Element(SESSION, sid=self._sid)] if self._sid else []
                info = build(STREAM, "SourceInfo", text=json.dumps(self._source_info()))
                try:
                    await self.come_in(*known, info)
                    self._in_room = not self._lost.is_set()
                except (PeerError, NoConnection, TimeoutError):
                    await asyncio.sleep(AGAIN)

    async def _keep_media(self) -> None:
        while True:
            offer = await self._offers.get()
            self._has_media = False
            await _end(self._channel_task)
            if self.peer is not None:
                self._peers.end(self.peer)
                self.peer = None
            self._offer = asyncio.get_running_loop().create_future()
            self._offer.set_result(offer)
            try:
                await self.accept(self._peers, 4, frozenset())
            except (PeerError, NoConnection, TimeoutError) as error:
                self.complaints.append(repr(error))
                await self._ask_again(offer)
                continue
            self._sid = offer.sid
            self._has_media = True
            self.sessions += 1
            self._channel_task = asyncio.create_task(self._keep_channel())

    async def _ask_again(self, offer: Received) -> None:
        """Tell the focus that no path was found, as clients do; another offer follows."""
        if not self._offers.empty():
            return
        await asyncio.sleep(RESTART_PAUSE)
        session = {"id": offer.bridge_session_id, "restart": "true"}
        jingle = build(
            JINGLE,
            "jingle",
            {"action": Action.SESSION_TERMINATE.value, "sid": offer.sid},
            build(FOCUS, "bridge-session", session),
        )
        with suppress(PeerError, TimeoutError):
            await self._stream.ask(f"{self._room}/focus", "set", jingle)

    async def _keep_channel(self) -> None:
        try:
            while True:
                with suppress(NoConnection, aiohttp.ClientError, OSError, TimeoutError):
                    await self.open_channel(self._http)
                    await self.watch([])
                    self._has_channel = True
                    await self.drain()
                self._has_channel = False
                await asyncio.sleep(AGAIN)
        finally:
            self._has_channel = False
            if self._channel is not None:
                await self._channel.close()


async def _end(*tasks: asyncio.Task[None] | None) -> None:
    for task in tasks:
        if task is not None:
            task.cancel()
    for task in tasks:
        if task is not None:
            with suppress(asyncio.CancelledError):
                await task
