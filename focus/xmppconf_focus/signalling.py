"""Changes of others' sources that one participant has still to be told.

Changes wait while there is no session, and in large conferences a moment longer, so that
what is added and removed meanwhile is never sent.
"""

from __future__ import annotations

from xmppconf.ids import EndpointId
from xmppconf.jingle import Action
from xmppconf.sources import OwnedSources, SourceSet
from xmppconf_focus.source_views import difference, split

#: Participants from which on changes wait, and how many seconds.
DELAYS = ((100, 0.5), (30, 0.2))


def signalling_delay(participants: int) -> float:
    for size, delay in DELAYS:
        if participants >= size:
            return delay
    return 0.0


class Signalling:
    """The difference between what a receiver knows and what there is."""

    def __init__(self) -> None:
        self._known: OwnedSources = {}
        self._wanted: OwnedSources = {}
        self.due: float | None = None
        """When the waiting changes are to be sent."""

    def offered(self, sources: OwnedSources) -> OwnedSources:
        """Of these sources those for a new offer; the others wait, and nothing else."""
        first = next(iter(split(sources)), {})
        self._known = dict(first)
        self._wanted = dict(sources)
        self.due = None
        return first

    def known(self) -> OwnedSources:
        """What it was told."""
        return dict(self._known)

    def restore(self, known: OwnedSources) -> None:
        """Go on from what another focus has told."""
        self._known = dict(known)
        self._wanted = dict(known)

    def changed(self, owner: EndpointId, sources: SourceSet, due: float) -> None:
        """From now on the owner has these sources."""
        if sources:
            self._wanted[owner] = sources
        else:
            self._wanted.pop(owner, None)
        if self.due is None:
            self.due = due

    def owner_left(self, owner: EndpointId) -> None:
        """Clients drop the sources of who left the room by themselves."""
        self._known.pop(owner, None)
        self._wanted.pop(owner, None)

    def take(self) -> list[tuple[Action, OwnedSources]]:
        """What to send now, removals first."""
        removed: OwnedSources = {}
        added: OwnedSources = {}
        empty = SourceSet()
        for owner in self._known | self._wanted:
            known = self._known.get(owner, empty)
            wanted = self._wanted.get(owner, empty)
            if gone := difference(known, wanted):
                removed[owner] = gone
            if new := difference(wanted, known):
                added[owner] = new
        self._known = dict(self._wanted)
        self.due = None
        return [
            (action, sources)
            for action, everything in (
                (Action.SOURCE_REMOVE, removed),
                (Action.SOURCE_ADD, added),
            )
            for sources in split(everything)
        ]
