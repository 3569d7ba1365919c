"""Rooms' features in the whole focus: media follow moderation, rooms follow each other."""

from __future__ import annotations

import pytest
from xmppconf_focus import commands as ask
from xmppconf_focus.breakout import BATCH, MAX_ROOMS
from xmppconf_focus.conference import State
from xmppconf_focus.effects import (
    AnswerRequest,
    ConfigureRoom,
    DestroyRoom,
    JoinRoom,
    KickOccupant,
    LobbyPresence,
    ReadForm,
    RoomJid,
    SendColibri,
    SendJson,
    SendMute,
    SetSubject,
    Ticket,
)
from xmppconf_focus.lobby import Knock
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.patience import BREAKOUT_PATIENCE, LOBBY_PATIENCE
from xmppconf_focus.room_access import Requester
from xmppconf_focus.room_settings import Access, RoomRecord, RoomSettings

from tests.focus.support import ROOM, Stage
from xmppconf.colibri2 import ForceMute
from xmppconf.errors import LimitExceeded, NotAllowed, NotFound
from xmppconf.ids import EndpointId

EVENT = "features/breakout-rooms/"


def become(stage: Stage, nick: str, role: str, room: RoomJid = ROOM) -> None:
    affiliation = "owner" if role == "moderator" else "member"
    jid = f"{nick}@guest.localhost/web"
    stage.focus.occupant_seen(
        room, Occupant(nick, jid, role, affiliation, ver=nick), stage.now
    )


def meeting(*nicks: str) -> Stage:
    """Everybody is in a session, and the first is moderator."""
    stage = Stage()
    stage.call(*nicks)
    become(stage, nicks[0], "moderator")
    stage.take(object)
    return stage


def take(stage: Stage, nick: str, *commands: ask.Command | ask.BreakoutCommand) -> None:
    for command in commands:
        stage.pass_time(0.6)  # nobody is faster than that
        stage.focus.take(ROOM, nick, command, stage.now)


def forced(stage: Stage) -> dict[str, ForceMute]:
    """What bridges were told to drop since the last look, by endpoint."""
    return {
        endpoint.id: endpoint.force_mute
        for request in stage.take(SendColibri)
        for endpoint in request.modify.endpoints
        if endpoint.force_mute is not None
    }


def muted(stage: Stage) -> list[tuple[EndpointId, str]]:
    return [(e.endpoint, e.media) for e in stage.take(SendMute) if e.actor is None]


def test_the_bridge_drops_and_clients_mute_what_is_moderated() -> None:
    stage = meeting("ann", "bob")
    take(stage, "ann", ask.SwitchAvModeration("audio", True))
    assert forced(stage) == {"bob": ForceMute(audio=True)}
    assert muted(stage) == [("bob", "audio")]
    take(stage, "ann", ask.AllowUnmute("audio", "bob", True))
    assert forced(stage) == {"bob": ForceMute()}
    take(stage, "ann", ask.AllowUnmute("audio", "bob", False))
    assert forced(stage) == {"bob": ForceMute(audio=True)}
    become(stage, "bob", "moderator")
    assert forced(stage) == {"bob": ForceMute()}
    become(stage, "bob", "participant")
    assert forced(stage) == {"bob": ForceMute(audio=True)}
    take(stage, "ann", ask.SwitchAvModeration("audio", False))
    assert forced(stage) == {"bob": ForceMute()}


def test_a_newcomer_is_dropped_from_the_first_packet_and_told_to_mute() -> None:
    stage = meeting("ann", "bob")
    take(stage, "ann", ask.SwitchAvModeration("audio", True))
    stage.take(object)
    stage.join("eve")
    requests = stage.answer_all()
    [created] = [e for r in requests for e in r.modify.endpoints if e.create]
    assert (created.id, created.force_mute) == ("eve", ForceMute(audio=True))
    assert muted(stage) == []  # there is no session yet
    stage.accept(EndpointId("eve"), stage.offers()[EndpointId("eve")])
    assert muted(stage) == [("eve", "audio")]


def test_newcomers_start_muted_and_moderators_do_not() -> None:
    stage = meeting("ann", "bob")
    take(stage, "ann", ask.ChangeSettings(start_audio_muted=True))
    stage.join("eve")
    stage.join("kim", role="moderator")
    stage.answer_all()
    offers = stage.offers()
    starts = {
        nick: (offer.start_audio_muted, offer.start_video_muted)
        for nick, offer in offers.items()
    }
    assert starts == {"eve": (True, False), "kim": (False, False)}


# -- who came past the request ---------------------------------------------------------
def test_who_joins_a_full_room_is_sent_away_and_may_come_when_there_is_room() -> None:
    stage = meeting("ann", "bob")
    take(stage, "ann", ask.ChangeSettings(max_participants=2))
    stage.join("eve", None)
    assert stage.take(KickOccupant) == [KickOccupant(ROOM, "eve", "full")]
    assert set(stage.focus.conferences[ROOM].occupants) == {"ann", "bob"}
    stage.focus.occupant_left(ROOM, "eve", stage.now, kicked=True)
    # Moderators, and who has been in, are not counted out.
    stage.join("kim", role="moderator")
    stage.focus.occupant_left(ROOM, "bob", stage.now)
    stage.join("zoe", None)
    stage.join("bob")
    assert stage.take(KickOccupant) == [KickOccupant(ROOM, "zoe", "full")]
    take(stage, "ann", ask.ChangeSettings(max_participants=0))
    stage.join("eve")
    assert set(stage.focus.conferences[ROOM].occupants) == {"ann", "bob", "eve", "kim"}


def test_who_joins_before_the_host_is_sent_away() -> None:
    stage = meeting("ann", "bob")
    take(stage, "ann", ask.ChangeSettings(wait_for_host=True))
    stage.focus.request(Ticket(8), ROOM, Requester("kim@guest.localhost"), stage.now)
    stage.focus.occupant_left(ROOM, "ann", stage.now)
    stage.join("eve", None)
    assert stage.take(KickOccupant) == [KickOccupant(ROOM, "eve", "waiting-for-host")]
    stage.join("kim")  # asked while the host was there
    stage.join("ann", role="moderator")
    stage.join("eve")
    assert stage.take(KickOccupant) == []


# -- breakout rooms --------------------------------------------------------------------
def told(stage: Stage, event: str) -> list[SendJson]:
    return [e for e in stage.take(SendJson) if e.value.get("event") == EVENT + event]


def with_breakout(stage: Stage) -> RoomJid:
    take(stage, "ann", ask.AddBreakout("One"))
    stage.pass_time(BATCH)
    [update] = told(stage, "update")
    rooms = update.value["rooms"]
    [side] = [one["jid"] for one in rooms.values() if not one["isMainRoom"]]
    return RoomJid(side)


def enter(stage: Stage, room: RoomJid, nick: str, role: str = "participant") -> None:
    requester = Requester(f"{nick}@guest.localhost")
    stage.focus.request(Ticket(7), room, requester, stage.now)
    if stage.take(JoinRoom):
        stage.focus.joined(room, "owner", stage.now)
        stage.focus.room_configured(room, {}, stage.now)
    become(stage, nick, role, room)


def test_changes_are_gathered_and_told_to_all_rooms() -> None:
    stage = meeting("ann", "bob")
    side = with_breakout(stage)
    take(stage, "ann", ask.RenameBreakout(side, "Two"))
    stage.focus.occupant_left(ROOM, "bob", stage.now)
    enter(stage, side, "bob")
    assert told(stage, "update") == []
    stage.pass_time(BATCH)
    [update] = told(stage, "update")
    assert set(update.to) == {f"{n}@guest.localhost/web" for n in ("ann", "bob")}
    room = update.value["rooms"][side.partition("@")[0]]
    assert (room["name"], list(room["participants"])) == ("Two", [f"{side}/bob"])


def test_a_report_in_a_breakout_room_reaches_moderators_elsewhere() -> None:
    stage = meeting("ann", "bob", "eve", "kim")
    side = with_breakout(stage)
    for nick in ("bob", "eve"):
        stage.focus.occupant_left(ROOM, nick, stage.now)
        enter(stage, side, nick)
    stage.take(SendJson)
    stage.focus.take(side, "bob", ask.Report("eve", "spam"), stage.now)
    report = {"type": "report", "nick": "eve", "kind": "spam", "reports": 1}
    where = {"name": "", "room": "One"}
    ann = "ann@guest.localhost/web"
    assert stage.take(SendJson) == [SendJson((ann,), {**report, **where})]
    # Counted over the whole meeting: the same two once more, elsewhere.
    for nick in ("bob", "eve"):
        stage.focus.occupant_left(side, nick, stage.now)
        enter(stage, ROOM, nick)
    stage.take(SendJson)
    stage.focus.take(ROOM, "bob", ask.Report("eve", "spam"), stage.now)
    assert stage.take(SendJson) == []
    stage.focus.take(ROOM, "kim", ask.Report("eve", "spam"), stage.now)
    assert [e.value["reports"] for e in stage.take(SendJson)] == [2]


def test_a_breakout_room_says_what_it_is() -> None:
    stage = meeting("ann", "bob")
    side = with_breakout(stage)
    stage.take(SetSubject)
    enter(stage, side, "bob")
    assert stage.take(SetSubject) == [SetSubject(side, "One")]
    take(stage, "ann", ask.RenameBreakout(side, "Two"))
    assert stage.take(SetSubject) == [SetSubject(side, "Two")]
    began = {"muc#roominfo_created_timestamp": f"{round(stage.unix * 1000)}"}
    assert stage.focus.info(ROOM) == began
    assert stage.focus.info(side) == {
        **began,
        "muc#roominfo_isbreakout": "true",
        "muc#roominfo_breakout_main_room": ROOM,
    }


def test_the_main_room_waits_for_those_elsewhere_and_takes_the_others_along() -> None:
    stage = meeting("ann", "bob")
    side = with_breakout(stage)
    enter(stage, side, "bob")
    for nick in ("ann", "bob"):
        stage.focus.occupant_left(ROOM, nick, stage.now)
    stage.pass_time(3 * BREAKOUT_PATIENCE)
    assert stage.focus.conferences[ROOM].state is State.READY
    stage.focus.occupant_left(side, "bob", stage.now)
    stage.pass_time(2 * BREAKOUT_PATIENCE)
    assert stage.focus.conferences == {}

    stage = meeting("ann", "bob")
    side = with_breakout(stage)
    enter(stage, side, "bob")
    stage.focus.removed(ROOM)
    assert [e.room for e in stage.take(DestroyRoom)] == [side]


def test_who_is_moved_where_and_who_may_ask_for_it() -> None:
    stage = meeting("ann", "bob")
    side = with_breakout(stage)
    bob = "bob@guest.localhost/web"
    with pytest.raises(NotAllowed):
        take(stage, "bob", ask.MoveToRoom(bob, side))
    for wrong in (
        ask.MoveToRoom("x@guest.localhost/web", side),
        ask.MoveToRoom(bob, RoomJid("milk@muc.localhost")),
        ask.RemoveBreakout(RoomJid("milk@muc.localhost")),
        ask.RenameBreakout(ROOM, "main"),
    ):
        with pytest.raises(NotFound):
            take(stage, "ann", wrong)
    take(stage, "ann", ask.MoveToRoom(bob, side))
    [move] = told(stage, "move-to-room")
    assert (move.to, move.value["roomJid"]) == ((bob,), side)
    enter(stage, side, "bob")
    take(stage, "ann", ask.RemoveBreakout(side))
    [move] = told(stage, "move-to-room")
    assert (move.to, move.value["roomJid"]) == ((bob,), ROOM)
    assert [e.room for e in stage.take(DestroyRoom)] == [side]
    for number in range(MAX_ROOMS):
        stage.pass_time(1.0)
        take(stage, "ann", ask.AddBreakout(str(number)))
    with pytest.raises(LimitExceeded):
        take(stage, "ann", ask.AddBreakout("more"))


# -- set-up ----------------------------------------------------------------------------
def test_kept_settings_are_in_force_before_anybody_is_answered() -> None:
    stage = Stage()
    kept = RoomRecord(RoomSettings(Access.LOBBY, "tea"))
    stage.memory.put(ROOM, kept)
    stage.request()
    stage.focus.joined(ROOM, "owner", stage.now)
    [configure] = stage.take(ConfigureRoom)
    assert dict(configure.fields) == kept.settings.form
    assert stage.take(AnswerRequest) == []
    stage.focus.room_configured(ROOM, {}, stage.now)
    [answer] = stage.take(AnswerRequest)
    assert (answer.ready, answer.password) == (True, None)


def test_a_room_that_outlived_us_with_a_password_tells_it() -> None:
    stage = Stage()
    stage.request()
    stage.take(object)
    stage.focus.room_failed(ROOM, "not-authorized")
    assert stage.take(ReadForm) == [ReadForm(ROOM)]
    stage.focus.form_read(ROOM, {"muc#roomconfig_roomsecret": "tea"}, stage.now)
    assert stage.take(JoinRoom) == [JoinRoom(ROOM, "tea")]
    stage.focus.room_failed(ROOM, "not-authorized")  # once is enough
    [answer] = stage.take(AnswerRequest)
    assert not answer.ready


def test_an_empty_room_is_kept_for_who_waits_and_tells_them_when_it_ends() -> None:
    stage = Stage()
    stage.memory.put(ROOM, RoomRecord(RoomSettings(Access.LOBBY)))
    stage.request()
    stage.focus.joined(ROOM, "owner", stage.now)
    stage.focus.room_configured(ROOM, {}, stage.now)
    knock = Knock("eve@guest.localhost/web", "eve", "Eve")
    stage.focus.knock(ROOM, knock, "", stage.now)
    stage.take(object)
    stage.pass_time(LOBBY_PATIENCE - 1)
    assert ROOM in stage.focus.conferences
    stage.pass_time(2)
    assert stage.focus.conferences == {}
    [gone] = stage.take(LobbyPresence)
    assert (gone.to, gone.destroyed, gone.to_room) == (knock.jid, True, None)
    with pytest.raises(NotFound):
        stage.focus.knock(ROOM, knock, "", stage.now)
