from __future__ import annotations

from dataclasses import replace

import pytest
from xmppconf_bridge.colibri import modify

from tests.support.fake_engine import BridgeBench
from xmppconf.colibri2 import (
    ColibriRefused,
    ConferenceModified,
    ConferenceModify,
    EndpointRequest,
    ForceMute,
    Sctp,
    Transport,
)
from xmppconf.ids import EndpointId, MeetingId, SourceName
from xmppconf.media import MediaDescription, MediaType, PayloadType, Ssrc
from xmppconf.sources import MediaSource
from xmppconf.transport import IceTransport

M1 = MeetingId("m1")
AUDIO = MediaDescription(MediaType.AUDIO, (PayloadType(111, "opus", 48000, 2),))
ICE = Transport(ice=IceTransport(ufrag="abcd", pwd="p" * 22))
SOURCE = MediaSource(SourceName("a-a0"), MediaType.AUDIO, (Ssrc(11),))


def new(name: str = "a") -> EndpointRequest:
    return EndpointRequest(
        EndpointId(name),
        create=True,
        capabilities=frozenset({"source-names"}),
        transport=Transport(ice_controlling=True, sctp=Sctp()),
    )


def old(name: str = "a") -> EndpointRequest:
    return EndpointRequest(EndpointId(name))


@pytest.fixture
def bench() -> BridgeBench:
    bench = BridgeBench(websocket_base="wss://meet.example/")
    modify(bench.bridge, ConferenceModify(M1, create=True, endpoints=(new(),)))
    return bench


def ask(
    bench: BridgeBench, *endpoints: EndpointRequest, meeting: MeetingId = M1
) -> ConferenceModified:
    return modify(bench.bridge, ConferenceModify(meeting, endpoints=endpoints))


def test_creation_answers_with_transport_and_feedback_sources() -> None:
    bench = BridgeBench(websocket_base="wss://meet.example/")
    answer = modify(
        bench.bridge,
        ConferenceModify(M1, create=True, endpoints=(replace(new(), media=(AUDIO,)),)),
    )
    [endpoint] = answer.endpoints
    assert endpoint.transport is not None
    assert endpoint.transport.sctp == Sctp(5000, "server")
    ice = endpoint.transport.ice
    assert ice is not None
    [added] = bench.engine.take("add_transport")
    assert added[1:] == (bench.conference.number, ice.ufrag, ice.pwd, True, None)
    conference, password = bench.conference, bench.endpoint("a").password
    assert ice.web_sockets == (
        f"wss://meet.example/colibri-ws/bridge-1/{conference.socket_id}/a?pwd={password}",
    )
    assert answer.sources is not None
    assert [(s.name, s.ssrcs) for s in answer.sources] == [
        ("jvb-a0", (conference.feedback[0],)),
        ("jvb-v0", (conference.feedback[1],)),
    ]
    assert bench.engine.take("set_payload_types") == [
        (added[0], [(111, "opus", 48000, None, False, False, False)])
    ]


def test_without_sctp_in_the_request_none_is_answered(bench: BridgeBench) -> None:
    [answer] = ask(bench, replace(new("b"), transport=Transport())).endpoints
    assert answer.transport is not None
    assert answer.transport.sctp is None


def test_an_update_answers_without_feedback_sources(bench: BridgeBench) -> None:
    answer = ask(bench, replace(old(), transport=ICE))
    assert answer.sources is None
    assert answer.endpoints[0].transport is None
    number = bench.endpoint("a").transport.number
    assert bench.engine.take("set_remote_ice") == [(number, "abcd", "p" * 22, [], False)]


RESTART = Transport(ice_restart=True)


def test_an_ice_restart_keeps_what_is_not_up_yet(bench: BridgeBench) -> None:
    [answer] = ask(bench, replace(old(), transport=RESTART)).endpoints
    assert answer.transport is not None
    assert answer.transport.ice == bench.endpoint("a").transport.describe(
        bench.bridge.web_socket_urls(bench.conference, bench.endpoint("a"))
    )
    assert bench.engine.take("restart_ice") == []


def test_an_ice_restart_is_made_before_the_old_pair_is_broken(bench: BridgeBench) -> None:
    bench.connect("a")
    bench.engine.take("set_remote_ice")
    transport = bench.endpoint("a").transport
    asked = replace(old(), transport=RESTART)

    def restart() -> IceTransport:
        [answer] = ask(bench, asked).endpoints
        assert answer.transport is not None
        assert answer.transport.ice is not None
        return answer.transport.ice

    first = restart()
    before = transport.describe(first.web_sockets)
    assert first == replace(before, ufrag=first.ufrag, pwd=first.pwd, generation=1)
    assert {first.ufrag, first.pwd}.isdisjoint({before.ufrag, before.pwd})
    assert restart() == first, "nobody has answered it yet"
    number = transport.number
    assert bench.engine.take("restart_ice") == [(number, first.ufrag, first.pwd, True)]

    def answer(generation: int | None) -> list[tuple[object, ...]]:
        ice = IceTransport("own", "q" * 24, generation=generation)
        ask(bench, replace(old(), transport=Transport(ice=ice)))
        return bench.engine.take("set_remote_ice")

    assert answer(2) == [], "of no restart that there was"
    assert answer(None) == [(number, "own", "q" * 24, [], False)], "of the present pair"
    assert answer(1) == [(number, "own", "q" * 24, [], True)]
    second = restart()
    assert second.generation == 2
    assert answer(1) == [], "too late"
    assert answer(2) == [(number, "own", "q" * 24, [], True)]


def test_expiring_twice_is_no_error_and_the_last_one_ends_the_conference(
    bench: BridgeBench,
) -> None:
    ask(bench, new("b"))
    for _ in range(2):
        [answer] = ask(bench, replace(old("b"), expire=True)).endpoints
        assert answer.expire
    assert bench.bridge.endpoint_count == 1
    ask(bench, replace(old(), expire=True))
    assert bench.bridge.conferences == {}
    assert bench.bridge.endpoint_count == 0
    assert len(bench.engine.take("remove_conference")) == 1
    assert len(bench.engine.take("remove_transport")) == 2


def test_expiring_the_conference_frees_everything(bench: BridgeBench) -> None:
    modify(bench.bridge, ConferenceModify(M1, expire=True))
    assert bench.bridge.conferences == {}
    assert bench.bridge.endpoint_count == 0


def test_a_conference_that_nobody_got_into_is_not_left_behind() -> None:
    bench = BridgeBench()
    request = ConferenceModify(
        M1, create=True, endpoints=(replace(new(), capabilities=frozenset()),)
    )
    with pytest.raises(ColibriRefused):
        modify(bench.bridge, request)
    assert bench.bridge.conferences == {}


def test_many_endpoints_may_be_muted_or_expired_in_one_request(
    bench: BridgeBench,
) -> None:
    ask(bench, new("b"))
    ask(bench, replace(old(), sources=(SOURCE,)))
    bench.engine.take("set_muted")
    muted = ForceMute(audio=True)
    ask(
        bench,
        replace(old(), force_mute=muted),
        replace(old("b"), expire=True),
        replace(old("gone"), force_mute=muted),
    )
    assert [flag for _, flag in bench.engine.take("set_muted")] == [True]
    assert list(bench.conference.endpoints) == ["a"]


def test_a_mute_holds_for_sources_that_come_later(bench: BridgeBench) -> None:
    ask(bench, replace(old(), force_mute=ForceMute(audio=True)))
    ask(bench, replace(old(), sources=(SOURCE,)))
    assert [flag for _, flag in bench.engine.take("set_muted")] == [True]


def test_initial_last_n_counts_until_the_receiver_speaks(bench: BridgeBench) -> None:
    ask(bench, replace(old(), initial_last_n=5))
    assert bench.endpoint("a").constraints.last_n == 5
    bench.connect("a")
    bench.say("a", colibriClass="ReceiverVideoConstraints", lastN=2)
    ask(bench, replace(old(), initial_last_n=7))
    assert bench.endpoint("a").constraints.last_n == 2


def test_media_is_only_added(bench: BridgeBench) -> None:
    ask(bench, replace(old(), media=(AUDIO,)))
    more = MediaDescription(MediaType.AUDIO, (PayloadType(126, "telephone-event", 8000),))
    ask(bench, replace(old(), media=(more,)))
    assert [one[0] for one in bench.engine.take("set_payload_types")[-1][1]] == [111, 126]
