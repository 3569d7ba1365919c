"""What people write to the components, read: the stock wire, and what is refused."""

from __future__ import annotations

import contextlib
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xmppconf_focus import commands as ask
from xmppconf_focus.effects import RoomJid
from xmppconf_focus.handlers import HANDLERS, Kind
from xmppconf_focus.io.commands import command_from
from xmppconf_focus.polls import MAX_ANSWERS, MAX_TEXT
from xmppconf_focus.room_settings import MAX_PASSWORD, Access

from xmppconf.errors import PeerError
from xmppconf.xmpp.xml import build

ROOM = RoomJid("tea@muc.localhost")
POLL = (
    '<j>{"type":"polls","command":"new-poll","pollId":"p","question":"?",'
    '"answers":[{"name":"a"},{"name":"b"}],"senderId":"forged"}</j>'
)
EVENT = "type='features/breakout-rooms/"


@pytest.mark.parametrize(
    ("kind", "xml", "command"),
    [
        (
            Kind.AV_MODERATION,
            "<a enable='true' mediaType='audio'/>",
            ask.SwitchAvModeration("audio", True),
        ),
        (
            Kind.AV_MODERATION,
            "<a jidToWhitelist='tea@muc.localhost/bob' mediaType='video'/>",
            ask.AllowUnmute("video", "bob", True),
        ),
        (
            Kind.AV_MODERATION,
            "<a jidToBlacklist='milk@muc.localhost/bob' mediaType='desktop'/>",
            ask.AllowUnmute("desktop", "", False),
        ),
        (Kind.SPEAKER_STATS, "<a silence='true'/>", ask.Speaks(True)),
        (Kind.SPEAKER_STATS, "<a/>", ask.AskSpeakerStats()),
        (Kind.JSON, POLL, ask.AskPoll("p", "?", ("a", "b"))),
        (
            Kind.JSON,
            '<j>{"type":"polls","command":"answer-poll","pollId":"p",'
            '"answers":[true,false]}</j>',
            ask.AnswerPoll("p", (True, False)),
        ),
        (
            Kind.ROOM_METADATA,
            '<m>{"key":"k","data":{"a":[1]},"type":"room_metadata"}</m>',
            ask.WriteMetadata("k", {"a": [1]}),
        ),
        (Kind.BREAKOUT, f"<b {EVENT}add' subject='x'/>", ask.AddBreakout("x")),
        (Kind.BREAKOUT, f"<b {EVENT}add'/>", ask.AddBreakout("")),
        (
            Kind.BREAKOUT,
            f"<b {EVENT}move-to-room' participantJid='a@g/1' roomJid='x@muc.localhost'/>",
            ask.MoveToRoom("a@g/1", RoomJid("x@muc.localhost")),
        ),
        (Kind.REMOVE, "<r nick='bob'/>", ask.RemoveOccupant("bob", ban=False)),
        (
            Kind.SETTINGS,
            "<s access='locked' password='' max-participants='7'/>",
            ask.ChangeSettings(Access.LOCKED, "", max_participants=7),
        ),
    ],
)
def test_what_is_read(kind: Kind, xml: str, command: object) -> None:
    assert command_from(kind, fromstring(xml), ROOM) == command


@pytest.mark.parametrize(
    ("kind", "xml"),
    [
        (Kind.AV_MODERATION, "<a enable='true' mediaType='smell'/>"),
        (Kind.AV_MODERATION, "<a enable='perhaps' mediaType='audio'/>"),
        (Kind.AV_MODERATION, "<a mediaType='audio'/>"),
        (Kind.SPEAKER_STATS, "<a silence='loud'/>"),
        (Kind.JSON, "<j/>"),
        (Kind.JSON, "<j>[]</j>"),
        (Kind.JSON, '<j>{"type":"polls","type":"polls"}</j>'),
        (Kind.JSON, '<j>{"type":"chat"}</j>'),
        (Kind.JSON, POLL.replace("new-poll", "old-polls")),
        (Kind.JSON, POLL.replace('"p"', '""')),
        (Kind.JSON, POLL.replace('"p"', '"' + "p" * 65 + '"')),
        (Kind.JSON, POLL.replace('"?"', '"' + "?" * (MAX_TEXT + 1) + '"')),
        (Kind.JSON, POLL.replace(',{"name":"b"}', "")),
        (Kind.JSON, POLL.replace('{"name":"b"}', ",".join(['{"name":"b"}'] * MAX_ANSWERS))),
        (Kind.JSON, POLL.replace("?", "?" * 9000)),
        (Kind.ROOM_METADATA, "<m>{}</m>"),
        (Kind.BREAKOUT, "<b/>"),
        (Kind.BREAKOUT, f"<b {EVENT}close'/>"),
        (Kind.BREAKOUT, f"<b {EVENT}remove'/>"),
        (Kind.REMOVE, "<r/>"),
        (Kind.SETTINGS, "<s access='ajar'/>"),
        (Kind.SETTINGS, f"<s password='{'x' * (MAX_PASSWORD + 1)}'/>"),
        (Kind.SETTINGS, "<s max-participants='-1'/>"),
        (Kind.DISCO_INFO, "<q/>"),
    ],
)
def test_what_is_refused(kind: Kind, xml: str) -> None:
    with pytest.raises(PeerError):
        command_from(kind, fromstring(xml), ROOM)


@given(
    st.sampled_from([handler.kind for handler in HANDLERS]),
    st.dictionaries(
        st.sampled_from(
            ["mediaType", "enable", "silence", "type", "access", "nick", "roomJid", "media"]
        ),
        st.text(max_size=20),
    ),
    st.text(max_size=60),
)
def test_anything_is_read_or_refused(
    kind: Kind, attributes: dict[str, str], text: str
) -> None:
    with contextlib.suppress(PeerError):
        command_from(kind, build("n", "e", attributes, text=text), ROOM)
