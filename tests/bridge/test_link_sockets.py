"""Which sockets a link gets: every state, every event."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from xmppconf_bridge.link_sockets import LinkSockets

from xmppconf.ids import RelayId
from xmppconf.transport import Candidate

MOST = 2


class Bench:
    """Each pair of sockets has a letter; links are told of by letter and transport."""

    def __init__(self) -> None:
        self.bound = 0
        self.sockets = LinkSockets(self.bind)

    def bind(self) -> tuple[tuple[Candidate, ...], tuple[int, int]]:
        if self.bound == MOST:
            raise OSError("too many open files")
        self.bound += 1
        return (Candidate("192.0.2.1", 40_000 + self.bound),), (self.bound, 1)

    def take(self, relay: str, transport: int) -> str:
        try:
            candidates, (number, _) = self.sockets.take(RelayId(relay), transport)
        except OSError:
            return "none"
        assert candidates[0].port == 40_000 + number
        return "abc"[number - 1]

    def release(self, transport: int) -> str:
        self.sockets.release(transport)
        return ""


def unused() -> Bench:
    return Bench()


def one() -> Bench:
    """A link to the bridge x, transport 1, over a."""
    bench = unused()
    bench.take("x", 1)
    return bench


def two() -> Bench:
    """Another conference's link to x as well, transport 2, over b."""
    bench = one()
    bench.take("x", 2)
    return bench


def shared() -> Bench:
    """Links to x and y over a."""
    bench = one()
    bench.take("y", 2)
    return bench


def free() -> Bench:
    """There was a link."""
    bench = one()
    bench.release(1)
    return bench


EVENTS: dict[str, Callable[[Bench], str]] = {
    "to x": lambda bench: bench.take("x", 9),
    "to y": lambda bench: bench.take("y", 9),
    "to z": lambda bench: bench.take("z", 9),
    "1 ends, then to x": lambda bench: bench.release(1) + bench.take("x", 9),
    "2 ends, then to x": lambda bench: bench.release(2) + bench.take("x", 9),
    "2 ends, then to y": lambda bench: bench.release(2) + bench.take("y", 9),
    "an unknown one ends, then to x": lambda bench: bench.release(7) + bench.take("x", 9),
}
#: What each link gets; what was bound once is used again before more is bound.
TABLE = {
    "unused": "a a a a a a a",
    "one": "b a a a b a b",
    "two": "none a a a b a none",
    "shared": "b b a a b a b",
    "free": "a a a a a a a",
}


@pytest.mark.parametrize("state", [unused, one, two, shared, free])
@pytest.mark.parametrize("event", EVENTS)
def test_every_event_in_every_state(state: Callable[[], Bench], event: str) -> None:
    expected = dict(zip(EVENTS, TABLE[state.__name__].split(), strict=True))[event]
    assert EVENTS[event](state()) == expected
