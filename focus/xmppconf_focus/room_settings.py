"""What a room is set to: who may enter, and how.  This much of a room may be kept.

Never in here: who was there, or anything that was said.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from xmppconf.errors import LimitExceeded, PeerError
from xmppconf.strict_json import as_flag, as_integer, as_list, as_object, as_text

MAX_PASSWORD = 128  # characters
MAX_PARTICIPANTS = 10_000
MAX_MODERATORS = 200  # remembered for one room
MAX_USED = 500  # single-use invitations of one room that have been used


class Access(enum.StrEnum):
    """Who may enter.  A password may come on top of each."""

    OPEN = "open"  # everybody
    MEMBERS = "members"  # members of this service; nobody can knock
    LOBBY = "lobby"  # whom a moderator lets in
    LOCKED = "locked"  # nobody who has not been in


@dataclass(frozen=True, slots=True)
class RoomSettings:
    access: Access = Access.OPEN
    password: str = ""
    """Empty: none."""
    wait_for_host: bool = False
    """Nobody enters while no moderator is there."""
    max_participants: int = 0
    """0: as many as the service allows."""
    start_audio_muted: bool = False
    start_video_muted: bool = False

    def __post_init__(self) -> None:
        if len(self.password) > MAX_PASSWORD:
            raise LimitExceeded("length of the password", MAX_PASSWORD)
        if not 0 <= self.max_participants <= MAX_PARTICIPANTS:
            raise PeerError("max-participants is out of range")

    @property
    def members_only(self) -> bool:
        """Whether the room's server lets in only those who have an affiliation."""
        return self.access is not Access.OPEN

    @property
    def form(self) -> dict[str, str]:
        """The fields of the room's form (XEP-0045, 10.2) that enforce it."""
        return {
            "muc#roomconfig_membersonly": "1" if self.members_only else "0",
            "muc#roomconfig_passwordprotectedroom": "1" if self.password else "0",
            "muc#roomconfig_roomsecret": self.password,
        }

    def to_json(self) -> dict[str, Any]:
        """For the settings' file, without the password."""
        return {
            "access": self.access.value,
            "wait_for_host": self.wait_for_host,
            "max_participants": self.max_participants,
            "start_audio_muted": self.start_audio_muted,
            "start_video_muted": self.start_video_muted,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], password: str) -> Self:
        """Raises `PeerError`."""
        return cls(
            access_from(as_text(value.get("access"), "access")),
            password,
            as_flag(value.get("wait_for_host"), "wait_for_host"),
            as_integer(value.get("max_participants"), "number", 0, MAX_PARTICIPANTS),
            as_flag(value.get("start_audio_muted"), "start_audio_muted"),
            as_flag(value.get("start_video_muted"), "start_video_muted"),
        )


def access_from(text: str) -> Access:
    """Raises `PeerError`."""
    try:
        return Access(text)
    except ValueError:
        raise PeerError("access is unknown") from None


DEFAULT = RoomSettings()


@dataclass(frozen=True, slots=True)
class RoomRecord:
    """What is kept of a room when nobody is in it.  People are digests, not names."""

    settings: RoomSettings = DEFAULT
    moderators: frozenset[str] = frozenset()
    used_invitations: Mapping[str, str] = field(default_factory=dict)
    """Id of a single-use invitation to the digest of who used it."""

    def is_worth_keeping(self) -> bool:
        return self.settings != DEFAULT or bool(self.used_invitations)

    def to_json(self) -> dict[str, Any]:
        return {
            "settings": self.settings.to_json(),
            "moderators": sorted(self.moderators),
            "used": dict(self.used_invitations),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], password: str) -> Self:
        """Raises `PeerError`."""
        moderators = as_list(value.get("moderators"), "moderators", MAX_MODERATORS)
        used = as_object(value.get("used"), "used")
        return cls(
            RoomSettings.from_json(as_object(value.get("settings"), "settings"), password),
            frozenset(as_text(item, "moderator") for item in moderators),
            {key: as_text(item, "user") for key, item in used.items()},
        )
