"""The far sides of the focus machine, scripted: room, participants, bridges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from xmppconf_focus.app import make_membership
from xmppconf_focus.brewery import BridgeStats
from xmppconf_focus.effects import (
    AskFeatures,
    BridgeJid,
    ConfigureRoom,
    Effect,
    JoinRoom,
    RoomJid,
    SendColibri,
    SendOffer,
    SetAffiliation,
    Ticket,
)
from xmppconf_focus.features import Feature
from xmppconf_focus.focus import Focus
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.room_access import Requester
from xmppconf_focus.room_memory import RoomMemory

from xmppconf.colibri2 import (
    ConferenceModified,
    EndpointAnswer,
    RelayAnswer,
    Sctp,
    Transport,
)
from xmppconf.config import FocusSettings, MembersSettings, Settings
from xmppconf.ids import EndpointId, RelayId, SourceName
from xmppconf.jingle import Action, Offer, Received
from xmppconf.media import MediaType, Ssrc
from xmppconf.sources import MediaSource, Semantics, Source, SourceSet, SsrcGroup
from xmppconf.transport import Candidate, Fingerprint, IceTransport, Setup

ROOM = RoomJid("tea@muc.localhost")
BRIDGE = BridgeJid("jvbbrewery@internal.localhost/bridge-1")
OTHER_BRIDGE = BridgeJid("jvbbrewery@internal.localhost/bridge-2")

BASIC = frozenset(
    {Feature.AUDIO, Feature.VIDEO, Feature.SCTP, Feature.RTX, Feature.TRANSPORT_CC}
)
MODERN = BASIC | {Feature.SSRC_REWRITING, Feature.JSON_SOURCES}

FEEDBACK = (
    MediaSource(SourceName("jvb-a0"), MediaType.AUDIO, (Ssrc(22),)),
    MediaSource(SourceName("jvb-v0"), MediaType.VIDEO, (Ssrc(11),)),
)

BRIDGE_TRANSPORT = IceTransport(
    ufrag="9r1k",
    pwd="ps0w3ps0w3ps0w3ps0w3ps",
    fingerprints=(Fingerprint("sha-256", ":".join(["4A"] * 32), Setup.ACTPASS),),
    candidates=(Candidate("198.51.100.7", 10000, id="c1"),),
    web_sockets=("wss://meet.example/colibri-ws/b/m/e?pwd=s",),
)
CLIENT_TRANSPORT = IceTransport(
    ufrag="c1",
    pwd="c2",
    fingerprints=(Fingerprint("sha-256", ":".join(["AA"] * 32), Setup.ACTIVE),),
)

E = TypeVar("E")


def camera(owner: str, base: int) -> SourceSet:
    """Three simulcast layers with RTX, and an audio source: 7 SSRCs from `base` on."""
    name, msid = SourceName(f"{owner}-v0"), f"{owner}-video-0 track"
    layers = [Ssrc(base + i) for i in range(3)]
    rtx = [Ssrc(base + 3 + i) for i in range(3)]
    video = MediaType.VIDEO
    return SourceSet(
        (
            *(Source(ssrc, video, name, msid) for ssrc in layers + rtx),
            Source(
                Ssrc(base + 6),
                MediaType.AUDIO,
                SourceName(f"{owner}-a0"),
                f"{owner}-audio-0 track",
            ),
        ),
        (
            SsrcGroup(Semantics.SIM, tuple(layers), video),
            *(
                SsrcGroup(Semantics.FID, pair, video)
                for pair in zip(layers, rtx, strict=True)
            ),
        ),
    )


class Stage:
    """A focus with a virtual clock.  `take(kind)` removes effects of one kind, in order."""

    def __init__(
        self,
        settings: FocusSettings | None = None,
        members: MembersSettings | None = None,
    ) -> None:
        self.now = 1000.0
        self._ids = iter(range(1, 1_000_000))
        self._settings = Settings(
            focus=settings or FocusSettings(), members=members or MembersSettings()
        )
        self.membership = make_membership(self._settings)
        self.unix = 1_700_000_000.0
        self.memory = RoomMemory(bytes(32), 86400.0, lambda: self.unix, bytes)
        self.focus = self.new_focus()
        self.effects: list[Effect] = []

    def new_focus(self) -> Focus:
        """One more focus that remembers what the first one kept."""
        return Focus(
            self._settings, lambda: f"id-{next(self._ids)}", self.membership, self.memory
        )

    def take(self, kind: type[E]) -> list[E]:
        self.effects += self.focus.effects()
        taken: list[E] = [e for e in self.effects if isinstance(e, kind)]
        self.effects = [e for e in self.effects if not isinstance(e, kind)]
        return taken

    def made_owner(self) -> list[str]:
        """Bare addresses that got to be owner since the last look."""
        given = self.take(SetAffiliation)
        return [effect.jid for effect in given if effect.affiliation == "owner"]

    def pass_time(self, seconds: float) -> None:
        """Let timers fire one by one, as a driver would."""
        end = self.now + seconds
        while (due := self.focus.next_timeout()) is not None and due <= end:
            self.now = max(self.now, due)
            self.focus.timeout(self.now)
        self.now = end

    def add_bridge(self, jid: BridgeJid = BRIDGE, stats: BridgeStats | None = None) -> None:
        name = RelayId(jid.rpartition("/")[2])
        stats = stats or BridgeStats(drain=False, relay_id=name)
        self.focus.bridge_announced(jid, stats, self.now)

    def request(self, room: RoomJid = ROOM, ticket: int = 1) -> None:
        requester = Requester("ann@guest.localhost")
        self.focus.request(Ticket(ticket), room, requester, self.now)

    def open_room(self, room: RoomJid = ROOM) -> None:
        self.request(room)
        assert self.take(JoinRoom) == [JoinRoom(room)]
        self.focus.joined(room, "owner", self.now)
        assert self.take(ConfigureRoom) == [ConfigureRoom(room)]
        self.focus.room_configured(room, {}, self.now)

    def join(
        self,
        nick: str,
        features: frozenset[str] | None = MODERN,
        room: RoomJid = ROOM,
        role: str = "participant",
    ) -> EndpointId:
        self.focus.occupant_seen(
            room,
            Occupant(nick, f"{nick}@guest.localhost/web", role, "member", ver=nick),
            self.now,
        )
        if features is not None:
            assert [ask.endpoint for ask in self.take(AskFeatures)] == [nick]
            self.focus.features_known(room, EndpointId(nick), features, self.now)
        return EndpointId(nick)

    def answer(self, request: SendColibri) -> None:
        """A bridge that does what it is asked."""
        created = [e for e in request.modify.endpoints if e.create]
        answer = ConferenceModified(
            tuple(
                EndpointAnswer(
                    endpoint.id,
                    transport=Transport(
                        ice=BRIDGE_TRANSPORT,
                        sctp=Sctp(5000, "server")
                        if endpoint.transport and endpoint.transport.sctp
                        else None,
                    ),
                )
                for endpoint in created
            ),
            sources=FEEDBACK if created else None,
            relays=tuple(
                RelayAnswer(relay.id, transport=Transport(ice=relay_transport(request)))
                for relay in request.modify.relays
                if relay.create
            ),
        )
        self.focus.colibri_answered(request.room, request.request, answer, self.now)

    def answer_all(self) -> list[SendColibri]:
        requests = self.take(SendColibri)
        for request in requests:
            self.answer(request)
        return requests

    def offers(self) -> dict[EndpointId, Offer]:
        return {effect.endpoint: effect.offer for effect in self.take(SendOffer)}

    def accept(
        self, endpoint: EndpointId, offer: Offer, sources: SourceSet | None = None
    ) -> None:
        self.focus.jingle(
            ROOM,
            endpoint,
            Received(
                Action.SESSION_ACCEPT,
                offer.sid,
                transport=CLIENT_TRANSPORT,
                sources=sources or SourceSet(),
            ),
            self.now,
        )

    def call(
        self, *nicks: str, features: frozenset[str] = MODERN
    ) -> dict[EndpointId, Offer]:
        """Everybody named is in a session and sends camera and microphone."""
        self.add_bridge()
        self.open_room()
        for nick in nicks:
            self.join(nick, features)
        self.answer_all()
        offers = self.offers()
        for number, (endpoint, offer) in enumerate(offers.items(), 1):
            self.accept(endpoint, offer, camera(endpoint, 1000 * number))
        self.answer_all()
        self.take(object)
        return offers


def relay_transport(request: SendColibri) -> IceTransport:
    """What the bridge that is asked answers as its end of a link."""
    return replace(BRIDGE_TRANSPORT, ufrag=f"relay-of-{request.bridge.rpartition('/')[2]}")


def endpoints_of(requests: list[SendColibri]) -> Iterator[tuple[str, bool, bool]]:
    """(endpoint, create, expire) of every endpoint in these requests."""
    for request in requests:
        for endpoint in request.modify.endpoints:
            yield endpoint.id, endpoint.create, endpoint.expire
