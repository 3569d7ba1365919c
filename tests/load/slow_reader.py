"""L11: one participant does not read: what the others and the bridge's memory notice.

Nothing is ever read from the slow one's bridge channel, over which others say much to
everybody, and its media come over a line of 50 kbit/s.  Turns with a wide line and a reader
alternate with such ones.  Needs a network namespace of its own and tc: start it as root
with `script/soak slow`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
import uvloop
from xmppconf_bridge.generator import plan
from xmppconf_bridge.generator.app import beside
from xmppconf_bridge.generator.io.participant import Participant
from xmppconf_bridge.generator.io.peers import Peers

from tests.load.rooms import (
    WARM_UP,
    Seen,
    end_cleanly,
    keep,
    look,
    pinned_service,
    room_of,
)
from tests.support.service import Service
from xmppconf.config import Settings
from xmppconf.names import public_url

SETTINGS = "[bridge]\ntrust_bandwidth = false\nworkers = 1\n"
PERSON = plan.Person(
    audio=plan.Layer(160, 50), level=plan.SPEAKING, video=(plan.Layer(1100, 30),)
)
PEOPLE = 4
SLOW = 50  # kbit/s
#: What the line holds: 200 ms and more of it, and less than the bridge's socket buffer, of
#: which a queue on this machine, unlike one in the network, takes its part.
QUEUE = 3000  # octets
#: Close to what an endpoint may say: 64 Ki characters a second.
TALK = 6 * 1024  # characters of a message
TALKS = 10  # messages a second
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Turn:
    seen: Seen
    bridge: float
    web: float
    """What they grew by at most, in MiB."""


def run(command: str) -> None:
    subprocess.run(command.split(), check=True)  # noqa: S603


class Line:
    """What goes to one UDP port of this namespace passes a bottleneck."""

    def __init__(self) -> None:
        run("tc qdisc add dev lo root handle 1: htb default 1")
        run("tc class add dev lo parent 1: classid 1:1 htb rate 10gbit quantum 60000")
        run(
            f"tc class add dev lo parent 1: classid 1:2 htb rate {SLOW}kbit"
            " burst 3000 cburst 3000 quantum 3000"
        )
        run(f"tc qdisc add dev lo parent 1:2 handle 20: bfifo limit {QUEUE}")

    def narrow(self, port: int) -> None:
        match = f"match ip protocol 17 0xff match ip dport {port} 0xffff"
        run(f"tc filter add dev lo parent 1: protocol ip prio 1 u32 {match} flowid 1:2")

    def widen(self) -> None:
        run("tc filter del dev lo parent 1: prio 1")


class Unreading(Participant):
    """Opens a bridge channel and reads nothing of it but that it is open."""

    async def open_unread(self, settings: Settings) -> asyncio.StreamWriter:
        """Bare TCP: a client library would read on its own, and answer pings."""
        url, page = urlsplit(self._urls[0]), urlsplit(public_url(settings))
        reader, writer = await asyncio.open_connection(url.hostname, url.port, limit=1024)
        writer.write(
            f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n"
            f"Origin: {page.scheme}://{page.netloc}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise AssertionError(f"no bridge channel: {head!r}")
        # From here on the reader's buffer is full, and the kernel's fills up.
        return writer


@asynccontextmanager
async def slow_one(
    service: Service, room: str, *, reads: bool
) -> AsyncIterator[tuple[Peers, int]]:
    """Somebody in the room with a generator of its own; that, and its UDP port."""
    peers = Peers()
    async with AsyncExitStack() as stack:
        beside(stack, peers.pump())
        http = await stack.enter_async_context(aiohttp.ClientSession())
        person = Unreading(service.settings, room, 100, PERSON)
        stack.push_async_callback(person.close)
        await person.enter()
        await person.accept(peers, 4, frozenset())
        if reads:
            await person.open_channel(http)
            beside(stack, person.drain())
            await person.watch([])
        else:
            writer = await person.open_unread(service.settings)
            stack.callback(writer.close)
        assert person.peer is not None
        yield peers, peers.native.local_address(person.peer)[1]


async def talk(person: Participant) -> None:
    """Say much to everybody over the bridge channel, for ever."""
    message = {
        "colibriClass": "EndpointMessage",
        "to": "",
        "msgPayload": {"text": "x" * TALK},
    }
    channel = person._channel
    assert channel is not None
    while True:
        await channel.send_json(message)
        await asyncio.sleep(1 / TALKS)


async def watch_memory(service: Service, grown: dict[str, float]) -> None:
    base = {part: service.memory(part) for part in grown}
    while True:
        for part in grown:
            now = (service.memory(part) - base[part]) / MIB
            grown[part] = max(grown[part], now)
        await asyncio.sleep(0.5)


async def turn(service: Service, line: Line, seconds: float, *, slow: bool) -> Turn:
    """A fresh call; the slow one comes last."""
    peers, room = Peers(), f"slow-{secrets.token_hex(4)}"
    grown = {"bridge": 0.0, "web": 0.0}
    async with AsyncExitStack() as stack:
        beside(stack, peers.pump())
        people = await stack.enter_async_context(
            room_of(service, [PERSON] * (PEOPLE - 1), peers, name=room)
        )
        last, port = await stack.enter_async_context(
            slow_one(service, room, reads=not slow)
        )
        for one in (peers, last):
            one.native.set_sending(True)
        await asyncio.sleep(WARM_UP)
        if slow:
            line.narrow(port)
            stack.callback(line.widen)
        for person in people[1:]:
            beside(stack, talk(person))
        beside(stack, watch_memory(service, grown))
        bridge = service.children()["bridge"]
        seen = await look(peers, bridge, seconds)
        if slow:
            figures = last.native.figures()[0]
            lost = sum(t.expected - t.received for t in figures.tracks.values())
            if not lost:
                raise AssertionError("the narrow line has lost nothing")
    return Turn(seen, grown["bridge"], grown["web"])


async def measure(service: Service, options: argparse.Namespace) -> None:
    line = Line()
    turns: dict[bool, list[Turn]] = {False: [], True: []}
    # What the first call makes the parts grow by is nobody's queue.
    await turn(service, line, min(options.seconds, 5), slow=False)
    for number in range(options.rounds):
        if options.verbose and number:
            last = {slow: one[-1].seen for slow, one in turns.items()}
            print(number, last, file=sys.stderr)
        # Whatever changes on the machine meanwhile is to favour neither.
        for slow in (False, True) if number % 2 == 0 else (True, False):
            turns[slow].append(await turn(service, line, options.seconds, slow=slow))
    tell(turns, options.seconds)


def tell(turns: dict[bool, list[Turn]], seconds: float) -> None:
    p99 = {}
    for slow, row in ((False, "control"), (True, "slow")):
        reads = f"one who reads nothing, behind {SLOW} kbit/s" if slow else "all read"
        what = f"call of {PEOPLE}, {reads}, {len(turns[slow])} turns of {seconds:g} s"
        seen = [one.seen for one in turns[slow]]
        p99[slow] = statistics.median(one.p99 for one in seen)
        loss = 100 * statistics.median(one.loss for one in seen)
        keep(f"L11 {row} p99", f"{what}: the others' added delay", p99[slow], "ms")
        keep(f"L11 {row} loss", f"{what}: the others' loss", loss, "%")
        mark = "≤ 1 beyond control" if slow else ""
        for part in ("bridge", "web"):
            grown = max(getattr(one, part) for one in turns[slow])
            keep(f"L11 {row} {part}", f"{what}: {part} grew by at most", grown, "MiB", mark)
    ratio = p99[True] / max(p99[False], 0.001)
    keep("L11 p99", "others' delay with a slow one, against control", ratio, "", "≤ 1.1")
    # What else the machine does makes a turn slower and none faster.
    least = {slow: min(one.seen.p99 for one in turns[slow]) for slow in turns}
    ratio = least[True] / max(least[False], 0.001)
    what = "the same of the turn of each kind with the least"
    keep("L11 least p99", what, ratio, "", "≤ 1.1")
    half = {slow: statistics.median(one.seen.p50 for one in turns[slow]) for slow in turns}
    ratio = half[True] / max(half[False], 0.001)
    keep("L11 p50", "others' delay, half, with a slow one, against control", ratio, "")
    controls = sorted(one.seen.p99 for one in turns[False])
    spread = controls[-1] / max(controls[0], 0.001)
    keep("L11 noise", "the greatest of the controls' delays, against the least", spread, "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30, help="of each turn")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--verbose", action="store_true", help="tell of each pair")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("needs root, for tc")
    end_cleanly()
    with pinned_service(SETTINGS) as service:
        uvloop.run(measure(service, options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
