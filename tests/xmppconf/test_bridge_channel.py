from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import strategies
from xmppconf import bridge_channel as channel
from xmppconf.bridge_channel import (
    AudioSourcesMap,
    ClientHello,
    ConnectionStats,
    DominantSpeaker,
    EndpointConnectivity,
    EndpointMessage,
    EndpointStats,
    ForwardedSources,
    LastNChanged,
    MappedAudioSource,
    MappedVideoSource,
    Message,
    ReceiverAudioSubscription,
    ReceiverVideoConstraints,
    SenderSourceConstraints,
    ServerHello,
    SourceVideoType,
    UnknownMessage,
    VideoConstraints,
    VideoSourcesMap,
    parse,
    serialize,
)
from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId, SourceName
from xmppconf.limits import CHANNEL_MESSAGE
from xmppconf.media import Ssrc, VideoType

ANN, BOB = EndpointId("ab12cd34"), EndpointId("99ff00aa")
CAMERA, VOICE = SourceName("ab12cd34-v0"), SourceName("ab12cd34-a0")

#: As on the wire, with the value.
GOLDEN: list[tuple[str, Message]] = [
    ('{"colibriClass":"ClientHello"}', ClientHello()),
    ('{"colibriClass":"ServerHello"}', ServerHello()),
    ('{"colibriClass":"ServerHello","version":"1"}', ServerHello("1")),
    (
        '{"msgPayload":{"type":"x"},"colibriClass":"EndpointMessage","from":"a","to":""}',
        EndpointMessage("", "a", {"msgPayload": {"type": "x"}}),
    ),
    (
        '{"bitrate":{"upload":1},"colibriClass":"EndpointStats","from":"a"}',
        EndpointStats("a", {"bitrate": {"upload": 1}}),
    ),
    ('{"colibriClass":"LastNChangedEvent","lastN":-1}', LastNChanged(-1)),
    (
        '{"colibriClass":"ReceiverVideoConstraints","lastN":20,"selectedSources":[],'
        '"onStageSources":["ab12cd34-v0"],'
        '"defaultConstraints":{"maxHeight":180,"maxFrameRate":30},'
        '"constraints":{"ab12cd34-v0":{"maxHeight":720}}}',
        ReceiverVideoConstraints(
            20,
            (),
            (CAMERA,),
            VideoConstraints(180, 30),
            {CAMERA: VideoConstraints(720)},
        ),
    ),
    (
        '{"colibriClass":"ReceiverVideoConstraints","lastN":-1,"assumedBandwidthBps":-1}',
        ReceiverVideoConstraints(last_n=-1, assumed_bandwidth=-1),
    ),
    (
        '{"colibriClass":"ReceiverAudioSubscription","all":true,"include":[],'
        '"exclude":["ab12cd34-a0"]}',
        ReceiverAudioSubscription(True, (), (VOICE,)),
    ),
    (
        '{"colibriClass":"SourceVideoTypeMessage","sourceName":"ab12cd34-v0",'
        '"videoType":"desktop"}',
        SourceVideoType(CAMERA, VideoType.DESKTOP),
    ),
    (
        '{"colibriClass":"ForwardedSources","forwardedSources":["ab12cd34-v0"]}',
        ForwardedSources((CAMERA,)),
    ),
    (
        '{"colibriClass":"VideoSourcesMap","mappedSources":[{"source":"ab12cd34-v0",'
        '"owner":"ab12cd34","ssrc":301,"rtx":302,"videoType":"CAMERA","mid":"v0"}]}',
        VideoSourcesMap(
            (MappedVideoSource(CAMERA, ANN, Ssrc(301), Ssrc(302), VideoType.CAMERA, "v0"),)
        ),
    ),
    (
        '{"colibriClass":"VideoSourcesMap","mappedSources":[{"source":"ab12cd34-v0",'
        '"owner":"ab12cd34","ssrc":301,"rtx":"-1","videoType":"NONE"}]}',
        VideoSourcesMap(
            (MappedVideoSource(CAMERA, ANN, Ssrc(301), None, VideoType.NONE),),
        ),
    ),
    (
        '{"colibriClass":"AudioSourcesMap","mappedSources":[{"source":"ab12cd34-a0",'
        '"owner":"ab12cd34","ssrc":401,"mid":"a0"}]}',
        AudioSourcesMap((MappedAudioSource(VOICE, ANN, Ssrc(401), "a0"),)),
    ),
    (
        '{"colibriClass":"SenderSourceConstraints","sourceName":"ab12cd34-v0","maxHeight":360}',
        SenderSourceConstraints(CAMERA, 360),
    ),
    (
        '{"colibriClass":"DominantSpeakerEndpointChangeEvent",'
        '"dominantSpeakerEndpoint":"ab12cd34","previousSpeakers":["99ff00aa"],'
        '"silence":false}',
        DominantSpeaker(ANN, (BOB,)),
    ),
    (
        '{"colibriClass":"EndpointConnectivityStatusChangeEvent","endpoint":"99ff00aa",'
        '"active":"false"}',
        EndpointConnectivity(BOB, False),
    ),
    (
        '{"colibriClass":"ConnectionStats","estimatedDownlinkBandwidth":2500000}',
        ConnectionStats(2_500_000),
    ),
]


@pytest.mark.parametrize(("text", "message"), GOLDEN)
def test_messages_are_on_the_wire_as_documented(text: str, message: Message) -> None:
    assert serialize(message) == text
    assert parse(text) == message


def test_absent_fields_stay_absent_and_unknown_ones_are_ignored() -> None:
    read = parse('{"colibriClass":"ReceiverVideoConstraints","new":[1],"lastN":null}')
    assert read == ReceiverVideoConstraints()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("All", ReceiverAudioSubscription(True)),
        ("None", ReceiverAudioSubscription(False)),
        ("Include", ReceiverAudioSubscription(False, include=(VOICE,))),
        ("EXCLUDE", ReceiverAudioSubscription(True, exclude=(VOICE,))),
    ],
)
def test_the_old_audio_subscription_is_understood(
    mode: str, expected: ReceiverAudioSubscription
) -> None:
    value = {"colibriClass": "ReceiverAudioSubscription", "mode": mode, "list": [VOICE]}
    assert parse(json.dumps(value)) == expected


def test_an_unknown_class_is_told_apart() -> None:
    with pytest.raises(UnknownMessage):
        parse('{"colibriClass":"PinnedEndpointChangedEvent"}')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "{}",
        '{"colibriClass":1}',
        '{"colibriClass":"ClientHello","colibriClass":"ClientHello"}',
        '{"colibriClass":"EndpointMessage","to":"","msgPayload":{"a":1,"a":2}}',
        '{"colibriClass":"EndpointMessage","to":5}',
        '{"colibriClass":"LastNChangedEvent"}',
        '{"colibriClass":"LastNChangedEvent","lastN":true}',
        '{"colibriClass":"LastNChangedEvent","lastN":1e999}',
        '{"colibriClass":"LastNChangedEvent","lastN":-2}',
        '{"colibriClass":"ReceiverVideoConstraints","constraints":[]}',
        '{"colibriClass":"ReceiverVideoConstraints","constraints":{"a":{}}}',
        '{"colibriClass":"ReceiverVideoConstraints","defaultConstraints":{"maxHeight":"180"}}',
        '{"colibriClass":"ReceiverVideoConstraints","selectedSources":[[]]}',
        '{"colibriClass":"ReceiverVideoConstraints","selectedSources":"a"}',
        '{"colibriClass":"SourceVideoTypeMessage","sourceName":"a","videoType":"film"}',
        '{"colibriClass":"ReceiverAudioSubscription","mode":"Some"}',
        '{"colibriClass":"EndpointConnectivityStatusChangeEvent","endpoint":"a","active":true}',
        '{"colibriClass":"VideoSourcesMap","mappedSources":[{"ssrc":0}]}',
        '{"colibriClass":"ForwardedSources","forwardedSources":'
        + json.dumps(["a"] * 3000)
        + "}",
        '{"colibriClass":"ReceiverVideoConstraints","constraints":'
        + json.dumps({str(n): {"maxHeight": 1} for n in range(2500)})
        + "}",
        '{"colibriClass":"EndpointMessage","to":"","x":' + "[" * 50 + "]" * 50 + "}",
        '{"colibriClass":"EndpointMessage","to":"","x":"' + "y" * CHANNEL_MESSAGE + '"}',
    ],
)
def test_what_breaks_the_form_is_a_peer_error(text: str) -> None:
    with pytest.raises(PeerError):
        parse(text)


@pytest.mark.parametrize("text", ["ключ", "\U0001f600", "\ud800", "\x00"])
def test_any_text_of_a_client_reaches_the_others(text: str) -> None:
    sent = serialize(EndpointMessage("", "a", {"msgPayload": {"t": text}}))
    assert parse(sent.encode().decode()) == EndpointMessage(
        "", "a", {"msgPayload": {"t": text}}
    )


def test_a_client_cannot_speak_for_another_through_its_own_fields() -> None:
    read = parse('{"colibriClass":"EndpointMessage","to":"b","from":"c","msgPayload":{}}')
    assert isinstance(read, EndpointMessage)
    sent = json.loads(
        serialize(EndpointMessage(read.to, ANN, {**read.fields, "from": "c"}))
    )
    assert sent["from"] == ANN


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(
    st.sampled_from(sorted(channel._READERS)),
    st.dictionaries(
        st.sampled_from(
            [
                "to",
                "from",
                "lastN",
                "constraints",
                "mappedSources",
                "sourceName",
                "videoType",
            ]
        ),
        json_values,
    ),
)
def test_any_object_is_read_or_refused_and_what_is_read_survives(
    name: str, fields: dict[str, object]
) -> None:
    try:
        message = parse(json.dumps({**fields, "colibriClass": name}))
    except PeerError:
        return
    assert parse(serialize(message)) == message


@given(
    st.builds(
        ReceiverVideoConstraints,
        last_n=st.none() | st.integers(-1, 100),
        selected_sources=st.none()
        | st.lists(strategies.source_names, max_size=3).map(tuple),
        on_stage_sources=st.none()
        | st.lists(strategies.source_names, max_size=3).map(tuple),
        default=st.none() | st.builds(VideoConstraints, st.integers(-1, 2160)),
        constraints=st.none()
        | st.dictionaries(
            strategies.source_names,
            st.builds(
                VideoConstraints,
                st.integers(-1, 2160),
                st.sampled_from([-1, 15, 7.5, 30]),
            ),
            max_size=3,
        ),
        assumed_bandwidth=st.none() | st.integers(-1, 2**40),
    )
)
def test_constraints_round_trip(message: ReceiverVideoConstraints) -> None:
    assert parse(serialize(message)) == message
