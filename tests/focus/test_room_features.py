"""A/V moderation, polls, metadata and speaker stats, behind their one door."""

from __future__ import annotations

from typing import Any

import pytest
from xmppconf_focus import commands as ask
from xmppconf_focus.av_moderation import MAX_ALLOWED, MEDIA
from xmppconf_focus.effects import (
    CountReport,
    DestroyRoom,
    Effect,
    KickOccupant,
    RoomJid,
    SendJson,
    SendMute,
    SetAffiliation,
)
from xmppconf_focus.metadata import MAX_KEYS, OWN_KEYS
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.polls import MAX_CHOICES, MAX_POLLS
from xmppconf_focus.reports import MAX_REPORTED, MAX_REPORTERS, Reports
from xmppconf_focus.room_access import Rights, RoomAccess
from xmppconf_focus.room_features import BURST, RoomFeatures
from xmppconf_focus.room_settings import Access, RoomRecord

from xmppconf.colibri2 import ForceMute
from xmppconf.errors import LimitExceeded, NotAllowed, NotFound, PeerError

ROOM = RoomJid("tea@muc.localhost")


class Room:
    def __init__(self, *nicks: str) -> None:
        """The first is moderator."""
        self.now = 0.0
        self.occupants: dict[str, Occupant] = {}
        access = RoomAccess(
            *(ROOM, self.occupants, RoomRecord(), lambda _: Rights(), str), elects=True
        )
        self.features = RoomFeatures(ROOM, self.occupants, access, 1000.0, tuple, None)
        for number, nick in enumerate(nicks):
            self.enter(nick, "moderator" if number == 0 else "participant")
        self.take()

    def enter(self, nick: str, role: str = "participant") -> None:
        affiliation = "owner" if role == "moderator" else "none"
        occupant = Occupant(
            nick, f"{nick}@guest/web", role, affiliation, display_name=nick.title()
        )
        before = self.occupants.get(nick)
        self.occupants[nick] = occupant
        self.features.seen(occupant, before, self.now)

    def ask(self, nick: str, command: ask.Command) -> None:
        self.now += 1.0  # nobody is faster than that
        self.features.take(nick, command, self.now)

    def take(self) -> list[Effect]:
        return list(self.features.effects())

    def told(self, type_: str) -> list[tuple[list[str], dict[str, Any]]]:
        """Who got which JSON since the last look."""
        return [
            ([jid.partition("@")[0] for jid in effect.to], dict(effect.value))
            for effect in self.take()
            if isinstance(effect, SendJson) and effect.value["type"] == type_
        ]


@pytest.mark.parametrize("media", MEDIA)
def test_moderation_is_switched_listed_and_told(media: Any) -> None:
    room = Room("ann", "bob", "eve")
    room.ask("ann", ask.SwitchAvModeration(media, True))
    [(who, value)] = room.told("av_moderation")
    assert who == ["ann", "bob", "eve"]
    assert (value["enabled"], value["actor"]) == (True, f"{ROOM}/ann")
    room.ask("ann", ask.SwitchAvModeration(media, True))
    assert room.told("av_moderation") == []

    assert [room.features.may_unmute(n, media) for n in ("ann", "bob")] == [True, False]
    room.ask("ann", ask.AllowUnmute(media, "bob", True))
    (first, listed), (second, approved) = room.told("av_moderation")
    assert (first, listed["whitelists"]) == (["ann"], {media: [f"{ROOM}/bob"]})
    assert (second, approved["approved"]) == (["bob"], True)
    assert room.features.may_unmute("bob", media)
    room.enter("bob", "moderator")
    room.enter("late")
    assert [(w, v["enabled"]) for w, v in room.told("av_moderation") if "enabled" in v] == [
        (["late"], True)
    ]
    room.enter("bob")
    room.ask("ann", ask.AllowUnmute(media, "bob", False))
    assert not room.features.may_unmute("bob", media)
    room.ask("ann", ask.SwitchAvModeration(media, False))
    assert room.features.may_unmute("late", media)


def test_a_full_list_of_who_may_unmute_still_gets_shorter() -> None:
    room = Room("ann", "bob", "eve")
    moderation = room.features.moderation
    moderation.switch("audio", True, "ann")
    for number in range(MAX_ALLOWED - 1):
        moderation.allow("audio", f"n{number}", True, "ann")
    room.ask("ann", ask.AllowUnmute("audio", "bob", True))
    with pytest.raises(LimitExceeded):
        room.ask("ann", ask.AllowUnmute("audio", "eve", True))
    room.ask("ann", ask.AllowUnmute("audio", "bob", False))
    assert not room.features.may_unmute("bob", "audio")
    room.ask("ann", ask.AllowUnmute("audio", "eve", True))
    assert room.features.may_unmute("eve", "audio")


def test_a_nickname_that_is_taken_again_has_no_old_rights() -> None:
    room = Room("ann", "bob")
    room.ask("ann", ask.SwitchAvModeration("audio", True))
    room.ask("ann", ask.AllowUnmute("audio", "bob", True))
    del room.occupants["bob"]
    room.features.left("bob", room.now)
    room.enter("bob")
    assert not room.features.may_unmute("bob", "audio")


def test_the_bridge_drops_pictures_only_if_camera_and_screen_are_forbidden() -> None:
    room = Room("ann", "bob")
    room.ask("ann", ask.SwitchAvModeration("video", True))
    assert room.features.force_mute("bob") == ForceMute()
    room.ask("ann", ask.SwitchAvModeration("desktop", True))
    assert room.features.force_mute("bob") == ForceMute(video=True)
    assert room.features.force_mute("ann") == ForceMute()
    room.ask("ann", ask.SwitchAvModeration("audio", True))
    assert room.features.force_mute("bob") == ForceMute(True, True)
    room.enter("bob", "moderator")
    assert room.features.force_mute("bob") == ForceMute()


def poll(number: int = 1) -> ask.AskPoll:
    return ask.AskPoll(f"p{number}", "Tea?", ("yes", "no"))


def test_polls_are_asked_answered_and_shown_to_who_comes_later() -> None:
    room = Room("ann", "bob")
    room.ask("bob", poll())
    [(who, value)] = room.told("polls")
    assert (who, value["senderId"]) == (["ann", "bob"], "bob")
    room.ask("ann", ask.AnswerPoll("p1", (True, True)))
    room.ask("ann", ask.AnswerPoll("p1", (False, True)))
    assert [v["answers"] for _, v in room.told("polls")] == [[True, True], [False, True]]
    room.enter("eve")
    [(who, value)] = room.told("polls")
    assert (who, value["command"]) == (["eve"], "old-polls")
    [shown] = value["polls"]
    assert [a["voters"] for a in shown["answers"]] == [[], [{"id": "ann", "name": "Ann"}]]


def test_polls_have_limits() -> None:
    room = Room("ann")
    room.ask("ann", poll())
    with pytest.raises(PeerError) as again:
        room.ask("ann", poll())
    assert again.value.condition == "conflict"
    with pytest.raises(NotFound):
        room.ask("ann", ask.AnswerPoll("other", (True,)))
    with pytest.raises(PeerError):
        room.ask("ann", ask.AnswerPoll("p1", (True,)))
    for number in range(MAX_CHOICES):
        room.enter(f"v{number}")
        room.ask(f"v{number}", ask.AnswerPoll("p1", (True, False)))
        del room.occupants[f"v{number}"]
    with pytest.raises(LimitExceeded):
        room.ask("ann", ask.AnswerPoll("p1", (True, False)))
    for number in range(2, MAX_POLLS + 1):
        room.ask("ann", poll(number))
    with pytest.raises(LimitExceeded):
        room.ask("ann", poll(MAX_POLLS + 1))


def test_metadata_is_told_whole_and_has_limits() -> None:
    room = Room("ann", "bob")
    room.ask("ann", ask.WriteMetadata("a", 1))
    room.ask("ann", ask.WriteMetadata("b", {"c": 2}))
    [_, (who, value)] = room.told("room_metadata")
    assert (who, value["metadata"]) == (["ann", "bob"], {"a": 1, "b": {"c": 2}})
    room.ask("ann", ask.WriteMetadata("a", None))
    assert room.told("room_metadata")[0][1]["metadata"] == {"b": {"c": 2}}
    for key in OWN_KEYS - {"startMuted"}:
        with pytest.raises(NotAllowed):
            room.ask("ann", ask.WriteMetadata(key, 1))
    for number in range(MAX_KEYS - 1):
        room.ask("ann", ask.WriteMetadata(f"k{number}", 1))
    for key, data in (("more", 1), ("x" * 65, 1), ("b", "x" * 20_000)):
        with pytest.raises(LimitExceeded):
            room.ask("ann", ask.WriteMetadata(key, data))


def test_start_muted_is_a_setting_by_the_stock_way_too() -> None:
    room = Room("ann", "bob")
    room.ask("ann", ask.WriteMetadata("startMuted", {"audio": True, "video": False}))
    [*_, (_, value)] = room.told("room_metadata")
    assert value["metadata"]["startMuted"] == {"audio": True, "video": False}
    room.ask("ann", ask.ChangeSettings(access=Access.LOBBY, password="tea"))
    [*_, (_, value)] = room.told("room_metadata")
    assert value["metadata"]["lobbyEnabled"] is True
    assert value["metadata"]["room"] == {
        "access": "lobby",
        "password": True,
        "waitForHost": False,
        "maxParticipants": 0,
        "created": 1000_000,
    }
    assert value["metadata"]["startMuted"]["audio"] is True


def test_speaking_time_is_counted_for_oneself_only() -> None:
    room = Room("ann", "bob")
    room.features.take("bob", ask.Speaks(silence=False), 10.0)
    room.features.take("ann", ask.Speaks(silence=False), 15.0)
    room.features.take("ann", ask.Speaks(silence=True), 17.0)
    room.features.take("bob", ask.AskSpeakerStats(), 30.0)
    [(who, value)] = room.told("speakerstats")
    times = {n: u["totalDominantSpeakerTime"] for n, u in value["users"].items()}
    assert (who, times) == (["bob"], {"ann": 2000, "bob": 5000})
    room.features.take("bob", ask.Speaks(silence=False), 40.0)
    room.features.left("bob", 41.0)
    room.features.take("ann", ask.AskSpeakerStats(), 60.0)
    [(_, value)] = room.told("speakerstats")
    assert value["users"]["bob"]["totalDominantSpeakerTime"] == 6000


def test_mute_all_spares_who_asks_and_removing_works_on_owners() -> None:
    room = Room("ann", "bob", "eve")
    room.ask("ann", ask.MuteAll("desktop"))
    muted = [e for e in room.take() if isinstance(e, SendMute)]
    assert [(e.endpoint, e.media, e.actor) for e in muted] == [
        ("bob", "desktop", "ann"),
        ("eve", "desktop", "ann"),
    ]
    room.enter("bob", "moderator")
    room.take()
    room.ask("ann", ask.RemoveOccupant("bob", ban=True, reason="noise"))
    done = [e for e in room.take() if isinstance(e, SetAffiliation | KickOccupant)]
    assert done == [
        SetAffiliation(ROOM, "bob@guest", "member"),
        KickOccupant(ROOM, "bob", "noise"),
        SetAffiliation(ROOM, "bob@guest", "outcast"),
    ]
    with pytest.raises(NotAllowed):
        room.ask("ann", ask.RemoveOccupant("ann", ban=False))
    room.ask("ann", ask.EndConference())
    assert DestroyRoom(ROOM, "ended by a moderator") in room.take()


MODERATORS_ONLY: list[ask.Command] = [
    ask.SwitchAvModeration("audio", True),
    ask.AllowUnmute("audio", "bob", True),
    ask.AskToUnmute("audio", "ann"),
    ask.MuteAll("audio"),
    ask.WriteMetadata("k", 1),
    ask.EndConference(),
    ask.RemoveOccupant("ann", ban=False),
    ask.ChangeSettings(access=Access.OPEN),
]


@pytest.mark.parametrize("command", MODERATORS_ONLY, ids=lambda c: type(c).__name__)
def test_participants_may_not_moderate(command: ask.Command) -> None:
    room = Room("ann", "bob")
    with pytest.raises(NotAllowed):
        room.ask("bob", command)
    with pytest.raises(NotFound):
        room.ask("nobody", command)
    assert room.take() == []


def test_the_list_of_what_takes_a_moderator_is_complete() -> None:
    every = set(ask.Command.__args__)
    assert every == {type(c) for c in MODERATORS_ONLY} | set(ask.EVERYBODYS)


def test_nobody_asks_too_often() -> None:
    room = Room("ann", "bob")
    for _ in range(BURST):
        room.features.take("bob", ask.Speaks(silence=False), 0.0)
    with pytest.raises(LimitExceeded):
        room.features.take("bob", ask.Speaks(silence=False), 0.0)
    room.features.take("ann", ask.Speaks(silence=False), 0.0)
    room.features.take("bob", ask.Speaks(silence=False), 1.0)


# -- reports ---------------------------------------------------------------------------
def test_a_report_tells_moderators_who_and_how_often_and_not_by_whom() -> None:
    room = Room("ann", "bob", "eve", "kim")
    room.enter("zoe", "moderator")
    room.take()
    room.ask("bob", ask.Report("eve", "spam"))
    effects = room.take()
    assert [e for e in effects if isinstance(e, CountReport)] == [CountReport("spam")]
    sent = [e for e in effects if isinstance(e, SendJson)]
    assert {jid.partition("@")[0] for e in sent for jid in e.to} == {"ann", "zoe"}
    told = {"type": "report", "nick": "eve", "kind": "spam", "reports": 1}
    assert [dict(e.value) for e in sent] == [told, told]
    room.ask("bob", ask.Report("eve", "other"))
    assert room.take() == []
    room.ask("kim", ask.Report("eve", "other"))
    assert {value["reports"] for _, value in room.told("report")} == {2}
    # Who is reported hears nothing of it, moderator or not.
    room.ask("kim", ask.Report("ann", "harassment"))
    assert [who for who, _ in room.told("report")] == [["zoe"]]
    assert room.features.reports.total == 3
    with pytest.raises(NotAllowed):
        room.ask("kim", ask.Report("kim", "spam"))
    with pytest.raises(NotFound):
        room.ask("kim", ask.Report("nobody", "spam"))


def test_a_report_follows_a_person_to_another_nickname() -> None:
    room = Room("ann", "bob", "eve", "kim")
    room.ask("bob", ask.Report("eve", "spam"))
    for nick in ("bob", "eve"):
        del room.occupants[nick]
    room.occupants["bo"] = Occupant("bo", "bob@guest/web", "participant", "none")
    room.occupants["eva"] = Occupant("eva", "eve@guest/web", "participant", "none")
    room.take()
    room.ask("bo", ask.Report("eva", "spam"))
    assert room.take() == []
    room.ask("kim", ask.Report("eva", "spam"))
    assert [value["reports"] for _, value in room.told("report")] == [2]


def test_reports_are_bounded() -> None:
    reports = Reports()
    for number in range(MAX_REPORTED):
        reports.add(frozenset({f"p{number}"}), frozenset({"x"}))
    with pytest.raises(LimitExceeded):
        reports.add(frozenset({"more"}), frozenset({"x"}))
    for number in range(MAX_REPORTERS - 1):
        reports.add(frozenset({"p1"}), frozenset({f"r{number}"}))
    with pytest.raises(LimitExceeded):
        reports.add(frozenset({"p1"}), frozenset({"more"}))
    assert reports.total == MAX_REPORTED + MAX_REPORTERS - 1
