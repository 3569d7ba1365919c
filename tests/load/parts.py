"""One conference on one thread of the bridge, and in two parts on two: what goes out.

Somebody's pictures go to an audience, more and more of them until the bridge's threads are
full.  The load generator is not to be the slower side, so what the bridge sends goes no
farther than the loopback device, as if it were lost on the way.  Two cores are all there
are, so the second thread shares its own with the generator, which sends little.
Needs a network namespace of its own and tc: start it as root with `script/soak parts`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop
from xmppconf_bridge.generator import plan
from xmppconf_bridge.generator.app import beside
from xmppconf_bridge.generator.io.participant import Participant, http_session
from xmppconf_bridge.generator.io.peers import Peers

from tests.load.overload import drop_pictures, tc
from tests.load.rooms import WARM_UP, end_cleanly, room_of
from tests.support.figures import Figure, record
from tests.support.service import Service, running_service

RATE = 3000  # packets a second of one picture
MAX_PICTURES = 40
FULL = 0.93  # of the threads' time; who measures and the kernel have some of it
#: The bridge sends whatever it can, with as many of the audience on each thread.
SETTINGS = """[bridge]
trust_bandwidth = false
reduce_load = false
people_per_worker = 1
"""
CAMERA = plan.Person(video=(plan.Layer(1100, RATE),), watches=0)
#: Of pictures that go no farther than the loopback device nobody can report the arrival.
VIEWER = plan.Person(reports=False)


def worker_seconds(bridge: int) -> list[float]:
    """CPU time that each thread for packets has had."""
    seconds = []
    for task in sorted(Path(f"/proc/{bridge}/task").iterdir(), key=lambda path: path.name):
        if (task / "comm").read_text().strip() == "xmppconf-media":
            user, system = (task / "stat").read_text().rpartition(")")[2].split()[11:13]
            seconds.append((int(user) + int(system)) / os.sysconf("SC_CLK_TCK"))
    return seconds


async def fill(service: Service, options: argparse.Namespace) -> tuple[float, list[float]]:
    """Packets a second when the threads are full, and how full each is."""
    bridge, peers = service.children()["bridge"], Peers(verify=16)
    room = f"crowd-{secrets.token_hex(4)}"
    best, shares = 0.0, [0.0]

    async def sent() -> float:
        return await asyncio.to_thread(service.counter, "engine_packets_sent")

    async with AsyncExitStack() as stack:
        beside(stack, peers.pump())
        http = await stack.enter_async_context(http_session())
        viewers = [VIEWER] * options.audience
        await stack.enter_async_context(room_of(service, viewers, peers, name=room))
        drop_pictures(service.settings.bridge.udp_port)
        stack.callback(tc, "qdisc del dev lo root")
        peers.native.set_sending(True)
        for number in range(MAX_PICTURES):
            camera = Participant(service.settings, room, 600 + number, CAMERA)
            stack.push_async_callback(camera.close)
            await camera.enter()
            await camera.accept(peers, 4, frozenset())
            await camera.open_channel(http)
            beside(stack, camera.drain())
            await camera.watch([])
            await asyncio.sleep(WARM_UP)
            packets, used, began = await sent(), worker_seconds(bridge), time.monotonic()
            await asyncio.sleep(options.step)
            took = time.monotonic() - began
            rate = (await sent() - packets) / took
            used = [
                (after - before) / took
                for before, after in zip(used, worker_seconds(bridge), strict=True)
            ]
            if options.verbose:
                print(number + 1, f"{rate:,.0f}/s", [f"{one:.2f}" for one in used])
            if rate > best:
                best, shares = rate, used
            if sum(used) > FULL * len(used) or rate < 0.8 * best:
                break
    return best, shares


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--audience", type=int, default=50)
    parser.add_argument("--step", type=float, default=3, help="seconds for each picture")
    parser.add_argument("--verbose", action="store_true", help="tell of each picture")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("needs root, for tc")
    end_cleanly()
    for workers in (1, 2):
        with (
            TemporaryDirectory() as folder,
            running_service(
                Path(folder), settings=f"{SETTINGS}workers = {workers}\n"
            ) as service,
        ):
            rate, shares = uvloop.run(fill(service, options))
        used = " and ".join(f"{share:.0%}" for share in shares)
        what = (
            f"one conference, {options.audience} receivers, {workers} threads, {used} busy"
        )
        record(Figure("engine", f"full {workers}", what, round(rate), "packets/s"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
