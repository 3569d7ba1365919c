"""Every request the focus answers, from every kind of sender, through its own stream.

The matrix is made from the registry: a handler without a row here fails.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from xml.etree.ElementTree import Element

import pytest
from xmppconf_focus.app import make_membership
from xmppconf_focus.brewery import BridgeStats
from xmppconf_focus.commands import AddBreakout
from xmppconf_focus.effects import BridgeJid, RoomJid, Ticket
from xmppconf_focus.focus import Focus
from xmppconf_focus.handlers import HANDLERS, Handler, Kind
from xmppconf_focus.io.counters import Counters
from xmppconf_focus.io.members.admission import Members
from xmppconf_focus.io.xmpp import FocusOnXmpp
from xmppconf_focus.membership import Admission, SessionInvalid
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.room_access import Requester
from xmppconf_focus.room_memory import RoomMemory
from xmppconf_focus.room_settings import Access, RoomSettings

from tests.focus.support import MODERN, ROOM
from tests.support.xmpp import ComponentStream, component_stream
from xmppconf.config import MembersSettings, Settings
from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId
from xmppconf.jid import Jid, split
from xmppconf.metrics import Metrics
from xmppconf.xmpp.conference_request import ConferenceRequest

OTHER = RoomJid("milk@muc.localhost")

SENDERS = {
    "occupant": "tea@muc.localhost/bob",
    "moderator": "tea@muc.localhost/ann",
    "occupant of another room": "milk@muc.localhost/eve",
    "nobody in the room": "tea@muc.localhost/nobody",
    "room": "tea@muc.localhost",
    "nickname of the focus": "tea@muc.localhost/focus",
    "room without conference": "void@muc.localhost/ann",
    "rooms' host": "muc.localhost",
    "guest": "stranger@guest.localhost/web",
    "guest's bare address": "stranger@guest.localhost",
    "moderator's real address": "ann@guest.localhost/web",
    "occupant's real address": "bob@guest.localhost/web",
    "real address in another room": "eve@guest.localhost/web",
    "moderator's other session": "ann@guest.localhost/other",
    "member": "mia@localhost/web",
    "server": "localhost",
    "bridge": "bridge-1@auth.localhost/x",
    "bridge in the brewery": "jvbbrewery@internal.localhost/b1",
    "focus": "focus@focus.localhost/focus",
    "foreign user": "ann@elsewhere.example/web",
    "foreign server": "elsewhere.example",
    "foreign room": "tea@muc.elsewhere.example/ann",
}

PRESENT = {
    "moderator's real address",
    "occupant's real address",
    "real address in another room",
}
LOCAL = PRESENT | {
    "guest",
    "guest's bare address",
    "moderator's other session",
    "member",
}

_OCCUPANTS = {
    "moderator": "result",
    "occupant": "not-allowed",
    "occupant of another room": "not-allowed",
}
_MODERATORS = dict.fromkeys(_OCCUPANTS, "forbidden") | {"moderator": "result"}
_PRESENT = dict.fromkeys(PRESENT, "result")
_PRESENT_MODERATORS = {"moderator's real address": "result"}

#: Who gets a result, and what those in a room get who ask for what is not theirs;
#: everybody else gets `forbidden`.
ALLOWED: dict[tuple[Kind, str], dict[str, str]] = {
    (Kind.CONFERENCE_REQUEST, "set"): dict.fromkeys(LOCAL, "result"),
    (Kind.LOGIN_URL, "get"): dict.fromkeys(LOCAL, "result"),
    # Its session is none; who may not ask does not even learn that.
    (Kind.LOGOUT, "set"): dict.fromkeys(LOCAL, "not-acceptable"),
    (Kind.EXTERNAL_SERVICES, "get"): dict.fromkeys(LOCAL, "result"),
    (Kind.JINGLE, "set"): {
        "moderator": "result",
        "occupant": "bad-request",
        "occupant of another room": "bad-request",
    },
    (Kind.MUTE_AUDIO, "set"): _OCCUPANTS,
    (Kind.MUTE_VIDEO, "set"): _OCCUPANTS,
    (Kind.MUTE_DESKTOP, "set"): _OCCUPANTS,
    (Kind.SETTINGS, "get"): dict.fromkeys(_OCCUPANTS, "result"),
    (Kind.SETTINGS, "set"): _MODERATORS,
    (Kind.MUTE_ALL, "set"): _MODERATORS,
    (Kind.ASK_TO_UNMUTE, "set"): _MODERATORS,
    (Kind.REMOVE, "set"): _MODERATORS,
    (Kind.INVITE, "set"): _MODERATORS,
    (Kind.REPORT, "set"): {
        "moderator": "result",
        "occupant": "result",
        "occupant of another room": "item-not-found",
    },
    (Kind.LOBBY_ADMIN, "set"): _PRESENT_MODERATORS,
    (Kind.KNOCK, "presence"): dict.fromkeys(LOCAL, "result")
    | {"occupant's real address": "forbidden", "guest's bare address": "bad-request"},
    (Kind.AV_MODERATION, "message"): _PRESENT_MODERATORS,
    (Kind.SPEAKER_STATS, "message"): _PRESENT,
    (Kind.ROOM_METADATA, "message"): _PRESENT_MODERATORS,
    (Kind.JSON, "message"): _PRESENT | {"occupant's real address": "conflict"},
    (Kind.END_CONFERENCE, "message"): _PRESENT_MODERATORS,
    (Kind.BREAKOUT, "message"): _PRESENT_MODERATORS,
    (Kind.DISCO_INFO, "get"): dict.fromkeys(SENDERS, "result"),
    (Kind.VERSION, "get"): dict.fromkeys(SENDERS, "result"),
}

BODIES = {
    Kind.CONFERENCE_REQUEST: f"room='{ROOM}'/>",
    Kind.LOGIN_URL: f"room='{ROOM}' machine-uid='f00d'/>",
    Kind.LOGOUT: "session-id='x'/>",
    # Ann's session and what only she may do with it.
    Kind.JINGLE: "action='session-info' sid='{sid}'/>",
    # Bob is to be muted, which takes a moderator.
    Kind.MUTE_AUDIO: f"jid='{ROOM}/cid'>true</mute>",
    Kind.MUTE_VIDEO: f"jid='{ROOM}/cid'>true</mute>",
    Kind.MUTE_DESKTOP: f"jid='{ROOM}/cid'>true</mute>",
    Kind.SETTINGS: "access='lobby'/>",
    Kind.MUTE_ALL: "media='audio'/>",
    Kind.ASK_TO_UNMUTE: "media='audio' nick='cid'/>",
    Kind.REMOVE: "nick='cid'/>",
    Kind.INVITE: "role='moderator' expires='60'/>",
    Kind.REPORT: "nick='cid' kind='spam'/>",
    Kind.LOBBY_ADMIN: "><item nick='kim' role='none'/></query>",
    Kind.KNOCK: "/>",
    Kind.AV_MODERATION: "mediaType='audio' enable='true'/>",
    Kind.SPEAKER_STATS: "silence='false'/>",
    # Its own room is named, which nobody in another one may write.
    Kind.ROOM_METADATA: f'room=\'{ROOM}\'>{{{{"key":"k","data":1}}}}</room_metadata>',
    # The second of the same id is one too many, and polls of another room do not count.
    Kind.JSON: '>{{"type":"polls","command":"new-poll","pollId":"p","question":"?",'
    '"answers":[{{"name":"a"}},{{"name":"b"}}]}}</json-message>',
    Kind.END_CONFERENCE: "/>",
    Kind.BREAKOUT: "type='features/breakout-rooms/add' subject='one'/>",
    Kind.DISCO_INFO: "/>",
    Kind.VERSION: "/>",
    Kind.EXTERNAL_SERVICES: "/>",
}

#: Whom to address; our occupant otherwise.
TO = {
    "message": "focus.localhost",
    "presence": "tea@focus.localhost/{nick}",
    Kind.LOBBY_ADMIN: "tea@focus.localhost",
}


class Stand:
    """A focus on an in-memory stream, serving two rooms."""

    def __init__(self, stream: ComponentStream) -> None:
        self.stream = stream
        ids = iter(range(1, 10_000))
        membership = make_membership(Settings())
        memory = RoomMemory(bytes(32), 60.0, lambda: 1.7e9, bytes)
        self.focus = Focus(Settings(), lambda: f"id-{next(ids)}", membership, memory)
        counters = Counters(Metrics("t"), self.focus)
        self.members = Members(MembersSettings(), membership)
        self.on_xmpp = FocusOnXmpp(
            Settings(), self.focus, stream.xmpp, counters, self.members
        )
        stream.xmpp.session.set()

    def fill(self) -> None:
        bridge = BridgeJid("jvbbrewery@internal.localhost/b1")
        self.focus.bridge_announced(bridge, BridgeStats(drain=False), 0.0)
        for room, nicks in ((ROOM, ("ann", "bob", "cid")), (OTHER, ("eve", "fox"))):
            self.focus.request(Ticket(1), room, Requester(""), 0.0)
            self.focus.joined(room, "owner", 0.0)
            self.focus.room_configured(room, {}, 0.0)
            for nick in nicks:
                role = "moderator" if nick == "ann" else "participant"
                occupant = Occupant(nick, f"{nick}@guest.localhost/web", role, "none")
                self.focus.occupant_seen(room, occupant, 0.0)
                self.focus.features_known(room, EndpointId(nick), MODERN, 0.0)

    async def settle_sessions(self) -> str:
        """Answer the bridge's requests and accept the offers; the sid of Ann's session."""
        self.on_xmpp._out.driver.pump()
        waiting = await self.stream.settle()
        while waiting:
            stanza = waiting.pop(0)
            waiting += await self.answer_bridge(stanza, stanza.get("to", ""))
            waiting += await self._accept(stanza)
        session = self.focus.conferences[ROOM].media.participants[EndpointId("ann")].session
        assert session is not None
        assert session.state.value == "active"
        return session.sid

    async def open_lobby(self) -> None:
        """Somebody waits in it."""
        room = self.focus.conferences[ROOM]
        room.access.change(RoomSettings(access=Access.LOBBY))
        await self.stream.feed(
            "<presence from='kim@guest.localhost/web' to='tea@focus.localhost/kim'/>"
        )
        assert len(room.access.lobby) == 1

    async def answer_bridge(self, stanza: Element, sender: str) -> list[Element]:
        endpoint = stanza.find(".//{jitsi:colibri2}endpoint[@create]")
        if endpoint is None:
            return []
        return await self.stream.feed(
            f"<iq type='result' id='{stanza.get('id')}' from='{sender}'"
            f" to='{stanza.get('from')}'><conference-modified xmlns='jitsi:colibri2'>"
            f"<endpoint id='{endpoint.get('id')}'><transport>"
            "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='u' pwd='p'/>"
            "<sctp port='5000'/></transport></endpoint></conference-modified></iq>"
        )

    async def _accept(self, stanza: Element) -> list[Element]:
        jingle = stanza.find("{urn:xmpp:jingle:1}jingle")
        if jingle is None:
            return []
        return await self.stream.feed(
            f"<iq type='set' id='a' from='{stanza.get('to')}'"
            " to='focus@focus.localhost/focus'>"
            "<jingle xmlns='urn:xmpp:jingle:1' action='session-accept'"
            f" sid='{jingle.get('sid')}'/></iq>"
        )


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with component_stream("focus.localhost") as stream:
        stand = Stand(stream)
        yield stand
        await stand.on_xmpp.close()


def request(handler: Handler, sender: str, sid: str) -> str:
    namespace, _, name = handler.kind.value[1:].partition("}")
    body = BODIES[handler.kind].format(sid=sid)
    to = TO.get(handler.kind) or TO.get(handler.type) or "focus@focus.localhost/focus"
    to = to.format(nick=f"n{zlib.crc32(sender.encode())}")
    stanza = handler.type if handler.type in ("message", "presence") else "iq"
    type_ = f" type='{handler.type}'" if stanza == "iq" else ""
    return (
        f"<{stanza}{type_} id='r1' from=\"{sender}\" to='{to}'>"
        f"<{name} xmlns='{namespace}' {body}</{stanza}>"
    )


def outcome(stanzas: list[Element]) -> str:
    """The condition of the error that came back, or "result"; messages have no other."""
    answers = [s for s in stanzas if s.get("id") == "r1"]
    for answer in answers:
        if answer.get("type") == "error":
            return str(answer[-1][0].tag).rpartition("}")[2]
    if stanzas and not answers:
        # A message or presence that had an effect.
        assert all(s.get("type") != "error" for s in stanzas)
    return "result"


@pytest.mark.parametrize(
    "handler", HANDLERS, ids=lambda handler: f"{handler.kind.name}-{handler.type}"
)
async def test_who_may_ask_what(stand: Stand, handler: Handler) -> None:
    stand.fill()
    sid = await stand.settle_sessions()
    if handler.kind in (Kind.KNOCK, Kind.LOBBY_ADMIN):
        await stand.open_lobby()
    answers = {
        name: outcome(await stand.stream.feed(request(handler, sender, sid)))
        for name, sender in SENDERS.items()
    }
    row = ALLOWED[handler.kind, handler.type]
    assert answers == {name: row.get(name, "forbidden") for name in SENDERS}


def test_every_kind_has_its_row() -> None:
    rows = [(handler.kind, handler.type) for handler in HANDLERS]
    assert sorted(rows) == sorted(ALLOWED)
    assert {kind for kind, _ in rows} == set(Kind) == set(BODIES)


async def test_the_stream_answers_nothing_beside_the_registry(stand: Stand) -> None:
    known = {(str(handler.type), handler.kind.value) for handler in HANDLERS}
    extra = set(stand.stream.xmpp._answers) - known
    assert extra == {
        ("get", "{urn:xmpp:ping}ping"),
        ("get", "{http://jabber.org/protocol/disco#items}query"),
    }


async def test_forged_presence_makes_nobody_an_occupant(stand: Stand) -> None:
    stand.fill()
    await stand.settle_sessions()
    forged = (
        "<presence from='{sender}' to='focus@focus.localhost/focus'>"
        "<x xmlns='http://jabber.org/protocol/muc#user'>"
        "<item role='moderator' affiliation='owner' jid='{sender}'/></x></presence>"
    )
    for sender in (
        "stranger@guest.localhost/ann",
        "tea@muc.elsewhere.example/ann",
        "ann@elsewhere.example/web",
    ):
        await stand.stream.feed(forged.format(sender=sender))
    occupants = {r: set(c.occupants) for r, c in stand.focus.conferences.items()}
    assert occupants == {ROOM: {"ann", "bob", "cid"}, OTHER: {"eve", "fox"}}


async def test_only_accounts_of_our_bridges_host_are_bridges(stand: Stand) -> None:
    announced = (
        "<presence from='jvbbrewery@internal.localhost/{nick}'"
        " to='focus@focus.localhost/focus'>"
        "<stats xmlns='http://jitsi.org/protocol/colibri'>"
        "<stat name='stress_level' value='0.1'/></stats>"
        "<x xmlns='http://jabber.org/protocol/muc#user'>"
        "<item role='participant' affiliation='none'{jid}/></x></presence>"
    )
    for nick, jid in (
        ("real", " jid='bridge-1@auth.localhost/x'"),
        ("guest", " jid='eve@guest.localhost/x'"),
        ("hidden", ""),
        ("foreign", " jid='bridge-1@auth.localhost.elsewhere.example/x'"),
    ):
        await stand.stream.feed(announced.format(nick=nick, jid=jid))
    assert list(stand.focus.brewery.bridges) == ["jvbbrewery@internal.localhost/real"]


async def test_an_answer_from_somebody_else_is_none(stand: Stand) -> None:
    """Eve answers for the bridge (RFC 6120, 8.1.2.1)."""
    stand.fill()
    stand.on_xmpp._out.driver.pump()
    offered = []
    for stanza in await stand.stream.settle():
        offered += await stand.answer_bridge(stanza, "tea@muc.localhost/bob")
    assert offered == []
    for conference in stand.focus.conferences.values():
        assert all(p.session is None for p in conference.media.participants.values())


async def test_what_lets_into_a_room_lets_into_its_breakout_rooms(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.fill()
    stand.focus.take(ROOM, "ann", AddBreakout("Kitchen"), 1.0)
    [side] = stand.focus._families._mains
    assert stand.focus.main_of(side) == ROOM
    asked_for: list[str] = []

    async def admit(asked: ConferenceRequest, _: Jid) -> Admission:
        asked_for.append(asked.room.bare)
        raise SessionInvalid("enough is known")

    monkeypatch.setattr(stand.members, "admit", admit)
    for room in (ROOM, OTHER, side):
        with pytest.raises(PeerError):
            await stand.on_xmpp.serve(
                ConferenceRequest(split(room), token="t"),
                split("bob@guest.localhost/web"),
            )
    assert asked_for == [ROOM, OTHER, ROOM]
