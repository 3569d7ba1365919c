# ruff: noqa: E501
from __future__ import annotations

import json
from collections.abc import AsyncIterator
from xml.etree.ElementTree import fromstring, tostring

import pytest

from tests.support.xmpp import ComponentStream, component_stream
from xmppconf.errors import LimitExceeded, PeerError
from xmppconf.jid import Jid
from xmppconf.media import VideoType
from xmppconf.xmpp.brewery import stats_from_presence, stats_to_xml
from xmppconf.xmpp.conference_request import (
    ConferenceAnswer,
    ConferenceRequest,
    answer_from_xml,
    answer_to_json,
    answer_to_xml,
    request_from_json,
    request_from_xml,
    request_to_xml,
    session_invalid,
)
from xmppconf.xmpp.disco import (
    DiscoInfo,
    Identity,
    info_from_xml,
    info_to_xml,
    serve_disco,
    verification_string,
)
from xmppconf.xmpp.jids import MalformedJid, parse_bare_jid, parse_jid
from xmppconf.xmpp.json_message import json_message_from_xml, json_message_to_xml
from xmppconf.xmpp.muc import (
    MUC,
    SELF,
    Caps,
    SourceState,
    affiliation_to_xml,
    configuration_from_xml,
    configuration_to_xml,
    presence_from_xml,
    presence_to_xml,
    role_to_xml,
)
from xmppconf.xmpp.mute import MuteRequest, mute_from_xml, mute_to_xml
from xmppconf.xmpp.stanza import error_element
from xmppconf.xmpp.xml import tag

PRESENCE = """
<presence xmlns='jabber:client' from='demo@muc.example/a1b2c3d4' to='focus@focus.example/focus'>
 <stats-id>Ann-Abc</stats-id>
 <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://jitsi.org/jitsi-meet' ver='v='/>
 <SourceInfo>{"a1b2c3d4-a0":{"muted":false},"a1b2c3d4-v0":{"muted":true},"a1b2c3d4-v1":{"muted":false,"videoType":"desktop"}}</SourceInfo>
 <jitsi_participant_codecList>av1, vp9,VP8</jitsi_participant_codecList>
 <jitsi_participant_region>eu</jitsi_participant_region>
 <features><feature var='http://jitsi.org/protocol/jibri'/></features>
 <nick xmlns='http://jabber.org/protocol/nick'>Ann</nick>
 <x xmlns='http://jabber.org/protocol/muc#user'>
  <item affiliation='owner' role='moderator' jid='u1@guest.example/web'/><status code='110'/><status code='x'/>
 </x>
</presence>"""


def test_an_occupants_presence_is_read_whole() -> None:
    read = presence_from_xml(fromstring(PRESENCE))
    assert (read.room, read.nick, read.available) == ("demo@muc.example", "a1b2c3d4", True)
    assert (read.real_jid, read.role, read.affiliation) == (
        "u1@guest.example/web",
        "moderator",
        "owner",
    )
    assert read.status == {SELF}
    assert read.caps == Caps("https://jitsi.org/jitsi-meet", "v=", "sha-1")
    assert read.sources == {
        "a1b2c3d4-a0": SourceState(False),
        "a1b2c3d4-v0": SourceState(True),
        "a1b2c3d4-v1": SourceState(False, VideoType.DESKTOP),
    }
    assert (read.display_name, read.stats_id, read.region) == ("Ann", "Ann-Abc", "eu")
    assert read.codecs == ("av1", "vp9", "vp8")
    assert read.features == {"http://jitsi.org/protocol/jibri"}


@pytest.mark.parametrize(
    "change",
    [
        ('"muted":false', '"muted":0'),
        ('"videoType":"desktop"', '"videoType":"film"'),
        ("a1b2c3d4-a0", "a/b"),
        ("{", "[" * 9000),
        (
            "<nick",
            f"<nick xmlns='http://jabber.org/protocol/nick'>{'x' * 2000}</nick><nick",
        ),
        ("ver='v='", ""),
    ],
)
def test_what_an_occupant_writes_wrongly_does_not_hide_it(change: tuple[str, str]) -> None:
    broken = PRESENCE.replace(*change)
    assert broken != PRESENCE
    assert presence_from_xml(fromstring(broken)).role == "moderator"


@pytest.mark.parametrize(
    ("codes", "kicked"),
    [({307}, True), ({307, 333}, False), ({333}, False), (set(), False)],
)
def test_who_is_out_because_of_an_error_was_not_kicked(
    codes: set[int], kicked: bool
) -> None:
    status = "".join(f"<status code='{code}'/>" for code in codes)
    gone = PRESENCE.replace("<status code='110'/>", status)
    assert presence_from_xml(fromstring(gone)).was_kicked is kicked


def test_a_refused_join_is_told() -> None:
    read = presence_from_xml(
        fromstring(
            "<presence xmlns='jabber:client' from='r@muc.example/focus' type='error'><error type='auth'>"
            "<not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"
        )
    )
    assert read.error is not None
    assert read.error.condition == "not-authorized"
    assert not read.available


def test_only_a_join_carries_the_join_element() -> None:
    assert presence_to_xml("r@m/focus", join=True).find(tag(MUC, "x")) is not None
    update = presence_to_xml("r@m/focus", sender="focus@f/focus")
    assert update.find(tag(MUC, "x")) is None
    assert update.attrib == {"to": "r@m/focus", "from": "focus@f/focus"}
    assert presence_to_xml("r@m/focus", available=False).get("type") == "unavailable"


def test_a_rooms_form_is_written_and_read() -> None:
    query = configuration_to_xml({"muc#roomconfig_whois": "anyone"})
    assert configuration_from_xml(fromstring(tostring(query))) == {
        "FORM_TYPE": "http://jabber.org/protocol/muc#roomconfig",
        "muc#roomconfig_whois": "anyone",
    }
    with pytest.raises(PeerError):
        configuration_from_xml(None)


def test_administration_names_whom_and_what() -> None:
    assert affiliation_to_xml("ann@example", "owner")[0].attrib == {
        "jid": "ann@example",
        "affiliation": "owner",
    }
    kick = role_to_xml("a1", "none", "bye")[0]
    assert kick.attrib == {"nick": "a1", "role": "none"}
    assert kick[0].text == "bye"


# XEP-0115, 5.2 and 5.3: the two worked examples of the specification.
SIMPLE = DiscoInfo(
    (Identity("client", "pc", "Exodus 0.9.1"),),
    frozenset(
        {
            "http://jabber.org/protocol/disco#info",
            "http://jabber.org/protocol/disco#items",
            "http://jabber.org/protocol/muc",
            "http://jabber.org/protocol/caps",
        }
    ),
)
COMPLEX = """
<query xmlns='http://jabber.org/protocol/disco#info'>
 <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>
 <identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>
 <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>
 <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>
 <x xmlns='jabber:x:data' type='result'>
  <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>
  <field var='ip_version'><value>ipv4</value><value>ipv6</value></field>
  <field var='os'><value>Mac</value></field><field var='os_version'><value>10.5.1</value></field>
  <field var='software'><value>Psi</value></field><field var='software_version'><value>0.11</value></field>
 </x>
</query>"""


def test_verification_strings_are_those_of_the_specification() -> None:
    assert verification_string(SIMPLE) == "QgayPKawpkPSDYmwT/WM94uAlu0="
    assert verification_string(info_from_xml(fromstring(COMPLEX))) == (
        "q07IKJEyjvHSyhy//CH0CxmKi8w="
    )
    with pytest.raises(PeerError):
        verification_string(SIMPLE, "md5")


def test_discovery_round_trips() -> None:
    assert info_from_xml(fromstring(tostring(info_to_xml(SIMPLE)))) == SIMPLE
    with pytest.raises(PeerError):
        info_from_xml(None)
    with pytest.raises(PeerError):
        DiscoInfo((Identity("a", "b"), Identity("a", "b")))


@pytest.fixture
async def stream() -> AsyncIterator[ComponentStream]:
    async with component_stream("focus.example") as stream:
        yield stream


async def test_discovery_is_answered_for_known_nodes(stream: ComponentStream) -> None:
    serve_disco(stream.xmpp, SIMPLE, "urn:node")
    ask = (
        "<iq type='get' id='d' from='a@b/c' to='focus.example'>"
        "<query xmlns='http://jabber.org/protocol/disco#info' {}/></iq>"
    )
    for node in ("", "node='urn:node#QgayPKawpkPSDYmwT/WM94uAlu0='"):
        [reply] = await stream.feed(ask.format(node))
        assert info_from_xml(reply[0]) == SIMPLE
    [reply] = await stream.feed(ask.format("node='other'"))
    assert reply.get("type") == "error"


REQUEST = """
<conference xmlns='http://jitsi.org/protocol/focus' room='Demo@muc.example' machine-uid='5f2c'>
 <property name='startAudioMuted' value='9'/><property name='visitors-version' value='1'/>
</conference>"""


def test_a_conference_request_is_the_same_in_both_forms() -> None:
    read = request_from_xml(fromstring(REQUEST))
    assert read == ConferenceRequest(
        Jid("demo", "muc.example", ""),
        "5f2c",
        properties={"startAudioMuted": "9", "visitors-version": "1"},
    )
    assert request_from_xml(fromstring(tostring(request_to_xml(read)))) == read
    body = {
        "room": "demo@muc.example",
        "machineUid": "5f2c",
        "properties": {"startAudioMuted": 9, "visitors-version": "1"},
    }
    assert request_from_json(json.dumps(body)) == read


@pytest.mark.parametrize(
    "room", ["", "muc.example", "a@b@c", "a@muc.example/x", "x" * 4000]
)
def test_a_request_without_a_room_is_refused(room: str) -> None:
    with pytest.raises(PeerError):
        request_from_xml(fromstring(REQUEST.replace("Demo@muc.example", room)))
    with pytest.raises(PeerError):
        request_from_json(json.dumps({"room": room}))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        '{"room":1}',
        '{"room":"a@b","properties":{"x":[]}}',
        '{"room":"a@b","room":"c@d"}',
        '{"room":"a@b","machineUid":"\\ud800"}',
    ],
)
def test_a_malformed_body_is_refused(body: str) -> None:
    with pytest.raises(PeerError):
        request_from_json(body)


def test_properties_are_bounded() -> None:
    many = {str(n): "1" for n in range(100)}
    with pytest.raises(LimitExceeded):
        request_from_json(json.dumps({"room": "a@b", "properties": many}))


def test_the_answer_has_the_names_of_each_form() -> None:
    answer = ConferenceAnswer(
        "demo@muc.example",
        True,
        "focus@focus.example",
        properties={"authentication": "false"},
    )
    element = answer_to_xml(answer)
    assert element.attrib == {
        "room": "demo@muc.example",
        "ready": "true",
        "focusjid": "focus@focus.example",
    }
    assert answer_from_xml(fromstring(tostring(element))) == answer
    assert json.loads(answer_to_json(answer)) == {
        "ready": True,
        "focusJid": "focus@focus.example",
        "properties": {"authentication": "false"},
    }


def test_an_invalid_session_is_marked() -> None:
    names = [
        str(child.tag).rpartition("}")[2] for child in error_element(session_invalid())
    ]
    assert names == ["not-acceptable", "session-invalid"]


def test_statistics_travel_as_text() -> None:
    presence = presence_to_xml(
        "b@internal/jvb1",
        [stats_to_xml({"stress_level": 0.2, "drain": False, "version": "1"})],
    )
    assert stats_from_presence(fromstring(tostring(presence))) == {
        "stress_level": "0.2",
        "drain": "false",
        "version": "1",
    }
    assert stats_from_presence(presence_to_xml("b@internal/jvb1")) is None


def test_mute_requests_round_trip() -> None:
    request = MuteRequest("desktop", Jid("r", "muc.example", "ef"), True)
    element = mute_to_xml(request, "r@muc.example/ab")
    assert element.get("actor") == "r@muc.example/ab"
    assert mute_from_xml(fromstring(tostring(element))) == request
    element.text = "maybe"
    with pytest.raises(PeerError):
        mute_from_xml(element)


def test_json_messages_round_trip() -> None:
    message = json_message_to_xml("r@muc.example/ab", {"type": "x\x00"}, sender="c.example")
    assert json_message_from_xml(fromstring(tostring(message))) == {"type": "x\x00"}
    assert json_message_from_xml(presence_to_xml("a@b/c")) is None


def test_addresses_are_normalised_or_refused() -> None:
    assert str(parse_jid("Ann@EXAMPLE/Web")) == "ann@example/Web"
    for text in ("", "@example", "a@", "a@b@c", "x" * 4000):
        with pytest.raises(MalformedJid):
            parse_jid(text)
    with pytest.raises(MalformedJid):
        parse_bare_jid("example")
