# ruff: noqa: E501
from __future__ import annotations

from xml.etree.ElementTree import fromstring, tostring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import strategies
from xmppconf.colibri2 import (
    ColibriRefused,
    ConferenceModified,
    ConferenceModify,
    EndpointAnswer,
    EndpointRequest,
    ForceMute,
    Reason,
    RelayAnswer,
    RelayRequest,
    Sctp,
    Transport,
)
from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId, MeetingId, RelayId, SourceName
from xmppconf.media import HeaderExtension, MediaDescription, MediaType, PayloadType, Ssrc
from xmppconf.sources import MediaSource
from xmppconf.transport import Candidate, Fingerprint, IceTransport, Setup
from xmppconf.xmpp.colibri2 import (
    modified_from_xml,
    modified_to_xml,
    modify_from_xml,
    modify_to_xml,
    refused_from_error,
    refused_to_error,
)
from xmppconf.xmpp.stanza import STANZAS, StanzaError, error_element, parse_error
from xmppconf.xmpp.xml import STREAM, build

PRINT = ":".join(["9A"] * 32)

ALLOCATE = """
<conference-modify xmlns='jitsi:colibri2' meeting-id='0b7c' name='demo@muc.example' create='true'>
  <endpoint id='ab12cd34' stats-id='Zed-x1' create='true'>
    <capability name='source-names'/><capability name='ssrc-rewriting'/>
    <media type='audio'>
      <payload-type xmlns='urn:xmpp:jingle:apps:rtp:1' id='111' name='opus' clockrate='48000' channels='2'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='1' uri='urn:ietf:params:rtp-hdrext:ssrc-audio-level'/>
    </media>
    <transport ice-controlling='true'><sctp/></transport>
  </endpoint>
  <traceparent xmlns='jitsi:opentelemetry'/>
</conference-modify>"""

ALLOCATED = f"""
<conference-modified xmlns='jitsi:colibri2'>
  <endpoint id='ab12cd34'><transport>
    <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='8k2f' pwd='pw22'><rtcp-mux/>
      <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>{PRINT}</fingerprint>
      <candidate component='1' foundation='1' generation='0' id='c1' ip='203.0.113.7' network='0'
        port='10000' priority='2130706431' protocol='udp' type='host'/></transport>
    <sctp port='5000' role='server'/></transport></endpoint>
  <sources><media-source type='audio' id='jvb-a0'>
    <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='1' name='jvb-a0'/></media-source></sources>
</conference-modified>"""

REQUEST = ConferenceModify(
    meeting_id=MeetingId("0b7c"),
    name="demo@muc.example",
    create=True,
    endpoints=(
        EndpointRequest(
            id=EndpointId("ab12cd34"),
            create=True,
            stats_id="Zed-x1",
            capabilities=frozenset({"source-names", "ssrc-rewriting"}),
            media=(
                MediaDescription(
                    MediaType.AUDIO,
                    (PayloadType(111, "opus", 48000, 2),),
                    (HeaderExtension(1, "urn:ietf:params:rtp-hdrext:ssrc-audio-level"),),
                ),
            ),
            transport=Transport(ice_controlling=True, sctp=Sctp()),
        ),
    ),
)
ANSWER = ConferenceModified(
    endpoints=(
        EndpointAnswer(
            EndpointId("ab12cd34"),
            transport=Transport(
                ice=IceTransport(
                    "8k2f",
                    "pw22",
                    (Fingerprint("sha-256", PRINT, Setup.ACTPASS),),
                    (Candidate("203.0.113.7", 10000, id="c1"),),
                ),
                sctp=Sctp(5000, "server"),
            ),
        ),
    ),
    sources=(MediaSource(SourceName("jvb-a0"), MediaType.AUDIO, (Ssrc(1),)),),
)


def test_a_stock_request_and_answer_are_read() -> None:
    assert modify_from_xml(fromstring(ALLOCATE)) == REQUEST
    assert modified_from_xml(fromstring(ALLOCATED)) == ANSWER


def test_what_we_write_reads_the_same() -> None:
    assert modify_from_xml(fromstring(tostring(modify_to_xml(REQUEST)))) == REQUEST
    assert modified_from_xml(fromstring(tostring(modified_to_xml(ANSWER)))) == ANSWER


def test_false_attributes_stay_off_the_wire() -> None:
    element = modify_to_xml(ConferenceModify(MeetingId("m")))
    assert element.attrib == {"meeting-id": "m"}
    quiet = modify_to_xml(ConferenceModify(MeetingId("m"), rtcstats_enabled=False))
    assert quiet.get("rtcstats-enabled") == "false"


LINK = f"""
<conference-modify xmlns='jitsi:colibri2' meeting-id='8a5e'>
 <relay id='10.0.0.2:4096' mesh-id='0' create='true'>
  <media type='audio'>
   <payload-type xmlns='urn:xmpp:jingle:apps:rtp:1' id='111' name='opus' clockrate='48000' channels='2'/>
  </media>
  <transport use-unique-port='true' ice-controlling='true'>
   <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='8k2f' pwd='pw22'><rtcp-mux/>
    <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='active'>{PRINT}</fingerprint>
   </transport>
   <sctp role='client'/></transport>
  <endpoints>
   <endpoint id='abcd1234' create='true' stats-id='Ada-x1'><capability name='source-names'/>
    <sources><media-source type='audio' id='abcd1234-a0'>
     <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='1001' name='abcd1234-a0'/></media-source></sources>
   </endpoint>
   <endpoint id='ef567890' expire='true'/>
  </endpoints>
 </relay>
</conference-modify>"""

RELAY = RelayRequest(
    RelayId("10.0.0.2:4096"),
    create=True,
    mesh="0",
    media=(MediaDescription(MediaType.AUDIO, (PayloadType(111, "opus", 48000, 2),)),),
    transport=Transport(
        ice_controlling=True,
        use_unique_port=True,
        ice=IceTransport("8k2f", "pw22", (Fingerprint("sha-256", PRINT, Setup.ACTIVE),)),
        sctp=Sctp(role="client"),
    ),
    endpoints=(
        EndpointRequest(
            EndpointId("abcd1234"),
            create=True,
            stats_id="Ada-x1",
            capabilities=frozenset({"source-names"}),
            sources=(
                MediaSource(SourceName("abcd1234-a0"), MediaType.AUDIO, (Ssrc(1001),)),
            ),
        ),
        EndpointRequest(EndpointId("ef567890"), expire=True),
    ),
)


def test_a_link_between_bridges_is_read_and_written() -> None:
    modify = ConferenceModify(MeetingId("8a5e"), relays=(RELAY,))
    assert modify_from_xml(fromstring(LINK)) == modify
    assert modify_from_xml(fromstring(tostring(modify_to_xml(modify)))) == modify
    answer = ConferenceModified(
        relays=(
            RelayAnswer(RELAY.id, transport=Transport(sctp=Sctp(5000, "server"))),
            RelayAnswer(RelayId("other"), expire=True),
        )
    )
    assert modified_from_xml(fromstring(tostring(modified_to_xml(answer)))) == answer


def test_connects_are_noticed() -> None:
    modify = "<conference-modify xmlns='jitsi:colibri2' meeting-id='m'><connects"
    something = modify + "><connect id='c'/></connects></conference-modify>"
    assert modify_from_xml(fromstring(something)).has_connects
    nothing = modify + "/></conference-modify>"
    assert not modify_from_xml(fromstring(nothing)).has_connects


requests = st.builds(
    EndpointRequest,
    id=strategies.endpoint_ids,
    create=st.booleans(),
    expire=st.booleans(),
    stats_id=st.none() | strategies.words,
    visitor=st.booleans(),
    capabilities=st.frozensets(strategies.full_words, max_size=3),
    media=st.lists(
        strategies.media_types.flatmap(strategies.media_descriptions), max_size=2
    ).map(tuple),
    transport=st.none()
    | st.builds(
        Transport,
        ice_controlling=st.booleans(),
        use_unique_port=st.booleans(),
        ice_restart=st.booleans(),
        ice=st.none() | strategies.ice_transports,
        sctp=st.none()
        | st.builds(
            Sctp,
            port=st.none() | strategies.ports,
            role=st.sampled_from([None, "client", "server"]),
        ),
    ),
    sources=st.none() | st.lists(strategies.media_sources, max_size=2).map(tuple),
    force_mute=st.none() | st.builds(ForceMute, audio=st.booleans(), video=st.booleans()),
    initial_last_n=st.none() | st.integers(-1, 100),
)


@given(st.lists(requests, max_size=2))
def test_requests_round_trip(endpoints: list[EndpointRequest]) -> None:
    modify = ConferenceModify(MeetingId("m-1"), endpoints=tuple(endpoints))
    assert modify_from_xml(fromstring(tostring(modify_to_xml(modify)))) == modify


@pytest.mark.parametrize(
    "change",
    [
        ("relay id='10.0.0.2:4096'", "relay"),
        ("10.0.0.2:4096", "a b"),
        ("mesh-id='0'", f"mesh-id='{'0' * 200}'"),
        ("id='ef567890'", "id=''"),
        ("role='client'", "role='peer'"),
    ],
)
def test_a_broken_link_is_a_peer_error(change: tuple[str, str]) -> None:
    broken = LINK.replace(*change)
    assert broken != LINK
    with pytest.raises(PeerError):
        modify_from_xml(fromstring(broken))


@pytest.mark.parametrize(
    "change",
    [
        ("meeting-id='0b7c'", ""),
        ("meeting-id='0b7c'", "meeting-id='a b'"),
        ("id='ab12cd34'", "id=''"),
        ("create='true'", "create='yes'"),
        ("type='audio'", "type='smell'"),
        ("<sctp/>", "<sctp role='peer'/>"),
        ("<sctp/>", "<sctp port='66000'/>"),
        ("<capability ", "<capability name='x'/>" * 40 + "<capability "),
    ],
)
def test_a_broken_request_is_a_peer_error(change: tuple[str, str]) -> None:
    broken = ALLOCATE.replace(*change)
    assert broken != ALLOCATE
    with pytest.raises(PeerError):
        modify_from_xml(fromstring(broken))


def test_another_answer_is_a_peer_error() -> None:
    for element in (None, build("jitsi:colibri2", "other")):
        with pytest.raises(PeerError):
            modified_from_xml(element)


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_keeps_condition_reason_and_endpoint(reason: Reason) -> None:
    refused = ColibriRefused("item-not-found", reason, endpoint=EndpointId("ab12cd34"))
    stanza = build(STREAM, "iq", None, error_element(refused_to_error(refused)))
    read = refused_from_error(parse_error(fromstring(tostring(stanza))))
    assert (read.condition, read.reason, read.endpoint) == (
        "item-not-found",
        reason,
        "ab12cd34",
    )


def test_an_error_without_reason_comes_from_a_server() -> None:
    read = refused_from_error(StanzaError("item-not-found"))
    assert (read.condition, read.reason, read.endpoint) == ("item-not-found", None, None)
    stanza = build(STREAM, "iq", None, error_element(refused_to_error(read)))
    assert [child.tag for child in stanza[0]] == [f"{{{STANZAS}}}item-not-found"]


def test_an_unknown_reason_still_comes_from_a_bridge() -> None:
    error = StanzaError("conflict", build("jitsi:colibri2", "error", {"reason": "new"}))
    assert refused_from_error(error).reason is Reason.UNSPECIFIED
