# ruff: noqa: E501
from __future__ import annotations

import json
from dataclasses import replace
from xml.etree.ElementTree import Element, fromstring, tostring

import pytest
from hypothesis import given

from tests.support import strategies
from xmppconf.errors import PeerError
from xmppconf.ids import BRIDGE_OWNER, EndpointId, SourceName
from xmppconf.jingle import Action, Offer
from xmppconf.media import (
    HeaderExtension,
    MediaDescription,
    MediaType,
    PayloadType,
    RtcpFeedback,
    Ssrc,
    VideoType,
)
from xmppconf.sources import Semantics, Source, SourceSet, SsrcGroup
from xmppconf.transport import Candidate, Fingerprint, IceTransport, Setup
from xmppconf.xmpp.jingle import (
    UnknownAction,
    jingle_from_xml,
    offer_to_xml,
    sources_changed_to_xml,
    terminate_to_xml,
)
from xmppconf.xmpp.json_sources import sources_from_json, sources_to_json
from xmppconf.xmpp.sources import sources_from_xml, sources_to_xml
from xmppconf.xmpp.xml import ICE, JINGLE, JITMEET, RTP, SSMA, build, tag

AUDIO, VIDEO = MediaType.AUDIO, MediaType.VIDEO
PRINT = ":".join(["AB"] * 32)

TRANSPORT = IceTransport(
    ufrag="9r1k",
    pwd="ps0w3rdps0w3rdps0w3rd1",
    fingerprints=(Fingerprint("sha-256", PRINT, Setup.ACTPASS),),
    candidates=(Candidate("198.51.100.7", 10000),),
    web_sockets=("wss://meet.example/colibri-ws/b1/c1/abcd1234?pwd=s",),
    sctp_port=5000,
)
PLACEHOLDERS = SourceSet(
    (
        Source(Ssrc(11), VIDEO, SourceName("jvb-v0"), "mixedmslabel mixedlabelvideo0"),
        Source(Ssrc(22), AUDIO, SourceName("jvb-a0"), "mixedmslabel mixedlabelaudio0"),
    )
)
CAMERA = SourceSet(
    (
        Source(Ssrc(1001), VIDEO, SourceName("abcd1234-v0"), "s t", VideoType.CAMERA),
        Source(Ssrc(2001), VIDEO, SourceName("abcd1234-v0"), "s t", VideoType.CAMERA),
    ),
    (SsrcGroup(Semantics.FID, (Ssrc(1001), Ssrc(2001)), VIDEO),),
)
OFFER = Offer(
    sid="7k2m9q",
    initiator="focus@focus.meet.example/focus",
    media=(
        MediaDescription(
            AUDIO,
            (PayloadType(111, "opus", 48000, 2, (("minptime", "10"),)),),
            (HeaderExtension(1, "urn:ietf:params:rtp-hdrext:ssrc-audio-level"),),
        ),
        MediaDescription(
            VIDEO,
            (
                PayloadType(100, "VP8", 90000, feedback=(RtcpFeedback("nack", "pli"),)),
                PayloadType(96, "rtx", 90000, parameters=(("apt", "100"),)),
            ),
            (),
            True,
        ),
    ),
    data=True,
    transport=TRANSPORT,
    sources={BRIDGE_OWNER: PLACEHOLDERS, EndpointId("abcd1234"): CAMERA},
    json_sources=True,
    bridge_session_id="bs1",
    region="eu",
)


def contents(jingle: Element) -> dict[str, Element]:
    return {item.get("name", ""): item for item in jingle.findall(tag(JINGLE, "content"))}


def test_the_offer_has_what_stock_clients_cannot_do_without() -> None:
    jingle = offer_to_xml(OFFER)
    assert jingle.get("initiator") == OFFER.initiator
    found = contents(jingle)
    assert list(found) == ["audio", "video", "data"]
    for name, item in found.items():
        assert item.get("creator") == "initiator"
        description = item.find(tag(RTP, "description"))
        transport = item.find(tag(ICE, "transport"))
        assert description is not None
        assert transport is not None
        assert description.find(tag(RTP, "rtcp-mux")) is not None
        assert transport.get("pwd") == TRANSPORT.pwd
        assert transport.find(tag(ICE, "candidate")) is not None
        assert len(transport) == (5 if name == "data" else 4)
        assert (b"sctpmap" in tostring(transport)) == (name == "data")
    group = jingle.find("{urn:xmpp:jingle:apps:grouping:0}group")
    assert group is not None
    assert [item.get("name") for item in group] == ["audio", "video", "data"]
    session = jingle.find("{http://jitsi.org/protocol/focus}bridge-session")
    assert session is not None
    assert session.attrib == {"id": "bs1", "region": "eu"}


def test_sources_of_an_offer_go_as_json_or_as_xml_in_the_same_order() -> None:
    as_json = offer_to_xml(OFFER)
    message = as_json.find(tag(JITMEET, "json-message"))
    assert message is not None
    assert json.loads(message.text or "") == {
        "sources": {
            "jvb": [
                [{"s": 11, "n": "jvb-v0", "m": "mixedmslabel mixedlabelvideo0"}],
                [],
                [{"s": 22, "n": "jvb-a0", "m": "mixedmslabel mixedlabelaudio0"}],
            ],
            "abcd1234": [
                [
                    {"s": 1001, "n": "abcd1234-v0", "m": "s t"},
                    {"s": 2001, "n": "abcd1234-v0", "m": "s t"},
                ],
                [["f", 1001, 2001]],
            ],
        }
    }
    assert as_json.find(f".//{tag(SSMA, 'source')}") is None

    as_xml = offer_to_xml(replace(OFFER, json_sources=False))
    assert as_xml.find(tag(JITMEET, "json-message")) is None
    owners = [e.get("owner") for e in as_xml.iter(tag(JITMEET, "ssrc-info"))]
    assert owners == ["jvb", "jvb", "abcd1234", "abcd1234"]
    read = jingle_from_xml(as_xml)
    assert [source.ssrc for source in read.sources.sources] == [22, 11, 1001, 2001]
    assert read.sources.groups == CAMERA.groups


def test_an_offer_reads_back() -> None:
    read = jingle_from_xml(fromstring(tostring(offer_to_xml(OFFER))))
    assert read.action is Action.SESSION_INITIATE
    assert (read.sid, read.media, read.transport) == (OFFER.sid, OFFER.media, TRANSPORT)
    assert read.bridge_session_id == "bs1"


ACCEPT = f"""
<jingle xmlns='urn:xmpp:jingle:1' action='session-accept' sid='s1'
        initiator='demo@muc.example/focus' responder='ann@example/web'>
 <content creator='responder' name='audio' senders='both'>
  <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
   <payload-type id='111' name='opus' clockrate='48000' channels='2'/>
   <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='201' name='a1b2c3d4-a0'>
    <parameter name='cname' value='x'/><parameter name='msid' value='st tr'/></source>
   <rtcp-mux/>
  </description>
  <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='0123456789012345678901'>
   <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='SHA-256' setup='active'>{PRINT.lower()}
   </fingerprint>
  </transport>
 </content>
 <content creator='responder' name='video' senders='both'>
  <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>
   <payload-type id='100' name='VP8' clockrate='90000'/>
   <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='101' name='a1b2c3d4-v0' videoType='camera'/>
   <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='102' name='a1b2c3d4-v0' videoType='camera'/>
   <ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='FID'>
    <source ssrc='101'/><source ssrc='102'/></ssrc-group>
   <ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='SIM'/>
   <initial-last-n xmlns='wrong' value='1'/>
  </description>
  <initial-last-n xmlns='jitsi:colibri2' value='20'/>
  <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='0123456789012345678901'>
   <candidate component='1' foundation='1' generation='0' id='c1' ip='192.0.2.1' port='5' priority='7'
      protocol='UDP' type='host'/>
   <candidate component='1' foundation='1' id='c2' ip='6c1e.local' port='6' priority='7'
      protocol='udp' type='host'/>
  </transport>
 </content>
 <content creator='responder' name='data'>
  <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='0123456789012345678901'>
   <sctpmap xmlns='urn:xmpp:jingle:transports:dtls-sctp:1' number='5000' protocol='x' streams='1'/>
  </transport></content>
</jingle>"""


def test_a_session_accept_is_read_whole() -> None:
    read = jingle_from_xml(fromstring(ACCEPT))
    assert read.action is Action.SESSION_ACCEPT
    assert [media.type for media in read.media] == [AUDIO, VIDEO]
    assert read.media[0].payload_types == (PayloadType(111, "opus", 48000, 2),)
    assert read.initial_last_n == 20
    assert read.transport == IceTransport(
        ufrag="abcd",
        pwd="0123456789012345678901",
        fingerprints=(Fingerprint("sha-256", PRINT, Setup.ACTIVE),),
        candidates=(Candidate("192.0.2.1", 5, priority=7, id="c1"),),
        rtcp_mux=False,
        sctp_port=5000,
    )
    audio, *video = read.sources.sources
    assert (audio.name, audio.msid, audio.video_type) == ("a1b2c3d4-a0", "st tr", None)
    assert [source.video_type for source in video] == [VideoType.CAMERA] * 2
    assert read.sources.groups == (SsrcGroup(Semantics.FID, (Ssrc(101), Ssrc(102)), VIDEO),)


def test_a_restart_request_is_read() -> None:
    read = jingle_from_xml(
        fromstring(
            "<jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='s'>"
            "<reason><text>ICE FAILED</text><connectivity-error/></reason>"
            "<bridge-session xmlns='http://jitsi.org/protocol/focus' id='b' restart='true'/>"
            "</jingle>"
        )
    )
    assert (read.reason, read.restart, read.bridge_session_id) == (
        "connectivity-error",
        True,
        "b",
    )


def test_an_ice_failure_is_read() -> None:
    read = jingle_from_xml(
        fromstring(
            "<jingle xmlns='urn:xmpp:jingle:1' action='session-info' sid='s'>"
            "<ice-state xmlns='http://jitsi.org/protocol/focus'>failed</ice-state></jingle>"
        )
    )
    assert read.session_info == "failed"


def test_old_spellings_are_understood() -> None:
    element = build(JINGLE, "jingle", {"action": "addsource", "sid": "s"})
    assert jingle_from_xml(element).action is Action.SOURCE_ADD


@pytest.mark.parametrize(
    "change",
    [
        ("action='session-accept'", ""),
        ("sid='s1'", ""),
        ("id='111'", "id='128'"),
        ("id='111'", ""),
        ("ssrc='201'", "ssrc='0'"),
        ("ssrc='201'", "ssrc='4294967296'"),
        ("ssrc='201'", "ssrc='²'"),
        ("name='a1b2c3d4-a0'", "name='a/b'"),
        ("ufrag='abcd'", "ufrag='a b'"),
        ("semantics='FID'", "semantics='LS'"),
        ("videoType='camera'", "videoType='film'"),
        ("setup='active'", "setup='holdconn'"),
        (PRINT.lower(), "zz"),
        ("port='5'", "port='65536'"),
        ("priority='7'", "priority='-7'"),
        ("value='20'", "value='20.5'"),
        ("<payload-type", "<payload-type id='1'/>" * 70 + "<payload-type"),
    ],
)
def test_what_breaks_the_protocol_is_a_peer_error(change: tuple[str, str]) -> None:
    broken = ACCEPT.replace(*change)
    assert broken != ACCEPT
    with pytest.raises(PeerError):
        jingle_from_xml(fromstring(broken))


def test_an_unknown_action_is_told_apart() -> None:
    element = build(JINGLE, "jingle", {"action": "dance", "sid": "s"})
    with pytest.raises(UnknownAction) as caught:
        jingle_from_xml(element)
    assert caught.value.condition == "feature-not-implemented"


@pytest.mark.parametrize("as_json", [True, False])
def test_a_source_change_names_the_owner(as_json: bool) -> None:
    jingle = sources_changed_to_xml(
        Action.SOURCE_ADD, "s1", "f", {EndpointId("abcd1234"): CAMERA}, as_json=as_json
    )
    assert jingle.get("action") == "source-add"
    assert (jingle.find(tag(JITMEET, "json-message")) is not None) == as_json
    assert list(contents(jingle)) == ([] if as_json else ["video"])
    if not as_json:
        assert jingle_from_xml(jingle).sources == CAMERA


def test_terminate_carries_reason_and_text() -> None:
    jingle = terminate_to_xml("s1", "f", "success", "moving")
    assert jingle_from_xml(jingle).reason == "success"
    assert b"moving" in tostring(jingle)


@given(strategies.source_sets)
def test_sources_round_trip_as_xml(sources: SourceSet) -> None:
    element = Element("x")
    for media in (VIDEO, AUDIO):
        element[:] = sources_to_xml(sources, media)
        again = sources_from_xml(fromstring(tostring(element)), media)
        assert again.sources == tuple(s for s in sources.sources if s.media_type is media)
        assert again.groups == tuple(g for g in sources.groups if g.media_type is media)


@given(strategies.owned_sources)
def test_sources_round_trip_as_json(sources: dict[EndpointId, SourceSet]) -> None:
    assert sources_from_json(sources_to_json(sources)) == sources


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"sources":{"a":[[{"s":1}],[],[],[],[]]}}',
        '{"sources":{"a":[[{"s":true}]]}}',
        '{"sources":{"a":[[{"s":1.5}]]}}',
        '{"sources":{"a":[[{"s":1},{"s":1,"s":2}]]}}',
        '{"sources":{"a b":[]}}',
        '{"sources":{"a":[[],[["x",1]]]}}',
        '{"sources":{"a":[[],[[]]]}}',
        '{"sources":NaN}',
        "[" * 100_000,
        '{"sources":' + "[" * 20 + "]" * 20 + "}",
        "1" * 5000,
    ],
)
def test_json_that_breaks_the_form_is_a_peer_error(text: str) -> None:
    with pytest.raises(PeerError):
        sources_from_json(text)


def test_json_ssrcs_may_be_strings() -> None:
    read = sources_from_json('{"sources":{"a":[[{"s":"7","v":"d"}],[["s","7"]]]}}')
    assert read[EndpointId("a")].sources[0].video_type is VideoType.DESKTOP
    assert read[EndpointId("a")].groups[0].semantics is Semantics.SIM
