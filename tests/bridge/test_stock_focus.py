"""What a stock focus sends, as XML, through reading, carrying out and answering."""

from __future__ import annotations

from xml.etree.ElementTree import Element, fromstring, tostring

import pytest
from xmppconf_bridge.colibri import modify
from xmppconf_bridge.endpoint import Endpoint

from tests.support.fake_engine import BridgeBench, RecordingCarrier
from xmppconf.colibri2 import ColibriRefused
from xmppconf.ids import EndpointId, MeetingId, SourceName
from xmppconf.xmpp.colibri2 import modified_to_xml, modify_from_xml, refused_to_error
from xmppconf.xmpp.stanza import error_element

MEETING = MeetingId("8a5e1f0c-0000-4000-8000-000000000001")

NS = {
    "c": "jitsi:colibri2",
    "ice": "urn:xmpp:jingle:transports:ice-udp:1",
    "dtls": "urn:xmpp:jingle:apps:dtls:0",
    "ws": "http://jitsi.org/protocol/colibri",
    "s": "urn:xmpp:jingle:apps:rtp:ssma:0",
}

MEDIA = """
<media type='audio'>
 <payload-type xmlns='urn:xmpp:jingle:apps:rtp:1' id='111' name='opus' clockrate='48000'
   channels='2'><parameter name='minptime' value='10'/><parameter name='useinbandfec'
   value='1'/><rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='transport-cc'/>
 </payload-type>
 <payload-type xmlns='urn:xmpp:jingle:apps:rtp:1' id='112' name='red' clockrate='48000'
   channels='2'><parameter value='111/111'/></payload-type>
 <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='1'
   uri='urn:ietf:params:rtp-hdrext:ssrc-audio-level'/>
 <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='5'
   uri='http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01'/>
 <extmap-allow-mixed xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0'/>
</media>
<media type='video'>
 <payload-type xmlns='urn:xmpp:jingle:apps:rtp:1' id='100' name='VP8' clockrate='90000'>
  <parameter name='x-google-start-bitrate' value='800'/>
  <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='ccm' subtype='fir'/>
  <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack'/>
  <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack' subtype='pli'/>
  <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='transport-cc'/>
 </payload-type>
 <payload-type xmlns='urn:xmpp:jingle:apps:rtp:1' id='96' name='rtx' clockrate='90000'>
  <parameter name='apt' value='100'/></payload-type>
 <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='5'
   uri='http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01'/>
 <extmap-allow-mixed xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0'/>
</media>
"""
FINGERPRINT = "A0:" * 31 + "A0"


def ask(bench: BridgeBench, inner: str, attributes: str = "") -> Element:
    """Send a request; the answer has been on the wire and is read anew."""
    text = (
        f"<conference-modify xmlns='jitsi:colibri2' meeting-id='{MEETING}' {attributes}>"
        f"{inner}</conference-modify>"
    )
    answer = modify(bench.bridge, modify_from_xml(fromstring(text)))
    return fromstring(tostring(modified_to_xml(answer)))


def allocate(
    bench: BridgeBench, name: str, *capabilities: str, create: bool = False
) -> Element:
    named = "".join(f"<capability name='{one}'/>" for one in capabilities)
    return ask(
        bench,
        f"<endpoint id='{name}' create='true' stats-id='Ada-x1'>"
        f"<capability name='source-names'/>{named}{MEDIA}"
        "<transport ice-controlling='true'><sctp/></transport><sources/></endpoint>",
        "create='true' name='standup@muc.meet.example' rtcstats-enabled='false'"
        if create
        else "",
    )


def accept(bench: BridgeBench, name: str, first: int) -> Element:
    """The participant's transport and sources, after its session-accept."""

    def source(ssrc: int, kind: str) -> str:
        video_type = " videoType='camera'" if kind == "v" else ""
        return (
            f"<source xmlns='{NS['s']}' ssrc='{ssrc}' name='{name}-{kind}0'{video_type}/>"
        )

    def group(semantics: str, *ssrcs: int) -> str:
        inner = "".join(f"<source ssrc='{ssrc}'/>" for ssrc in ssrcs)
        return f"<ssrc-group xmlns='{NS['s']}' semantics='{semantics}'>{inner}</ssrc-group>"

    v = [first + index for index in range(1, 7)]
    return ask(
        bench,
        f"<endpoint id='{name}' stats-id='Ada-x1'><transport>"
        f"<transport xmlns='{NS['ice']}' ufrag='c1ab' pwd='c2c2c2c2c2c2c2c2c2c2c2'>"
        f"<rtcp-mux/><fingerprint xmlns='{NS['dtls']}' hash='sha-256' setup='active'>"
        f"{FINGERPRINT}</fingerprint></transport></transport><sources>"
        f"<media-source type='video' id='{name}-v0'>"
        + "".join(source(one, "v") for one in v)
        + group("SIM", *v[:3])
        + "".join(group("FID", v[i], v[i + 3]) for i in range(3))
        + f"</media-source><media-source type='audio' id='{name}-a0'>"
        + source(first, "a")
        + "</media-source></sources><initial-last-n value='20'/></endpoint>",
    )


@pytest.fixture
def bench() -> BridgeBench:
    return BridgeBench(websocket_base="wss://meet.example")


@pytest.mark.parametrize(
    "capabilities",
    [(), ("ssrc-rewriting",), ("ssrc-rewriting", "rtp-mid-demux")],
)
def test_two_participants_come_talk_and_go(
    bench: BridgeBench, capabilities: tuple[str, ...]
) -> None:
    answer = allocate(bench, "abcd1234", *capabilities, create=True)
    second = allocate(bench, "ef567890", "private-address-connectivity", *capabilities)
    for one, name in ((answer, "abcd1234"), (second, "ef567890")):
        [endpoint] = one.findall("c:endpoint", NS)
        assert endpoint.get("id") == name
        transport = endpoint.find("c:transport", NS)
        assert transport is not None
        [sctp] = transport.findall("c:sctp", NS)
        assert sctp.attrib == {"port": "5000", "role": "server"}
        ice = transport.find("ice:transport", NS)
        assert ice is not None
        assert len(ice.get("ufrag", "")) >= 4
        assert len(ice.get("pwd", "")) >= 22
        assert ice.find("ice:rtcp-mux", NS) is not None
        fingerprint = ice.find("dtls:fingerprint", NS)
        assert fingerprint is not None
        assert (fingerprint.get("hash"), fingerprint.get("setup")) == ("sha-256", "actpass")
        socket = ice.find("ws:web-socket", NS)
        assert socket is not None
        assert socket.get("url", "").startswith("wss://meet.example/colibri-ws/bridge-1/")
        feedback = {
            media.get("id"): source.get("ssrc")
            for media in one.findall("c:sources/c:media-source", NS)
            for source in media.findall("s:source", NS)
        }
        assert set(feedback) == {"jvb-a0", "jvb-v0"}

    update = accept(bench, "abcd1234", 1000)
    assert [one.attrib for one in update] == [{"id": "abcd1234"}]
    assert len(update[0]) == 0
    accept(bench, "ef567890", 2000)
    ada = bench.bridge.conferences[MEETING].endpoints[EndpointId("abcd1234")]
    assert ada.rewriting == bool(capabilities)
    assert ada.constraints.last_n == 20
    video = ada.sources[SourceName("abcd1234-v0")]
    assert video.encodings == ((1001, 1004), (1002, 1005), (1003, 1006))

    muted = ask(
        bench,
        "<endpoint id='abcd1234'><force-mute audio='true' video='false'/></endpoint>"
        "<endpoint id='ef567890'><force-mute audio='true' video='false'/></endpoint>",
    )
    assert [one.get("id") for one in muted] == ["abcd1234", "ef567890"]
    assert all(one.muted.audio for one in _endpoints(bench))

    # Moderation lets them speak again, and their cameras go off.
    ask(bench, "<endpoint id='abcd1234'><force-mute audio='false'/><sources/></endpoint>")
    assert not ada.muted.audio
    assert ada.sources == {}
    gone = ask(bench, "<endpoint id='abcd1234' expire='true'/>")
    assert gone[0].attrib == {"id": "abcd1234", "expire": "true"}
    ask(bench, "<endpoint id='ef567890' expire='true'/>")
    assert bench.bridge.conferences == {}


@pytest.mark.parametrize(
    ("capabilities", "mid"),
    [
        (("ssrc-rewriting", "rtp-mid-demux"), "v0"),
        (("ssrc-rewriting",), None),
        (("rtp-mid-demux",), None),
    ],
)
def test_a_mid_in_a_map_is_on_the_packets(
    bench: BridgeBench, capabilities: tuple[str, ...], mid: str | None
) -> None:
    """Without rewriting there are no slots that could have one."""
    allocate(bench, "abcd1234", *capabilities, create=True)
    allocate(bench, "ef567890", *capabilities)
    accept(bench, "ef567890", 2000)
    conference = bench.bridge.conferences[MEETING]
    ada = conference.endpoints[EndpointId("abcd1234")]

    carrier = RecordingCarrier()
    ada.transport.is_connected = True
    ada.channel.open(carrier)
    conference.channel_opened(ada)
    text = (
        '{"colibriClass":"ReceiverVideoConstraints","defaultConstraints":{"maxHeight":720}}'
    )
    conference.channel_message(ada, text)
    entries = [
        entry
        for message in carrier.take("VideoSourcesMap")
        for entry in message["mappedSources"]
    ]
    assert bool(entries) == ("ssrc-rewriting" in capabilities)
    assert [entry.get("mid") for entry in entries] == [mid] * len(entries)
    stamped = bench.engine.take("set_mid")
    wanted = [(entry["ssrc"], mid) for entry in entries if mid is not None]
    assert [call[1:] for call in stamped] == wanted
    assert all(call[0] == ada.transport.number for call in stamped)


@pytest.mark.parametrize(
    ("inner", "attributes", "kind", "condition", "reason", "text"),
    [
        ("", "create='true'", "cancel", "conflict", "conference_already_exists", ""),
        (
            "<endpoint id='00000000'><sources/></endpoint>",
            "",
            "cancel",
            "item-not-found",
            "unknown_endpoint",
            "00000000",
        ),
        (
            "<relay id='other' create='true'/>",
            "",
            "cancel",
            "feature-not-implemented",
            "feature_not_implemented",
            "",
        ),
        (
            "<endpoint id='abcd1234' create='true'><capability name='source-names'/>"
            "<transport/></endpoint>",
            "",
            "cancel",
            "conflict",
            "unspecified",
            "",
        ),
        (
            "<endpoint id='00000000' create='true'><transport/></endpoint>",
            "",
            "modify",
            "bad-request",
            "unspecified",
            "",
        ),
    ],
)
def test_a_refusal_says_that_a_bridge_spoke_and_why(
    bench: BridgeBench,
    inner: str,
    attributes: str,
    kind: str,
    condition: str,
    reason: str,
    text: str,
) -> None:
    allocate(bench, "abcd1234", create=True)
    with pytest.raises(ColibriRefused) as refused:
        ask(bench, inner, attributes)
    error = fromstring(tostring(error_element(refused_to_error(refused.value))))
    assert error.get("type") == kind
    assert error.find(f"{{urn:ietf:params:xml:ns:xmpp-stanzas}}{condition}") is not None
    extension = error.find("c:error", NS)
    assert extension is not None
    assert extension.get("reason") == reason
    named = error.find("c:endpoint", NS)
    assert (named.get("id") if named is not None else "") == text


def test_the_attributes_of_newer_focuses_do_no_harm(bench: BridgeBench) -> None:
    allocate(bench, "abcd1234", create=True)
    ask(
        bench,
        "<endpoint id='ef567890' create='true' diarize='true' muc-role='visitor'>"
        "<capability name='source-names'/><capability name='some-day'/>"
        "<transport ice-controlling='true' use-unique-port='false'/></endpoint>"
        "<connects/><traceparent xmlns='jitsi:colibri2' value='00-1-2-01'/>",
    )
    assert [one.visitor for one in _endpoints(bench)] == [False, True]


def _endpoints(bench: BridgeBench) -> list[Endpoint]:
    return list(bench.bridge.conferences[MEETING].endpoints.values())
