"""`xmppconf load`: participants by the dozen join a room of a running service, send and
receive for a while, and what they got is told.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import uvloop

from xmppconf.config import Settings
from xmppconf.errors import SettingsError, UsageError
from xmppconf_bridge.generator import plan
from xmppconf_bridge.generator.io.participant import Participant, http_session
from xmppconf_bridge.generator.io.peers import NoConnection, Peers
from xmppconf_bridge.generator.io.process import find_bridge, usage
from xmppconf_bridge.generator.report import Report, as_text, report

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
WARM_UP = 3.0  # seconds of packets before any is counted
#: Participants that join at the same time.
JOINING = 10

SCENARIOS: dict[str, Callable[[argparse.Namespace], plan.Scenario]] = {
    "fan-out": lambda o: plan.fan_out(o.people or 10, o.rate, o.size),
    "meeting": lambda o: plan.meeting(o.people or 30, 0, o.size),
    "audience": lambda o: plan.meeting(o.people or 30, o.listeners, o.size),
    "microphones": lambda o: plan.microphones(o.people or 100),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument(
        "scenario", choices=SCENARIOS, help="who sends what; see docs/operating/load.md"
    )
    parser.add_argument("--state", type=Path, help="folder of the service's `serve`")
    parser.add_argument("--people", type=int, help="receivers, cameras or microphones")
    parser.add_argument("--listeners", type=int, default=70, help="of `audience`")
    parser.add_argument("--rate", type=int, default=300, help="packets/s of `fan-out`")
    parser.add_argument("--size", type=int, default=1100, help="octets of video payloads")
    parser.add_argument("--seconds", type=float, default=10.0, help="that are measured")
    parser.add_argument("--room", default="", help="default: one with a name by chance")
    parser.add_argument("--ipv6", action="store_true", help="media over IPv6")
    parser.add_argument(
        "--verify", type=int, default=1, help="decrypt one of so many packets (1: all)"
    )
    parser.add_argument(
        "--allow", action="append", default=[], metavar="ADDRESS",
        help="an address beyond this machine that may be loaded; ask its owner first",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one line of JSON")


async def run(settings: Settings, options: argparse.Namespace) -> Report:
    """Join, measure, leave.  Raises `NoConnection`."""
    scenario = SCENARIOS[options.scenario](options)
    allowed = frozenset(options.allow)
    if settings.xmpp.host not in LOOPBACK | allowed:
        raise SettingsError(
            f"load: {settings.xmpp.host} is not this machine; name it with --allow"
        )
    if not 0 < options.seconds <= plan.MAX_SECONDS:
        raise SettingsError(f"load: --seconds is at most {plan.MAX_SECONDS:.0f}")
    run_file = _run_file(options)
    pid = find_bridge(run_file) if run_file else None
    idle = usage(pid) if pid else None
    peers = Peers(allowed, verify=options.verify)
    room = options.room or f"load-{secrets.token_hex(4)}"
    family = 6 if options.ipv6 else 4
    async with AsyncExitStack() as stack:
        beside(stack, peers.pump())
        http = await stack.enter_async_context(http_session())
        people = [
            Participant(settings, room, number, person)
            for number, person in enumerate(scenario.people)
        ]
        turns = asyncio.Semaphore(JOINING)

        async def join(one: Participant) -> None:
            async with turns:
                stack.push_async_callback(one.close)
                await one.enter()
                await one.accept(peers, family, allowed)
                await one.open_channel(http)

        # The focus invites nobody who is alone.
        await asyncio.gather(*(join(one) for one in people))
        for one in people:
            beside(stack, one.drain())
            await one.watch(people)
        native = peers.native
        native.set_sending(True)
        await asyncio.sleep(WARM_UP)
        native.reset()
        begin = usage(pid) if pid else None
        await asyncio.sleep(options.seconds)
        end = usage(pid) if pid else None
        figures, delays = native.figures(), native.delays()
        sent = sum(packets for _, _, packets in native.sent())
        native.set_sending(False)
    used = (idle, begin, end) if idle and begin and end else None
    return report(scenario, options.seconds, sent, figures, delays, used)


def main(settings: Settings, options: argparse.Namespace) -> int:
    """Run the command; returns the exit code: 1 if not every track arrived."""
    try:
        result = uvloop.run(run(settings, options))
    except (NoConnection, UsageError) as error:
        print(f"xmppconf: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result.as_json()) if options.json else as_text(result))
    return 0 if result.tracks_received >= result.tracks_expected else 1


def _run_file(options: argparse.Namespace) -> Path | None:
    if options.state is not None:
        return Path(options.state) / "run.toml"
    return options.config if isinstance(options.config, Path) else None


def beside(stack: AsyncExitStack, work: Coroutine[None, None, None]) -> None:
    """Let it run until the stack is left."""
    task = asyncio.create_task(work)

    async def end() -> None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    stack.push_async_callback(end)
