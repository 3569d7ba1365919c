"""A participant without a browser: aiortc for media, a real XMPP login for the rest.

It does what a stock client does and no more: asks the focus, enters the room, answers the
offer, tells who it is and what it has muted.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from xml.etree.ElementTree import Element, SubElement

from tests.support.rtc_peer import Colour, RtcPeer
from xmppconf.config import Settings
from xmppconf.jingle import Received
from xmppconf.names import Names
from xmppconf.sources import MediaSource, Source, SourceSet
from xmppconf.transport import IceTransport, Setup
from xmppconf.xmpp.ice import ice_to_xml
from xmppconf.xmpp.jingle import NAME as JINGLE_NAME
from xmppconf.xmpp.jingle import jingle_from_xml
from xmppconf.xmpp.rtp import media_to_xml
from xmppconf.xmpp.sources import sources_to_xml
from xmppconf.xmpp.stream import GuardedClient, Request, iq_handler

FOCUS = "http://jitsi.org/protocol/focus"
JINGLE = "urn:xmpp:jingle:1"
RTP = "urn:xmpp:jingle:apps:rtp:1"
CLIENT = "jabber:client"
MUC = "http://jabber.org/protocol/muc"
NICK = "http://jabber.org/protocol/nick"
TIMEOUT = 10.0  # seconds


class Peer:
    """One participant of one room.  `media` sees, hears and has the bridge channel."""

    def __init__(
        self,
        settings: Settings,
        nick: str,
        room: str,
        colour: Colour,
        frequency: float,
        *,
        awaits_dtls: bool = False,
        display_name: str = "",
        account: tuple[str, str, int] | None = None,
    ) -> None:
        """With `awaits_dtls` the bridge has to begin the handshake; else the peer does.

        `account` is an address, its password and the port of its server; None: a guest.
        """
        self.id = nick
        self.display_name = display_name or f"Peer {nick}"
        self.user = self.password = ""
        """Of connectivity checks towards the bridge (RFC 8445, 7.2.2), once accepted."""
        self.web_sockets: tuple[str, ...] = ()
        """Where the offer says that the bridge channel may be opened."""
        self.sources: tuple[MediaSource, ...] = ()
        """What it sends, once accepted."""
        self._awaits_dtls = awaits_dtls
        self.media = RtcPeer(nick, colour, frequency)
        self.messages: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        """Chat: (nickname, text)."""
        self.actions: list[str] = []
        """Jingle actions that the focus sent."""
        self.occupants: set[str] = set()
        self._focus = Names.of(settings).focus
        self._room = f"{room}@muc.{settings.domain}"
        self._inside = asyncio.Event()
        self._offer: asyncio.Future[Received] = asyncio.get_running_loop().create_future()
        self.removed = asyncio.Event()
        guest = (f"guest.{settings.domain}", "", settings.xmpp.client_port)
        jid, password, port = account or guest
        self._stream = GuardedClient(jid, password, verify=False)
        iq_handler(self._stream, JINGLE_NAME, ("set",), self._jingle)
        self._stream.listen(presence=self._presence, message=self._message)
        self._stream.open(settings.xmpp.host, port)

    @property
    def jid(self) -> str:
        """The full JID that the server gave."""
        return str(self._stream.boundjid)

    async def enter(self, *extensions: Element) -> None:
        """Ask the focus for the conference and enter the room, saying this there."""
        self._inside.clear()
        async with asyncio.timeout(TIMEOUT):
            await self._stream.session.wait()
            request = Element(f"{{{FOCUS}}}conference", room=self._room)
            answer = await self._stream.ask(self._focus, "set", request)
            assert answer is not None
            assert answer.get("ready") == "true"
            self.knock(*extensions)
            await self._inside.wait()

    def knock(self, *extensions: Element) -> None:
        """Go to the room without asking the focus."""
        self._tell(Element(f"{{{MUC}}}x"), *extensions)

    async def accept(self) -> None:
        """Wait for the offer, answer it, and tell the room what is muted: nothing."""
        async with asyncio.timeout(TIMEOUT):
            offer = await self._offer
        assert offer.transport is not None
        theirs = offer.transport
        if self._awaits_dtls:
            [fingerprint] = theirs.fingerprints
            theirs = replace(
                theirs, fingerprints=(replace(fingerprint, setup=Setup.ACTIVE),)
            )
        answer = await self.media.accept(theirs, offer.media)
        assert answer.transport is not None
        assert answer.transport.ice is not None
        self.user = f"{theirs.ufrag}:{answer.transport.ice.ufrag}"
        self.password = theirs.pwd or ""
        self.sources = answer.sources or ()
        self.web_sockets = theirs.web_sockets
        jingle = Element(
            f"{{{JINGLE}}}jingle", action="session-accept", sid=offer.sid, responder=self.id
        )
        for media in offer.media:
            content = SubElement(
                jingle, f"{{{JINGLE}}}content", name=media.type.value, creator="responder"
            )
            about = SubElement(content, f"{{{RTP}}}description", media=media.type.value)
            about.extend(media_to_xml(media))
            own = SourceSet(
                tuple(
                    Source(ssrc, media.type, track.name, f"{track.name} {track.media_type}")
                    for track in answer.sources or ()
                    if track.media_type is media.type
                    for ssrc in track.ssrcs
                ),
                tuple(
                    group
                    for track in answer.sources or ()
                    if track.media_type is media.type
                    for group in track.groups
                ),
            )
            about.extend(sources_to_xml(own, media.type))
            content.append(ice_to_xml(answer.transport.ice))
        data = SubElement(jingle, f"{{{JINGLE}}}content", name="data", creator="responder")
        data.append(ice_to_xml(_with_sctp(answer.transport.ice)))
        await self._stream.ask(f"{self._room}/focus", "set", jingle, timeout=TIMEOUT)
        self._tell(_text("SourceInfo", json.dumps(self._source_info())))
        async with asyncio.timeout(TIMEOUT):
            await self.media.opened.wait()
        # What a stock client says first; without it a bridge sends no video.
        self.media.say(
            colibriClass="ReceiverVideoConstraints", assumedBandwidthBps=-1, lastN=-1
        )

    def say(self, text: str) -> None:
        """Write to everybody in the room."""
        message = Element(f"{{{CLIENT}}}message", to=self._room, type="groupchat")
        message.append(_text("body", text))
        self._stream.write(message)

    def leave(self) -> None:
        self._stream.write(
            Element(
                f"{{{CLIENT}}}presence", to=f"{self._room}/{self.id}", type="unavailable"
            )
        )

    async def close(self) -> None:
        await self.media.close()
        await self._stream.close()

    def _source_info(self) -> dict[str, dict[str, bool]]:
        return {f"{self.id}-{kind}0": {"muted": False} for kind in "av"}

    def _tell(self, *extensions: Element) -> None:
        presence = Element(f"{{{CLIENT}}}presence", to=f"{self._room}/{self.id}")
        presence.extend(extensions)
        name = SubElement(presence, f"{{{NICK}}}nick")
        name.text = self.display_name
        self._stream.write(presence)

    async def _jingle(self, request: Request) -> None:
        received = jingle_from_xml(request.payload)
        self.actions.append(received.action.value)
        if received.action.value == "session-initiate" and not self._offer.done():
            self._offer.set_result(received)

    def _presence(self, element: Element) -> None:
        nick = element.get("from", "").partition("/")[2]
        if element.get("type") == "unavailable":
            self.occupants.discard(nick)
            if nick == self.id:
                self.removed.set()
        elif element.get("type") is None:
            self.occupants.add(nick)
            if nick == self.id:
                self._inside.set()

    def _message(self, element: Element) -> None:
        body = element.findtext(f"{{{CLIENT}}}body")
        nick = element.get("from", "").partition("/")[2]
        if body and nick:
            self.messages.put_nowait((nick, body))


def _text(name: str, text: str) -> Element:
    element = Element(f"{{{CLIENT}}}{name}")
    element.text = text
    return element


def _with_sctp(ice: IceTransport) -> IceTransport:
    return IceTransport(ice.ufrag, ice.pwd, ice.fingerprints, sctp_port=5000)


@asynccontextmanager
async def peers(
    settings: Settings,
    room: str,
    *people: tuple[str, Colour, float],
    awaits_dtls: bool = False,
    display_names: tuple[str, ...] = (),
) -> AsyncIterator[list[Peer]]:
    """Participants (nickname, colour, hertz) who are all in the room and accepted."""
    names = [*display_names, *[""] * (len(people) - len(display_names))]
    made = [
        Peer(
            *(settings, nick, room, colour, tone),
            awaits_dtls=awaits_dtls,
            display_name=name,
        )
        for (nick, colour, tone), name in zip(people, names, strict=True)
    ]
    try:
        for peer in made:
            await peer.enter()
        await asyncio.gather(*(peer.accept() for peer in made))
        yield made
    finally:
        for peer in made:
            await peer.close()
