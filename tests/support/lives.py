"""What happens to conferences, endpoints and links, as events of tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xmppconf_bridge.colibri import modify
from xmppconf_bridge.engine_events import IceFailed, IceValid
from xmppconf_bridge.expiry import EXPIRE_AFTER, EXPIRE_INTERVAL

from tests.support.fake_engine import BridgeBench
from tests.support.relays import FAR, M1
from xmppconf.colibri2 import (
    ColibriRefused,
    ConferenceModify,
    EndpointRequest,
    RelayRequest,
)
from xmppconf.ids import EndpointId

ANN = EndpointId("ann")
Event = Callable[[BridgeBench], str]


def ask(
    bench: BridgeBench,
    *endpoints: EndpointRequest,
    relays: tuple[RelayRequest, ...] = (),
    create: bool = False,
    expire: bool = False,
) -> str:
    """What is answered: the condition of a refusal, or what of a transport."""
    request = ConferenceModify(
        M1, create=create, expire=expire, endpoints=endpoints, relays=relays
    )
    try:
        answer = modify(bench.bridge, request)
    except ColibriRefused as refused:
        return refused.condition
    transports = [one.transport for one in answer.endpoints]
    transports += [one.transport for one in answer.relays]
    has_transport = any(transports)
    return "transport" if has_transport else "done"


def endpoint(**fields: Any) -> Event:
    return lambda bench: ask(bench, EndpointRequest(ANN, **fields))


def relay(**fields: Any) -> Event:
    request = RelayRequest(FAR, **fields)
    return lambda bench: ask(bench, relays=(request,))


def pass_time(bench: BridgeBench, *, alive: bool) -> str:
    """Until two looks for what to expire have been taken."""
    for _ in range(int(2 * EXPIRE_INTERVAL + EXPIRE_AFTER) + 2):
        bench.bridge.timeout(bench.clock.advance(1.0))
        for conference in bench.bridge.conferences.values() if alive else ():
            transports = [one.transport for one in conference.endpoints.values()]
            transports += [one.transport for one in conference.links.relays.values()]
            bench.engine.activity.update(
                (one.number, bench.clock.now) for one in transports
            )
    return "time"


def number(bench: BridgeBench, *, of_link: bool) -> int:
    """Of the transport of the one or the other; of none if they are not there."""
    conference = bench.bridge.conferences.get(M1)
    if conference is None:
        return 0
    if of_link:
        link = conference.links.relays.get(FAR)
        return 0 if link is None else link.transport.number
    one = conference.endpoints.get(ANN)
    return 0 if one is None else one.transport.number


def ice(bench: BridgeBench, *, of_link: bool, valid: bool) -> str:
    transport = number(bench, of_link=of_link)
    event = IceValid(transport, "192.0.2.2", 10_000, 0.01) if valid else None
    bench.bridge.receive([event or IceFailed(transport)])
    return "told"


TIMES: dict[str, Event] = {
    "time": lambda bench: pass_time(bench, alive=True),
    "silence": lambda bench: pass_time(bench, alive=False),
}
