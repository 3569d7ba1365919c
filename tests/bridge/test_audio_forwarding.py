"""Which audio passes however quiet it is, and who holds the slots of a receiver."""

from __future__ import annotations

import pytest
from xmppconf_bridge.audio import MAX_NAMED
from xmppconf_bridge.colibri import modify
from xmppconf_bridge.engine_events import Levels, SourceActive, SourceSilent
from xmppconf_bridge.media import payload_types
from xmppconf_bridge.slots import SLOTS

from tests.support.fake_engine import BridgeBench
from xmppconf.colibri2 import ConferenceModify, EndpointRequest, Transport
from xmppconf.ids import EndpointId, MeetingId, SourceName
from xmppconf.media import MediaDescription, MediaType, PayloadType, Ssrc
from xmppconf.sources import MediaSource

M1 = MeetingId("m1")
OPUS = PayloadType(111, "opus", 48_000, 2)


def join(bench: BridgeBench, name: str, ssrc: int) -> None:
    source = MediaSource(SourceName(f"{name}-a0"), MediaType.AUDIO, (Ssrc(ssrc),))
    request = EndpointRequest(
        EndpointId(name),
        create=True,
        media=(MediaDescription(MediaType.AUDIO, (OPUS,)),),
        capabilities=frozenset({"source-names", "ssrc-rewriting"}),
        transport=Transport(ice_controlling=True),
        sources=(source,),
    )
    create = M1 not in bench.bridge.conferences
    modify(bench.bridge, ConferenceModify(M1, create=create, endpoints=(request,)))


def source_of(bench: BridgeBench, name: str) -> int:
    return bench.endpoint(name).sources[SourceName(f"{name}-a0")].number


def told(bench: BridgeBench) -> list[tuple[int, list[int]]]:
    return [call[1:] for call in bench.engine.take("set_loudest")]


def speak(bench: BridgeBench, name: str, seconds: float = 3.0) -> None:
    """At full voice, while everybody else who was heard before says nothing."""
    for step in range(int(seconds * 50)):
        at = int(bench.clock.now * 1000) & 0xFFFFFFFF
        level = 20 if step % 10 else 90
        bench.bridge.receive(
            [Levels(bench.conference.number, ((source_of(bench, name), at, level),))]
        )
        bench.clock.now += 0.02
        bench.bridge.timeout(bench.clock.now)


@pytest.mark.parametrize(("setting", "calls"), [(5, [(5, [])]), (3, [(3, [])]), (0, [])])
def test_the_engine_learns_how_many_are_heard(
    setting: int, calls: list[tuple[int, list[int]]]
) -> None:
    bench = BridgeBench(loudest=setting)
    join(bench, "a", 100)
    assert told(bench) == calls


def test_the_dominant_speaker_always_passes() -> None:
    bench = BridgeBench(loudest=3)
    for index, name in enumerate("abc"):
        join(bench, name, 100 + index)
    told(bench)
    for name in "ab":
        speak(bench, name)
        assert bench.conference.speech.dominant == name
        assert told(bench)[-1] == (3, [source_of(bench, name)])
    expire = EndpointRequest(EndpointId("b"), expire=True)
    modify(bench.bridge, ConferenceModify(M1, endpoints=(expire,)))
    assert told(bench)[-1] == (3, [])


def test_what_somebody_asks_for_by_name_always_passes() -> None:
    bench = BridgeBench(loudest=3)
    for index, name in enumerate("abc"):
        join(bench, name, 100 + index)
    told(bench)
    subscription = {"colibriClass": "ReceiverAudioSubscription", "all": True}
    bench.say("a", **subscription, include=["c-a0", "nobody-a0"], exclude=[])
    assert told(bench) == [(3, [source_of(bench, "c")])]
    bench.say("b", **subscription, include=["c-a0"], exclude=[])
    assert told(bench) == []
    # A source that comes later counts as well.
    bench.say("a", **subscription, include=["d-a0"], exclude=[])
    join(bench, "d", 110)
    assert told(bench) == [(3, [source_of(bench, "c"), source_of(bench, "d")])]
    for name in "ab":
        bench.say(name, **subscription, include=[], exclude=[])
    assert told(bench)[-1] == (3, [])


def test_nobody_can_undo_it_for_all() -> None:
    bench = BridgeBench(loudest=3)
    names = [f"e{index}" for index in range(MAX_NAMED + 5)]
    for index, name in enumerate(names):
        join(bench, name, 100 + index)
    bench.say(
        "e0",
        colibriClass="ReceiverAudioSubscription",
        all=True,
        include=[f"{name}-a0" for name in names],
        exclude=[],
    )
    assert len(told(bench)[-1][1]) == MAX_NAMED


def test_without_a_bound_the_engine_is_told_nothing() -> None:
    bench = BridgeBench(loudest=0)
    join(bench, "a", 100)
    join(bench, "b", 101)
    bench.say("a", colibriClass="ReceiverAudioSubscription", all=True, include=["b-a0"])
    speak(bench, "a")
    assert told(bench) == []


def test_those_who_are_heard_share_the_slots_of_a_hundred() -> None:
    bench = BridgeBench()
    names = [f"e{index}" for index in range(2 * SLOTS)]
    for index, name in enumerate(names):
        join(bench, name, 100 + index)
    bench.connect("e0")
    number = bench.endpoint("e0").transport.number
    for name in names[1:]:
        source = source_of(bench, name)
        bench.bridge.receive([SourceActive(source, 0, None)])
        [call] = bench.engine.take("set_route")
        assert call[:2] == (number, source)
        bench.bridge.receive([SourceSilent(source, 0)])
    assert len(bench.endpoint("e0").routes) == SLOTS
    # Who comes back has been evicted, or has its slot still; it is routed either way.
    for name in (names[1], names[-1]):
        source = source_of(bench, name)
        bench.bridge.receive([SourceActive(source, 0, None)])
        assert source in bench.endpoint("e0").routes


@pytest.mark.parametrize(
    ("parameter", "within"),
    [
        ("111/111", 111),
        ("111", 111),
        ("111/110", None),
        ("", None),
        ("200/200", None),
        ("1\N{ARABIC-INDIC DIGIT ONE}1", None),
        ("-1", None),
    ],
)
def test_red_names_what_it_carries(parameter: str, within: int | None) -> None:
    red = PayloadType(63, "RED", 48_000, 2, (("", parameter),))
    known = payload_types((MediaDescription(MediaType.AUDIO, (red, OPUS)),))
    expected = [] if within is None else [(63, "red", 48_000, within, False, False, False)]
    assert known == [*expected, (111, "opus", 48_000, None, False, False, False)]
