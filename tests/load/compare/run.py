"""The same load on our bridge and on other servers, taking turns on the same core.

Every server and its participants stay connected; packets flow through one at a time, in
turns of a few seconds, so that what else the machine does meets all of them.  A line of
JSON for each turn; `table.py` makes docs/results/load.md of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from xmppconf_bridge.generator import plan
from xmppconf_bridge.generator.io.process import usage
from xmppconf_bridge.generator.report import Report, report

from tests.load.compare.galene import Galene
from tests.load.compare.janus import Janus
from tests.load.compare.jvb import Jvb
from tests.load.compare.livekit import LiveKit
from tests.load.compare.mediasoup import Mediasoup
from tests.load.compare.ours import Ours
from tests.load.compare.target import LOAD_CORE, NotInstalled, Target

ROOT = Path(__file__).resolve().parents[3]
WARM_UP = 1.5  # seconds
#: The one picture of a fan-out is larger than what a receiver is taken to have in the
#: beginning, and other servers forward it unasked.
#: Nor does another server on the same core make them send less.
ALONE = "[bridge]\ntrust_bandwidth = false\nreduce_load = false\n"
SETTINGS = ALONE + "workers = 1\n"
#: On the same core: what it costs to hand packets over.
TWO_WORKERS = ALONE + "workers = 2\n"
#: Half of a conference of 50 on each: what it costs that it has two parts.
IN_PARTS = TWO_WORKERS + "people_per_worker = 25\n"

SERVERS: dict[str, Callable[[Path, Path], Target]] = {
    "ours": lambda *a: Ours(*a, settings=SETTINGS),
    "ours-2": lambda *a: Ours(*a, settings=TWO_WORKERS, name="xmppconf, 2 workers"),
    "ours-parts": lambda *a: Ours(*a, settings=IN_PARTS, name="xmppconf, 2 parts"),
    "janus": Janus,
    "mediasoup": Mediasoup,
    "livekit": LiveKit,
    "galene": Galene,
    "jvb": Jvb,
    "janus-loop": lambda *a: Janus(*a, loops=1),
}
LOADS: dict[str, Callable[[], plan.Scenario]] = {
    "10": lambda: plan.fan_out(10, 2000),
    "10-small": lambda: plan.fan_out(10, 2000, 160),
    "50": lambda: plan.fan_out(50, 300),
    "50-saturated": lambda: plan.fan_out(50, 4000),
    "50-full": lambda: plan.fan_out(50, 9000),
    "50-small": lambda: plan.fan_out(50, 300, 160),
    "50-small-saturated": lambda: plan.fan_out(50, 4000, 160),
    "meeting": lambda: plan.meeting(30),
    "meeting-small": lambda: plan.meeting(30, size=160),
    "audience": lambda: plan.meeting(30, 70),
    "microphones": plan.microphones,
}


async def turn(
    target: Target, scenario: plan.Scenario, seconds: float, idle: int
) -> Report:
    native = target.peers.native
    native.set_sending(True)
    await asyncio.sleep(WARM_UP)
    native.reset()
    begin, started = usage(*target.pids), time.monotonic()
    await asyncio.sleep(seconds)
    end, took = usage(*target.pids), time.monotonic() - started
    figures, delays = native.figures(), native.delays()
    sent = sum(packets for _, _, packets in native.sent())
    native.set_sending(False)
    before = type(begin)(begin.cpu, idle)
    return report(scenario, took, sent, figures, delays, (before, begin, end))


async def run_load(
    name: str, servers: list[str], options: argparse.Namespace, output: Path
) -> None:
    scenario = LOADS[name]()
    async with AsyncExitStack() as stack:
        targets: list[tuple[Target, int]] = []
        for server in servers:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            target = SERVERS[server](options.cache, folder)
            try:
                await target.start()
            except NotInstalled as error:
                print(f"not here: {error}", file=sys.stderr)
                continue
            stack.push_async_callback(target.close)
            pump = asyncio.create_task(target.peers.pump())
            stack.push_async_callback(_end, pump)
            idle = usage(*target.pids).memory
            try:
                await target.connect(scenario)
            except Exception as error:  # the others go on
                print(f"{target.name}: {error!r}", file=sys.stderr)
                with suppress(OSError):
                    print((folder / "log").read_text()[-1500:], file=sys.stderr)
                continue
            stack.push_async_callback(target.disconnect)
            targets.append((target, idle))
        if not targets:
            return
        results: dict[str, list[Report]] = {}
        for number in range(options.rounds):
            first = number % len(targets)
            for target, idle in targets[first:] + targets[:first]:
                one = await turn(target, scenario, options.seconds, idle)
                results.setdefault(target.name, []).append(one)
                line = {"server": target.name, "turn": number, "load_name": name}
                with output.open("a") as file:
                    file.write(json.dumps({**line, **one.as_json()}) + "\n")
        for server, turns in results.items():
            print(_row(server, turns), flush=True)


def forget(output: Path, loads: list[str]) -> None:
    """Take out of a file of turns those of loads that are measured again."""
    if output.exists():
        lines = output.read_text().splitlines(keepends=True)
        kept = [line for line in lines if json.loads(line)["load_name"] not in loads]
        output.write_text("".join(kept))


def _row(server: str, turns: list[Report]) -> str:
    def middle(values: list[float]) -> float:
        return statistics.median(values)

    return (
        f"{turns[0].load:42} {server:24}"
        f"{middle([one.packets_per_second for one in turns]):>9,.0f}/s"
        f"{middle([one.loss for one in turns]):>8.2%}"
        f"{middle([one.delay_p50_us for one in turns]):>8.0f}"
        f"{middle([one.delay_p99_us for one in turns]):>8.0f} us"
        f"{middle([one.cpu_us_per_packet or 0 for one in turns]):>7.2f} us/packet"
        f"{middle([one.cpu_share or 0 for one in turns]):>6.0%}"
        f"{(turns[0].memory_per_participant or 0) / 1e6:>7.2f} MB"
        f" {turns[0].tracks_received}/{turns[0].tracks_expected}"
    )


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loads", nargs="+", choices=LOADS, default=list(LOADS))
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache/compare")
    parser.add_argument("--output", type=Path, default=ROOT / ".cache/compare/load.jsonl")
    options = parser.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    forget(options.output, options.loads)
    for name in options.loads:
        # Others have no choice of the loudest: each would forward all to all.
        others = name == "microphones"
        servers = [one for one in options.servers if not others or one.startswith("ours")]
        asyncio.run(run_load(name, servers, options, options.output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
