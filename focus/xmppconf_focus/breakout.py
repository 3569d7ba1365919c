"""The breakout rooms of one conference: which there are, and who is in which.

Each is a room like others, with a conference of its own; only who has been in the main
room gets in.  Everybody in all of them is told who is where, a little late, because
people are moved by the dozen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from xmppconf.errors import LimitExceeded, NotFound
from xmppconf_focus.effects import RoomJid
from xmppconf_focus.occupant import Occupant

MAX_ROOMS = 50  # of one conference
MAX_NAME = 100  # characters
BATCH = 0.3  # seconds in which changes are gathered into one message

_EVENT = "features/breakout-rooms"

Rooms = Mapping[RoomJid, Iterable[Occupant]]
"""Who is in which room."""


class Breakouts:
    def __init__(self, main: RoomJid) -> None:
        self.main = main
        self.rooms: dict[RoomJid, str] = {}
        """Name by address."""
        self.due: float | None = None
        """When to tell everybody."""
        self._counter = 0

    def family(self) -> tuple[RoomJid, ...]:
        return (self.main, *self.rooms)

    def add(self, jid: RoomJid, name: str) -> None:
        """Raises `LimitExceeded`."""
        if len(self.rooms) >= MAX_ROOMS:
            raise LimitExceeded("breakout rooms", MAX_ROOMS)
        self._counter += 1
        self.rooms[jid] = name[:MAX_NAME]

    def rename(self, jid: RoomJid, name: str) -> None:
        self.check(jid)
        self.rooms[jid] = name[:MAX_NAME]

    def remove(self, jid: RoomJid) -> None:
        self.check(jid)
        del self.rooms[jid]

    def check(self, jid: RoomJid) -> None:
        """Raises `NotFound`."""
        if jid not in self.rooms:
            raise NotFound("breakout room")

    def changed(self, now: float) -> None:
        if self.due is None:
            self.due = now + BATCH

    def update(self, occupants: Rooms) -> dict[str, object]:
        """What everybody is told."""
        names = {self.main: "", **self.rooms}
        return {
            "type": "breakout_rooms",
            "event": f"{_EVENT}/update",
            "roomCounter": self._counter,
            "rooms": {
                jid.partition("@")[0]: {
                    "id": jid.partition("@")[0],
                    "jid": jid,
                    "name": name,
                    "isMainRoom": jid == self.main,
                    "participants": {
                        f"{jid}/{one.nick}": {
                            "jid": one.real_jid,
                            "displayName": (one.display_name or "")[:64],
                            "role": one.role,
                        }
                        for one in occupants.get(jid, ())
                    },
                }
                for jid, name in names.items()
            },
        }


def move(jid: RoomJid) -> dict[str, object]:
    """What somebody is told who shall go to another room."""
    return {"type": "breakout_rooms", "event": f"{_EVENT}/move-to-room", "roomJid": jid}
