"""L8: a flood of signalling, and what people who come meanwhile and calls that run notice.

Five hostile occupants of one room change their presence 200 times a second each, and a
stranger asks for 200 rooms a second, all as fast as the gateway takes it.  Meanwhile two
people after two others open a room of their own and wait for the first packet of the
other; the same before, without the flood.  Three calls go on all the time.  Start it with
`script/soak signalling`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import uvloop
from xmppconf_bridge.generator.app import beside
from xmppconf_bridge.generator.io.participant import http_session
from xmppconf_bridge.generator.io.peers import Peers

from tests.load.flood import HOSTILE, Sent
from tests.load.rooms import WARM_UP, end_cleanly, keep, room_of
from tests.load.staying import SPEAKER, Staying
from tests.support.service import Service, running_service

CALLS = 3
MEDIA_WITHIN = 30.0  # seconds
MIB = 1024 * 1024


@asynccontextmanager
async def flood(service: Service) -> AsyncIterator[Callable[[], Awaitable[Sent]]]:
    """A flood beside what is done inside; what it gives ends it, and says what it was."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.load.flood", service.url, service.settings.domain),
        stdout=asyncio.subprocess.PIPE,
    )

    async def end() -> Sent:
        with suppress(ProcessLookupError):
            process.terminate()
        output, _ = await process.communicate()
        assert process.returncode == 0, "a flood ended by itself"
        return Sent(**json.loads(output))

    try:
        yield end
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def joins(service: Service, peers: Peers, seconds: float, first: int) -> list[float]:
    """Two by two people open rooms; seconds from the login to the first packet, of each."""
    took: list[float] = []
    end, number = time.monotonic() + seconds, itertools.count(first)
    async with http_session() as http:
        while time.monotonic() < end:
            room = f"control-{next(number)}"
            pair = [
                Staying(service.settings, room, next(number), peers, http) for _ in range(2)
            ]

            async def one(person: Staying) -> None:
                began = time.monotonic()
                await person.stay()
                await person.first_packet(MEDIA_WITHIN)
                took.append(time.monotonic() - began)

            try:
                await asyncio.gather(*(one(person) for person in pair))
            finally:
                await asyncio.gather(*(person.close() for person in pair))
    return took


def lost(peers: Peers) -> tuple[int, int]:
    """Packets that came and that did not, of all calls."""
    tracks = [track for one in peers.native.figures() for track in one.tracks.values()]
    received = sum(track.received for track in tracks)
    return received, sum(max(track.expected - track.received, 0) for track in tracks)


async def measure(service: Service, options: argparse.Namespace) -> None:
    calls, newcomers = Peers(verify=4), Peers()
    parts = ("focus", "prosody", "bridge", "web")
    async with AsyncExitStack() as stack:
        for peers in (calls, newcomers):
            beside(stack, peers.pump())
        for number in range(CALLS):
            people = [SPEAKER] * 4
            await stack.enter_async_context(
                room_of(service, people, calls, first=10 * number)
            )
        for peers in (calls, newcomers):
            peers.native.set_sending(True)
        await asyncio.sleep(WARM_UP)
        # What the first call makes the parts grow by is nobody's flood.
        await joins(service, newcomers, 5, 1_000)
        control = await joins(service, newcomers, options.seconds, 10_000)
        base = {part: service.memory(part) for part in parts}
        calls.native.reset()
        cpu = {part: service.cpu(part) for part in parts}
        async with flood(service) as end:
            began = time.monotonic()
            flooded = await joins(service, newcomers, options.seconds, 100_000)
            took = time.monotonic() - began
            used = {part: (service.cpu(part) - cpu[part]) / took for part in parts}
            sent = await end()
        grown = {part: (service.memory(part) - base[part]) / MIB for part in parts}
        tell(control, flooded, lost(calls), grown, used, sent, took)


def tell(
    control: list[float],
    flooded: list[float],
    counted: tuple[int, int],
    grown: dict[str, float],
    used: dict[str, float],
    sent: Sent,
    seconds: float,
) -> None:
    def late(took: list[float]) -> float:
        return statistics.quantiles(took, n=20, method="inclusive")[18]

    what = (
        f"{sent.presences / seconds:,.0f} presences/s of {HOSTILE} and "
        f"{sent.requests / seconds:,.0f} requests/s of a stranger, {seconds:.0f} s"
    )
    before = f"without a flood: login to first packet, 95 % of {len(control)}"
    keep("L8 control join p95", before, late(control), "s")
    during = f"{what}: login to first packet, 95 % of {len(flooded)}"
    keep("L8 join p95", during, late(flooded), "s")
    ratio = late(flooded) / late(control)
    keep("L8 join ratio", f"{what}: the same against control", ratio, "", "≤ 2")
    received, missing = counted
    share = 100 * missing / max(received + missing, 1)
    keep("L8 loss", f"{what}: loss of {CALLS} calls of 4", share, "%", "0")
    for name, count in (("presences", sent.shown), ("requests", sent.answered)):
        keep(f"L8 {name}", f"{what}: {name} let through", count / seconds, "a second")
    for part, share in used.items():
        keep(f"L8 {part} CPU", f"{what}: {part}", 100 * share, "% of a core")
    for part, size in grown.items():
        keep(f"L8 {part} memory", f"{what}: {part} grew by", size, "MiB", "≤ 32")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="without, and with it")
    options = parser.parse_args()
    end_cleanly()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(Path(folder)) as service,
    ):
        uvloop.run(measure(service, options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
