"""The sessions of a conference: offers, sources, restarts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from xmppconf_focus.effects import (
    RoomJid,
    SendColibri,
    SendOffer,
    SendSources,
    SendTerminate,
    SendTransport,
    Ticket,
)
from xmppconf_focus.jingle_requests import TooOften
from xmppconf_focus.participant import (
    MAX_REQUESTS,
    REQUESTS_PER_SECOND,
    StartMuted,
)
from xmppconf_focus.room_access import Requester

from tests.focus.support import (
    BASIC,
    BRIDGE,
    CLIENT_TRANSPORT,
    OTHER_BRIDGE,
    ROOM,
    Stage,
    camera,
    endpoints_of,
)
from xmppconf.colibri2 import (
    ConferenceModified,
    EndpointAnswer,
    Transport,
)
from xmppconf.errors import NotFound, PeerError
from xmppconf.ids import BRIDGE_OWNER, EndpointId
from xmppconf.jingle import Action, Offer, Received
from xmppconf.sources import SourceSet
from xmppconf.transport import IceTransport

ANN, BOB, CID = EndpointId("ann"), EndpointId("bob"), EndpointId("cid")


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
