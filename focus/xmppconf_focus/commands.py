"""What people in a room ask of its features, as values; `io.commands` reads them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from xmppconf_focus.effects import Abuse, MutedMedia, RoomJid
from xmppconf_focus.room_settings import Access, RoomSettings


@dataclass(frozen=True, slots=True)
class SwitchAvModeration:
    media: MutedMedia
    on: bool


@dataclass(frozen=True, slots=True)
class AllowUnmute:
    """Put somebody on the list of those who may unmute, or take it off."""

    media: MutedMedia
    nick: str
    allowed: bool


@dataclass(frozen=True, slots=True)
class AskToUnmute:
    media: MutedMedia
    nick: str


@dataclass(frozen=True, slots=True)
class MuteAll:
    """Everybody but the sender."""

    media: MutedMedia


@dataclass(frozen=True, slots=True)
class Speaks:
    """The sender is the dominant speaker, or it is but has gone silent."""

    silence: bool


@dataclass(frozen=True, slots=True)
class AskSpeakerStats:
    pass


@dataclass(frozen=True, slots=True)
class AskPoll:
    poll: str
    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnswerPoll:
    poll: str
    vote: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class WriteMetadata:
    key: str
    data: Any


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """What is None stays as it is."""

    access: Access | None = None
    password: str | None = None
    wait_for_host: bool | None = None
    max_participants: int | None = None
    start_audio_muted: bool | None = None
    start_video_muted: bool | None = None

    def applied(self, settings: RoomSettings) -> RoomSettings:
        """Raises `PeerError`."""
        changed = {name: value for name, value in asdict(self).items() if value is not None}
        return replace(settings, **changed)


@dataclass(frozen=True, slots=True)
class EndConference:
    pass


@dataclass(frozen=True, slots=True)
class RemoveOccupant:
    nick: str
    ban: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Somebody abuses the room."""

    nick: str
    kind: Abuse


@dataclass(frozen=True, slots=True)
class AddBreakout:
    name: str


@dataclass(frozen=True, slots=True)
class RemoveBreakout:
    jid: RoomJid


@dataclass(frozen=True, slots=True)
class RenameBreakout:
    jid: RoomJid
    name: str


@dataclass(frozen=True, slots=True)
class MoveToRoom:
    participant: str
    """Full real address."""
    jid: RoomJid


#: About several rooms at once, so the focus itself takes them.
BreakoutCommand = AddBreakout | RemoveBreakout | RenameBreakout | MoveToRoom

Command = (
    SwitchAvModeration
    | AllowUnmute
    | AskToUnmute
    | MuteAll
    | Speaks
    | AskSpeakerStats
    | AskPoll
    | AnswerPoll
    | WriteMetadata
    | ChangeSettings
    | EndConference
    | RemoveOccupant
    | Report
)

#: What a participant may do; everything else takes a moderator.
EVERYBODYS = (Speaks, AskSpeakerStats, AskPoll, AnswerPoll, Report)
