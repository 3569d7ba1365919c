"""A conference with a fake engine: who gets what, in which order, and what ends it."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from xmppconf_bridge.colibri import modify
from xmppconf_bridge.endpoint import Endpoint
from xmppconf_bridge.engine_events import IceFailed, Levels, SourceActive, SourceSilent
from xmppconf_bridge.expiry import (
    EXPIRE_AFTER,
    EXPIRE_INTERVAL,
    EXPIRE_UNSEEN_AFTER,
    FIRST_ACTIVITY,
    INACTIVE_AFTER,
)
from xmppconf_bridge.policy import VideoPolicy
from xmppconf_bridge.slots import SLOTS

from tests.support.fake_engine import BridgeBench, RecordingCarrier
from xmppconf.colibri2 import ConferenceModify, EndpointRequest, Transport
from xmppconf.ids import EndpointId, MeetingId, SourceName
from xmppconf.media import MediaDescription, MediaType, PayloadType, Ssrc, VideoType
from xmppconf.sources import MediaSource, Semantics, SsrcGroup

M1 = MeetingId("m1")
CONNECTIVITY = "EndpointConnectivityStatusChangeEvent"
AUDIO = MediaDescription(MediaType.AUDIO, (PayloadType(111, "opus", 48000, 2),))
VIDEO = MediaDescription(MediaType.VIDEO, (PayloadType(100, "VP8", 90000),))
MEDIA = (AUDIO, VIDEO)


def audio(name: str, ssrc: int) -> MediaSource:
    return MediaSource(SourceName(f"{name}-a0"), MediaType.AUDIO, (Ssrc(ssrc),))


def video(name: str, first: int) -> MediaSource:
    """Three encodings with their retransmissions."""
    ssrcs = tuple(Ssrc(first + index) for index in range(6))
    groups = (
        SsrcGroup(Semantics.SIM, ssrcs[:3], MediaType.VIDEO),
        *(
            SsrcGroup(Semantics.FID, (ssrcs[index], ssrcs[index + 3]), MediaType.VIDEO)
            for index in range(3)
        ),
    )
    return MediaSource(SourceName(f"{name}-v0"), MediaType.VIDEO, ssrcs, groups)


def join(
    bench: BridgeBench, name: str, first: int, *, visitor: bool = False, rewriting: bool
) -> None:
    capabilities = {"source-names"} | ({"ssrc-rewriting"} if rewriting else set())
    request = EndpointRequest(
        EndpointId(name),
        create=True,
        visitor=visitor,
        media=MEDIA,
        capabilities=frozenset(capabilities),
        transport=Transport(ice_controlling=True),
        sources=() if visitor else (audio(name, first), video(name, first + 1)),
    )
    create = M1 not in bench.bridge.conferences
    modify(bench.bridge, ConferenceModify(M1, create=create, endpoints=(request,)))


@pytest.fixture
def bench() -> BridgeBench:
    bench = BridgeBench()
    join(bench, "a", 100, rewriting=True)
    join(bench, "b", 200, rewriting=True)
    return bench


def number_of(bench: BridgeBench, source: str) -> int:
    owner = bench.endpoint(source.partition("-")[0])
    return owner.sources[SourceName(source)].number


def want(bench: BridgeBench, name: str, height: int = 720, **fields: Any) -> None:
    bench.say(
        name,
        colibriClass="ReceiverVideoConstraints",
        defaultConstraints={"maxHeight": height},
        **fields,
    )


def activate(bench: BridgeBench, source: str, size: tuple[int, int] | None = None) -> None:
    bench.bridge.receive([SourceActive(number_of(bench, source), 0, size)])


def routes_to(bench: BridgeBench, name: str) -> list[tuple[Any, ...]]:
    """New routes as (source, ssrc, rtx ssrc, encoding)."""
    number = bench.endpoint(name).transport.number
    taken = bench.engine.take("set_route")
    bench.engine.calls += [("set_route", *call) for call in taken if call[0] != number]
    return [call[1:5] for call in taken if call[0] == number]


def expire(bench: BridgeBench, name: str) -> None:
    request = EndpointRequest(EndpointId(name), expire=True)
    modify(bench.bridge, ConferenceModify(M1, endpoints=(request,)))


def test_the_engine_learns_the_encodings_in_order(bench: BridgeBench) -> None:
    _, sources = bench.engine.take("set_sources")[0]
    assert [(kind, encodings) for _, kind, encodings in sources] == [
        ("audio", [(100, None)]),
        ("video", [(101, 104), (102, 105), (103, 106)]),
    ]


def test_a_new_channel_is_brought_up_to_date_in_order(bench: BridgeBench) -> None:
    b = bench.connect("b")
    want(bench, "b")
    assert b.take("VideoSourcesMap")[-1]["mappedSources"][0]["source"] == "a-v0"
    a = bench.connect("a")
    assert a.kinds() == [
        "SenderSourceConstraints",
        "ForwardedSources",
        "VideoSourcesMap",
        "AudioSourcesMap",
    ]
    again = RecordingCarrier()
    bench.endpoint("b").channel.open(again)
    bench.conference.channel_opened(bench.endpoint("b"))
    assert again.take("ForwardedSources")[0]["forwardedSources"] == ["a-v0"]
    [entry] = again.take("VideoSourcesMap")[0]["mappedSources"]
    assert (entry["owner"], entry["videoType"]) == ("a", "CAMERA")


def test_audio_is_mapped_then_routed_when_it_begins(bench: BridgeBench) -> None:
    carriers = {name: bench.connect(name) for name in "ab"}
    for carrier in carriers.values():
        carrier.take()
    routed_before_map: list[bool] = []
    set_route = bench.engine._call

    def watch(name: str, *arguments: Any, **named: Any) -> None:
        if name == "set_route":
            routed_before_map.append("AudioSourcesMap" not in carriers["b"].kinds())
        set_route(name, *arguments, **named)

    bench.engine._call = watch  # type: ignore[method-assign]
    activate(bench, "a-a0")
    [message] = carriers["b"].take("AudioSourcesMap")
    [entry] = message["mappedSources"]
    [(source, ssrc, rtx, encoding)] = routes_to(bench, "b")
    assert (source, ssrc, rtx, encoding) == (
        number_of(bench, "a-a0"),
        entry["ssrc"],
        None,
        0,
    )
    assert routed_before_map == [False]
    assert carriers["a"].take() == []
    assert routes_to(bench, "a") == []

    bench.bridge.receive([SourceSilent(number_of(bench, "a-a0"), 0)])
    activate(bench, "a-a0")
    assert carriers["b"].take() == []


def test_a_late_receiver_gets_the_audio_that_flows(bench: BridgeBench) -> None:
    activate(bench, "a-a0")
    b = bench.connect("b")
    maps = b.take("AudioSourcesMap")
    assert [entry["source"] for entry in maps[-1]["mappedSources"]] == ["a-a0"]
    assert len(routes_to(bench, "b")) == 1


def test_no_video_before_constraints_then_the_best_that_fits(bench: BridgeBench) -> None:
    b = bench.connect("b")
    activate(bench, "a-v0", (320, 180))
    assert routes_to(bench, "b") == []
    want(bench, "b", 400)
    [(_, _, _, encoding)] = routes_to(bench, "b")
    assert encoding == 1
    assert b.take("ForwardedSources")[-1]["forwardedSources"] == ["a-v0"]
    want(bench, "b", 0)
    [(_, _, _, encoding)] = routes_to(bench, "b")
    assert encoding == -1
    assert b.take("ForwardedSources")[-1]["forwardedSources"] == []
    want(bench, "b", -1)
    [(_, _, _, encoding)] = routes_to(bench, "b")
    assert encoding == 2


def test_a_keyframe_of_another_size_changes_the_encoding(bench: BridgeBench) -> None:
    bench.connect("b")
    want(bench, "b", 360)
    assert routes_to(bench, "b")[-1][3] == 1
    activate(bench, "a-v0", (640, 360))
    assert routes_to(bench, "b")[-1][3] == 0


def test_senders_learn_the_highest_wish_of_all(bench: BridgeBench) -> None:
    join(bench, "c", 300, rewriting=True)
    carriers = {name: bench.connect(name) for name in "abc"}
    want(bench, "b", 180)
    want(bench, "c", 720)
    wishes = [m["maxHeight"] for m in carriers["a"].take("SenderSourceConstraints")]
    assert wishes == [180, 720]
    want(bench, "c", 0)
    expire(bench, "b")
    wishes = [m["maxHeight"] for m in carriers["a"].take("SenderSourceConstraints")]
    assert wishes == [180, 0]


def test_a_source_that_is_switched_off_leaves_the_forwarded(bench: BridgeBench) -> None:
    bench.connect("a")
    b = bench.connect("b")
    want(bench, "b")
    bench.say(
        "a", colibriClass="SourceVideoTypeMessage", sourceName="a-v0", videoType="none"
    )
    assert b.take("ForwardedSources")[-1]["forwardedSources"] == []
    assert routes_to(bench, "b")[-1][3] == -1
    bench.say(
        "b", colibriClass="SourceVideoTypeMessage", sourceName="a-v0", videoType="camera"
    )
    source = bench.endpoint("a").sources[SourceName("a-v0")]
    assert source.video_type is VideoType.NONE


def test_a_camera_that_becomes_a_screen_is_told_on_its_slot(bench: BridgeBench) -> None:
    bench.connect("a")
    b = bench.connect("b")
    want(bench, "b")
    [first] = b.take("VideoSourcesMap")[-1]["mappedSources"]
    told = []
    for video_type in ("none", "desktop", "desktop_high_fps"):
        bench.say(
            "a",
            colibriClass="SourceVideoTypeMessage",
            sourceName="a-v0",
            videoType=video_type,
        )
        told += [m["mappedSources"] for m in b.take("VideoSourcesMap")]
    assert [entry["videoType"] for [entry] in told] == ["DESKTOP", "DESKTOP_HIGH_FPS"]
    assert {entry["ssrc"] for [entry] in told} == {first["ssrc"]}
    assert b.take("ForwardedSources")[-1]["forwardedSources"] == ["a-v0"]


def test_a_video_type_may_come_before_its_source(bench: BridgeBench) -> None:
    bench.connect("a")
    bench.say(
        "a", colibriClass="SourceVideoTypeMessage", sourceName="a-v1", videoType="desktop"
    )
    screen = MediaSource(SourceName("a-v1"), MediaType.VIDEO, (Ssrc(150),))
    request = EndpointRequest(EndpointId("a"), sources=(screen,))
    modify(bench.bridge, ConferenceModify(M1, endpoints=(request,)))
    source = bench.endpoint("a").sources[SourceName("a-v1")]
    assert source.video_type is VideoType.DESKTOP


def test_sources_are_replaced_whole_and_slots_freed(bench: BridgeBench) -> None:
    b = bench.connect("b")
    want(bench, "b")
    [(old_number, old_ssrc, *_)] = routes_to(bench, "b")
    request = EndpointRequest(EndpointId("a"), sources=(audio("a", 100),))
    modify(bench.bridge, ConferenceModify(M1, endpoints=(request,)))
    assert bench.engine.take("remove_route") == [
        (bench.endpoint("b").transport.number, old_number)
    ]
    assert b.take("ForwardedSources")[-1]["forwardedSources"] == []
    request = EndpointRequest(EndpointId("a"), sources=(audio("a", 100), video("a", 101)))
    modify(bench.bridge, ConferenceModify(M1, endpoints=(request,)))
    [(new_number, new_ssrc, *_)] = routes_to(bench, "b")
    assert new_number > old_number
    assert new_ssrc != old_ssrc


def test_an_ssrc_of_somebody_else_is_not_accepted(bench: BridgeBench) -> None:
    stolen = MediaSource(SourceName("b-v1"), MediaType.VIDEO, (Ssrc(101),))
    request = EndpointRequest(EndpointId("b"), sources=(audio("b", 200), stolen))
    modify(bench.bridge, ConferenceModify(M1, endpoints=(request,)))
    assert list(bench.endpoint("b").sources) == ["b-a0"]
    assert bench.bridge.counters.rejected_sources == 1


def test_without_rewriting_the_senders_ssrcs_are_used_and_no_maps_sent() -> None:
    bench = BridgeBench()
    join(bench, "a", 100, rewriting=False)
    join(bench, "b", 200, rewriting=False)
    b = bench.connect("b")
    want(bench, "b")
    activate(bench, "a-a0")
    assert [route[1:3] for route in routes_to(bench, "b")] == [(101, 104), (100, None)]
    assert not {"VideoSourcesMap", "AudioSourcesMap"} & set(b.kinds())


def test_messages_go_to_the_conference_with_the_true_sender(bench: BridgeBench) -> None:
    a, b = bench.connect("a"), bench.connect("b")
    other = BridgeBench()
    a.take(), b.take()
    bench.say(
        "a", colibriClass="EndpointMessage", to="b", msgPayload={"x": 1}, **{"from": "b"}
    )
    [message] = b.take()
    assert (message["from"], message["msgPayload"]) == ("a", {"x": 1})
    bench.say("b", colibriClass="EndpointMessage", to="", msgPayload={})
    assert [m["from"] for m in a.take()] == ["b"]
    assert b.take() == []
    bench.say("b", colibriClass="EndpointMessage", to="stranger", msgPayload={})
    assert a.take() == b.take() == []
    assert other.bridge.conferences == {}


def test_a_visitor_cannot_address_others(bench: BridgeBench) -> None:
    join(bench, "v", 0, visitor=True, rewriting=True)
    a = bench.connect("a")
    bench.connect("v")
    a.take()
    bench.say("v", colibriClass="EndpointMessage", to="", msgPayload={})
    bench.say("v", colibriClass="EndpointStats", bitrate=1)
    assert a.take() == []
    assert bench.bridge.counters.rejected_messages == 2


def test_nobody_is_told_whether_a_visitor_is_there(bench: BridgeBench) -> None:
    join(bench, "v", 0, visitor=True, rewriting=True)
    a, clock = bench.connect("a"), bench.clock
    for _ in range(int(2 * FIRST_ACTIVITY)):
        bench.engine.activity[bench.endpoint("a").transport.number] = clock.now
        bench.bridge.timeout(clock.advance(1))
    join(bench, "x", 300, rewriting=True)
    x = bench.connect("x")
    away = [message["endpoint"] for message in x.take(CONNECTIVITY)]
    assert "b" in away, "who never came is announced"
    assert "v" not in away
    assert "v" not in [message["endpoint"] for message in a.take(CONNECTIVITY)]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"colibriClass":"Nonsense"}', '{"colibriClass":1}', "\x00"]
)
def test_nonsense_is_counted_and_dropped(bench: BridgeBench, text: str) -> None:
    bench.connect("a")
    bench.conference.channel_message(bench.endpoint("a"), text)
    assert bench.bridge.counters.rejected_messages == 1
    assert bench.endpoint("a").channel.is_open


def test_an_audio_subscription_stops_and_restarts_sources(bench: BridgeBench) -> None:
    bench.connect("b")
    activate(bench, "a-a0")
    routes_to(bench, "b")
    subscription = {"colibriClass": "ReceiverAudioSubscription"}
    bench.say("b", **subscription, all=True, exclude=["a-a0"])
    assert len(bench.engine.take("remove_route")) == 1
    bench.say("b", **subscription, all=False, include=["a-a0"])
    assert len(routes_to(bench, "b")) == 1


def test_the_loud_one_becomes_the_dominant_speaker(bench: BridgeBench) -> None:
    carriers = {name: bench.connect(name) for name in "ab"}
    loud, quiet = number_of(bench, "b-a0"), number_of(bench, "a-a0")
    for _ in range(100):
        now = bench.clock.advance(0.02)
        at = int(now * 1000) & 0xFFFFFFFF
        levels = ((loud, at, 20), (quiet, at, 127))
        bench.bridge.receive([Levels(bench.conference.number, levels)])
        bench.bridge.timeout(now)
    for carrier in carriers.values():
        last = carrier.take("DominantSpeakerEndpointChangeEvent")[-1]
        assert last["dominantSpeakerEndpoint"] == "b"


def test_silence_is_announced_and_so_is_the_return(bench: BridgeBench) -> None:
    b = bench.connect("b")
    b.take()
    clock, engine = bench.clock, bench.engine
    number = bench.endpoint("a").transport.number
    engine.activity[number] = clock.now
    engine.activity[bench.endpoint("b").transport.number] = clock.now + 1000
    bench.bridge.timeout(clock.advance(1))
    assert b.take(CONNECTIVITY) == []
    bench.bridge.timeout(clock.advance(INACTIVE_AFTER))
    [event] = b.take(CONNECTIVITY)
    assert (event["endpoint"], event["active"]) == ("a", "false")
    engine.activity[number] = clock.now
    bench.bridge.timeout(clock.advance(1))
    [event] = b.take(CONNECTIVITY)
    assert (event["endpoint"], event["active"]) == ("a", "true")


def test_endpoints_that_never_came_are_announced_then_expired(bench: BridgeBench) -> None:
    b = bench.connect("b")
    b.take()
    b_number = bench.endpoint("b").transport.number
    elapsed = 0.0
    while elapsed <= EXPIRE_UNSEEN_AFTER + EXPIRE_INTERVAL and "a" in (
        bench.conference.endpoints
    ):
        bench.engine.activity[b_number] = bench.clock.now
        bench.bridge.timeout(bench.clock.advance(0.5))
        elapsed += 0.5
        if elapsed == FIRST_ACTIVITY:
            assert [m["endpoint"] for m in b.take(CONNECTIVITY)] == ["a"]
    assert list(bench.conference.endpoints) == ["b"]
    assert elapsed > EXPIRE_UNSEEN_AFTER


def test_a_failed_or_silent_endpoint_is_expired_within_a_minute(
    bench: BridgeBench,
) -> None:
    a, b = (bench.endpoint(name).transport.number for name in "ab")
    bench.engine.activity[b] = bench.clock.now
    bench.bridge.receive([IceFailed(a)])
    for _ in range(int(2 * (EXPIRE_AFTER + EXPIRE_INTERVAL + 1))):
        bench.bridge.timeout(bench.clock.advance(0.5))
    assert bench.bridge.conferences == {}
    assert bench.bridge.endpoint_count == 0
    assert bench.bridge.next_timeout() is None


def test_a_newer_socket_replaces_the_older(bench: BridgeBench) -> None:
    first, second = RecordingCarrier(), RecordingCarrier()
    endpoint = bench.endpoint("a")
    endpoint.socket_opened(first)
    assert first.kinds()[0] == "ServerHello"
    endpoint.socket_opened(second)
    assert first.closed == (1000, "replaced")
    first.take(), second.take()
    bench.say("a", colibriClass="ClientHello")
    assert second.kinds() == ["ServerHello"]
    expire(bench, "a")
    assert second.closed == (1001, "endpoint closed")


def test_answers_take_the_carrier_last_heard_from(bench: BridgeBench) -> None:
    data, socket = bench.connect("a"), RecordingCarrier()
    endpoint = bench.endpoint("a")
    endpoint.socket_opened(socket)
    data.take(), socket.take()
    assert endpoint.channel.may_receive(data, 1, bench.clock.now)
    bench.say("a", colibriClass="ClientHello")
    assert data.kinds() == ["ServerHello"]
    assert socket.kinds() == []


def test_too_many_messages_are_dropped_until_time_has_passed(bench: BridgeBench) -> None:
    carrier = bench.connect("a")
    channel = bench.endpoint("a").channel
    taken = sum(channel.may_receive(carrier, 1, 0.0) for _ in range(400))
    assert taken == 100
    assert channel.dropped == 300
    assert sum(channel.may_receive(carrier, 1, 1.0) for _ in range(100)) == 50
    assert carrier.closed is None


def test_who_does_not_stop_sending_is_closed_and_nobody_else(bench: BridgeBench) -> None:
    carrier, other = bench.connect("a"), bench.connect("b")
    channel = bench.endpoint("a").channel
    for count in range(10_000):
        channel.may_receive(carrier, 1, count / 10_000)
    assert carrier.closed == (1008, "too many messages")
    assert not channel.is_open
    assert other.closed is None


def test_large_messages_have_a_rate_of_their_own(bench: BridgeBench) -> None:
    carrier = bench.connect("a")
    channel = bench.endpoint("a").channel
    size = 64 * 1024
    assert sum(channel.may_receive(carrier, size, 0.0) for _ in range(20)) == 8
    assert sum(channel.may_receive(carrier, size, 2.0) for _ in range(20)) == 2


def test_a_shared_screen_at_its_largest_only_is_routed(bench: BridgeBench) -> None:
    bench.connect("a")
    bench.connect("b")
    want(bench, "b", 360)
    assert routes_to(bench, "b")[-1][3] == 1
    number = number_of(bench, "a-v0")
    bench.bridge.receive([SourceActive(number, 2, (1920, 1080))])
    assert routes_to(bench, "b")[-1][3] == 2
    bench.bridge.receive([SourceActive(number, 0, (480, 270))])
    assert routes_to(bench, "b")[-1][3] == 0
    bench.bridge.receive([SourceSilent(number, 0)])
    assert routes_to(bench, "b")[-1][3] == 2


@pytest.mark.parametrize(("height", "encoding"), [(180, 0), (360, 1), (720, 2)])
def test_three_encodings_serve_three_sizes(
    bench: BridgeBench, height: int, encoding: int
) -> None:
    bench.connect("a")
    bench.connect("b")
    number = number_of(bench, "a-v0")
    sizes = ((320, 180), (640, 360), (1280, 720))
    events = [SourceActive(number, index, size) for index, size in enumerate(sizes)]
    bench.bridge.receive(events)
    want(bench, "b", height)
    assert routes_to(bench, "b")[-1][3] == encoding


def test_a_thumbnail_is_all_that_its_sender_is_asked_for(bench: BridgeBench) -> None:
    a = bench.connect("a")
    bench.connect("b")
    want(bench, "b", 180)
    [wish] = a.take("SenderSourceConstraints")
    assert (wish["sourceName"], wish["maxHeight"]) == ("a-v0", 180)
    want(bench, "b", 180)
    assert a.take("SenderSourceConstraints") == []
    again = RecordingCarrier()
    bench.endpoint("a").channel.open(again)
    bench.conference.channel_opened(bench.endpoint("a"))
    assert [m["maxHeight"] for m in again.take("SenderSourceConstraints")] == [180]
    # The camera is switched off at the focus, and on again: a new source of the same name.
    for sources in ((audio("a", 100),), (audio("a", 100), video("a", 101))):
        request = EndpointRequest(EndpointId("a"), sources=sources)
        modify(bench.bridge, ConferenceModify(M1, endpoints=(request,)))
    assert [m["maxHeight"] for m in again.take("SenderSourceConstraints")] == [180]


def test_last_n_prefers_the_stage_then_the_selected_then_speakers() -> None:
    bench = BridgeBench()
    for index, name in enumerate("abcd"):
        join(bench, name, 100 * (index + 1), rewriting=True)
    a = bench.connect("a")
    want(bench, "a", lastN=2, onStageSources=["d-v0"], selectedSources=["c-v0"])
    assert a.take("ForwardedSources")[-1]["forwardedSources"] == ["d-v0", "c-v0"]
    want(bench, "a", onStageSources=[], selectedSources=[])
    assert a.take("ForwardedSources")[-1]["forwardedSources"] == ["b-v0", "c-v0"]
    want(bench, "a", lastN=0)
    assert a.take("ForwardedSources")[-1]["forwardedSources"] == []


def test_who_takes_no_video_is_sent_none(bench: BridgeBench) -> None:
    request = EndpointRequest(
        EndpointId("phone"),
        create=True,
        media=(AUDIO,),
        capabilities=frozenset({"source-names"}),
        transport=Transport(ice_controlling=True),
    )
    modify(bench.bridge, ConferenceModify(M1, endpoints=(request,)))
    bench.connect("phone")
    want(bench, "phone")
    activate(bench, "a-a0")
    [(source, *_)] = routes_to(bench, "phone")
    assert source == number_of(bench, "a-a0")
    # It turns out to have a screen.
    request = EndpointRequest(EndpointId("phone"), media=(VIDEO,))
    modify(bench.bridge, ConferenceModify(M1, endpoints=(request,)))
    assert {route[0] for route in routes_to(bench, "phone")} == {
        number_of(bench, "a-v0"),
        number_of(bench, "b-v0"),
    }


def test_with_too_many_sources_silent_audio_gives_way_first() -> None:
    bench = BridgeBench()
    join(bench, "r", 1, rewriting=True)
    for index in range(SLOTS + 1):
        join(bench, f"s{index}", 100 + 10 * index, rewriting=True)
    bench.connect("r")
    for index in range(SLOTS):
        activate(bench, f"s{index}-a0")
    bench.bridge.receive([SourceSilent(number_of(bench, "s7-a0"), 0)])
    slots = bench.endpoint("r").slots[MediaType.AUDIO]
    quiet = slots.get(number_of(bench, "s7-a0"))
    activate(bench, f"s{SLOTS}-a0")
    assert slots.get(number_of(bench, f"s{SLOTS}-a0")) == quiet
    assert slots.get(number_of(bench, "s7-a0")) is None
    assert slots.get(number_of(bench, "s0-a0")) is not None


def test_nothing_is_left_of_a_thousand_endpoints_that_came_and_went(
    bench: BridgeBench,
) -> None:
    b = bench.connect("b")
    want(bench, "b")

    def cycle(count: int) -> list[weakref.ref[Endpoint]]:
        gone = []
        for _ in range(count):
            join(bench, "c", 300, rewriting=True)
            bench.connect("c")
            want(bench, "c")
            activate(bench, "c-a0")
            activate(bench, "c-v0", (320, 180))
            gone.append(weakref.ref(bench.endpoint("c")))
            expire(bench, "c")
            b.take()
            bench.engine.calls.clear()
        return gone

    cycle(10)
    gc.collect()
    before = len(gc.get_objects())
    gone = cycle(1000)
    gc.collect()
    assert not any(reference() for reference in gone)
    gone.clear()
    assert len(gc.get_objects()) - before < 100
    assert bench.bridge.endpoint_count == 2


def test_the_end_of_a_conference_is_no_news_to_those_in_it(bench: BridgeBench) -> None:
    b = bench.connect("b")
    want(bench, "b")
    b.take()
    modify(bench.bridge, ConferenceModify(M1, expire=True))
    assert b.take() == []
    assert len(bench.engine.take("remove_transport")) == 2
    assert len(bench.engine.take("remove_conference")) == 1


def test_a_conference_comes_back_under_its_meeting_id(bench: BridgeBench) -> None:
    old = weakref.ref(bench.conference)
    path = bench.conference.socket_id
    modify(bench.bridge, ConferenceModify(M1, expire=True))
    gc.collect()
    assert old() is None
    assert bench.bridge.find(path, "a") is None
    join(bench, "a", 100, rewriting=True)
    assert bench.conference.socket_id != path
    assert bench.endpoint("a").sources[SourceName("a-a0")].number > 0


def test_a_hundred_joins_cost_each_receiver_what_is_new_to_it() -> None:
    bench = BridgeBench(VideoPolicy(trust_bandwidth=False))
    carriers: list[RecordingCarrier] = []
    for index in range(100):
        join(bench, f"e{index}", 100 + 10 * index, rewriting=True)
        carriers.append(bench.connect(f"e{index}"))
        want(bench, f"e{index}", 180)
    entries = [
        entry["source"]
        for message in carriers[0].take("VideoSourcesMap")
        for entry in message["mappedSources"]
    ]
    assert len(entries) == len(set(entries)) == SLOTS
    # One route each; nothing is told twice.
    assert len(routes_to(bench, "e0")) == SLOTS
