"""One participant of a real service: it logs in, enters a room and answers the offer as a
stock client does; its packets are the load generator's.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import aiohttp

from xmppconf import clock
from xmppconf.config import Settings
from xmppconf.errors import PeerError
from xmppconf.ids import SourceName
from xmppconf.jingle import Action, Received
from xmppconf.media import ExtensionUri, MediaDescription, MediaType, Ssrc
from xmppconf.names import Names, public_url
from xmppconf.sources import Semantics, Source, SourceSet, SsrcGroup
from xmppconf.transport import Candidate, IceTransport
from xmppconf.xmpp.disco import DiscoInfo, Identity, serve_disco
from xmppconf.xmpp.ice import ice_to_xml
from xmppconf.xmpp.jingle import NAME as JINGLE_NAME
from xmppconf.xmpp.jingle import jingle_from_xml
from xmppconf.xmpp.rtp import media_to_xml
from xmppconf.xmpp.sources import sources_to_xml
from xmppconf.xmpp.stream import GuardedClient, Request, iq_handler
from xmppconf.xmpp.xml import FOCUS, JINGLE, RTP, STREAM, build
from xmppconf_bridge.generator.io.peers import NoConnection, Peers
from xmppconf_bridge.generator.native import Remote, Stream
from xmppconf_bridge.generator.plan import Layer, Person

MUC = "http://jabber.org/protocol/muc"
NICK = "http://jabber.org/protocol/nick"
TIMEOUT = 30.0  # seconds for each step; a hundred may join at once
SPEAKER_CHANGED = "DominantSpeakerEndpointChangeEvent"
OPUS, VP8 = "opus", "vp8"
#: What stock clients say of themselves, as far as it changes what packets cost.
TRANSPORT_CC = "http://jitsi.org/tcc"
ABILITIES = frozenset(
    {
        "urn:xmpp:jingle:apps:rtp:audio",
        "urn:xmpp:jingle:apps:rtp:video",
        "urn:xmpp:jingle:transports:dtls-sctp:1",
        "urn:ietf:rfc:4588",
        TRANSPORT_CC,
    }
)
_NODE = "https://xmppconf.example/load"
#: SSRCs of retransmissions follow those of pictures.
MAX_LAYERS = 3


@dataclass(frozen=True, slots=True)
class Codec:
    """What of an offered medium is used."""

    payload_type: int
    rtx: int
    """Payload type of its retransmissions; 0 for none."""
    transport_cc: int
    audio_level: int


def codec_of(media: MediaDescription, name: str) -> Codec:
    """The ids under which the bridge offers a codec; raises `NoConnection`."""
    found = [one.id for one in media.payload_types if one.name.lower() == name]
    if not found:
        raise NoConnection(f"the service does not offer {name}")
    extensions = {one.uri: one.id for one in media.header_extensions if one.id < 15}
    again = [
        one.id
        for one in media.payload_types
        if dict(one.parameters).get("apt") == str(found[0])
    ]
    return Codec(
        found[0],
        again[0] if again else 0,
        extensions.get(ExtensionUri.TRANSPORT_CC, 0),
        extensions.get(ExtensionUri.AUDIO_LEVEL, 0),
    )


def choose(
    candidates: Iterable[Candidate], family: int, allowed: frozenset[str]
) -> Candidate:
    """The first candidate that may be reached; raises `NoConnection`."""
    for one in candidates:
        address = ipaddress.ip_address(one.ip)
        reachable = address.is_loopback or one.ip in allowed
        if reachable and address.version == family and one.protocol == "udp":
            return one
    raise NoConnection(f"the bridge offers no IPv{family} address that may be reached")


def http_session() -> aiohttp.ClientSession:
    """One for all participants: each one's bridge channel takes a connection of it, of
    which there are a hundred unless one says otherwise."""
    # For names of this machine c-ares would be a thread for nothing.
    connector = aiohttp.TCPConnector(limit=0, resolver=aiohttp.ThreadedResolver())
    return aiohttp.ClientSession(connector=connector)


class Participant:
    """One of them; `number` is its place in the scenario."""

    def __init__(self, settings: Settings, room: str, number: int, person: Person) -> None:
        self.nick = secrets.token_hex(4)
        self.person = person
        self._settings = settings
        self._names = Names.of(settings)
        self._room = f"{room}@{self._names.rooms}"
        self._number = number
        self._inside = asyncio.Event()
        self._offer: asyncio.Future[Received] = asyncio.get_running_loop().create_future()
        verify = settings.xmpp.verify_certificate and not settings.xmpp.private
        self._stream = GuardedClient(self._names.guests, "", verify=verify)
        iq_handler(self._stream, JINGLE_NAME, ("set",), self._jingle)
        abilities = ABILITIES if person.reports else ABILITIES - {TRANSPORT_CC}
        identity = Identity("client", "bot", "xmppconf load")
        serve_disco(self._stream, DiscoInfo((identity,), abilities), _NODE)
        self._stream.listen(presence=self._presence)
        self._channel: aiohttp.ClientWebSocketResponse | None = None
        self.peer: int | None = None
        """Its number at the `Peers`, once the offer was taken."""
        self.picture_type = 0
        """Payload type of pictures, once the offer was taken."""
        self.named: tuple[str, float] | None = None
        """Whom the bridge named last as the speaker, and when (seconds, wall clock)."""

    async def enter(self) -> None:
        """Log in, ask the focus for the conference and enter the room."""
        xmpp = self._settings.xmpp
        self._stream.open(xmpp.host, xmpp.client_port)
        await self.come_in()

    async def come_in(self, *extensions: Element) -> None:
        """The same once connected, or connected again, with this in the presence."""
        self._inside.clear()
        async with asyncio.timeout(TIMEOUT):
            await self._stream.session.wait()
            request = build(FOCUS, "conference", {"room": self._room})
            answer = await self._stream.ask(
                self._names.focus, "set", request, timeout=TIMEOUT
            )
            if answer is None or answer.get("ready") != "true":
                raise NoConnection("the focus does not make the conference ready")
            self._tell(build(MUC, "x"), *extensions)
            await self._inside.wait()

    async def accept(self, peers: Peers, family: int, allowed: frozenset[str]) -> None:
        """Wait for the offer, connect, and answer it."""
        async with asyncio.timeout(TIMEOUT):
            offer = await self._offer
        theirs = offer.transport
        if theirs is None or theirs.ufrag is None or theirs.pwd is None:
            raise NoConnection("an offer without transport")
        media = {one.type: one for one in offer.media}
        audio = codec_of(media[MediaType.AUDIO], OPUS)
        video = codec_of(media[MediaType.VIDEO], VP8)
        self.picture_type = video.payload_type
        where = choose(theirs.candidates, family, allowed)
        remote = Remote(
            *(where.ip, where.port, theirs.ufrag, theirs.pwd),
            transport_cc=video.transport_cc,
            rtx=video.rtx,
        )
        ufrag, pwd = peers.credentials()
        self.peer = peer = peers.begin(remote, ufrag, pwd, theirs.fingerprints)
        own = IceTransport(ufrag, pwd, (peers.fingerprint,))
        streams, sources = self._streams(audio, video)
        answer = self._answer(offer, own, sources)
        await self._stream.ask(f"{self._room}/focus", "set", answer, timeout=TIMEOUT)
        self._tell(_text("SourceInfo", json.dumps(self._source_info())))
        await peers.connected(peer)
        for stream in streams:
            peers.native.add_stream(peer, stream)
        self._urls = theirs.web_sockets

    async def open_channel(self, http: aiohttp.ClientSession) -> None:
        """Open the bridge channel; without it a bridge sends nothing."""
        if not self._urls:
            raise NoConnection("no WebSocket for the bridge channel is offered")
        page = urlsplit(public_url(self._settings))
        async with asyncio.timeout(TIMEOUT):
            self._channel = await http.ws_connect(
                self._urls[0], origin=f"{page.scheme}://{page.netloc}", heartbeat=20
            )

    async def watch(self, others: list[Participant]) -> None:
        """Say what is shown, as the client does when its tiles are laid out."""
        person = self.person
        message: dict[str, Any] = {
            "colibriClass": "ReceiverVideoConstraints",
            "lastN": person.watches,
            "defaultConstraints": {"maxHeight": 720 if person.large is None else 180},
            "assumedBandwidthBps": -1,
        }
        if person.large is not None:
            large = f"{others[person.large].nick}-v0"
            message["onStageSources"] = [large]
            message["constraints"] = {large: {"maxHeight": 720}}
        if self._channel is not None:
            await self._channel.send_json(message)

    async def drain(self) -> None:
        """Read the bridge channel for ever: one that is not read is closed."""
        if self._channel is not None:
            async for message in self._channel:
                if SPEAKER_CHANGED in str(message.data):
                    named = json.loads(message.data)["dominantSpeakerEndpoint"]
                    self.named = (named, clock.wall())

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()
        self._stream.write(
            build(STREAM, "presence", {"to": self._occupant, "type": "unavailable"})
        )
        await self._stream.close()

    @property
    def voice_ssrc(self) -> int:
        return 1_000_000 + 16 * self._number

    @property
    def picture_ssrc(self) -> int:
        """Of its lowest encoding."""
        return self.voice_ssrc + 1

    @property
    def _occupant(self) -> str:
        return f"{self._room}/{self.nick}"

    def _streams(self, audio: Codec, video: Codec) -> tuple[list[Stream], SourceSet]:
        """What is sent, and how it is announced."""
        base = self.voice_ssrc
        streams, sources, groups = [], [], []
        person = self.person
        if person.audio is not None:
            streams.append(_voice(base, audio, person.audio, person.level))
            sources.append(self._source(base, MediaType.AUDIO))
        ssrcs = tuple(Ssrc(self.picture_ssrc + n) for n in range(len(person.video)))
        for ssrc, layer in zip(ssrcs, person.video, strict=True):
            streams.append(
                Stream(
                    *(ssrc, video.payload_type, layer.size, layer.rate, layer.picture),
                    transport_cc=video.transport_cc,
                )
            )
            sources.append(self._source(ssrc, MediaType.VIDEO))
            if video.rtx:
                pair = (ssrc, Ssrc(ssrc + MAX_LAYERS))
                sources.append(self._source(pair[1], MediaType.VIDEO))
                groups.append(SsrcGroup(Semantics.FID, pair, MediaType.VIDEO))
        if len(ssrcs) > 1:
            groups.append(SsrcGroup(Semantics.SIM, ssrcs, MediaType.VIDEO))
        return streams, SourceSet(tuple(sources), tuple(groups))

    def _source(self, ssrc: int, media: MediaType) -> Source:
        name = SourceName(f"{self.nick}-{media.value[0]}0")
        return Source(Ssrc(ssrc), media, name, f"{name} {media.value}")

    def _answer(self, offer: Received, own: IceTransport, sources: SourceSet) -> Element:
        attributes = {
            "action": Action.SESSION_ACCEPT.value,
            "sid": offer.sid,
            "responder": self._occupant,
        }
        jingle = build(JINGLE, "jingle", attributes)
        for media in offer.media:
            about = build(RTP, "description", {"media": media.type.value})
            about.extend(media_to_xml(_narrowed(media)))
            about.extend(sources_to_xml(sources, media.type))
            item = {"name": media.type.value, "creator": "responder"}
            jingle.append(build(JINGLE, "content", item, about, ice_to_xml(own)))
        return jingle

    def _source_info(self) -> dict[str, dict[str, bool]]:
        sends = {"a": self.person.audio is not None, "v": bool(self.person.video)}
        return {f"{self.nick}-{kind}0": {"muted": not sent} for kind, sent in sends.items()}

    def _tell(self, *extensions: Element) -> None:
        name = build(NICK, "nick", text=f"Load {self._number}")
        presence = build(STREAM, "presence", {"to": self._occupant}, *extensions, name)
        self._stream.write(presence)

    async def _jingle(self, request: Request) -> None:
        received = jingle_from_xml(request.payload)
        if received.action is Action.SESSION_INITIATE and not self._offer.done():
            self._offer.set_result(received)

    def _presence(self, element: Element) -> None:
        if element.get("from") == self._occupant:
            if element.get("type") == "error":
                raise PeerError("the room does not take a participant")
            self._inside.set()


def _voice(ssrc: int, codec: Codec, layer: Layer, level: int) -> Stream:
    return Stream(
        *(ssrc, codec.payload_type, layer.size, layer.rate),
        transport_cc=codec.transport_cc,
        audio_level=codec.audio_level,
        level=level,
    )


def _narrowed(media: MediaDescription) -> MediaDescription:
    """Only the codecs that are sent, and their retransmissions."""
    wanted = OPUS if media.type is MediaType.AUDIO else VP8
    own = [one for one in media.payload_types if one.name.lower() == wanted]
    ids = {str(one.id) for one in own}
    own += [one for one in media.payload_types if dict(one.parameters).get("apt") in ids]
    return replace(media, payload_types=tuple(own))


def _text(name: str, text: str) -> Element:
    return build(STREAM, name, text=text)
