"""How the focus gets into a room, for the first time or again.

While it was not there somebody may have taken its nickname, and a room that has outlived
it may have a password, which its form tells to owners.  Each of both is tried once.
"""

from __future__ import annotations

from collections.abc import Mapping

from xmppconf.errors import Condition
from xmppconf_focus.effects import (
    EvictNamesake,
    JoinRoom,
    ReadForm,
    ReturnToRoom,
    RoomJid,
)

SETUP_TIMEOUT = 15.0  # seconds for joining and configuring the room


class Entering:
    def __init__(self, room: RoomJid) -> None:
        self.deadline: float | None = None
        """When the room must be ready; None: it is, or nobody tries."""
        self._room = room
        self._returns = False
        self._evicted = False
        self._password_asked = False

    def begin(self, now: float, *, returns: bool = False) -> JoinRoom | ReturnToRoom:
        """`returns` if clients shall not see that we were away."""
        self.deadline = now + SETUP_TIMEOUT
        self._returns = returns
        return self.again()

    def again(self, form: Mapping[str, str] | None = None) -> JoinRoom | ReturnToRoom:
        """What was in the way is gone; or `form` is the room's, which has a password."""
        password = (form or {}).get("muc#roomconfig_roomsecret", "")
        if self._returns:
            return ReturnToRoom(self._room, password)
        return JoinRoom(self._room, password)

    def refused(self, condition: Condition) -> EvictNamesake | ReadForm | None:
        """What to do about it; None: nothing helps."""
        if condition == "conflict" and not self._evicted:
            self._evicted = True
            return EvictNamesake(self._room)
        if condition == "not-authorized" and not self._password_asked:
            self._password_asked = True
            return ReadForm(self._room)
        return None

    def end(self) -> None:
        """The room is ready, or given up."""
        self.deadline = None

    def forget(self) -> None:
        """We are away; what was tried counts no more."""
        self.deadline = None
        self._evicted = self._password_asked = False
