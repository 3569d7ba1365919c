"""The small features of one room: each a machine of its own, together behind one door.

The caller says who is there and what they ask; what the features tell people, and what
they want done, comes back from `effects()`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, assert_never

from xmppconf.colibri2 import ForceMute
from xmppconf.errors import LimitExceeded, NotAllowed, NotFound
from xmppconf.ids import EndpointId
from xmppconf.strict_json import as_flag, as_object
from xmppconf_focus import commands as ask
from xmppconf_focus.av_moderation import AvModeration
from xmppconf_focus.effects import (
    Abuse,
    CountReport,
    DestroyRoom,
    Effect,
    KickOccupant,
    MutedMedia,
    RoomJid,
    SendJson,
    SendMute,
    SetAffiliation,
)
from xmppconf_focus.metadata import Metadata
from xmppconf_focus.notices import Notice
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.parent import Parent
from xmppconf_focus.polls import Polls
from xmppconf_focus.rate import TokenBucket
from xmppconf_focus.reports import Reports
from xmppconf_focus.room_access import RoomAccess
from xmppconf_focus.room_settings import Access
from xmppconf_focus.speaker_stats import SpeakerStats

MAX_NAME = 64  # characters of a display name in what others are told

NOTHING = ForceMute()

BURST = 30  # requests of one occupant at once; each may be told to everybody
RATE = 2.0  # a second


class RoomFeatures:
    """`occupants` is the conference's own table, read and never written here.

    `created` is when it began, in seconds since 1970: what people see as its time.
    """

    def __init__(
        self,
        room: RoomJid,
        occupants: Mapping[str, Occupant],
        access: RoomAccess,
        created: float,
        family: Callable[[], Iterable[Occupant]],
        parent: Parent | None,
    ) -> None:
        """`family` are those in other rooms of the same meeting; `parent` is the main room
        if this is a breakout room."""
        self.moderation = AvModeration(room)
        self.metadata = Metadata(room)
        self.reports = Reports() if parent is None else parent.reports
        self._family = family
        self._name = "" if parent is None else parent.name
        self._room = room
        self._access = access
        self._created = created
        self._occupants = occupants
        self._stats = SpeakerStats()
        self._polls = Polls()
        self._rates: dict[str, TokenBucket] = {}
        self._effects: deque[Effect] = deque()

    # -- who is there ------------------------------------------------------------------
    def seen(self, occupant: Occupant, before: Occupant | None, now: float) -> None:
        """Somebody joined (`before` is None) or changed."""
        nick = occupant.nick
        self._stats.joined(nick, name_of(occupant))
        if before is None:
            self._tell(self.metadata.joined(nick))
            self._tell(self.moderation.joined(nick))
            self._tell(self._polls.joined(nick))
            self._tell([self._stats.notice(nick, now)])
        if occupant.is_moderator and (before is None or not before.is_moderator):
            self._tell(self.moderation.promoted(nick))

    def left(self, nick: str, now: float) -> None:
        self._rates.pop(nick, None)
        self._stats.left(nick, now)
        self.moderation.left(nick)

    # -- what they ask -----------------------------------------------------------------
    def take(self, nick: str, command: ask.Command, now: float) -> None:
        """Do what an occupant asks; raises `PeerError` to refuse it."""
        sender = self._occupants.get(nick)
        if sender is None:
            raise NotFound("occupant")
        self.count(nick, now)
        if not sender.is_moderator and not isinstance(command, ask.EVERYBODYS):
            raise NotAllowed("not a moderator")
        match command:
            case ask.Speaks(silence):
                self._stats.dominant(nick, silence, now)
            case ask.AskSpeakerStats():
                self._tell([self._stats.notice(nick, now)])
            case ask.AskPoll(poll, question, answers):
                self._tell(self._polls.ask(nick, poll, question, answers))
            case ask.AnswerPoll(poll, vote):
                self._tell(self._polls.answer(nick, name_of(sender), poll, vote))
            case ask.WriteMetadata("startMuted", data):
                self._start_muted(data)
            case ask.WriteMetadata(key, data):
                self._tell(self.metadata.write(key, data))
            case ask.SwitchAvModeration(media, on):
                self._tell(self.moderation.switch(media, on, nick))
            case ask.AllowUnmute(media, target, allowed):
                self._find(target)
                self._tell(self.moderation.allow(media, target, allowed, nick))
            case ask.AskToUnmute(media, target):
                self._ask_to_unmute(media, target, nick)
            case ask.MuteAll(media):
                self._effects.extend(
                    SendMute(self._room, EndpointId(other), media, actor=EndpointId(nick))
                    for other in self._occupants
                    if other != nick
                )
            case ask.RemoveOccupant():
                self._remove(sender, command)
            case ask.Report(target, kind):
                self._report(sender, self._find(target), kind)
            case ask.ChangeSettings():
                self._access.change(command.applied(self._access.settings))
                self.publish()
            case ask.EndConference():
                self._effects.append(DestroyRoom(self._room, "ended by a moderator"))
            case _:
                assert_never(command)

    def count(self, nick: str, now: float) -> None:
        """One more request of an occupant; raises `LimitExceeded`."""
        if not self._rates.setdefault(nick, TokenBucket(RATE, BURST)).take(now):
            raise LimitExceeded("requests at once", BURST)

    def _start_muted(self, data: Any) -> None:
        wanted = as_object(data, "startMuted")
        settings = replace(
            self._access.settings,
            start_audio_muted=as_flag(wanted.get("audio", False), "audio"),
            start_video_muted=as_flag(wanted.get("video", False), "video"),
        )
        self._access.change(settings)
        self.publish()

    def _find(self, nick: str) -> Occupant:
        if (target := self._occupants.get(nick)) is None:
            raise NotFound("occupant")
        return target

    def _ask_to_unmute(self, media: MutedMedia, target: str, actor: str) -> None:
        self._find(target)
        self._tell(self.moderation.allow(media, target, True, actor))
        value = {
            "type": "ask_to_unmute",
            "mediaType": media,
            "actor": f"{self._room}/{actor}",
        }
        self._tell([Notice(value, to=target)])

    def _remove(self, sender: Occupant, command: ask.RemoveOccupant) -> None:
        target = self._find(command.nick)
        if target.nick == sender.nick:
            raise NotAllowed("removing oneself")
        if target.affiliation in ("owner", "admin") and target.bare_jid is not None:
            # Servers do not let an owner be kicked.
            self._effects.append(SetAffiliation(self._room, target.bare_jid, "member"))
        self._effects.append(KickOccupant(self._room, target.nick, command.reason))
        self._access.forbid(target, banned=command.ban)
        self._effects.extend(self._access.effects())

    def _report(self, sender: Occupant, target: Occupant, kind: Abuse) -> None:
        if target.nick == sender.nick:
            raise NotAllowed("reporting oneself")
        person = self._access.person
        reports = self.reports.add(person(target), person(sender))
        if reports is None:
            return
        self._effects.append(CountReport(kind))
        value = {"type": "report", "nick": target.nick, "kind": kind, "reports": reports}
        self._tell(
            Notice(value, to=moderator.nick)
            for moderator in self._occupants.values()
            if moderator.is_moderator and moderator.nick != target.nick
        )
        elsewhere = tuple(
            moderator.real_jid
            for moderator in self._family()
            if moderator.is_moderator
            and moderator.real_jid is not None
            and person(moderator).isdisjoint(person(target))
        )
        if elsewhere:
            # There the nickname says nothing.
            where = {"name": name_of(target), "room": self._name}
            self._effects.append(SendJson(elsewhere, {**value, **where}))

    # -- what follows ------------------------------------------------------------------
    def force_mute(self, nick: str) -> ForceMute:
        """What of this occupant's media the bridge shall drop, as things are now."""
        occupant = self._occupants.get(nick)
        if occupant is None:
            return NOTHING
        return self.moderation.force_mute(nick, moderator=occupant.is_moderator)

    def may_unmute(self, nick: str, media: MutedMedia) -> bool:
        occupant = self._occupants.get(nick)
        moderator = occupant is not None and occupant.is_moderator
        return not self.moderation.forbids(media, nick, moderator=moderator)

    def publish(self) -> None:
        """Tell everybody the settings if they are not what was told last."""
        settings = self._access.settings
        lobby = settings.access is Access.LOBBY
        told = {
            "access": settings.access.value,
            "password": bool(settings.password),
            "waitForHost": settings.wait_for_host,
            "maxParticipants": settings.max_participants,
            "created": round(self._created * 1000),
        }
        muted = {"audio": settings.start_audio_muted, "video": settings.start_video_muted}
        self._tell(self.metadata.publish("room", told))
        self._tell(self.metadata.publish("startMuted", muted))
        self._tell(self.metadata.publish("lobbyEnabled", lobby))

    def _tell(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            people: Iterable[Occupant] = self._occupants.values()
            if notice.to is not None:
                one = self._occupants.get(notice.to)
                people = () if one is None else (one,)
            to = tuple(
                occupant.real_jid
                for occupant in people
                if occupant.real_jid is not None
                and (occupant.is_moderator or not notice.moderators_only)
            )
            if to:
                self._effects.append(SendJson(to, notice.value))

    def effects(self) -> Iterator[Effect]:
        while self._effects:
            yield self._effects.popleft()


def name_of(occupant: Occupant) -> str:
    return (occupant.display_name or "")[:MAX_NAME]
