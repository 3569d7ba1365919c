"""L1 to L3: two who send, forty who receive all of it, and what one core adds to that.

The bridge has one core and one worker, the load generator the other core.  For L1 and L2
two senders share the rate; for L3 one more sender comes at a time until more is lost than
should be, or the load generator has no time left: it decrypts but one packet of sixteen,
and is the slower side all the same.  Start it with `script/soak carried`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import uvloop
from xmppconf_bridge.generator import plan
from xmppconf_bridge.generator.app import beside
from xmppconf_bridge.generator.io.participant import Participant
from xmppconf_bridge.generator.io.peers import Peers
from xmppconf_bridge.generator.io.process import usage

from tests.load.rooms import NOTHING, WARM_UP, end_cleanly, look, pinned_service, room_of
from tests.support.figures import Figure, record
from tests.support.service import Service

SETTINGS = "[bridge]\ntrust_bandwidth = false\nworkers = 1\nreduce_load = false\n"
RECEIVERS = 40
SIZE = 1100  # octets
VERIFY = 16
#: L3: what each sender adds at the receivers, and where there are too many losses.
STEP = 300
LOST = 0.001
FIRST, MAX_SENDERS = 10, 50
#: Of the load generator's core: what it has to lose itself, from there on.
BUSY = 0.97
VIEWER = plan.Person()


@dataclass(frozen=True, slots=True)
class Mark:
    row: str
    rate: int
    """Packets a second that leave the bridge."""
    loss: str
    p50: str
    p99: str
    p999: str
    cpu: str


MARKS = (
    Mark("L1", 20_000, "0", "≤ 0.5", "≤ 5", "≤ 20", "≤ 60"),
    Mark("L2", 50_000, "≤ 0.01", "", "", "", "≤ 100"),
)


def sender(rate: int) -> plan.Person:
    return plan.Person(video=(plan.Layer(SIZE, rate),), watches=0)


def keep(row: str, what: str, value: float, unit: str, mark: str = "") -> None:
    record(Figure("carried", row, what, value, unit, mark))


@asynccontextmanager
async def call(service: Service, rate: int) -> AsyncIterator[Peers]:
    """Two senders of this rate each, and the receivers."""
    peers = Peers(verify=VERIFY)
    async with AsyncExitStack() as stack:
        beside(stack, peers.pump())
        people = [sender(rate)] * 2 + [VIEWER] * RECEIVERS
        await stack.enter_async_context(room_of(service, people, peers))
        peers.native.set_sending(True)
        await asyncio.sleep(WARM_UP)
        yield peers


async def steady(service: Service, mark: Mark, seconds: float) -> None:
    bridge = service.children()["bridge"]
    async with call(service, mark.rate // RECEIVERS // 2) as peers:
        seen = await look(peers, bridge, seconds)
    came = seen.received / seconds
    what = f"2 to {RECEIVERS}, {SIZE} octets, {came:,.0f} packets/s, {seconds:g} s"
    keep(f"{mark.row} loss", f"{what}: loss", 100 * seen.loss, "%", mark.loss)
    keep(f"{mark.row} p50", f"{what}: added delay, half", seen.p50, "ms", mark.p50)
    keep(f"{mark.row} p99", f"{what}: added delay, 99 %", seen.p99, "ms", mark.p99)
    keep(f"{mark.row} p999", f"{what}: added delay, 99.9 %", seen.p999, "ms", mark.p999)
    keep(f"{mark.row} CPU", f"{what}: bridge", 100 * seen.cpu, "% of a core", mark.cpu)
    if seen.received < 0.9 * mark.rate * seconds:
        raise AssertionError(f"{came:,.0f} packets/s came of {mark.rate:,}")


async def rising(service: Service, options: argparse.Namespace) -> None:
    bridge = service.children()["bridge"]
    peers, room = Peers(verify=VERIFY), f"rising-{time.monotonic_ns():x}"
    best, own, own_best, failed = NOTHING, 0.0, 0.0, 0
    async with AsyncExitStack() as stack:
        beside(stack, peers.pump())
        viewers = [VIEWER] * RECEIVERS
        await stack.enter_async_context(room_of(service, viewers, peers, name=room))
        peers.native.set_sending(True)
        for number in range(MAX_SENDERS):
            one = Participant(service.settings, room, 100 + number, sender(STEP))
            stack.push_async_callback(one.close)
            await one.enter()
            await one.accept(peers, 4, frozenset())
            if number + 1 < FIRST:
                continue
            await asyncio.sleep(WARM_UP)
            before, began = usage(os.getpid()), time.monotonic()
            seen = await look(peers, bridge, options.step)
            took = time.monotonic() - began
            own = (usage(os.getpid()).cpu - before.cpu) / took
            if options.verbose:
                print(number + 1, f"{seen.received / took:,.0f}/s", seen, f"{own:.2f}")
            # Once may be what else the machine does.
            failed = failed + 1 if seen.loss > LOST else 0
            if not failed and seen.received > best.received:
                best, own_best = seen, own
            if failed == 2 or own > BUSY:
                break
    rate = best.received / options.step
    full = f"the load generator had {100 * own_best:.0f} % of its core then"
    what = f"more and more senders to {RECEIVERS}, {SIZE} octets: arrived"
    keep("L3", f"{what} with ≤ 0.1 % lost; {full}", rate, "packets/s", "≥ 50,000")
    keep("L3 CPU", f"{what}: bridge", 100 * best.cpu, "% of a core")
    keep("L3 p99", f"{what}: added delay, 99 %", best.p99, "ms")


async def measure(service: Service, options: argparse.Namespace) -> None:
    for mark in MARKS:
        await steady(service, mark, options.seconds)
    await rising(service, options)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120, help="of L1 and of L2")
    parser.add_argument("--step", type=float, default=2, help="seconds of a step of L3")
    parser.add_argument("--verbose", action="store_true", help="tell of each step")
    options = parser.parse_args()
    end_cleanly()
    with pinned_service(SETTINGS) as service:
        uvloop.run(measure(service, options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
