"""A conference on several bridges: links, what each bridge is told, and what ends what."""

from __future__ import annotations

import pytest
from xmppconf_focus.effects import BridgeJid, SendColibri, SendOffer, SendTerminate
from xmppconf_focus.participant import Participant
from xmppconf_focus.selection import Strategy

from tests.focus.support import (
    BRIDGE,
    CLIENT_TRANSPORT,
    MODERN,
    OTHER_BRIDGE,
    ROOM,
    Stage,
    camera,
)
from xmppconf.colibri2 import (
    ColibriRefused,
    ConferenceModified,
    Reason,
    RelayAnswer,
    RelayRequest,
    Transport,
)
from xmppconf.config import FocusSettings
from xmppconf.ids import EndpointId, RelayId
from xmppconf.jingle import Action, Received
from xmppconf.sources import SourceSet
from xmppconf.transport import Fingerprint, IceTransport, Setup

ANN, BOB, CID, DAN = (EndpointId(name) for name in ("ann", "bob", "cid", "dan"))
THIRD_BRIDGE = BridgeJid("jvbbrewery@internal.localhost/bridge-3")
ONE, TWO, THREE = RelayId("bridge-1"), RelayId("bridge-2"), RelayId("bridge-3")


def split_stage(*bridges: BridgeJid) -> Stage:
    """A focus that gives every participant the bridge with the fewest."""
    stage = Stage(FocusSettings(bridge_strategy=Strategy.SPLIT))
    for bridge in bridges or (BRIDGE, OTHER_BRIDGE):
        stage.add_bridge(bridge)
    stage.open_room()
    return stage


def relays(requests: list[SendColibri]) -> list[tuple[BridgeJid, RelayRequest]]:
    return [(r.bridge, relay) for r in requests for relay in r.modify.relays]


def told(requests: list[SendColibri]) -> list[tuple[str, str, str, bool, bool, int]]:
    """(bridge, relay, endpoint, create, expire, sources) of everything behind links."""
    return [
        (
            bridge.rpartition("/")[2],
            relay.id,
            endpoint.id,
            endpoint.create,
            endpoint.expire,
            len(endpoint.sources or ()),
        )
        for bridge, relay in relays(requests)
        for endpoint in relay.endpoints
    ]


def in_call(*nicks: str, bridges: tuple[BridgeJid, ...] = ()) -> Stage:
    stage = split_stage(*bridges)
    for nick in nicks:
        stage.join(nick, MODERN)
    for _ in range(3):  # allocations and links, then what is passed on about links
        stage.answer_all()
    for number, (endpoint, offer) in enumerate(stage.offers().items(), 1):
        stage.accept(endpoint, offer, camera(endpoint, 1000 * number))
    stage.answer_all()
    stage.take(object)
    return stage


def test_two_bridges_are_linked_after_both_have_the_conference() -> None:
    stage = split_stage()
    stage.join("ann")
    stage.join("bob")
    requests = stage.take(SendColibri)
    by_bridge = {b: [r for r in requests if r.bridge == b] for b in (BRIDGE, OTHER_BRIDGE)}
    for asked in by_bridge.values():
        create, link = asked
        assert create.modify.create
        assert len(create.modify.endpoints) == 1
        assert not create.modify.relays
        assert not link.modify.create
        assert not link.modify.endpoints
    [(_, first)] = relays(by_bridge[BRIDGE])
    [(_, second)] = relays(by_bridge[OTHER_BRIDGE])
    assert (first.id, second.id) == (TWO, ONE)
    assert first.create
    assert second.create
    assert first.mesh == second.mesh
    assert {m.type for m in first.media} == {m.type for m in second.media}
    assert [e.id for e in first.endpoints] == [BOB]
    assert [e.id for e in second.endpoints] == [ANN]
    assert first.endpoints[0].capabilities == {"source-names"}
    assert first.transport is not None
    assert second.transport is not None
    assert (first.transport.ice_controlling, second.transport.ice_controlling) == (
        True,
        False,
    )
    assert (first.transport.use_unique_port, second.transport.use_unique_port) == (
        True,
        False,
    )
    assert first.transport.sctp is not None
    assert second.transport.sctp is not None
    assert (first.transport.sctp.role, second.transport.sctp.role) == ("client", "server")


def test_each_end_learns_of_the_other_with_its_role_settled() -> None:
    stage = split_stage()
    stage.join("ann")
    stage.join("bob")
    stage.answer_all()
    passed_on = {
        bridge: relay.transport.ice
        for bridge, relay in relays(stage.take(SendColibri))
        if relay.transport is not None and relay.transport.ice is not None
    }
    assert {bridge: ice.ufrag for bridge, ice in passed_on.items()} == {
        BRIDGE: "relay-of-bridge-2",
        OTHER_BRIDGE: "relay-of-bridge-1",
    }
    # A bridge reads its peer's role: the first is asked to be the server, the other asks.
    assert [f.setup for f in passed_on[BRIDGE].fingerprints] == [Setup.ACTIVE]
    assert [f.setup for f in passed_on[OTHER_BRIDGE].fingerprints] == [Setup.PASSIVE]
    assert not any(ice.web_sockets for ice in passed_on.values())


def test_everybody_is_offered_the_bridge_it_is_on() -> None:
    stage = split_stage()
    stage.join("ann")
    stage.join("bob")
    stage.answer_all()
    ids = {o.bridge_session_id for o in stage.offers().values()}
    assert len(ids) == 2


def test_the_other_bridges_hear_of_newcomers_sources_and_goings() -> None:
    stage = in_call("ann", "bob", "cid", bridges=(BRIDGE, OTHER_BRIDGE, THIRD_BRIDGE))
    stage.join("dan")
    assert told(stage.take(SendColibri)) == [
        ("bridge-2", "bridge-1", "dan", True, False, 0),
        ("bridge-3", "bridge-1", "dan", True, False, 0),
    ]
    session = stage.focus.conferences[ROOM].media.participants[ANN].session
    assert session is not None
    gone = SourceSet(camera("ann", 1000).sources[6:])
    received = Received(Action.SOURCE_REMOVE, session.sid, sources=gone)
    stage.focus.jingle(ROOM, ANN, received, stage.now)
    assert told(stage.take(SendColibri)) == [
        ("bridge-2", "bridge-1", "ann", False, False, 1),
        ("bridge-3", "bridge-1", "ann", False, False, 1),
    ]
    stage.focus.occupant_left(ROOM, "ann", stage.now)
    assert told(stage.take(SendColibri)) == [
        ("bridge-2", "bridge-1", "ann", False, True, 0),
        ("bridge-3", "bridge-1", "ann", False, True, 0),
    ]


def test_a_bridge_without_endpoints_leaves_the_mesh() -> None:
    stage = in_call("ann", "bob", "cid")  # ann and cid on one, bob on the other
    stage.focus.occupant_left(ROOM, "bob", stage.now)
    requests = stage.take(SendColibri)
    assert [r.bridge for r in requests if r.modify.expire] == [OTHER_BRIDGE]
    assert [(b, r.id, r.expire) for b, r in relays(requests)] == [(BRIDGE, TWO, True)]
    assert stage.focus.conferences[ROOM].media.bridge_count == 1


def test_a_bridge_that_dies_moves_its_own_participants_and_no_others() -> None:
    stage = in_call("ann", "bob", "cid")
    stage.focus.bridge_left(OTHER_BRIDGE, stage.now)
    assert [t.endpoint for t in stage.take(SendTerminate)] == [BOB]
    requests = stage.answer_all()
    assert {r.bridge for r in requests} == {BRIDGE}
    assert [(r.id, r.expire) for _, r in relays(requests)] == [(TWO, True)]
    assert [o.endpoint for o in stage.take(SendOffer)] == [BOB]


def refuse(stage: Stage, request: SendColibri, refused: ColibriRefused | None) -> None:
    stage.focus.colibri_refused(ROOM, request.request, refused, stage.now)


@pytest.mark.parametrize(
    "refused",
    [
        None,
        ColibriRefused("feature-not-implemented", Reason.FEATURE_NOT_IMPLEMENTED),
        ColibriRefused("conflict", Reason.UNSPECIFIED),
    ],
)
def test_who_cannot_be_linked_loses_its_participants_to_the_others(
    refused: ColibriRefused | None,
) -> None:
    stage = split_stage()
    stage.join("ann")
    stage.join("bob")
    requests = stage.take(SendColibri)
    for request in requests:
        if request.bridge == OTHER_BRIDGE and request.modify.relays:
            refuse(stage, request, refused)
        else:
            stage.answer(request)
    stage.answer_all()
    assert {p.bridge and p.bridge.bridge for p in participants(stage)} == {BRIDGE}
    assert stage.focus.conferences[ROOM].media.bridge_count == 1


@pytest.mark.parametrize("setup", [Setup.ACTIVE, None])
def test_an_end_without_transport_or_choice_is_a_failed_link(setup: Setup | None) -> None:
    stage = split_stage()
    stage.join("ann")
    stage.join("bob")
    for request in stage.take(SendColibri):
        if request.bridge == OTHER_BRIDGE and request.modify.relays:
            print_ = Fingerprint("sha-256", ":".join(["4A"] * 32), setup or Setup.ACTPASS)
            transport = Transport(ice=IceTransport("u", "p", (print_,))) if setup else None
            answer = ConferenceModified(relays=(RelayAnswer(ONE, transport=transport),))
            stage.focus.colibri_answered(ROOM, request.request, answer, stage.now)
        else:
            stage.answer(request)
    stage.answer_all()
    assert {p.bridge and p.bridge.bridge for p in participants(stage)} == {BRIDGE}


def participants(stage: Stage) -> list[Participant]:
    return list(stage.focus.conferences[ROOM].media.participants.values())


def test_a_late_answer_about_a_link_given_up_does_nothing() -> None:
    stage = split_stage()
    stage.join("ann")
    stage.join("bob")
    requests = stage.take(SendColibri)
    stage.focus.bridge_left(OTHER_BRIDGE, stage.now)
    stage.take(object)
    for request in requests:
        if request.modify.relays:
            stage.answer(request)
    assert stage.take(SendColibri) == []


def test_a_client_in_trouble_is_restarted_on_a_bridge_of_the_conference() -> None:
    stage = in_call("ann", "bob")
    media = stage.focus.conferences[ROOM].media
    bob = media.participants[BOB]
    assert bob.session is not None
    stage.focus.jingle(
        ROOM,
        BOB,
        Received(
            Action.SESSION_TERMINATE,
            bob.session.sid,
            transport=CLIENT_TRANSPORT,
            restart=True,
            bridge_session_id=bob.session.bridge_session_id,
        ),
        stage.now,
    )
    for _ in range(2):
        stage.answer_all()
    assert list(stage.offers()) == [BOB]
    assert media.bridge_count == 2
