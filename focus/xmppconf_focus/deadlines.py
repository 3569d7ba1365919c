"""Which conference is due next, of many of which few change at a time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping

from xmppconf_focus.conference import Conference
from xmppconf_focus.effects import RoomJid


class Deadlines:
    """A heap of times that once were deadlines; those that are no more are passed over."""

    def __init__(self, conferences: Mapping[RoomJid, Conference]) -> None:
        """`conferences` is the focus's own table, read and never written here."""
        self._conferences = conferences
        self._heap: list[tuple[float, RoomJid]] = []

    def changed(self, conference: Conference) -> None:
        """To be called after everything that a conference is told."""
        due = conference.next_timeout()
        if due is not None:
            heapq.heappush(self._heap, (due, conference.room))
        if len(self._heap) > 64 + 8 * len(self._conferences):
            self._heap = [
                (due, one.room)
                for one in self._conferences.values()
                if (due := one.next_timeout()) is not None
            ]
            heapq.heapify(self._heap)

    def next_timeout(self) -> float | None:
        while self._heap:
            due, room = self._heap[0]
            conference = self._conferences.get(room)
            if conference is not None and conference.next_timeout() == due:
                return due
            heapq.heappop(self._heap)
        return None

    def due(self, now: float) -> Iterator[Conference]:
        """Conferences whose time it may be; each may be changed while it is out."""
        while self._heap and self._heap[0][0] <= now:
            _, room = heapq.heappop(self._heap)
            if (conference := self._conferences.get(room)) is not None:
                yield conference
