"""Rooms with the load generator's participants, and what they see within some seconds."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from xmppconf_bridge.generator.io.participant import Participant, http_session
from xmppconf_bridge.generator.io.peers import Peers
from xmppconf_bridge.generator.io.process import usage
from xmppconf_bridge.generator.plan import Person

from tests.load.compare.target import LOAD_CORE, SERVER_CORE
from tests.support.figures import Figure, record
from tests.support.service import Service, running_service

WARM_UP = 1.5  # seconds of packets before any is counted
JOINING = 10  # at once


@dataclass(frozen=True, slots=True)
class Seen:
    """What the participants of one generator had within a turn."""

    received: int
    loss: float
    p50: float
    p99: float
    p999: float
    """Added delay, in milliseconds."""
    cpu: float
    """Of the bridge, in shares of one core."""


NOTHING = Seen(0, 0.0, 0.0, 0.0, 0.0, 0.0)


def end_cleanly() -> None:
    """Let SIGTERM, of `timeout` for one, end the run as an error does.

    The service is in a session of its own and would stay.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


@contextmanager
def pinned_service(settings: str) -> Iterator[Service]:
    """A service whose bridge has a core of its own; the load generator has the other."""
    os.sched_setaffinity(0, {LOAD_CORE})
    with (
        TemporaryDirectory() as folder,
        running_service(Path(folder), settings=settings) as service,
    ):
        bridge = service.children()["bridge"]
        for task in os.listdir(f"/proc/{bridge}/task"):
            os.sched_setaffinity(int(task), {SERVER_CORE})
        yield service


@asynccontextmanager
async def room_of(
    service: Service,
    people: Sequence[Person],
    peers: Peers,
    *,
    first: int = 0,
    name: str = "",
) -> AsyncIterator[list[Participant]]:
    """They join a room, read what the bridge says, and say what they watch.

    Without `name` the room is their own.  `first` is the number of the first of them: each
    sends under SSRCs of its number.
    """
    name = name or f"load-{secrets.token_hex(4)}"
    async with http_session() as http:
        joined = [
            Participant(service.settings, name, first + number, person)
            for number, person in enumerate(people)
        ]
        turns = asyncio.Semaphore(JOINING)

        async def join(one: Participant) -> None:
            async with turns:
                await one.enter()
                await one.accept(peers, 4, frozenset())
                await one.open_channel(http)

        readers: list[asyncio.Task[None]] = []
        try:
            await asyncio.gather(*(join(one) for one in joined))
            readers = [asyncio.create_task(one.drain()) for one in joined]
            for one in joined:
                await one.watch(joined)
            yield joined
        finally:
            for task in readers:
                task.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
            await asyncio.gather(*(one.close() for one in joined))


async def look(peers: Peers, bridge: int, seconds: float) -> Seen:
    """Count for some seconds what comes."""
    peers.native.reset()
    begin, started = usage(bridge), time.monotonic()
    await asyncio.sleep(seconds)
    end, took = usage(bridge), time.monotonic() - started
    figures, delays = peers.native.figures(), peers.native.delays()
    tracks = [track for one in figures for track in one.tracks.values()]
    received = sum(track.received for track in tracks)
    lost = sum(max(track.expected - track.received, 0) for track in tracks)
    return Seen(
        received,
        lost / max(received + lost, 1),
        delays.p50 / 1000,
        delays.p99 / 1000,
        delays.p999 / 1000,
        (end.cpu - begin.cpu) / took,
    )


def keep(row: str, what: str, value: float, unit: str, mark: str = "") -> None:
    record(Figure("hostile", row, what, value, unit, mark))
