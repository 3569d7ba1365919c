"""A DTLS transport in every state, at every event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from xmppconf_bridge.dtls import (
    EARLY_RESENDS,
    HANDSHAKE_TIMEOUT,
    DtlsTransport,
    Effect,
    SendDatagrams,
)

from tests.bridge.test_dtls import OURS, THEIRS, flipped, pair, run
from xmppconf.errors import UsageError


@dataclass
class Case:
    """Our side is begun at 0; whoever is there else is `peer`."""

    ours: DtlsTransport
    peer: DtlsTransport


def new() -> Case:
    return Case(*pair())


def waiting() -> Case:
    """The server, before the peer's hello."""
    case = new()
    case.ours.start(0.0)
    return case


def asking() -> Case:
    """The client, whose hello is on its way."""
    server, client = pair()
    client.start(0.0)
    return Case(client, server)


def connected() -> Case:
    case = waiting()
    case.peer.start(0.0)
    run(case.ours, case.peer)
    return case


def failed() -> Case:
    """Somebody else shook hands."""
    server = DtlsTransport(OURS, (flipped(THEIRS.fingerprint),), server=True)
    case = Case(server, DtlsTransport(THEIRS, (OURS.fingerprint,), server=False))
    server.start(0.0)
    case.peer.start(0.0)
    run(server, case.peer)
    return case


def closed() -> Case:
    case = connected()
    case.ours.close()
    return case


def left() -> Case:
    """The peer has said good-bye."""
    case = connected()
    case.peer.close()
    run(case.ours, case.peer)
    return case


def unused() -> Case:
    """Ended before it was begun."""
    case = new()
    case.ours.close()
    return case


def hello(case: Case) -> list[Effect]:
    """Somebody, with the right certificate, shakes hands as a client."""
    stranger = DtlsTransport(THEIRS, (OURS.fingerprint,), server=False)
    stranger.start(0.0)
    return run(case.ours, stranger)[0]


def data(case: Case) -> list[Effect]:
    """One record of application data, forged where there are no keys."""
    if case.peer.is_connected:
        case.peer.send(b"data", 0.0)
        return run(case.ours, case.peer)[0]
    record = b"\x17\xfe\xfd" + b"\0\1" + bytes(6) + (40).to_bytes(2) + bytes(40)
    case.ours.receive(record, 0.0)
    return list(case.ours.effects())


def farewell(case: Case) -> list[Effect]:
    case.peer.close()
    for effect in case.peer.effects():
        if isinstance(effect, SendDatagrams):
            for datagram in effect.datagrams:
                case.ours.receive(datagram, 0.0)
    return list(case.ours.effects())


def does(action: Callable[[DtlsTransport], None]) -> Callable[[Case], list[Effect]]:
    def event(case: Case) -> list[Effect]:
        action(case.ours)
        return list(case.ours.effects())

    return event


STATES = (new, waiting, asking, connected, failed, closed, left, unused)
EVENTS: dict[str, Callable[[Case], list[Effect]]] = {
    "start": does(lambda ours: ours.start(0.0)),
    "rubbish": does(lambda ours: ours.receive(b"\x16" + bytes(40), 0.0)),
    "hello": hello,
    "data": data,
    "send": does(lambda ours: ours.send(b"ours", 0.0)),
    "soon": does(lambda ours: ours.timeout(EARLY_RESENDS[0] / 2)),
    "later": does(lambda ours: ours.timeout(EARLY_RESENDS[0])),
    "too late": does(lambda ours: ours.timeout(HANDSHAKE_TIMEOUT)),
    "farewell": farewell,
    "close": does(lambda ours: ours.close()),
}


def phase(ours: DtlsTransport) -> str:
    if ours._ended:
        return "ended"
    return "connected" if ours._connected else "shaking" if ours._started else "new"


def nothing(after: str) -> dict[str, tuple[str, str]]:
    """Whatever happens is without effect, but for what a caller may not do."""
    return dict.fromkeys(EVENTS, ("", after)) | {"start": (MISUSE, after)}


MISUSE = "misuse"
#: What is told, in order and each kind once, and the state afterwards.
TABLE: dict[str, dict[str, tuple[str, str]]] = {
    "new": nothing("new")
    | {
        "start": ("", "shaking"),
        # What comes before the role is known is kept for then.
        "close": ("", "ended"),
    },
    "waiting": nothing("shaking")
    | {
        "hello": ("SendDatagrams Connected", "connected"),
        "too late": ("Failed", "ended"),
        "close": ("", "ended"),
    },
    "asking": nothing("shaking")
    | {
        # Two clients never agree: the other's hello is answered with an alert.
        "hello": ("SendDatagrams Failed", "ended"),
        "later": ("SendDatagrams", "shaking"),
        "too late": ("Failed", "ended"),
        "close": ("", "ended"),
    },
    "connected": nothing("connected")
    | {
        "data": ("Received", "connected"),
        "send": ("SendDatagrams", "connected"),
        "farewell": ("Closed", "ended"),
        "close": ("SendDatagrams", "ended"),
    },
    "failed": nothing("ended"),
    "closed": nothing("ended"),
    "left": nothing("ended"),
    "unused": nothing("ended"),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_every_event_in_every_state(state: Callable[[], Case], event: str) -> None:
    case = state()
    list(case.ours.effects())
    try:
        effects = EVENTS[event](case)
        told = " ".join(dict.fromkeys(type(one).__name__ for one in effects))
    except UsageError:
        told = MISUSE
    after = phase(case.ours)
    assert (told, after) == TABLE[state.__name__][event]
    assert case.ours.is_connected == (after == "connected")
    # Nothing is waited for but in a handshake, which is always given an end.
    assert (case.ours.next_timeout() is not None) == (after == "shaking")
