"""The lobby of one room: who waits, and the moderators who look on.

On the wire it is a room of its own (XEP-0045) that the focus plays: `tea@focus.example`
for the room `tea@muc.example`.  Those who wait are there by directed presence, so the
server itself says when one of them is gone (RFC 6121, 4.6).  They see only themselves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from xmppconf.errors import Condition, LimitExceeded, NotFound, PeerError
from xmppconf_focus.effects import LobbyPresence, RoomJid

MAX_WAITING = 100  # at the same time before one room
MAX_NAME = 64  # characters
MAX_EMAIL = 256

SELF = 110
KICKED = 307


class NickTaken(PeerError):
    condition: Condition = "conflict"


@dataclass(frozen=True, slots=True)
class Knock:
    """Somebody who waits; `jid` is the full real address."""

    jid: str
    nick: str
    name: str = ""
    email: str = ""

    @property
    def bare_jid(self) -> str:
        return self.jid.partition("/")[0]


class Lobby:
    def __init__(self, room: RoomJid) -> None:
        self._room = room
        self._waiting: dict[str, Knock] = {}
        """By nickname."""
        self._watchers: dict[str, str] = {}
        """Nickname in the lobby by full real address, for moderators."""
        self._effects: deque[LobbyPresence] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def knock(self, knock: Knock) -> None:
        """Let somebody wait, or take its new name; raises `PeerError`."""
        before = self._waiting.get(knock.nick)
        if before is not None and before.jid != knock.jid:
            raise NickTaken("nickname")
        if knock.nick in self._watchers.values():
            raise NickTaken("nickname")
        if before == knock:
            return
        # One session is one person: a second nickname replaces the first.
        known = any(other.jid == knock.jid for other in self._waiting.values())
        if not known and len(self._waiting) >= MAX_WAITING:
            raise LimitExceeded("people waiting", MAX_WAITING)
        self.depart(knock.jid, keep=knock.nick)
        self._waiting[knock.nick] = knock
        self._show(knock.jid, knock, SELF)
        for watcher in self._watchers:
            self._show(watcher, knock)

    def watch(self, jid: str, nick: str) -> None:
        """A moderator looks on; raises `PeerError`."""
        if nick in self._waiting or (
            nick in self._watchers.values() and self._watchers.get(jid) != nick
        ):
            raise NickTaken("nickname")
        if jid in self._watchers:
            return
        self.depart(jid)
        self._watchers[jid] = nick
        for knock in self._waiting.values():
            self._show(jid, knock)
        self._effects.append(
            LobbyPresence(self._room, jid, nick, jid, moderator=True, status=(SELF,))
        )

    def depart(self, jid: str, keep: str = "") -> None:
        """That session is gone, or has entered the room, or does not look on any more."""
        self._watchers.pop(jid, None)
        for knock in [k for k in self._waiting.values() if k.jid == jid]:
            if knock.nick != keep:
                self._remove(knock, SELF)

    def deny(self, nick: str) -> Knock:
        """Raises `NotFound`."""
        knock = self._waiting.get(nick)
        if knock is None:
            raise NotFound("nobody of that name waits")
        self._remove(knock, SELF, KICKED)
        return knock

    def open_for(self, jid: str) -> None:
        """That one may join the room now."""
        for knock in [k for k in self._waiting.values() if k.bare_jid == jid]:
            self._remove(knock, SELF, destroyed=True, to=self._room)

    def close(self, *, ended: bool) -> None:
        """All may join the room, or it has ended and nobody may."""
        to = None if ended else self._room
        for knock in list(self._waiting.values()):
            self._remove(knock, SELF, destroyed=True, to=to)
        for jid, nick in self._watchers.items():
            self._effects.append(
                LobbyPresence(
                    *(self._room, jid, nick, jid),
                    moderator=True,
                    available=False,
                    status=(SELF,),
                    destroyed=True,
                )
            )
        self._watchers.clear()

    def effects(self) -> Iterator[LobbyPresence]:
        while self._effects:
            yield self._effects.popleft()

    def _remove(
        self,
        knock: Knock,
        *status: int,
        destroyed: bool = False,
        to: RoomJid | None = None,
    ) -> None:
        del self._waiting[knock.nick]
        self._effects.append(
            LobbyPresence(
                *(self._room, knock.jid, knock.nick, knock.jid),
                available=False,
                status=status,
                destroyed=destroyed,
                to_room=to,
            )
        )
        seen = tuple(code for code in status if code != SELF)
        for watcher in self._watchers:
            self._effects.append(
                LobbyPresence(
                    *(self._room, watcher, knock.nick, knock.jid),
                    available=False,
                    status=seen,
                )
            )

    def _show(self, to: str, knock: Knock, *status: int) -> None:
        self._effects.append(
            LobbyPresence(
                *(self._room, to, knock.nick, knock.jid),
                name=knock.name,
                email=knock.email,
                status=status,
            )
        )
