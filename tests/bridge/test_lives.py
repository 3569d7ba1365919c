"""How a conference lives and ends: every state, every event.

The table says for each pair what is answered, and the state afterwards.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.fake_engine import BridgeBench
from tests.support.lives import ANN, TIMES, Event, ask, endpoint, ice, relay
from tests.support.relays import M1, new, new_link


def absent() -> BridgeBench:
    return BridgeBench(relay_id="bridge-1")


def empty() -> BridgeBench:
    bench = absent()
    ask(bench, create=True)
    return bench


def occupied() -> BridgeBench:
    bench = absent()
    ask(bench, new(ANN, 1000), create=True)
    return bench


def linked() -> BridgeBench:
    """To another bridge, and nobody is here."""
    bench = empty()
    ask(bench, relays=(new_link(),))
    return bench


def shared() -> BridgeBench:
    """Somebody is here, and a link to another bridge."""
    bench = occupied()
    ask(bench, relays=(new_link(),))
    return bench


def conference_state(bench: BridgeBench) -> str:
    conference = bench.bridge.conferences.get(M1)
    if conference is None:
        return "absent"
    here, there = bool(conference.endpoints), bool(conference.links.relays)
    return {
        (False, False): "empty",
        (True, False): "occupied",
        (False, True): "linked",
        (True, True): "shared",
    }[here, there]


CONFERENCE_EVENTS: dict[str, Event] = {
    "create": lambda bench: ask(bench, create=True),
    "create with ann": lambda bench: ask(bench, new(ANN, 1000), create=True),
    "nothing": ask,
    "ann": lambda bench: ask(bench, new(ANN, 1000)),
    "ann goes": endpoint(expire=True),
    "link": lambda bench: ask(bench, relays=(new_link(),)),
    "link ends": relay(expire=True),
    "expire": lambda bench: ask(bench, expire=True),
    "ICE of ann fails": lambda bench: ice(bench, of_link=False, valid=False),
    "ICE of the link fails": lambda bench: ice(bench, of_link=True, valid=False),
    **TIMES,
}
CONFERENCES: dict[str, dict[str, tuple[str, str]]] = {
    "absent": {
        "create": ("done", "empty"),
        "create with ann": ("transport", "occupied"),
        "nothing": ("item-not-found", "absent"),
        "ann": ("item-not-found", "absent"),
        "ann goes": ("item-not-found", "absent"),
        "link": ("item-not-found", "absent"),
        "link ends": ("item-not-found", "absent"),
        "expire": ("item-not-found", "absent"),
        "ICE of ann fails": ("told", "absent"),
        "ICE of the link fails": ("told", "absent"),
        "time": ("time", "absent"),
        "silence": ("time", "absent"),
    },
    "empty": {
        "create": ("conflict", "empty"),
        "create with ann": ("conflict", "empty"),
        # What leaves nobody, and is not the beginning, is the end.
        "nothing": ("done", "absent"),
        "ann": ("transport", "occupied"),
        "ann goes": ("done", "absent"),
        "link": ("transport", "linked"),
        "link ends": ("done", "absent"),
        "expire": ("done", "absent"),
        "ICE of ann fails": ("told", "empty"),
        "ICE of the link fails": ("told", "empty"),
        "time": ("time", "absent"),
        "silence": ("time", "absent"),
    },
    "occupied": {
        "create": ("conflict", "occupied"),
        "create with ann": ("conflict", "occupied"),
        "nothing": ("done", "occupied"),
        "ann": ("conflict", "occupied"),
        "ann goes": ("done", "absent"),
        "link": ("transport", "shared"),
        "link ends": ("done", "occupied"),
        "expire": ("done", "absent"),
        "ICE of ann fails": ("told", "occupied"),
        "ICE of the link fails": ("told", "occupied"),
        "time": ("time", "occupied"),
        "silence": ("time", "absent"),
    },
    "linked": {
        "create": ("conflict", "linked"),
        "create with ann": ("conflict", "linked"),
        "nothing": ("done", "linked"),
        "ann": ("transport", "shared"),
        "ann goes": ("done", "linked"),
        "link": ("conflict", "linked"),
        "link ends": ("done", "absent"),
        "expire": ("done", "absent"),
        "ICE of ann fails": ("told", "linked"),
        "ICE of the link fails": ("told", "linked"),
        # A link keeps itself alive, but not a conference that has nobody.
        "time": ("time", "absent"),
        "silence": ("time", "absent"),
    },
    "shared": {
        "create": ("conflict", "shared"),
        "create with ann": ("conflict", "shared"),
        "nothing": ("done", "shared"),
        "ann": ("conflict", "shared"),
        "ann goes": ("done", "linked"),
        "link": ("conflict", "shared"),
        "link ends": ("done", "occupied"),
        "expire": ("done", "absent"),
        "ICE of ann fails": ("told", "shared"),
        "ICE of the link fails": ("told", "shared"),
        "time": ("time", "shared"),
        "silence": ("time", "absent"),
    },
}


@pytest.mark.parametrize("state", [absent, empty, occupied, linked, shared])
@pytest.mark.parametrize("event", CONFERENCE_EVENTS)
def test_a_conference(state: Callable[[], BridgeBench], event: str) -> None:
    bench = state()
    answered = CONFERENCE_EVENTS[event](bench)
    after = conference_state(bench)
    assert (answered, after) == CONFERENCES[state.__name__][event]
    # The engine was told of every beginning and every end.
    begun = len(bench.engine.take("add_conference"))
    assert begun - len(bench.engine.take("remove_conference")) == (after != "absent")
    transports = {"absent": 0, "empty": 0, "occupied": 1, "linked": 1, "shared": 2}
    added = len(bench.engine.take("add_transport"))
    assert added - len(bench.engine.take("remove_transport")) == transports[after]
