"""In which of our rooms a session is, by its full real address.

Components are spoken to from that address, which names no room.
"""

from __future__ import annotations

from xmppconf_focus.effects import RoomJid


class Presences:
    def __init__(self) -> None:
        self._rooms: dict[str, dict[RoomJid, str]] = {}
        """Nickname by room by full real address, the latest room last."""

    def __contains__(self, jid: str) -> bool:
        return jid in self._rooms

    def add(self, jid: str, room: RoomJid, nick: str) -> None:
        rooms = self._rooms.setdefault(jid, {})
        if rooms.get(room) != nick:
            rooms.pop(room, None)
            rooms[room] = nick

    def remove(self, jid: str, room: RoomJid) -> None:
        rooms = self._rooms.get(jid, {})
        rooms.pop(room, None)
        if not rooms:
            self._rooms.pop(jid, None)

    def find(self, jid: str, room: RoomJid | None = None) -> tuple[RoomJid, str] | None:
        """Where that session is, and as whom; without `room` where it came to last."""
        rooms = self._rooms.get(jid, {})
        if room is None:
            room = next(reversed(rooms), None)
        if room is None or room not in rooms:
            return None
        return room, rooms[room]
