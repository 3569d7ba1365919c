"""What a breakout room has from its main one."""

from __future__ import annotations

from dataclasses import dataclass

from xmppconf_focus.effects import RoomJid
from xmppconf_focus.reports import Reports
from xmppconf_focus.room_access import RoomAccess


@dataclass(frozen=True, slots=True)
class Parent:
    room: RoomJid
    access: RoomAccess
    name: str
    """What the breakout room is called."""
    reports: Reports
