"""Sockets for links to other bridges: one end of each link must be a port of its own.

Both bridges are known to each other by one address and port.  If two conferences' links
ran between those, nobody could tell their packets apart, so the end that begins a link
uses another port.  Links to different bridges share one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from xmppconf.ids import RelayId
from xmppconf.transport import Candidate

Sockets = tuple[int, int]
"""Numbers of the engine: the first one, and how many."""

BindLink = Callable[[], tuple[tuple[Candidate, ...], Sockets]]


@dataclass(slots=True)
class _Bound:
    candidates: tuple[Candidate, ...]
    sockets: Sockets
    used: dict[RelayId, int] = field(default_factory=dict)
    """The transport of the link to each bridge."""


class LinkSockets:
    """What was bound once is kept: the number of links to one bridge bounds it."""

    def __init__(self, bind: BindLink) -> None:
        self._bind = bind
        self._bound: list[_Bound] = []

    def take(self, relay: RelayId, transport: int) -> tuple[tuple[Candidate, ...], Sockets]:
        """Sockets that no other link to `relay` uses; raises `OSError` if none are left."""
        free = next((one for one in self._bound if relay not in one.used), None)
        if free is None:
            free = _Bound(*self._bind())
            self._bound.append(free)
        free.used[relay] = transport
        return free.candidates, free.sockets

    def release(self, transport: int) -> None:
        """The link of this transport has ended; others are no error."""
        for one in self._bound:
            one.used = {name: used for name, used in one.used.items() if used != transport}
