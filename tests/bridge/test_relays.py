"""Links to other bridges: what they are told, what crosses, and what comes of it."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import pytest
from xmppconf_bridge.certificate import Certificate
from xmppconf_bridge.colibri import MAX_RELAYS, modify
from xmppconf_bridge.engine_events import IceFailed, IceValid, LayersMeasured, SourceActive
from xmppconf_bridge.expiry import EXPIRE_INTERVAL, UNOCCUPIED_CONFERENCE
from xmppconf_bridge.relay import MAX_ENDPOINTS

from tests.support.fake_engine import BridgeBench, RecordingCarrier
from tests.support.relays import (
    FAR,
    FURTHER,
    M1,
    WAITS,
    ask,
    behind,
    connect,
    link,
    new,
    new_link,
    number_of,
    relay_of,
    say,
    sources,
    wish,
)
from xmppconf.colibri2 import (
    ColibriRefused,
    ConferenceModify,
    EndpointRequest,
    Reason,
    RelayRequest,
    Sctp,
    Transport,
)
from xmppconf.ids import EndpointId, MeetingId, RelayId
from xmppconf.media import (
    ExtensionUri,
)
from xmppconf.transport import IceTransport, Setup


@pytest.fixture
def bench() -> BridgeBench:
    """Ada is here, Bob on bridge 2."""
    bench = BridgeBench(relay_id="bridge-1", websocket_base="wss://meet.example")
    ask(bench, new("ada", 1000), create=True)
    link(bench, new_link(endpoints=(behind("bob", 2000),)))
    return bench


# -- Colibri2 -----------------------------------------------------------------------------
def test_a_link_is_answered_with_its_own_port_and_roles(bench: BridgeBench) -> None:
    answer = link(bench, new_link(FURTHER))
    [relay] = answer.relays
    assert answer.endpoints == ()
    assert relay.id == FURTHER
    assert relay.transport is not None
    assert relay.transport.sctp == Sctp(5000, "server")
    assert relay.transport.ice is not None
    assert relay.transport.ice.web_sockets == ()
    # Links to different bridges share sockets, two to one bridge do not.
    assert [one.port for one in relay.transport.ice.candidates] == [40_001]
    assert bench.engine.take("add_transport")[-1][-2:] == (True, (1, 1))
    modify(bench.bridge, ConferenceModify(MeetingId("m2"), create=True))
    other = modify(
        bench.bridge, ConferenceModify(MeetingId("m2"), relays=(new_link(FURTHER),))
    )
    assert other.relays[0].transport is not None
    ice = other.relays[0].transport.ice
    assert ice is not None
    assert [one.port for one in ice.candidates] == [40_002]


def test_who_waits_for_the_link_uses_the_common_port(bench: BridgeBench) -> None:
    [relay] = link(bench, new_link(FURTHER, transport=WAITS)).relays
    assert relay.transport is not None
    assert relay.transport.sctp == Sctp(5000, "client")
    assert bench.engine.take("add_transport")[-1][-2:] == (False, None)
    without = replace(new_link(RelayId("bridge-4")), transport=Transport())
    [relay] = link(bench, without).relays
    assert relay.transport is not None
    assert relay.transport.sctp is None
    assert relay.transport.ice is not None
    [url] = relay.transport.ice.web_sockets
    assert url.startswith("wss://meet.example/colibri-relay-ws/bridge-1/")
    assert "/bridge-4?pwd=" in url


def test_the_channel_is_opened_at_the_url_that_the_focus_passes_on(
    bench: BridgeBench,
) -> None:
    url = "wss://other.example/colibri-relay-ws/bridge-3/c/bridge-1?pwd=x"
    ice = IceTransport(web_sockets=(url, "wss://other.example/second"))
    update = RelayRequest(FURTHER, transport=Transport(ice=ice))
    link(bench, new_link(FURTHER, transport=Transport(ice_controlling=True)))
    link(bench, update)
    link(bench, update)
    assert bench.dialled == [url]
    dialled = relay_of(bench, FURTHER).dialled
    link(bench, RelayRequest(FURTHER, expire=True))
    assert isinstance(dialled, RecordingCarrier)
    assert dialled.closed is not None
    # Not where there is a data channel.
    link(bench, RelayRequest(FAR, transport=Transport(ice=ice)))
    assert bench.dialled == [url]


def test_bandwidth_is_not_reported_over_a_link(bench: BridgeBench) -> None:
    number = relay_of(bench).transport.number
    types = [call for call in bench.engine.take("set_payload_types") if call[0] == number]
    assert [(one[0], one[4], one[6]) for one in types[0][1]] == [
        (111, False, False),
        (100, True, False),
    ]
    extensions = bench.engine.take("set_header_extensions")
    assert (number, [(1, ExtensionUri.AUDIO_LEVEL)]) in extensions


@pytest.mark.parametrize(
    ("request_", "condition", "reason"),
    [
        (new_link(), "conflict", Reason.UNSPECIFIED),
        (RelayRequest(FURTHER), "bad-request", Reason.UNSPECIFIED),
        (new_link(FURTHER, transport=None), "bad-request", Reason.UNSPECIFIED),
        (
            new_link(FURTHER, transport=Transport(sctp=Sctp(5001))),
            "bad-request",
            Reason.UNSPECIFIED,
        ),
        (new_link(RelayId("bridge-1")), "bad-request", Reason.UNSPECIFIED),
    ],
)
def test_what_a_link_cannot_be_is_refused(
    bench: BridgeBench, request_: RelayRequest, condition: str, reason: Reason
) -> None:
    with pytest.raises(ColibriRefused) as refused:
        link(bench, request_)
    assert (refused.value.condition, refused.value.reason) == (condition, reason)
    assert set(bench.conference.links.relays) == {FAR}


def test_one_link_a_request_but_many_may_end(bench: BridgeBench) -> None:
    link(bench, new_link(FURTHER))
    request = ConferenceModify(
        M1, endpoints=(EndpointRequest(EndpointId("ada")),), relays=(RelayRequest(FAR),)
    )
    for wrong in (request, ConferenceModify(M1, relays=(RelayRequest(FAR),) * 2)):
        with pytest.raises(ColibriRefused) as refused:
            modify(bench.bridge, wrong)
        assert refused.value.reason is Reason.FEATURE_NOT_IMPLEMENTED
    answer = link(bench, RelayRequest(FAR, expire=True), RelayRequest(FURTHER, expire=True))
    assert [(one.id, one.expire) for one in answer.relays] == [(FAR, True), (FURTHER, True)]
    assert bench.conference.links.relays == {}
    link(bench, RelayRequest(FAR, expire=True))  # again: no error


def test_a_bridge_without_a_name_has_no_links() -> None:
    bench = BridgeBench()
    ask(bench, new("ada", 1000), create=True)
    with pytest.raises(ColibriRefused) as refused:
        link(bench, new_link())
    assert refused.value.reason is Reason.FEATURE_NOT_IMPLEMENTED


def test_links_and_who_is_behind_them_are_bounded(bench: BridgeBench) -> None:
    many = [behind(f"e{index}", 10_000 + 10 * index) for index in range(MAX_ENDPOINTS)]
    with pytest.raises(ColibriRefused) as refused:
        link(bench, RelayRequest(FAR, endpoints=tuple(many)))
    assert refused.value.condition == "resource-constraint"
    assert len(relay_of(bench).endpoints) == MAX_ENDPOINTS
    for index in range(MAX_RELAYS - 1):
        link(bench, new_link(RelayId(f"b{index}"), transport=WAITS))
    with pytest.raises(ColibriRefused) as refused:
        link(bench, new_link(FURTHER))
    assert refused.value.condition == "resource-constraint"


# -- who is behind a link -----------------------------------------------------------------
def test_all_who_are_behind_a_link_send_over_its_transport(bench: BridgeBench) -> None:
    link(bench, RelayRequest(FAR, endpoints=(behind("cat", 3000),)))
    number, announced = bench.engine.take("set_sources")[-1]
    assert number == relay_of(bench).transport.number
    assert [one[2][0][0] for one in announced] == [2000, 2001, 3000, 3001]
    gone = EndpointRequest(EndpointId("bob"), expire=True)
    link(bench, RelayRequest(FAR, endpoints=(gone,)))
    assert [one[2][0][0] for one in bench.engine.take("set_sources")[-1][1]] == [3000, 3001]
    muted = EndpointRequest(EndpointId("cat"), sources=sources("cat", 3000)[1:])
    link(bench, RelayRequest(FAR, endpoints=(muted,)))
    assert [one[2][0][0] for one in bench.engine.take("set_sources")[-1][1]] == [3001]
    unknown = EndpointRequest(EndpointId("who"), sources=sources("who", 4000))
    link(bench, RelayRequest(FAR, endpoints=(unknown,)))
    assert set(bench.conference.links.relayed) == {"cat"}


def test_a_source_of_another_bridge_reaches_who_is_here(bench: BridgeBench) -> None:
    ada = bench.connect("ada")
    bench.say(
        "ada",
        colibriClass="ReceiverVideoConstraints",
        defaultConstraints={"maxHeight": 720},
    )
    bench.bridge.receive([SourceActive(number_of(bench, "bob-a0"), 0, None)])
    [audio] = [one for one in ada.take("AudioSourcesMap") if one["mappedSources"]]
    [video] = [one for one in ada.take("VideoSourcesMap") if one["mappedSources"]]
    assert audio["mappedSources"][0]["owner"] == "bob"
    assert video["mappedSources"][0]["source"] == "bob-v0"
    routes = {call[1] for call in bench.engine.take("set_route")}
    assert routes == {number_of(bench, "bob-a0"), number_of(bench, "bob-v0")}
    link(bench, RelayRequest(FAR, expire=True))
    assert bench.conference.links.relayed == {}
    assert {one.owner for one in bench.conference.sources.values()} == {"ada"}


def test_who_moves_here_is_no_longer_there(bench: BridgeBench) -> None:
    ask(bench, new("bob", 2000))
    assert bench.conference.links.relayed == {}
    link(bench, RelayRequest(FAR, endpoints=(behind("bob", 2000),)))  # not yet told
    assert bench.conference.links.relayed == {}
    assert bench.conference.sources[number_of(bench, "bob-v0")].link is None
    link(
        bench,
        RelayRequest(FAR, endpoints=(EndpointRequest(EndpointId("bob"), expire=True),)),
    )
    assert "bob" in bench.conference.endpoints


# -- what crosses -------------------------------------------------------------------------
def test_audio_crosses_at_once_and_video_when_it_is_wanted(bench: BridgeBench) -> None:
    assert bench.engine.take("set_relay") == []
    connect(bench)
    number = relay_of(bench).transport.number
    audio, video = number_of(bench, "ada-a0"), number_of(bench, "ada-v0")
    assert bench.engine.take("set_relay") == [(number, audio, 1)]
    wish(bench, "ada-v0", 360)
    # heights are guessed as 180, 360, 720 until there are keyframes
    assert bench.engine.take("set_relay") == [(number, video, 0b011)]
    wish(bench, "ada-v0", -1)
    assert bench.engine.take("set_relay") == [(number, video, 0b111)]
    wish(bench, "ada-v0", 0)
    assert bench.engine.take("set_relay") == [(number, video, 0)]
    wish(bench, "bob-v0", 720)  # its own
    assert bench.engine.take("set_relay") == []


def test_what_crosses_follows_the_heights_that_come(bench: BridgeBench) -> None:
    connect(bench)
    number, video = relay_of(bench).transport.number, number_of(bench, "ada-v0")
    wish(bench, "ada-v0", 180)
    bench.engine.take("set_relay")
    bench.bridge.receive([SourceActive(video, 0, (160, 90))])
    bench.bridge.receive([SourceActive(video, 1, (320, 180))])
    assert bench.engine.take("set_relay")[-1] == (number, video, 0b011)
    # Somebody who sends one large picture only is seen nevertheless.
    bench.bridge.receive([LayersMeasured(video, [(2, 0, 0, 720, 30.0, 1_500_000)])])
    assert bench.engine.take("set_relay") == []
    for encoding in (0, 1):
        bench.conference.source_silent(video, encoding)
    bench.bridge.receive([SourceActive(video, 2, (1280, 720))])
    assert bench.engine.take("set_relay")[-1][2] & 0b100


def test_nothing_goes_back_into_the_mesh_that_it_came_from(bench: BridgeBench) -> None:
    link(bench, new_link(FURTHER))
    link(bench, new_link(RelayId("satellite"), mesh="1"))
    for name in (FAR, FURTHER, RelayId("satellite")):
        connect(bench, name)
    numbers = {
        relay.transport.number: name
        for name, relay in bench.conference.links.relays.items()
    }
    crossing = {(numbers[to], source) for to, source, _ in bench.engine.take("set_relay")}
    ada, bob = number_of(bench, "ada-a0"), number_of(bench, "bob-a0")
    assert crossing == {
        (FAR, ada),
        (FURTHER, ada),
        ("satellite", ada),
        ("satellite", bob),
    }


def test_a_link_that_ends_takes_its_wishes_with_it(bench: BridgeBench) -> None:
    ada = bench.connect("ada")
    connect(bench)
    wish(bench, "ada-v0", 360)
    assert ada.take("SenderSourceConstraints")[-1]["maxHeight"] == 360
    link(bench, RelayRequest(FAR, expire=True))
    assert ada.take("SenderSourceConstraints")[-1]["maxHeight"] == 0


# -- what bridges tell each other ---------------------------------------------------------
def test_the_greatest_height_wanted_here_is_asked_for(bench: BridgeBench) -> None:
    far = connect(bench)
    bench.connect("ada")
    bench.say(
        "ada",
        colibriClass="ReceiverVideoConstraints",
        constraints={"bob-v0": {"maxHeight": 360}},
        defaultConstraints={"maxHeight": 0},
    )
    assert far.take("AddReceiver") == [
        {
            "colibriClass": "AddReceiver",
            "bridgeId": "bridge-1",
            "sourceName": "bob-v0",
            "videoConstraints": {"maxHeight": 360},
        }
    ]
    again = RecordingCarrier()
    relay_of(bench).channel.open(again)
    bench.conference.links.relay_opened(relay_of(bench))
    assert [one["sourceName"] for one in again.take("AddReceiver")] == ["bob-v0"]


def test_messages_reach_who_is_on_another_bridge(bench: BridgeBench) -> None:
    far = connect(bench)
    bench.connect("ada")
    for to in ("", "bob", "nobody"):
        bench.say("ada", colibriClass="EndpointMessage", to=to, msgPayload={"a": 1})
    assert [(one["to"], one["from"]) for one in far.take("EndpointMessage")] == [
        ("", "ada"),
        ("bob", "ada"),
    ]
    bench.say("ada", colibriClass="EndpointStats", bitrate=3)
    assert far.take("EndpointStats") == [
        {"colibriClass": "EndpointStats", "from": "ada", "bitrate": 3}
    ]
    bench.say(
        "ada",
        colibriClass="SourceVideoTypeMessage",
        sourceName="ada-v0",
        videoType="desktop",
    )
    assert far.take("SourceVideoTypeMessage")[0]["endpointId"] == "ada"


def test_messages_of_another_bridge_reach_who_is_here_and_other_meshes(
    bench: BridgeBench,
) -> None:
    link(bench, new_link(FURTHER))
    link(bench, new_link(RelayId("satellite"), mesh="1"))
    ada, far = bench.connect("ada"), connect(bench)
    same, other = connect(bench, FURTHER), connect(bench, RelayId("satellite"))
    for carrier in (ada, far, same, other):
        carrier.take()
    said: list[dict[str, Any]] = [
        {"colibriClass": "EndpointMessage", "to": "", "from": "bob", "msgPayload": {}},
        {"colibriClass": "EndpointStats", "from": "bob", "bitrate": 1},
        {
            "colibriClass": "EndpointConnectivityStatusChangeEvent",
            "endpoint": "bob",
            "active": "false",
        },
        {
            "colibriClass": "SourceVideoTypeMessage",
            "sourceName": "bob-v0",
            "videoType": "desktop",
            "endpointId": "bob",
        },
    ]
    for message in said:
        say(bench, FAR, **message)
    kinds = [one["colibriClass"] for one in said]
    assert ada.kinds() == kinds[:3]
    assert other.kinds() == kinds
    assert (far.kinds(), same.kinds()) == ([], [])
    assert bench.conference.sources[number_of(bench, "bob-v0")].is_screen
    # Newcomers learn who is away.
    ask(bench, new("dan", 5000))
    dan = bench.connect("dan")
    assert [
        one["endpoint"] for one in dan.take("EndpointConnectivityStatusChangeEvent")
    ] == ["bob"]


@pytest.mark.parametrize(
    "message",
    [
        {"colibriClass": "EndpointMessage", "to": "", "from": "ada"},
        {"colibriClass": "EndpointMessage", "to": ""},
        {"colibriClass": "EndpointStats", "from": "ada"},
        {"colibriClass": "EndpointConnectivityStatusChangeEvent", "endpoint": "ada"},
        {
            "colibriClass": "SourceVideoTypeMessage",
            "sourceName": "ada-v0",
            "videoType": "none",
            "endpointId": "ada",
        },
        {"colibriClass": "ReceiverVideoConstraints", "lastN": 3},
        {"colibriClass": "AddReceiver", "sourceName": "ada-v0"},
        {"colibriClass": "New"},
    ],
)
def test_another_bridge_does_not_speak_for_who_is_here(
    bench: BridgeBench, message: dict[str, Any]
) -> None:
    ada, far = bench.connect("ada"), connect(bench)
    ada.take()
    far.take()
    say(bench, FAR, **message)
    assert bench.bridge.counters.rejected_messages == 1
    assert (ada.messages, far.messages) == ([], [])
    assert bench.conference.sources[number_of(bench, "ada-v0")].is_enabled


# -- ends ---------------------------------------------------------------------------------
def test_a_bridge_out_of_reach_is_given_up(bench: BridgeBench) -> None:
    ada = bench.endpoint("ada").transport.number
    bench.bridge.receive([IceFailed(relay_of(bench).transport.number)])
    assert bench.bridge.counters.relay_ice_failed == 1
    for _ in range(int(2 * (EXPIRE_INTERVAL + 1))):
        bench.engine.activity[ada] = bench.clock.now
        bench.bridge.timeout(bench.clock.advance(0.5))
    assert bench.conference.links.relays == {}
    assert set(bench.conference.endpoints) == {"ada"}


def test_links_alone_do_not_keep_a_conference(bench: BridgeBench) -> None:
    number = relay_of(bench).transport.number
    ask(bench, EndpointRequest(EndpointId("ada"), expire=True))
    assert M1 in bench.bridge.conferences
    for _ in range(int(2 * (UNOCCUPIED_CONFERENCE + EXPIRE_INTERVAL + 1))):
        bench.engine.activity[number] = bench.clock.now
        bench.bridge.timeout(bench.clock.advance(0.5))
    assert bench.bridge.conferences == {}


def test_the_end_of_the_last_link_ends_an_empty_conference(bench: BridgeBench) -> None:
    ask(bench, EndpointRequest(EndpointId("ada"), expire=True))
    link(bench, RelayRequest(FAR, expire=True))
    assert bench.bridge.conferences == {}


def test_a_link_whose_other_end_changes_shakes_hands_with_patience() -> None:
    """What is lost of the second handshake is sent again, as of the first."""
    bench = BridgeBench(relay_id="bridge-1")
    ask(bench, create=True)
    link(bench, new_link())
    transport = relay_of(bench).transport
    bench.bridge.receive([IceValid(transport.number, "192.0.2.2", 10_000, 0.01)])
    transport.is_connected = True
    bench.bridge.timeout(bench.clock.now)
    transport.is_connected = False  # as another fingerprint makes it
    other = Certificate.generate(datetime.datetime.now(datetime.UTC)).fingerprint
    ice = IceTransport("far", "f" * 24, (replace(other, setup=Setup.PASSIVE),))
    bench.engine.take("send_dtls")
    link(bench, RelayRequest(FAR, transport=Transport(ice=ice)))
    assert len(bench.engine.take("send_dtls")) == 1
    due = transport.next_timeout()
    assert due is not None
    bench.clock.now = due
    bench.bridge.timeout(due)
    assert len(bench.engine.take("send_dtls")) == 1
