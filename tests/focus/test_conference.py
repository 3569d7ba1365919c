"""A conference from the request to its end, on a virtual clock."""

from __future__ import annotations

from dataclasses import replace

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
    SendOffer,
    SendSources,
    SendTerminate,
    SendTransport,
    ShowPresence,
    Ticket,
)
from xmppconf_focus.entering import SETUP_TIMEOUT
from xmppconf_focus.features import Feature
from xmppconf_focus.focus import MAX_EMPTY_PER_REQUESTER
from xmppconf_focus.media_sessions import TooOften
from xmppconf_focus.muting import MuteRequest
from xmppconf_focus.participant import (
    MAX_REQUESTS,
    REQUESTS_PER_SECOND,
    StartMuted,
)
from xmppconf_focus.room_access import ELECTION_GRACE, Requester

from tests.focus.support import (
    BASIC,
    BRIDGE,
    CLIENT_TRANSPORT,
    MODERN,
    OTHER_BRIDGE,
    ROOM,
    Stage,
    camera,
    endpoints_of,
)
from xmppconf.colibri2 import (
    ColibriRefused,
    ConferenceModified,
    EndpointAnswer,
    Reason,
    Transport,
)
from xmppconf.config import FocusSettings
from xmppconf.errors import Condition, LimitExceeded, NotFound, PeerError
from xmppconf.ids import BRIDGE_OWNER, EndpointId
from xmppconf.jingle import Action, Offer, Received
from xmppconf.sources import SourceSet
from xmppconf.transport import IceTransport

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


# -- sessions --------------------------------------------------------------------------
def test_the_bridge_learns_transport_and_all_sources_of_who_accepts() -> None:
    stage = Stage()
    stage.add_bridge()
    stage.open_room()
    for nick in ("ann", "bob"):
        stage.join(nick)
    stage.answer_all()
    stage.accept(ANN, stage.offers()[ANN], camera("ann", 1000))
    [update] = stage.take(SendColibri)
    [endpoint] = update.modify.endpoints
    assert endpoint.transport is not None
    assert endpoint.transport.ice == CLIENT_TRANSPORT
    assert endpoint.sources is not None
    assert {s.name: len(s.ssrcs) for s in endpoint.sources} == {"ann-v0": 6, "ann-a0": 1}


def test_rewriting_clients_are_told_of_no_sources() -> None:
    stage = Stage()
    stage.call("ann", "bob")
    stage.join("cid")
    stage.answer_all()
    stage.accept(CID, stage.offers()[CID], camera("cid", 5000))
    assert stage.take(SendSources) == []


def test_other_clients_are_told_of_sources_in_the_offer_and_later() -> None:
    stage = Stage()
    stage.call("ann", "bob", features=BASIC)
    stage.join("cid", BASIC)
    stage.answer_all()
    offer = stage.offers()[CID]
    assert list(offer.sources) == [BRIDGE_OWNER, ANN, BOB]
    assert len(offer.sources[ANN].sources) == 3
    assert not offer.json_sources
    stage.accept(CID, offer, camera("cid", 5000))
    told = stage.take(SendSources)
    assert [(t.endpoint, t.action, list(t.sources)) for t in told] == [
        (ANN, Action.SOURCE_ADD, [CID]),
        (BOB, Action.SOURCE_ADD, [CID]),
    ]


def test_what_changed_before_the_accept_is_told_after_it() -> None:
    stage = Stage()
    stage.call("ann", "bob", features=BASIC)
    stage.join("cid", BASIC)
    stage.answer_all()
    offer = stage.offers()[CID]
    gone = SourceSet(camera("ann", 1000).sources)
    sid = stage.focus.conferences[ROOM].media.participants[ANN].session
    assert sid is not None
    stage.focus.jingle(
        ROOM, ANN, Received(Action.SOURCE_REMOVE, sid.sid, sources=gone), stage.now
    )
    assert [t.endpoint for t in stage.take(SendSources)] == [BOB]
    stage.accept(CID, offer)
    [told] = stage.take(SendSources)
    assert (told.endpoint, told.action) == (CID, Action.SOURCE_REMOVE)
    assert {s.ssrc for s in told.sources[ANN].sources} == {1000, 1003, 1006}


def test_nobody_is_told_of_sources_that_went_with_their_owner() -> None:
    stage = Stage()
    stage.call("ann", "bob", "cid", features=BASIC)
    stage.focus.occupant_left(ROOM, "ann", stage.now)
    assert stage.take(SendSources) == []
    assert [*endpoints_of(stage.take(SendColibri))] == [("ann", False, True)]


def test_in_a_large_conference_changes_wait_and_cancel_out() -> None:
    stage = Stage()
    names = [f"p{n}" for n in range(30)]
    offers = stage.call(*names, features=BASIC)
    stage.pass_time(1)
    stage.take(object)
    who = EndpointId("p0")
    screen = SourceSet(
        tuple(s for s in camera("p0", 900_000).sources if s.media_type == "audio")
    )
    screen = SourceSet(
        tuple(type(s)(s.ssrc, s.media_type, s.name, "screen audio") for s in screen.sources)
    )
    for action in (Action.SOURCE_ADD, Action.SOURCE_REMOVE):
        stage.focus.jingle(
            ROOM, who, Received(action, offers[who].sid, sources=screen), stage.now
        )
    assert stage.take(SendSources) == []
    stage.pass_time(1)
    assert stage.take(SendSources) == []
    stage.focus.jingle(
        ROOM,
        who,
        Received(Action.SOURCE_ADD, offers[who].sid, sources=screen),
        stage.now,
    )
    stage.pass_time(1)
    assert len(stage.take(SendSources)) == 29


def test_invalid_sources_in_an_accept_end_the_session() -> None:
    stage = Stage()
    stage.call("ann", "bob")
    stage.join("cid")
    stage.answer_all()
    offer = stage.offers()[CID]
    with pytest.raises(PeerError) as refusal:
        stage.accept(CID, offer, camera("cid", 1000))
    assert refusal.value.condition == "bad-request"
    assert [*endpoints_of(stage.take(SendColibri))] == [("cid", False, True)]


@pytest.mark.parametrize(
    ("received", "condition"),
    [
        (Received(Action.SOURCE_ADD, "nonsense"), "bad-request"),
        (Received(Action.CONTENT_MODIFY, "SID"), "feature-not-implemented"),
        (Received(Action.SESSION_INITIATE, "SID"), "feature-not-implemented"),
        (Received(Action.SESSION_ACCEPT, "SID"), "unexpected-request"),
        (Received(Action.TRANSPORT_INFO, "SID"), "bad-request"),
        (Received(Action.SOURCE_REMOVE, "SID", sources=camera("x", 9)), "bad-request"),
        (Received(Action.SOURCE_ADD, "SID", sources=camera("ann", 2000)), "bad-request"),
        (
            Received(Action.SESSION_INFO, "SID", session_info="failed"),
            "item-not-found",
        ),
        (
            Received(Action.SESSION_TERMINATE, "SID", restart=True, bridge_session_id="?"),
            "item-not-found",
        ),
    ],
)
def test_refusals_name_their_condition(received: Received, condition: str) -> None:
    stage = Stage()
    offers = stage.call("ann", "bob")
    sid = offers[ANN].sid if received.sid == "SID" else received.sid
    with pytest.raises(PeerError) as refusal:
        stage.focus.jingle(
            ROOM,
            ANN,
            Received(
                received.action,
                sid,
                sources=received.sources,
                restart=received.restart,
                bridge_session_id=received.bridge_session_id,
                session_info=received.session_info,
            ),
            stage.now,
        )
    assert refusal.value.condition == condition


def ask_ice_restart(stage: Stage, offer: Offer) -> SendColibri:
    """Ann's address has changed; what the bridge is asked."""
    asked = Received(
        Action.SESSION_INFO,
        offer.sid,
        ice_restart=True,
        bridge_session_id=offer.bridge_session_id,
    )
    stage.focus.jingle(ROOM, ANN, asked, stage.now)
    [request] = stage.take(SendColibri)
    return request


def ice_restarted(stage: Stage, request: SendColibri, ice: IceTransport | None) -> None:
    transport = None if ice is None else Transport(ice=ice)
    answer = ConferenceModified((EndpointAnswer(ANN, transport=transport),))
    stage.focus.colibri_answered(ROOM, request.request, answer, stage.now)


def test_an_ice_restart_changes_the_transport_and_nothing_else() -> None:
    stage = Stage()
    offer = stage.call("ann", "bob")[ANN]
    request = ask_ice_restart(stage, offer)
    [asked] = request.modify.endpoints
    assert asked.transport == Transport(ice_restart=True)
    fresh = IceTransport("new", "p" * 24, generation=1)
    ice_restarted(stage, request, fresh)
    assert stage.take(SendTransport) == [SendTransport(ROOM, ANN, offer.sid, fresh)]
    assert not stage.take(SendOffer)
    assert not stage.take(SendTerminate)
    own = IceTransport("own", "q" * 24, generation=1)
    stage.focus.jingle(
        ROOM, ANN, Received(Action.TRANSPORT_INFO, offer.sid, transport=own), stage.now
    )
    [told] = stage.take(SendColibri)
    assert told.modify.endpoints[0].transport == Transport(ice=own)


def test_an_ice_restart_is_forgotten_with_the_connection() -> None:
    stage = Stage()
    request = ask_ice_restart(stage, stage.call("ann", "bob")[ANN])
    stage.focus.connection_lost()
    ice_restarted(stage, request, IceTransport("new", "p" * 24, generation=1))
    assert not stage.take(SendTransport)


def test_a_bridge_that_keeps_its_transport_needs_no_word() -> None:
    stage = Stage()
    offer = stage.call("ann", "bob")[ANN]
    ice_restarted(stage, ask_ice_restart(stage, offer), IceTransport("old", "p" * 24))
    assert not stage.take(SendTransport)
    assert not stage.take(SendOffer)
    assert stage.focus.conferences[ROOM].media.participants[ANN].is_active()


def test_a_bridge_that_cannot_restart_ice_has_the_participant_invited_anew() -> None:
    stage = Stage()
    offer = stage.call("ann", "bob")[ANN]
    request = ask_ice_restart(stage, offer)
    stage.pass_time(10)
    ice_restarted(stage, request, None)
    stage.answer_all()
    assert stage.offers()[ANN].sid != offer.sid


def test_ice_restarts_have_a_limit_and_name_their_session() -> None:
    stage = Stage()
    offer = stage.call("ann", "bob")[ANN]
    with pytest.raises(PeerError) as refusal:
        ask_ice_restart(stage, replace(offer, bridge_session_id="another"))
    assert refusal.value.condition == "item-not-found"
    ask_ice_restart(stage, offer)
    with pytest.raises(TooOften):
        ask_ice_restart(stage, offer)


def test_who_changes_sources_without_end_is_stopped_and_not_who_does_so_now_and_then() -> (
    None
):
    stage = Stage()
    sid = stage.call("ann", "bob", features=BASIC)[ANN].sid
    actions = (Action.SOURCE_REMOVE, Action.SOURCE_ADD)

    def change(number: int) -> bool:
        received = Received(actions[number % 2], sid, sources=camera("ann", 1000))
        try:
            stage.focus.jingle(ROOM, ANN, received, stage.now)
        except TooOften:
            return False
        return True

    allowed = [change(number) for number in range(1000)]
    assert sum(allowed) == MAX_REQUESTS - 1  # the accept was one
    assert len(stage.take(SendSources)) == MAX_REQUESTS - 1
    stage.pass_time(MAX_REQUESTS / REQUESTS_PER_SECOND)
    for number in range(MAX_REQUESTS, MAX_REQUESTS + 100):
        stage.pass_time(1 / REQUESTS_PER_SECOND)
        assert change(number + 1)


def test_sources_without_a_name_get_one() -> None:
    stage = Stage()
    stage.add_bridge()
    stage.open_room()
    stage.join("ann", BASIC)
    stage.join("bob", BASIC)
    stage.answer_all()
    offers = stage.offers()
    stage.accept(BOB, offers[BOB])
    nameless = camera("ann", 1000)
    nameless = SourceSet(
        tuple(replace(source, name=None) for source in nameless.sources), nameless.groups
    )
    stage.accept(ANN, offers[ANN], nameless)
    [told] = stage.take(SendSources)
    assert {source.name for source in told.sources[ANN].sources} == {"ann-a0", "ann-v0"}


def test_newcomers_start_muted_beyond_the_limits_and_stay_as_they_are_when_moved() -> None:
    stage = Stage()
    stage.add_bridge()
    stage.focus.request(
        Ticket(1), ROOM, Requester(""), stage.now, StartMuted(audio=2, video=0)
    )
    stage.focus.joined(ROOM, "owner", stage.now)
    stage.focus.room_configured(ROOM, {}, stage.now)
    found: dict[EndpointId, Offer] = {}
    for nick in ("ann", "bob", "cid"):
        stage.join(nick)
        stage.answer_all()
        found |= stage.offers()
    muted = {n: (o.start_audio_muted, o.start_video_muted) for n, o in found.items()}
    assert muted == {ANN: (False, True), BOB: (False, True), CID: (True, True)}
    stage.add_bridge(OTHER_BRIDGE)
    stage.focus.bridge_left(BRIDGE, stage.now)
    stage.answer_all()
    moved = stage.offers()
    assert set(moved) == {ANN, BOB, CID}
    assert not any(o.start_audio_muted or o.start_video_muted for o in moved.values())


def test_an_unchanged_presence_costs_nothing() -> None:
    stage = Stage()
    stage.call("ann", "bob")
    for _ in range(3):
        stage.join("ann", None)
    assert stage.take(object) == []


def test_nobody_speaks_in_anothers_session() -> None:
    stage = Stage()
    offers = stage.call("ann", "bob")
    for endpoint in (BOB, CID):
        with pytest.raises(PeerError):
            stage.focus.jingle(
                ROOM,
                endpoint,
                Received(Action.SESSION_TERMINATE, offers[ANN].sid),
                stage.now,
            )
    with pytest.raises(NotFound):
        stage.focus.jingle(
            RoomJid("milk@muc.localhost"),
            ANN,
            Received(Action.SESSION_TERMINATE, offers[ANN].sid),
            stage.now,
        )
    assert stage.focus.conferences[ROOM].media.participants[ANN].is_active()


def test_a_restart_frees_the_old_and_offers_anew_until_it_is_too_often() -> None:
    stage = Stage()
    offers = stage.call("ann", "bob", features=BASIC)
    offer = offers[ANN]
    terminate = Received(
        Action.SESSION_TERMINATE,
        offer.sid,
        restart=True,
        bridge_session_id=offer.bridge_session_id,
    )
    stage.focus.jingle(ROOM, ANN, terminate, stage.now)
    assert stage.take(SendTerminate) == []
    [told] = stage.take(SendSources)
    assert (told.endpoint, told.action) == (BOB, Action.SOURCE_REMOVE)
    requests = stage.answer_all()
    assert [*endpoints_of(requests)] == [("ann", False, True), ("ann", True, False)]
    again = stage.offers()[ANN]
    assert again.sid != offer.sid
    with pytest.raises(PeerError) as refusal:
        stage.focus.jingle(
            ROOM,
            ANN,
            Received(
                Action.SESSION_TERMINATE,
                again.sid,
                restart=True,
                bridge_session_id=again.bridge_session_id,
            ),
            stage.now + 1,
        )
    assert refusal.value.condition == "resource-constraint"
    assert stage.take(SendOffer) == []


def test_failed_ice_ends_the_session_and_offers_anew() -> None:
    stage = Stage()
    offer = stage.call("ann", "bob")[ANN]
    stage.focus.jingle(
        ROOM,
        ANN,
        Received(
            Action.SESSION_INFO,
            offer.sid,
            session_info="failed",
            bridge_session_id=offer.bridge_session_id,
        ),
        stage.now,
    )
    assert [t.sid for t in stage.take(SendTerminate)] == [offer.sid]
    stage.answer_all()
    assert list(stage.offers()) == [ANN]


def test_a_session_that_its_client_ended_stays_ended() -> None:
    stage = Stage()
    offer = stage.call("ann", "bob", "cid")[ANN]
    stage.focus.jingle(ROOM, ANN, Received(Action.SESSION_TERMINATE, offer.sid), stage.now)
    assert [*endpoints_of(stage.take(SendColibri))] == [("ann", False, True)]
    stage.pass_time(100)
    assert stage.take(SendOffer) == []


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


# -- bridges that refuse ---------------------------------------------------------------
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
