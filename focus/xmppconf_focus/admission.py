"""Who gets into a room, as whom: one table, asked before anybody enters.

The room's server enforces it with what every server has, password and affiliations: the
focus gives those who may enter their affiliation when they ask for the conference, so
that nobody is stopped by a lobby that is not meant for them, moderators least of all.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from xmppconf_focus.room_settings import Access, RoomSettings


class Standing(enum.Enum):
    """What somebody is to a room, the strongest first."""

    BANNED = "banned"  # for this meeting
    REMOVED = "removed"  # kicked: only a moderator can let them in again
    MODERATOR = "moderator"  # by account, by invitation, or remembered
    ADMITTED = "admitted"  # was in already, was let in, or has an invitation
    MEMBER = "member"  # of this service
    GUEST = "guest"


class Refusal(enum.Enum):
    REMOVED = "removed"
    WAIT = "waiting-for-host"
    FULL = "full"
    INVITATION = "invitation"  # used, expired, or none of ours
    OVERLOADED = "overloaded"  # no bridge has room for one more conference


@dataclass(frozen=True, slots=True)
class Entry:
    """What a request for the conference gives."""

    refusal: Refusal | None = None
    affiliation: str | None = None
    """To give before the answer; None: leave it as it is."""
    knows_password: bool = False
    """Whether the room's password may be told."""


@dataclass(frozen=True, slots=True)
class Situation:
    host_present: bool
    full: bool


#: What a request gives by standing and access, if nothing else is against it.  A plain
#: `Entry()` leaves it to the room's server: it knows the password, or sends to the lobby.
ENTRIES: dict[Standing, dict[Access, Entry]] = {
    Standing.BANNED: dict.fromkeys(Access, Entry(Refusal.REMOVED, "outcast")),
    Standing.REMOVED: {
        **dict.fromkeys(Access, Entry(Refusal.REMOVED, "outcast")),
        Access.LOBBY: Entry(affiliation="none"),
    },
    Standing.MODERATOR: dict.fromkeys(Access, Entry(None, "owner", True)),
    Standing.ADMITTED: dict.fromkeys(Access, Entry(None, "member", True)),
    Standing.MEMBER: {
        **dict.fromkeys(Access, Entry()),
        Access.MEMBERS: Entry(None, "member"),
    },
    Standing.GUEST: dict.fromkeys(Access, Entry()),
}


def judge(standing: Standing, settings: RoomSettings, situation: Situation) -> Entry:
    entry = ENTRIES[standing][settings.access]
    if entry.refusal is not None or standing is Standing.MODERATOR:
        return entry
    if settings.wait_for_host and not situation.host_present:
        return Entry(Refusal.WAIT)
    # Somebody who comes back may still be counted from before.
    if situation.full and standing is not Standing.ADMITTED:
        return Entry(Refusal.FULL)
    if entry == Entry() and settings.access is Access.OPEN and not settings.password:
        # Members are not put out when a stock client closes the room round them.
        return Entry(affiliation="member")
    return entry
