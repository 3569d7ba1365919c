"""Main rooms and their breakout rooms, over all conferences."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping

from xmppconf.errors import NotFound
from xmppconf_focus import breakout
from xmppconf_focus.breakout import Breakouts
from xmppconf_focus.commands import (
    AddBreakout,
    BreakoutCommand,
    MoveToRoom,
    RemoveBreakout,
    RenameBreakout,
)
from xmppconf_focus.conference import Conference
from xmppconf_focus.effects import DestroyRoom, Effect, RoomJid, SendJson, SetSubject
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.parent import Parent


class Families:
    """`conferences` is the focus's own table, read and never written here."""

    def __init__(
        self, conferences: Mapping[RoomJid, Conference], new_id: Callable[[], str]
    ) -> None:
        self._conferences = conferences
        self._new_id = new_id
        self._by_main: dict[RoomJid, Breakouts] = {}
        self._mains: dict[RoomJid, RoomJid] = {}
        """Main room by breakout room."""
        self._effects: deque[Effect] = deque()

    def main_of(self, room: RoomJid) -> Conference | None:
        """The conference whose breakout room this is."""
        main = self._mains.get(room)
        return None if main is None else self._conferences.get(main)

    def parent_of(self, room: RoomJid) -> Parent | None:
        if (main := self.main_of(room)) is None:
            return None
        name = self._by_main[main.room].rooms[room]
        return Parent(main.room, main.access, name, main.features.reports)

    def take(self, room: RoomJid, command: BreakoutCommand, now: float) -> None:
        """A moderator of any room of a family asks; raises `PeerError`."""
        main = self._mains.get(room, room)
        family = self._by_main.get(main) or Breakouts(main)
        match command:
            case AddBreakout(name):
                jid = RoomJid(f"{self._new_id()}@{main.partition('@')[2]}")
                family.add(jid, name)
                self._by_main[main] = family
                self._mains[jid] = main
                self._conferences[main].patience.is_main = True
            case RenameBreakout(jid, name):
                family.rename(jid, name)
                if jid in self._conferences:
                    self._effects.append(SetSubject(jid, family.rooms[jid]))
            case RemoveBreakout(jid):
                family.remove(jid)
                self._close(jid, main)
            case MoveToRoom(participant, jid):
                if jid != main:
                    family.check(jid)
                if participant not in self._people(family):
                    raise NotFound("participant")
                self._effects.append(SendJson((participant,), breakout.move(jid)))
        family.changed(now)

    def _close(self, jid: RoomJid, main: RoomJid) -> None:
        self._mains.pop(jid, None)
        conference = self._conferences.get(jid)
        if conference is None:
            return
        people = [o.real_jid for o in conference.occupants.values() if o.real_jid]
        if people:
            self._effects.append(SendJson(tuple(people), breakout.move(main)))
        self._effects.append(DestroyRoom(jid, "closed by a moderator"))

    def changed(self, room: RoomJid, now: float) -> None:
        """Somebody came to a room, left it, or is another there."""
        main = self._mains.get(room, room)
        family = self._by_main.get(main)
        if family is None:
            return
        family.changed(now)
        if (conference := self._conferences.get(main)) is not None:
            conference.patience.busy_elsewhere = any(
                jid in self._conferences and self._conferences[jid].occupants
                for jid in family.rooms
            )

    def ended(self, room: RoomJid) -> None:
        """A conference has ended, and with a main one those in its breakout rooms."""
        family = self._by_main.pop(room, None)
        for jid in family.rooms if family is not None else ():
            self._mains.pop(jid, None)
            if jid in self._conferences:
                self._effects.append(DestroyRoom(jid, "the meeting has ended"))

    def others(self, room: RoomJid) -> Iterator[Occupant]:
        """Who is in the other rooms of a room's family."""
        family = self._by_main.get(self._mains.get(room, room))
        for jid in family.family() if family is not None else ():
            if jid != room and (conference := self._conferences.get(jid)) is not None:
                yield from conference.occupants.values()

    def _people(self, family: Breakouts) -> tuple[str, ...]:
        return tuple(
            occupant.real_jid
            for jid in family.family()
            if (conference := self._conferences.get(jid)) is not None
            for occupant in conference.occupants.values()
            if occupant.real_jid is not None
        )

    # -- the machine -------------------------------------------------------------------
    def next_timeout(self) -> float | None:
        dues = (family.due for family in self._by_main.values())
        return min((due for due in dues if due is not None), default=None)

    def timeout(self, now: float) -> None:
        for family in self._by_main.values():
            if family.due is None or family.due > now:
                continue
            family.due = None
            occupants = {
                jid: tuple(self._conferences[jid].occupants.values())
                for jid in family.family()
                if jid in self._conferences
            }
            if people := self._people(family):
                self._effects.append(SendJson(people, family.update(occupants)))

    def effects(self) -> Iterator[Effect]:
        while self._effects:
            yield self._effects.popleft()
