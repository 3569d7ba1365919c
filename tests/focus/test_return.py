"""A focus that was away, or is another process, goes on with the calls that run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from xmppconf_focus.admission import Refusal
from xmppconf_focus.awaited import RETURN_TIME
from xmppconf_focus.brewery import RETURN_TIME as BRIDGE_RETURN_TIME
from xmppconf_focus.effects import (
    AnswerRequest,
    ConferenceEnded,
    ConfigureRoom,
    EvictNamesake,
    JoinRoom,
    ReadForm,
    ReturnToRoom,
    SendColibri,
    SendOffer,
    SendTerminate,
    SetAffiliation,
    ShowPresence,
)
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.record import decode, encode
from xmppconf_focus.room_access import Requester

from tests.focus.support import (
    BRIDGE,
    MODERN,
    OTHER_BRIDGE,
    ROOM,
    Stage,
    camera,
    endpoints_of,
)
from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId
from xmppconf.jingle import Action, Received
from xmppconf.sources import SourceSet

ANN, BOB, CID = EndpointId("ann"), EndpointId("bob"), EndpointId("cid")


def be_killed(stage: Stage) -> None:
    """Another focus starts, with the records and nothing else."""
    [(room, record)] = stage.focus.take_changed()
    assert room == ROOM
    assert record is not None
    stage.focus = stage.new_focus()
    assert stage.focus.restore([decode(encode(record))]) == 0


def lose_connection(stage: Stage) -> None:
    stage.focus.connection_lost()


def talking(*nicks: str) -> Stage:
    stage = Stage()
    stage.focus.recording = True
    stage.call(*nicks)
    return stage


def connect(stage: Stage) -> None:
    stage.focus.connected(stage.now)
    stage.add_bridge()
    assert stage.take(ReturnToRoom) == [ReturnToRoom(ROOM)]
    assert stage.take(JoinRoom) == []


def present(
    stage: Stage, nick: str, *, jid: str | None = None, sid: str | None = None
) -> None:
    real_jid = jid or f"{nick}@guest.localhost/web"
    occupant = Occupant(nick, real_jid, "participant", "none", ver=nick, session=sid)
    stage.focus.occupant_seen(ROOM, occupant, stage.now)


def sid_of(stage: Stage, nick: EndpointId) -> str:
    session = stage.focus.conferences[ROOM].media.participants[nick].session
    assert session is not None
    return session.sid


away = pytest.mark.parametrize("go_away", [lose_connection, be_killed])


@away
def test_who_is_still_there_keeps_its_session(go_away: Callable[[Stage], None]) -> None:
    stage = talking("ann", "bob")
    sid = sid_of(stage, ANN)
    go_away(stage)
    connect(stage)
    for nick in ("ann", "bob"):
        present(stage, nick)
    stage.focus.joined(ROOM, "owner", stage.now)
    assert stage.take(SendTerminate) == []
    assert stage.take(SendOffer) == []
    assert stage.take(ConfigureRoom) == []
    assert stage.take(ReadForm) == [ReadForm(ROOM)]  # what was set while we were away
    assert [p.bridge_count for p in stage.take(ShowPresence)] == [1]
    # What was told to the bridge last may be lost, so everybody's sources are told again.
    assert [*endpoints_of(stage.take(SendColibri))] == [
        ("ann", False, False),
        ("bob", False, False),
    ]
    # The session works: its owner may change what it sends.
    gone = SourceSet(camera("ann", 1000).sources[6:])
    stage.focus.jingle(
        ROOM, ANN, Received(Action.SOURCE_REMOVE, sid, sources=gone), stage.now
    )
    [update] = stage.take(SendColibri)
    [endpoint] = update.modify.endpoints
    assert [len(source.ssrcs) for source in endpoint.sources or ()] == [6]


@away
def test_a_newcomer_meets_those_who_were_there(go_away: Callable[[Stage], None]) -> None:
    stage = talking("ann", "bob")
    go_away(stage)
    connect(stage)
    for nick in ("ann", "bob"):
        present(stage, nick)
    stage.focus.joined(ROOM, "owner", stage.now)
    stage.take(object)
    stage.join("cid")
    [request] = stage.answer_all()
    assert request.bridge == BRIDGE
    assert not request.modify.create, "the bridge has the conference"
    assert list(stage.offers()) == [CID]


@away
def test_who_left_meanwhile_is_freed(go_away: Callable[[Stage], None]) -> None:
    stage = talking("ann", "bob", "cid")
    go_away(stage)
    connect(stage)
    for nick in ("ann", "bob"):
        present(stage, nick)
    stage.focus.joined(ROOM, "owner", stage.now)
    assert ("cid", False, True) in [*endpoints_of(stage.take(SendColibri))]


@away
@pytest.mark.parametrize("claim", ["none", "right", "wrong"])
def test_another_address_under_the_same_name_must_know_the_session(
    go_away: Callable[[Stage], None], claim: str
) -> None:
    stage = talking("ann", "bob")
    sid = {"none": None, "right": sid_of(stage, ANN), "wrong": "id-0"}[claim]
    go_away(stage)
    connect(stage)
    present(stage, "ann", jid="other@guest.localhost/web", sid=sid)
    present(stage, "bob")
    stage.focus.joined(ROOM, "owner", stage.now)
    stage.focus.features_known(ROOM, ANN, MODERN, stage.now)
    requests = [*endpoints_of(stage.answer_all())]
    offered = list(stage.offers())
    if claim == "right":
        assert offered == []
        assert ("ann", False, True) not in requests
    else:
        assert offered == [ANN]
        assert requests.index(("ann", False, True)) < requests.index(("ann", True, False))


def test_after_a_restart_of_the_server_people_have_time_to_come_back() -> None:
    stage = talking("ann", "bob")
    sid = sid_of(stage, ANN)
    lose_connection(stage)
    connect(stage)
    stage.focus.joined(ROOM, "owner", stage.now, created=True)
    assert len(stage.take(ConfigureRoom)) == 1
    stage.focus.room_configured(ROOM, {}, stage.now)
    stage.pass_time(RETURN_TIME - 1)
    present(stage, "ann", jid="new@guest.localhost/web", sid=sid)
    assert stage.take(SendTerminate) == []
    stage.take(SendColibri)
    stage.pass_time(2)
    assert [*endpoints_of(stage.take(SendColibri))] == [("bob", False, True)]
    assert sid_of(stage, ANN) == sid


def test_nobody_comes_back_and_all_is_freed() -> None:
    stage = talking("ann", "bob")
    lose_connection(stage)
    connect(stage)
    stage.focus.joined(ROOM, "owner", stage.now, created=True)
    stage.focus.room_configured(ROOM, {}, stage.now)
    stage.pass_time(RETURN_TIME + 20)
    assert stage.focus.conferences == {}
    assert any(r.modify.expire for r in stage.take(SendColibri))
    assert len(stage.take(ConferenceEnded)) == 1


def test_a_room_without_sessions_ends_with_the_connection() -> None:
    stage = Stage()
    stage.open_room()
    stage.request(ticket=7)
    stage.join("ann")
    stage.focus.connection_lost()
    assert stage.focus.conferences == {}
    assert stage.focus.next_timeout() is None
    assert [a.ready for a in stage.take(AnswerRequest)] == [True, True]


def test_who_was_being_invited_is_invited_anew() -> None:
    stage = talking("ann", "bob")
    stage.join("cid")
    [waiting] = stage.take(SendColibri)
    lose_connection(stage)
    # The questions of a broken stream fail; that says nothing about the bridge.
    stage.focus.colibri_refused(ROOM, waiting.request, None, stage.now)
    connect(stage)
    for nick in ("ann", "bob", "cid"):
        present(stage, nick)
    stage.focus.joined(ROOM, "owner", stage.now)
    stage.focus.features_known(ROOM, CID, MODERN, stage.now)
    requests = [*endpoints_of(stage.answer_all())]
    assert requests.index(("cid", False, True)) < requests.index(("cid", True, False))
    assert list(stage.offers()) == [CID]
    assert stage.take(SendTerminate) == []


def test_requests_meanwhile_wait_until_we_are_back() -> None:
    stage = talking("ann", "bob")
    lose_connection(stage)
    stage.request(ticket=9)
    connect(stage)
    assert stage.take(AnswerRequest) == []
    stage.focus.joined(ROOM, "owner", stage.now)
    assert [(a.ticket, a.ready) for a in stage.take(AnswerRequest)] == [(9, True)]


def test_a_namesake_is_thrown_out_before_we_come_back() -> None:
    stage = talking("ann", "bob")
    lose_connection(stage)
    connect(stage)
    stage.focus.room_failed(ROOM, "conflict")
    assert stage.take(EvictNamesake) == [EvictNamesake(ROOM)]
    stage.focus.namesake_evicted(ROOM)
    assert stage.take(ReturnToRoom) == [ReturnToRoom(ROOM)]


def test_requests_wait_for_a_bridge_that_comes_back_after_us() -> None:
    """Sent at once they would find nobody there, as if the bridge had died."""
    stage = talking("ann", "bob")
    lose_connection(stage)
    stage.focus.connected(stage.now)
    stage.focus.brewery_entered(stage.now, created=True)
    for nick in ("ann", "bob"):
        present(stage, nick)
    stage.focus.joined(ROOM, "owner", stage.now)
    stage.focus.occupant_left(ROOM, "bob", stage.now)
    assert stage.take(SendColibri) == []
    stage.add_bridge(BRIDGE)
    updated, also, expired = stage.take(SendColibri)
    assert {e.id for one in (updated, also) for e in one.modify.endpoints} == {ANN, BOB}
    [gone] = expired.modify.endpoints
    assert (gone.id, gone.expire) == (BOB, True)
    assert stage.take(SendTerminate) == []


@pytest.mark.parametrize("brewery", ["lived", "created", "silent"])
def test_a_bridge_that_went_meanwhile_is_replaced(brewery: str) -> None:
    stage = talking("ann", "bob")
    lose_connection(stage)
    stage.focus.connected(stage.now)
    stage.add_bridge(OTHER_BRIDGE)
    if brewery != "silent":
        stage.focus.brewery_entered(stage.now, created=brewery == "created")
    for nick in ("ann", "bob"):
        present(stage, nick)
    stage.focus.joined(ROOM, "owner", stage.now)
    if brewery != "lived":
        assert stage.take(SendTerminate) == []
        stage.pass_time(BRIDGE_RETURN_TIME)
    stage.answer_all()
    assert list(stage.offers()) == [ANN, BOB]


def test_a_record_that_contradicts_itself_is_left_out() -> None:
    stage = talking("ann", "bob")
    [(_, record)] = stage.focus.take_changed()
    assert record is not None
    bad = replace(record, media=replace(record.media, bridges=()))
    focus = stage.new_focus()
    assert focus.restore([bad]) == 1
    assert focus.conferences == {}


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"room": 7}', b"[" * 1000])
def test_bytes_that_are_no_record_are_refused(data: bytes) -> None:
    with pytest.raises(PeerError, match="record cannot be read"):
        decode(data)


def test_a_killed_focus_leaves_roles_bans_and_moderation_to_the_next() -> None:
    stage = talking("ann", "bob", "cid")
    conference = stage.focus.conferences[ROOM]
    moderator = Occupant("ann", "ann@guest.localhost/web", "moderator", "owner", ver="ann")
    stage.focus.occupant_seen(ROOM, moderator, stage.now)
    conference.access.forbid(conference.occupants["cid"], banned=True)
    conference.features.moderation.switch("audio", True, "ann")
    conference.features.moderation.allow("audio", "bob", True, "ann")
    stage.focus.occupant_left(ROOM, "cid", stage.now, banned=True)
    stage.take(object)
    be_killed(stage)
    connect(stage)
    stage.focus.occupant_seen(ROOM, moderator, stage.now)
    present(stage, "bob")
    stage.focus.joined(ROOM, "owner", stage.now)
    conference = stage.focus.conferences[ROOM]
    assert not conference.features.moderation.forbids("audio", "bob", moderator=False)
    assert conference.features.moderation.forbids("audio", "dan", moderator=False)
    entry = conference.access.request(Requester("cid@guest.localhost"), full=False)
    assert entry.refusal is Refusal.REMOVED
    # The moderator comes back under another name and is one again.
    stage.focus.occupant_left(ROOM, "ann", stage.now)
    nobody = replace(moderator, nick="anna", role="participant", affiliation="none")
    stage.focus.occupant_seen(ROOM, nobody, stage.now)
    [*_, granted] = stage.take(SetAffiliation)
    assert granted == SetAffiliation(ROOM, "ann@guest.localhost", "owner")


def test_nothing_people_say_or_are_called_is_recorded() -> None:
    stage = talking("ann", "bob")
    [(_, record)] = stage.focus.take_changed()
    assert record is not None
    assert b"nick" not in encode(record)
