"""What joining costs: many people into one room at once, and many rooms of three.

Each participant logs in, asks the focus, enters, and answers the offer over real ICE and
DTLS; nobody sends media.  A run has a service of its own.  Arguments: so many people for
each run into one room (in 15 s for 200), then `--rooms` and so many rooms of three.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
from xmppconf_bridge.generator import plan
from xmppconf_bridge.generator.app import beside
from xmppconf_bridge.generator.io.participant import Participant
from xmppconf_bridge.generator.io.peers import Peers
from xmppconf_bridge.generator.io.process import usage
from xmppconf_bridge.generator.report import Usage

from tests.support.figures import Figure, record
from tests.support.service import Service, running_service

PACE = 200 / 15  # people a second
PARTS = ("focus", "prosody", "bridge")
SETTINGS = """
[bridge]
max_endpoints = 5000
[focus]
max_conferences = 5000
max_participants = 1000
"""


class Joining(Participant):
    """Times its way in.  `asked` to `offered` is what it waits for the focus."""

    asked = offered = connected = 0.0

    async def join(self, peers: Peers) -> None:
        self.asked = time.monotonic()
        await self.enter()
        await self._offer
        self.offered = time.monotonic()
        await self.accept(peers, 4, frozenset())
        self.connected = time.monotonic()


@dataclass(frozen=True, slots=True)
class Outcome:
    seconds: float
    """From the first who asks to the last who is connected."""
    longest_wait: float
    """For an offer, login included."""
    used: dict[str, Usage]
    """What each part took for it: seconds of processor, and bytes it grew by."""


async def measure(service: Service, rooms: dict[str, int]) -> Outcome:
    """Let so many people into each of these rooms, at one pace for all."""
    people: list[Joining] = []
    for room, number in rooms.items():
        listener = plan.Person()
        people += [Joining(service.settings, room, n, listener) for n in range(number)]
    # One generator carries 500.
    generators = [Peers() for _ in range(1 + len(people) // 400)]
    pids = service.children()
    before = {part: usage(pids[part]) for part in PARTS}
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        for peers in generators:
            beside(stack, peers.pump())

        async def one(index: int, person: Joining) -> None:
            await asyncio.sleep(max(0.0, began + index / PACE - time.monotonic()))
            stack.push_async_callback(person.close)
            await person.join(generators[index // 400])

        await asyncio.gather(*(one(index, person) for index, person in enumerate(people)))
        after = {part: usage(pids[part]) for part in PARTS}
    return Outcome(
        max(person.connected for person in people) - began,
        max(person.offered - person.asked for person in people),
        {
            part: Usage(
                after[part].cpu - before[part].cpu, after[part].memory - before[part].memory
            )
            for part in PARTS
        },
    )


@contextmanager
def fresh_service() -> Iterator[Service]:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(Path(folder), settings=SETTINGS) as service,
    ):
        yield service


def tell(
    row: str, what: str, people: int, outcome: Outcome, marks: tuple[str, str]
) -> None:
    all_in, wait = marks
    record(
        Figure(
            "joins",
            f"{row} all in",
            f"{what}: until all are connected",
            outcome.seconds,
            "s",
            all_in,
        )
    )
    record(
        Figure(
            "joins",
            f"{row} wait",
            f"{what}: longest from asking, login included, to the offer",
            outcome.longest_wait,
            "s",
            wait,
        )
    )
    for part, used in outcome.used.items():
        record(
            Figure(
                "joins",
                f"{row} {part} CPU",
                f"{what}: {part}",
                1000 * used.cpu / people,
                "ms of CPU a person",
            )
        )
        record(
            Figure(
                "joins",
                f"{row} {part} memory",
                f"{what}: {part} grew by",
                used.memory / people / 1024,
                "KiB a person",
            )
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", type=int, nargs="*", default=[50, 100, 200])
    parser.add_argument("--rooms", type=int, nargs="*", default=[100, 250, 500])
    options = parser.parse_args()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    for people in options.people:
        with fresh_service() as service:
            outcome = uvloop.run(measure(service, {"many": people}))
        marks = ("≤ 15.5", "") if people == 200 else ("", "")
        tell(
            f"L7 {people:4}",
            f"{people} people into one room, {PACE:.1f} a second",
            people,
            outcome,
            marks,
        )
    for rooms in options.rooms:
        with fresh_service() as service:
            outcome = uvloop.run(measure(service, {f"room-{n}": 3 for n in range(rooms)}))
        tell(
            f"rooms {rooms:4}",
            f"{rooms} rooms of three, {PACE:.1f} people a second",
            3 * rooms,
            outcome,
            ("", ""),
        )


if __name__ == "__main__":
    main()
