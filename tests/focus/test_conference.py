"""A conference from the request to its end, on a virtual clock."""

from __future__ import annotations

import pytest
from xmppconf_focus.brewery import BridgeStats
from xmppconf_focus.effects import (
    AnswerRequest,
    AskFeatures,
    ConferenceEnded,
    ConfigureRoom,
    EvictNamesake,
    JoinRoom,
    LeaveRoom,
    RoomJid,
    SendColibri,
    SendMute,
    SendTerminate,
    ShowPresence,
    Ticket,
)
from xmppconf_focus.election import ELECTION_GRACE
from xmppconf_focus.entering import SETUP_TIMEOUT
from xmppconf_focus.features import Feature
from xmppconf_focus.muting import MuteRequest
from xmppconf_focus.openings import MAX_EMPTY_PER_REQUESTER

from tests.focus.support import (
    BRIDGE,
    MODERN,
    OTHER_BRIDGE,
    ROOM,
    Stage,
    endpoints_of,
)
from xmppconf.colibri2 import (
    ColibriRefused,
)
from xmppconf.config import FocusSettings
from xmppconf.errors import LimitExceeded, PeerError
from xmppconf.ids import BRIDGE_OWNER, EndpointId

ANN, BOB, CID = EndpointId("ann"), EndpointId("bob"), EndpointId("cid")


# -- request and room ------------------------------------------------------------------
def test_the_answer_waits_until_the_room_is_joined_and_configured() -> None:
    stage = Stage()
    for ticket in (1, 2):
        stage.request(ticket=ticket)
    assert stage.take(JoinRoom) == [JoinRoom(ROOM)]
    stage.focus.joined(ROOM, "owner", stage.now)
    assert stage.take(AnswerRequest) == []
    stage.focus.room_configured(ROOM, {}, stage.now)
    stage.request(ticket=3)
    assert stage.take(AnswerRequest) == [
        AnswerRequest(Ticket(ticket), ready=True) for ticket in (1, 2, 3)
    ]
    assert stage.take(JoinRoom) == []


def test_who_waits_hears_of_a_room_that_cannot_be_had() -> None:
    stage = Stage()
    stage.request()
    stage.focus.room_failed(ROOM, "forbidden")
    assert stage.take(AnswerRequest) == [
        AnswerRequest(Ticket(1), ready=False, error="forbidden")
    ]
    assert stage.focus.conferences == {}


def test_who_has_our_nickname_is_thrown_out_once() -> None:
    stage = Stage()
    stage.request()
    assert stage.take(JoinRoom) == [JoinRoom(ROOM)]
    stage.focus.room_failed(ROOM, "conflict")
    assert stage.take(EvictNamesake) == [EvictNamesake(ROOM)]
    assert stage.take(AnswerRequest) == []
    stage.focus.namesake_evicted(ROOM)
    assert stage.take(JoinRoom) == [JoinRoom(ROOM)]
    stage.focus.room_failed(ROOM, "conflict")
    assert stage.take(EvictNamesake) == []
    [answer] = stage.take(AnswerRequest)
    assert answer.error == "conflict"


def test_a_focus_that_is_not_owner_stays_out() -> None:
    stage = Stage()
    stage.request()
    stage.focus.joined(ROOM, "none", stage.now)
    [answer] = stage.take(AnswerRequest)
    assert answer.error is not None
    assert stage.take(LeaveRoom) == [LeaveRoom(ROOM)]
    assert stage.take(ConfigureRoom) == []


def test_a_silent_room_means_ask_again() -> None:
    stage = Stage()
    stage.request()
    stage.pass_time(SETUP_TIMEOUT)
    assert stage.take(AnswerRequest) == [AnswerRequest(Ticket(1), ready=False)]
    assert stage.focus.conferences == {}


def test_a_room_to_which_nobody_comes_is_left() -> None:
    stage = Stage()
    stage.open_room()
    stage.pass_time(14.9)
    stage.request(ticket=2)
    stage.pass_time(14.9)
    assert stage.take(LeaveRoom) == []
    stage.pass_time(0.2)
    assert stage.take(LeaveRoom) == [LeaveRoom(ROOM)]
    assert stage.focus.next_timeout() is None


def test_conferences_are_bounded() -> None:
    stage = Stage(FocusSettings(max_conferences=1))
    stage.open_room()
    stage.take(AnswerRequest)
    stage.request(RoomJid("milk@muc.localhost"), ticket=2)
    assert stage.take(AnswerRequest) == [AnswerRequest(Ticket(2), ready=False)]


def test_one_address_cannot_open_rooms_without_end() -> None:
    stage = Stage()
    for number in range(MAX_EMPTY_PER_REQUESTER):
        stage.request(RoomJid(f"r{number}@muc.localhost"))
    with pytest.raises(LimitExceeded):
        stage.request(RoomJid("more@muc.localhost"))
    assert len(stage.focus.conferences) == MAX_EMPTY_PER_REQUESTER


def test_our_own_late_leave_does_not_end_the_new_conference() -> None:
    stage = Stage()
    stage.request()
    stage.join("ann", None)  # seen by who we were in there before
    stage.focus.removed(ROOM)
    assert ROOM in stage.focus.conferences
    assert stage.focus.conferences[ROOM].occupants == {}


def test_meeting_ids_are_unique_among_conferences() -> None:
    stage = Stage()
    for room in (ROOM, RoomJid("milk@muc.localhost")):
        stage.request(room)
        stage.focus.joined(room, "owner", stage.now)
        stage.focus.room_configured(room, {"muc#roominfo_meetingId": "the-same"}, stage.now)
    ids = {c.media.meeting_id for c in stage.focus.conferences.values()}
    assert len(ids) == 2


# -- invitations -----------------------------------------------------------------------
def test_two_are_invited_one_is_not() -> None:
    stage = Stage()
    stage.add_bridge()
    stage.open_room()
    stage.join("ann")
    assert stage.take(SendColibri) == []
    stage.join("bob")
    first, second = stage.take(SendColibri)
    # Both at once, in causal order, the first with the conference.
    assert (first.modify.create, second.modify.create) == (True, False)
    assert first.modify.name == ROOM
    assert second.modify.name is None
    assert [*endpoints_of([first, second])] == [("ann", True, False), ("bob", True, False)]
    for request in (first, second):
        [endpoint] = request.modify.endpoints
        assert endpoint.capabilities == {"source-names", "ssrc-rewriting"}
        assert endpoint.transport is not None
        assert endpoint.transport.ice_controlling
        assert endpoint.transport.sctp is not None
        stage.answer(request)
    offers = stage.offers()
    assert set(offers) == {ANN, BOB}
    assert offers[ANN].sid != offers[BOB].sid
    assert offers[ANN].bridge_session_id == offers[BOB].bridge_session_id
    assert offers[ANN].transport.sctp_port == 5000
    assert set(offers[ANN].sources) == {BRIDGE_OWNER}


def test_no_one_is_invited_before_its_features_are_known() -> None:
    stage = Stage()
    stage.add_bridge()
    stage.open_room()
    stage.join("ann")
    stage.join("bob", None)
    assert stage.take(SendColibri) == []
    stage.focus.features_known(ROOM, BOB, MODERN, stage.now)
    assert len(stage.take(SendColibri)) == 2
    stage.join("cid", None)
    assert stage.take(SendColibri) == []
    stage.focus.features_known(ROOM, CID, MODERN, stage.now)
    assert [*endpoints_of(stage.take(SendColibri))] == [("cid", True, False)]


def test_verified_features_are_asked_for_once() -> None:
    stage = Stage()
    stage.open_room()
    stage.join("ann", None)
    stage.focus.features_known(ROOM, ANN, MODERN, stage.now, verified="ann")
    stage.focus.occupant_left(ROOM, "ann", stage.now)
    stage.take(AskFeatures)
    stage.open_room()
    stage.join("ann", None)
    assert stage.take(AskFeatures) == []


def test_those_who_only_write_are_no_reason_for_media() -> None:
    stage = Stage()
    stage.add_bridge()
    stage.open_room()
    stage.join("ann")
    stage.join("txt", frozenset())
    assert stage.take(SendColibri) == []


@pytest.mark.parametrize("nick", ["jvb", "Ann Lee", "a" * 65, "ann/x", "ⓐnn"])
def test_nicknames_that_cannot_be_endpoints_get_no_session(nick: str) -> None:
    stage = Stage()
    stage.add_bridge()
    stage.open_room()
    stage.join("bob")
    stage.join(nick, None)
    assert stage.take(AskFeatures) == []
    assert stage.take(SendColibri) == []


def test_participants_are_bounded() -> None:
    stage = Stage(FocusSettings(max_participants=2))
    stage.add_bridge()
    stage.open_room()
    stage.join("ann")
    stage.join("bob")
    stage.join("cid", None)
    assert stage.take(AskFeatures) == []
    assert len(stage.focus.conferences[ROOM].occupants) == 2


def test_without_a_bridge_clients_are_told_and_invited_when_one_comes() -> None:
    stage = Stage()
    stage.open_room()
    stage.join("ann")
    stage.join("bob")
    assert stage.take(ShowPresence)[-1].bridge_available is False
    stage.add_bridge()
    assert stage.take(ShowPresence)[-1].bridge_available is True
    assert len(stage.take(SendColibri)) == 2


def test_a_bridge_without_figures_is_taken_only_in_need() -> None:
    stage = Stage()
    stage.add_bridge(BRIDGE, BridgeStats())
    stage.add_bridge(OTHER_BRIDGE, BridgeStats(stress=0.7, drain=False))
    stage.open_room()
    stage.join("ann")
    stage.join("bob")
    assert {r.bridge for r in stage.take(SendColibri)} == {OTHER_BRIDGE}


def test_who_left_meanwhile_gets_no_offer_and_is_freed() -> None:
    stage = Stage()
    stage.add_bridge()
    stage.open_room()
    for nick in ("ann", "bob", "cid"):
        stage.join(nick)
    requests = stage.take(SendColibri)
    stage.focus.occupant_left(ROOM, "cid", stage.now)
    assert [*endpoints_of(stage.take(SendColibri))] == [("cid", False, True)]
    for request in requests:
        stage.answer(request)
    assert set(stage.offers()) == {ANN, BOB}


def test_an_offer_that_is_refused_is_not_repeated() -> None:
    stage = Stage()
    stage.add_bridge()
    stage.open_room()
    for nick in ("ann", "bob"):
        stage.join(nick)
    stage.answer_all()
    offers = stage.offers()
    stage.focus.offer_refused(ROOM, ANN, "another-sid", stage.now)
    assert stage.take(SendTerminate) == []
    stage.focus.offer_refused(ROOM, ANN, offers[ANN].sid, stage.now)
    assert [(t.endpoint, t.reason) for t in stage.take(SendTerminate)] == [
        (ANN, "general-error")
    ]
    assert [*endpoints_of(stage.take(SendColibri))] == [("ann", False, True)]
    stage.join("cid")
    assert [*endpoints_of(stage.take(SendColibri))] == [("cid", True, False)]


# -- ends ------------------------------------------------------------------------------
def test_who_stays_alone_loses_the_session_after_a_while_and_gets_it_back() -> None:
    stage = Stage()
    stage.call("ann", "bob")
    stage.focus.occupant_left(ROOM, "bob", stage.now)
    stage.take(SendColibri)
    stage.pass_time(19.9)
    assert stage.take(SendTerminate) == []
    stage.pass_time(0.2)
    [terminate] = stage.take(SendTerminate)
    assert (terminate.endpoint, terminate.reason) == (ANN, "expired")
    [expire] = stage.take(SendColibri)
    assert expire.modify.expire
    stage.join("cid")
    created = stage.take(SendColibri)
    assert created[0].modify.create
    assert [*endpoints_of(created)] == [("ann", True, False), ("cid", True, False)]
    numbers = {r.request for r in (expire, *created)}
    assert len(numbers) == 3


def test_a_newcomer_in_time_keeps_the_session() -> None:
    stage = Stage()
    stage.call("ann", "bob")
    stage.focus.occupant_left(ROOM, "bob", stage.now)
    stage.pass_time(10)
    stage.join("cid")
    stage.pass_time(100)
    assert stage.take(SendTerminate) == []


def test_the_last_to_leave_ends_the_conference() -> None:
    stage = Stage()
    stage.call("ann", "bob")
    for nick in ("ann", "bob"):
        stage.focus.occupant_left(ROOM, nick, stage.now)
    assert stage.take(SendColibri)[-1].modify.expire
    assert stage.take(LeaveRoom) == [LeaveRoom(ROOM)]
    assert len(stage.take(ConferenceEnded)) == 1
    assert stage.focus.conferences == {}


def test_a_destroyed_room_frees_the_bridge_and_is_not_left_again() -> None:
    stage = Stage()
    stage.call("ann", "bob")
    stage.focus.removed(ROOM)
    [expire] = stage.take(SendColibri)
    assert expire.modify.expire
    assert stage.take(LeaveRoom) == []
    assert stage.focus.conferences == {}
    assert stage.take(SendTerminate) == []


def test_a_focus_that_loses_the_room_leaves_it() -> None:
    stage = Stage()
    stage.call("ann", "bob")
    stage.focus.joined(ROOM, "member", stage.now)
    assert stage.take(LeaveRoom) == [LeaveRoom(ROOM)]


# -- owner and mute --------------------------------------------------------------------
def test_the_first_participant_becomes_owner_and_the_next_when_it_stays_away() -> None:
    stage = Stage()
    stage.open_room()
    stage.join("ann")
    stage.join("bob")
    assert stage.made_owner() == ["ann@guest.localhost"]
    stage.focus.occupant_left(ROOM, "ann", stage.now)
    stage.pass_time(ELECTION_GRACE - 1)
    assert stage.made_owner() == []
    stage.pass_time(2)
    assert stage.made_owner() == ["bob@guest.localhost"]


@pytest.mark.parametrize(
    ("role", "target", "mute", "condition"),
    [
        ("moderator", "bob", True, None),
        ("moderator", "bob", False, "not-allowed"),
        ("moderator", "nobody", True, "internal-server-error"),
        ("participant", "bob", True, "not-allowed"),
        ("participant", "ann", True, None),
        ("participant", "ann", False, None),
    ],
)
def test_who_may_mute_whom(
    role: str, target: str, mute: bool, condition: str | None
) -> None:
    stage = Stage()
    stage.call("ann", "bob")
    stage.join("ann", None, role=role)
    request = MuteRequest(EndpointId(target), "audio", mute)
    if condition is not None:
        with pytest.raises(PeerError) as refusal:
            stage.focus.mute(ROOM, ANN, request)
        assert refusal.value.condition == condition
        assert stage.take(SendMute) == []
        return
    stage.focus.mute(ROOM, ANN, request)
    sent = [(m.endpoint, m.actor) for m in stage.take(SendMute)]
    assert sent == ([(BOB, ANN)] if target == "bob" else [])


def test_a_client_without_sctp_gets_no_data_content() -> None:
    stage = Stage()
    stage.add_bridge()
    stage.open_room()
    stage.join("ann", MODERN - {Feature.SCTP})
    stage.join("bob")
    stage.answer_all()
    offers = stage.offers()
    assert not offers[ANN].data
    assert offers[BOB].data


def test_a_retry_that_nobody_needs_any_more_is_forgotten() -> None:
    stage = Stage()
    stage.add_bridge()
    stage.open_room()
    stage.join("ann")
    stage.join("bob")
    for _ in range(2):
        request = stage.take(SendColibri)[-1]
        refused = ColibriRefused("conflict", None)
        stage.focus.colibri_refused(ROOM, request.request, refused, stage.now)
    stage.focus.occupant_left(ROOM, "bob", stage.now)
    stage.now += 5
    stage.focus.timeout(stage.now)
    due = stage.focus.next_timeout()
    assert due is None or due > stage.now
