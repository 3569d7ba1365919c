"""How endpoints and links live and end: every state, every event.

Somebody else is in the conference, so that it goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.fake_engine import BridgeBench
from tests.support.lives import ANN, TIMES, Event, ask, endpoint, ice, relay
from tests.support.relays import FAR, M1, MEDIA, connect, new, new_link, relay_of, sources
from xmppconf.colibri2 import EndpointRequest, ForceMute, Transport
from xmppconf.ids import EndpointId
from xmppconf.transport import IceTransport

REMOTE = Transport(ice=IceTransport("peer", "p" * 24))
RESTART = Transport(ice_restart=True)
ANSWER = Transport(ice=IceTransport("next", "q" * 24, generation=1))


def room() -> BridgeBench:
    """With Bob in it."""
    bench = BridgeBench(relay_id="bridge-1")
    ask(bench, new("bob", 2000), create=True)
    return bench


# -- endpoints ----------------------------------------------------------------------------
def absent() -> BridgeBench:
    return room()


def made() -> BridgeBench:
    bench = room()
    ask(bench, new(ANN, 1000))
    return bench


def connected() -> BridgeBench:
    bench = made()
    bench.connect(ANN)
    return bench


def restarting() -> BridgeBench:
    """ICE begins anew, and nothing has been answered yet."""
    bench = connected()
    endpoint(transport=RESTART)(bench)
    return bench


def unreachable() -> BridgeBench:
    """Its ICE has failed."""
    bench = connected()
    ice(bench, of_link=False, valid=False)
    return bench


def without_keys() -> BridgeBench:
    """Its DTLS has failed."""
    bench = made()
    bench.endpoint(ANN).transport_failed("another certificate")
    return bench


def endpoint_state(bench: BridgeBench) -> str:
    conference = bench.bridge.conferences.get(M1)
    one = None if conference is None else conference.endpoints.get(ANN)
    if one is None:
        return "absent"
    if one.activity.dtls_failed:
        return "without_keys"
    if one.activity.ice_failed:
        return "unreachable"
    if not one.transport.is_connected:
        return "made"
    pending = one.transport._restart
    return "restarting" if pending is not None and not pending.is_answered else "connected"


def keys(bench: BridgeBench) -> str:
    """A handshake has succeeded, with another peer if one has failed."""
    conference = bench.bridge.conferences[M1]
    one = conference.endpoints.get(ANN)
    if one is not None:
        one.transport.is_connected = True
        one.transport_connected()
    return "told"


ENDPOINT_EVENTS: dict[str, Event] = {
    "create": lambda bench: ask(bench, new(ANN, 1000)),
    "remote": endpoint(transport=REMOTE),
    "restart": endpoint(transport=RESTART),
    "answer to it": endpoint(transport=ANSWER),
    "media": endpoint(media=MEDIA),
    "sources": endpoint(sources=sources(ANN, 1000)),
    "mute": endpoint(force_mute=ForceMute(audio=True)),
    "last-N": endpoint(initial_last_n=3),
    "expire": endpoint(expire=True),
    "ICE valid": lambda bench: ice(bench, of_link=False, valid=True),
    "ICE failed": lambda bench: ice(bench, of_link=False, valid=False),
    "keys": keys,
    **TIMES,
}
GONE = "item-not-found"
TOLD = ("told", "told", "told", "time", "time")
DONE = ("done",) * 6
#: What is answered, in the order of the events.
ANSWERS = {
    "absent": ("transport", *(GONE,) * 5, "done", GONE, "done", *TOLD),
    "there": ("conflict", "done", "transport", *DONE, *TOLD),
}
#: The states afterwards, in the same order; `.` is the same.
#:          create, remote, restart, answer, media, sources, mute, last-N, expire,
#:          ICE valid, ICE failed, keys, time, silence
ENDPOINTS = {
    "absent": "made . . . . . . . . . . . . .",
    "made": ". . . . . . . . absent . unreachable connected . absent",
    "connected": ". . restarting . . . . . absent . unreachable . . absent",
    # The other side has told what it has: the old pair is used until there is a new one.
    "restarting": ". . . connected . . . . absent . unreachable . . absent",
    # It goes whatever signs of life there are.
    "unreachable": ". . . . . . . . absent connected . . absent absent",
    # A pair is no help to who has no keys; a handshake with another peer is.
    "without_keys": ". . . . . . . . absent . . connected absent absent",
}
ENDPOINT_STATES = (absent, made, connected, restarting, unreachable, without_keys)
THERE = set(ENDPOINTS) - {"absent"}
#: What the engine is told, and in which states.
COMMANDS: dict[str, tuple[str, set[str]]] = {
    "create": ("add_transport", {"absent"}),
    "remote": ("set_remote_ice", THERE),
    # What is not connected yet may still come up as it is, and one restart is enough.
    "restart": ("restart_ice", {"connected", "unreachable"}),
    "answer to it": ("set_remote_ice", {"restarting"}),
    "media": ("set_payload_types", THERE),
    "sources": ("set_sources", THERE),
    "mute": ("set_muted", THERE),
    "expire": ("remove_transport", THERE),
    "silence": ("remove_conference", {"absent"} | THERE),
}


@pytest.mark.parametrize("state", ENDPOINT_STATES)
@pytest.mark.parametrize("event", ENDPOINT_EVENTS)
def test_an_endpoint(state: Callable[[], BridgeBench], event: str) -> None:
    bench = state()
    name = state.__name__
    assert endpoint_state(bench) == name
    bench.engine.calls.clear()
    answers = ANSWERS["absent" if state is absent else "there"]
    after = dict(zip(ENDPOINT_EVENTS, ENDPOINTS[name].split(), strict=True))[event]
    answer = dict(zip(ENDPOINT_EVENTS, answers, strict=True))[event]
    assert ENDPOINT_EVENTS[event](bench) == answer
    assert endpoint_state(bench) == (name if after == "." else after)
    told = {call[0] for call in bench.engine.calls}
    if event in COMMANDS:
        command, states = COMMANDS[event]
        assert (command in told) == (name in states)


# -- links --------------------------------------------------------------------------------
def link_absent() -> BridgeBench:
    return room()


def link_made() -> BridgeBench:
    bench = room()
    ask(bench, relays=(new_link(),))
    return bench


def link_connected() -> BridgeBench:
    bench = link_made()
    connect(bench)
    return bench


def link_unreachable() -> BridgeBench:
    bench = link_connected()
    ice(bench, of_link=True, valid=False)
    return bench


def link_without_keys() -> BridgeBench:
    bench = link_made()
    relay_of(bench).transport_failed("another certificate")
    return bench


def link_state(bench: BridgeBench) -> str:
    conference = bench.bridge.conferences.get(M1)
    one = None if conference is None else conference.links.relays.get(FAR)
    if one is None:
        return "absent"
    if one.activity.dtls_failed:
        return "without_keys"
    if one.activity.ice_failed:
        return "unreachable"
    return "connected" if one.transport.is_connected else "made"


def link_keys(bench: BridgeBench) -> str:
    one = bench.bridge.conferences[M1].links.relays.get(FAR)
    if one is not None:
        one.transport.is_connected = True
        one.transport_connected()
    return "told"


def far(**fields: Any) -> Event:
    return relay(endpoints=(EndpointRequest(EndpointId("cat"), **fields),))


LINK_EVENTS: dict[str, Event] = {
    "create": lambda bench: ask(bench, relays=(new_link(),)),
    "remote": relay(transport=REMOTE),
    "media": relay(media=MEDIA),
    "somebody there": far(create=True, sources=sources("cat", 3000)),
    "nobody there": far(expire=True),
    "expire": relay(expire=True),
    "ICE valid": lambda bench: ice(bench, of_link=True, valid=True),
    "ICE failed": lambda bench: ice(bench, of_link=True, valid=False),
    "keys": link_keys,
    **TIMES,
}
LINK_ANSWERS = {
    "absent": ("transport", *("bad-request",) * 4, "done", *TOLD),
    "there": ("conflict", *("done",) * 5, *TOLD),
}
#: As above: create, remote, media, somebody, nobody, expire, ICE valid, ICE failed, keys,
#: time, silence
LINKS = {
    "absent": "made . . . . . . . . . .",
    "made": ". . . . . absent . unreachable connected . absent",
    "connected": ". . . . . absent . unreachable . . absent",
    "unreachable": ". . . . . absent connected . . absent absent",
    "without_keys": ". . . . . absent . . connected absent absent",
}
LINK_STATES = (
    link_absent,
    link_made,
    link_connected,
    link_unreachable,
    link_without_keys,
)
LINKED = set(LINKS) - {"absent"}
LINK_COMMANDS: dict[str, tuple[str, set[str]]] = {
    "create": ("add_transport", {"absent"}),
    "remote": ("set_remote_ice", LINKED),
    "media": ("set_payload_types", LINKED),
    "somebody there": ("set_sources", LINKED),
    "expire": ("remove_transport", LINKED),
    # Nothing crosses before there are keys; then what is heard does at once.
    "keys": ("set_relay", {"made", "without_keys"}),
    "silence": ("remove_conference", {"absent"} | LINKED),
}


@pytest.mark.parametrize("state", LINK_STATES)
@pytest.mark.parametrize("event", LINK_EVENTS)
def test_a_link(state: Callable[[], BridgeBench], event: str) -> None:
    bench = state()
    name = state.__name__.removeprefix("link_")
    assert link_state(bench) == name
    bench.engine.calls.clear()
    answers = LINK_ANSWERS["absent" if state is link_absent else "there"]
    after = dict(zip(LINK_EVENTS, LINKS[name].split(), strict=True))[event]
    answer = dict(zip(LINK_EVENTS, answers, strict=True))[event]
    assert LINK_EVENTS[event](bench) == answer
    assert link_state(bench) == (name if after == "." else after)
    told = {call[0] for call in bench.engine.calls}
    if event in LINK_COMMANDS:
        command, states = LINK_COMMANDS[event]
        assert (command in told) == (name in states)
