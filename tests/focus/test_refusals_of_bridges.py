"""What becomes of a conference when a bridge refuses, goes, or says nothing."""

from __future__ import annotations

import pytest
from xmppconf_focus.effects import (
    SendColibri,
    SendTerminate,
)

from tests.focus.support import (
    BRIDGE,
    CLIENT_TRANSPORT,
    OTHER_BRIDGE,
    ROOM,
    Stage,
    endpoints_of,
)
from xmppconf.colibri2 import (
    ColibriRefused,
    ConferenceModified,
    Reason,
)
from xmppconf.errors import Condition
from xmppconf.ids import EndpointId
from xmppconf.jingle import Action, Received

ANN, BOB, CID = EndpointId("ann"), EndpointId("bob"), EndpointId("cid")


REFUSALS: list[tuple[Condition | None, Reason | None, bool, bool]] = [
    # condition (None: silence), reason, invited again, on the same bridge
    ("bad-request", Reason.UNSPECIFIED, False, True),
    ("item-not-found", None, False, True),
    ("item-not-found", Reason.CONFERENCE_NOT_FOUND, True, True),
    ("conflict", Reason.CONFERENCE_ALREADY_EXISTS, True, True),
    ("conflict", Reason.UNSPECIFIED, True, True),
    ("service-unavailable", Reason.GRACEFUL_SHUTDOWN, True, False),
    ("service-unavailable", None, True, False),
    ("feature-not-implemented", Reason.FEATURE_NOT_IMPLEMENTED, True, False),
    ("internal-server-error", Reason.UNSPECIFIED, True, False),
    (None, None, True, False),
]


def refusal_of(condition: Condition | None, reason: Reason | None) -> ColibriRefused | None:
    return None if condition is None else ColibriRefused(condition, reason)


@pytest.mark.parametrize(("condition", "reason", "again", "same"), REFUSALS)
def test_a_refused_allocation(
    condition: Condition | None, reason: Reason | None, again: bool, same: bool
) -> None:
    stage = Stage()
    stage.add_bridge()
    stage.open_room()
    stage.join("ann")
    stage.join("bob")
    requests = stage.take(SendColibri)
    for request in requests:
        stage.focus.colibri_refused(
            ROOM, request.request, refusal_of(condition, reason), stage.now
        )
    stage.pass_time(5)
    created = [r for r in stage.take(SendColibri) if r.modify.create]
    assert bool(created) is (again and same)
    stage.add_bridge(OTHER_BRIDGE)
    stage.pass_time(5)
    moved = [r for r in stage.take(SendColibri) if r.modify.create]
    assert {r.bridge for r in moved} == ({OTHER_BRIDGE} if again and not same else set())
    # What is refused late, of a session already given up, does nothing.
    stage.focus.colibri_refused(ROOM, requests[0].request, None, stage.now)
    assert stage.take(SendColibri) == []


def test_a_bridge_that_always_refuses_is_asked_ever_more_slowly() -> None:
    stage = Stage()
    stage.add_bridge()
    stage.open_room()
    stage.join("ann")
    stage.join("bob")
    asked = 0
    end = stage.now + 100
    while stage.now < end:
        for request in stage.take(SendColibri):
            asked += request.modify.create
            stage.focus.colibri_refused(
                ROOM, request.request, ColibriRefused("conflict", None), stage.now
            )
        stage.pass_time(0.5)
    assert 3 <= asked <= 12


def test_a_lost_endpoint_is_invited_again_and_nobody_else() -> None:
    stage = Stage()
    offers = stage.call("ann", "bob")
    stage.focus.jingle(
        ROOM,
        ANN,
        Received(Action.TRANSPORT_INFO, offers[ANN].sid, transport=CLIENT_TRANSPORT),
        stage.now,
    )
    [update] = stage.take(SendColibri)
    refused = ColibriRefused(
        "item-not-found", Reason.UNKNOWN_ENDPOINT, endpoint=EndpointId("ann")
    )
    stage.focus.colibri_refused(ROOM, update.request, refused, stage.now)
    assert [t.endpoint for t in stage.take(SendTerminate)] == [ANN]
    stage.answer_all()
    assert list(stage.offers()) == [ANN]


@pytest.mark.parametrize("silent", [True, False])
def test_a_refused_update_moves_everybody_silence_does_not(silent: bool) -> None:
    stage = Stage()
    offers = stage.call("ann", "bob")
    stage.focus.jingle(
        ROOM,
        ANN,
        Received(Action.TRANSPORT_INFO, offers[ANN].sid, transport=CLIENT_TRANSPORT),
        stage.now,
    )
    [update] = stage.take(SendColibri)
    refused = None if silent else ColibriRefused("bad-request", Reason.UNSPECIFIED)
    stage.focus.colibri_refused(ROOM, update.request, refused, stage.now)
    moved = {t.endpoint: t.text for t in stage.take(SendTerminate)}
    assert moved == ({} if silent else {ANN: "moving", BOB: "moving"})


def test_a_bridge_that_leaves_is_replaced() -> None:
    stage = Stage()
    stage.call("ann", "bob")
    stage.add_bridge(OTHER_BRIDGE)
    stage.focus.bridge_left(BRIDGE, stage.now)
    assert {t.endpoint for t in stage.take(SendTerminate)} == {ANN, BOB}
    requests = stage.answer_all()
    assert {r.bridge for r in requests} == {OTHER_BRIDGE}
    assert set(stage.offers()) == {ANN, BOB}


@pytest.mark.parametrize("missing", ["transport", "sctp", "endpoint"])
def test_an_answer_without_transport_or_port_fails_the_invite(missing: str) -> None:
    stage = Stage()
    stage.add_bridge()
    stage.open_room()
    stage.join("ann")
    stage.join("bob")
    first, second = stage.take(SendColibri)
    stage.answer(second)
    answer = ConferenceModified()
    stage.focus.colibri_answered(ROOM, first.request, answer, stage.now)
    assert list(stage.offers()) == [BOB]
    assert [*endpoints_of(stage.take(SendColibri))] == [("ann", False, True)]
