"""K1 and L6: rooms of four for a long time, with people who come and go and parts that die.

Everybody sends sound and a small picture; each second one person comes and one leaves.
Every few minutes one part is killed, each in turn: then nobody comes or goes until all who
lost the call are back.  What must be so (all are back and hear each other, and everybody
who came was let in) ends the run with an error; what is a matter of degree is recorded.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import signal
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import asdict
from itertools import cycle
from pathlib import Path

import uvloop
from xmppconf_bridge.generator.app import beside
from xmppconf_bridge.generator.io.participant import http_session
from xmppconf_bridge.generator.io.peers import NoConnection, Peers

from tests.load.rooms import end_cleanly
from tests.load.staying import Staying
from tests.load.watched import PARTS, Held, Watch
from tests.support.figures import Figure, record
from tests.support.service import Service, running_service
from xmppconf.errors import PeerError

SIZE = 4  # people in a room
JOINING = 10  # at once, in the beginning
BACK_WITHIN = 90.0  # seconds after a part was killed
MEDIA_WITHIN = 20.0  # seconds from the door to the first packet
LISTEN = 3.0  # seconds in which everybody has to hear somebody
SETTINGS = """
[bridge]
max_endpoints = 5000
[focus]
max_conferences = 5000
"""


class Rooms:
    """The people, and what their coming and going has shown."""

    def __init__(self, service: Service, rooms: int, peers: Peers, seed: int) -> None:
        self._service = service
        self._peers = peers
        self._http = http_session()
        self._chance = random.Random(seed)
        self._rooms: list[list[Staying]] = [[] for _ in range(rooms)]
        self._come = 0
        self.joins: list[float] = []
        """Seconds from the login to the first packet of somebody else."""
        self.failures: list[str] = []

    @property
    def people(self) -> list[Staying]:
        return [person for room in self._rooms for person in room]

    async def fill(self, rooms: int | None = None) -> None:
        """Let four people into each room, a few at a time."""
        turns = asyncio.Semaphore(JOINING)

        async def one(index: int) -> None:
            async with turns:
                await self._stay(index)

        chosen = range(len(self._rooms) if rooms is None else rooms)
        await asyncio.gather(*(one(index) for index in list(chosen) * SIZE))
        async with asyncio.timeout(BACK_WITHIN):
            while not all(person.is_whole for person in self.people):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def join(self) -> None:
        """One more person where the fewest are; timed, and counted if it fails."""
        began = time.monotonic()
        index = min(range(len(self._rooms)), key=lambda n: len(self._rooms[n]))
        try:
            person = await self._stay(index)
            await person.first_packet(MEDIA_WITHIN)
            self.joins.append(time.monotonic() - began)
        except (PeerError, NoConnection, TimeoutError) as error:
            self.failures.append(repr(error))

    async def leave(self) -> None:
        """One person leaves a room where others stay."""
        full = [room for room in self._rooms if len(room) >= SIZE]
        if full:
            room = self._chance.choice(full)
            await room.pop(0).close()

    async def all_whole(self) -> float:
        """Seconds until everybody is back; raises TimeoutError."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(BACK_WITHIN):
                while not all(one.is_whole for one in self.people):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            lost = [one for one in self.people if not one.is_whole]
            complaints = {text for one in lost for text in one.complaints}
            raise TimeoutError(f"{len(lost)} did not come back: {complaints}") from None
        return time.monotonic() - began

    async def deaf(self) -> int:
        """How many hear nobody."""
        self._peers.native.reset()
        await asyncio.sleep(LISTEN)
        return sum(not person.hears() for person in self.people)

    async def empty(self) -> None:
        for room in self._rooms:
            await asyncio.gather(*(person.close() for person in room))
            room.clear()

    async def close(self) -> None:
        await self.empty()
        await self._http.close()

    async def _stay(self, index: int) -> Staying:
        number, self._come = self._come, self._come + 1
        settings, name = self._service.settings, f"soak-{index}"
        person = Staying(settings, name, number, self._peers, self._http)
        self._rooms[index].append(person)
        try:
            await person.stay()
        except BaseException:
            self._rooms[index].remove(person)
            await person.close()
            raise
        return person


class Soak:
    """One run."""

    def __init__(self, service: Service, rooms: Rooms, options: argparse.Namespace) -> None:
        self._service = service
        self._rooms = rooms
        self._options = options
        self._began = time.monotonic()
        self._watch = Watch()
        self._calm = asyncio.Event()
        self._calm.set()
        self._running: set[asyncio.Task[None]] = set()
        self._base: dict[str, Held] = {}

    async def run(self) -> None:
        options = self._options
        # What is imported and opened with the first call belongs to the base.
        await self._rooms.fill(1)
        await self._rooms.empty()
        await asyncio.sleep(options.settle)
        self._base = self._sample()
        await self._rooms.fill()
        self._began = time.monotonic()
        async with AsyncExitStack() as stack:
            beside(stack, self._churn())
            beside(stack, self._look())
            if options.faults:
                await self._kill_in_turn()
            else:
                await asyncio.sleep(60 * options.minutes)
            await self._pause()
        deaf = await self._rooms.deaf()
        await self._rooms.empty()
        await asyncio.sleep(options.settle)
        self._tell(self._sample())
        if deaf:
            raise AssertionError(f"{deaf} heard nobody in the end")
        if self._rooms.failures:
            raise AssertionError(f"not let in: {set(self._rooms.failures)}")

    def _sample(self) -> dict[str, Held]:
        at = time.monotonic() - self._began
        found = self._watch.sample(self._service.children(), at)
        if self._options.samples is not None:
            line = {"at": at, **{part: asdict(held) for part, held in found.items()}}
            with self._options.samples.open("a") as file:
                file.write(json.dumps(line) + "\n")
        return found

    async def _look(self) -> None:
        while True:
            self._sample()
            await asyncio.sleep(self._options.interval)

    async def _churn(self) -> None:
        while True:
            await self._calm.wait()
            for work in (self._rooms.leave(), self._rooms.join()):
                task = asyncio.create_task(work)
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            await asyncio.sleep(1)

    async def _pause(self) -> None:
        self._calm.clear()
        await asyncio.gather(*self._running)

    async def _kill_in_turn(self) -> None:
        end = self._began + 60 * self._options.minutes
        for part in cycle(PARTS):
            pause = 60 * self._options.faults
            # After the last fault there is half as much time as between two, or more.
            if time.monotonic() + 1.5 * pause > end:
                break
            await asyncio.sleep(pause)
            await self._kill(part)
        await asyncio.sleep(max(0.0, end - time.monotonic()))

    async def _kill(self, part: str) -> None:
        await self._pause()
        pid, began = self._service.children()[part], time.monotonic()
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(BACK_WITHIN):
            while self._service.children().get(part, pid) == pid:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            while not await asyncio.to_thread(self._service.is_whole):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        if part == "bridge":
            # Until they are invited again, all look as if nothing had happened.
            await asyncio.sleep(1)
        await self._rooms.all_whole()
        took = time.monotonic() - began
        deaf = await self._rooms.deaf()
        people = len(self._rooms.people)
        what = f"{part} killed under {people} people: until all are back"
        _keep(f"K1 {part} killed", what, took, "s", "")
        if deaf:
            raise AssertionError(f"{part} killed: {deaf} of {people} hear nobody")
        self._calm.set()

    def _tell(self, end: dict[str, Held]) -> None:
        options = self._options
        parts_die = (
            f", a part killed every {options.faults:g} min" if options.faults else ""
        )
        run = f"{options.rooms} rooms of {SIZE}, {options.minutes:g} min{parts_die}"
        joins = sorted(self._rooms.joins)
        came = len(joins) + len(self._rooms.failures)
        if len(joins) >= 2:
            centiles = statistics.quantiles(joins, n=20, method="inclusive")
            what = f"{run}: from the login to the first packet, of {len(joins):,}"
            _keep("L6 join p50", f"{what}, half", centiles[9], "s", "")
            _keep("L6 join p95", f"{what}, 95 %", centiles[18], "s", "≤ 1.0")
        what = f"{run}: people who were not let in, of {came:,}"
        _keep("L6 failures", what, len(self._rooms.failures), "", "0")
        begin = 60 * options.minutes / 5
        settling = min(options.settling, 60 * (options.faults or options.minutes) / 3)
        for part in PARTS:
            slope = self._watch.steepest(part, begin=begin, settling=settling)
            if slope is not None:
                what = f"{run}: {part}'s growth within {slope.seconds / 60:.0f} min"
                _keep(f"K1 {part} memory", what, slope.mib_per_hour, "MiB/h", "≤ 0.5")
                # One person comes each second.
                per_thousand = slope.mib_per_hour / 3.6
                _keep(f"L6 {part} memory", what, per_thousand, "MiB per 1,000 joins", "≤ 1")
            for name in ("files", "sockets", "threads"):
                before, after = getattr(self._base[part], name), getattr(end[part], name)
                what = (
                    f"{run}: {part}'s {name} when all have left, less the {before} before"
                )
                _keep(f"K1 {part} {name}", what, after - before, "", "≤ 2")


def _keep(row: str, what: str, value: float, unit: str, mark: str) -> None:
    record(Figure("soak", row, what, value, unit, mark))


async def _run(service: Service, options: argparse.Namespace) -> None:
    peers = Peers(verify=4)
    async with AsyncExitStack() as stack:
        beside(stack, peers.pump())
        peers.native.set_sending(True)
        rooms = Rooms(service, options.rooms, peers, options.seed)
        stack.push_async_callback(rooms.close)
        await Soak(service, rooms, options).run()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rooms", type=int, default=50)
    parser.add_argument(
        "--faults", type=float, default=4, help="minutes between two; 0: none"
    )
    parser.add_argument("--interval", type=float, default=10, help="seconds between looks")
    parser.add_argument(
        "--settling", type=float, default=120,
        help="seconds of a restarted part's life whose growth is its start",
    )  # fmt: skip
    parser.add_argument(
        "--settle", type=float, default=30, help="seconds until what was left is closed"
    )
    parser.add_argument("--samples", type=Path, help="keep every look there, as JSON")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, help="keep the service's log there")
    options = parser.parse_args()
    end_cleanly()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(Path(folder), settings=SETTINGS) as service,
    ):
        try:
            uvloop.run(_run(service, options))
        finally:
            if options.log is not None:
                options.log.write_text(service.log_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
