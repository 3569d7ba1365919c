"""L16: half as much again as the bridge carries: what it refuses, what stays, how it ends.

One room has more and more pictures until the bridge's core is full or packets are lost;
then half as many again come at once.  Meanwhile two other people talk, and somebody opens
a new room.  In the end the pictures stop, and the time until all is as before is taken.
The bridge has one core and one worker, the load generator the other core, which is the
slower side: so pictures to the crowd go no farther than the loopback device, as if they
were lost on the way.  Needs a network namespace of its own and tc: start it as root with
`script/soak overload`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import aiohttp
import uvloop
from xmppconf_bridge.generator import plan
from xmppconf_bridge.generator.app import beside
from xmppconf_bridge.generator.io.participant import Participant
from xmppconf_bridge.generator.io.peers import NoConnection, Peers

from tests.load.rooms import WARM_UP, Seen, keep, look, pinned_service, room_of
from tests.support.service import Service
from xmppconf.errors import PeerError
from xmppconf.xmpp.stanza import StanzaError

SETTINGS = "[bridge]\ntrust_bandwidth = false\nworkers = 1\n"
#: Packets a second of one picture, which each of the audience gets.
RATE = 300
MAX_PICTURES = 80
#: `Generator` decrypts one packet of so many, so that it is not the slower side.
VERIFY = 16
FULL = 0.95  # of the bridge's core; who measures and the kernel have some of it
OVERLOADED = 0.8  # the focus's default for `overloaded`
PATIENCE = 120.0  # seconds until health says something
SPEAKER = plan.Person(audio=plan.Layer(160, 50), level=plan.SPEAKING, audios_expected=1)
CAMERA = plan.Person(video=(plan.Layer(1100, RATE),), watches=0)
VIEWER = plan.Person()


def drop_pictures(bridge_port: int) -> None:
    """Let what the bridge sends and is as large as a picture's packet end here."""
    for command in (
        "qdisc add dev lo root handle 1: htb default 1",
        "class add dev lo parent 1: classid 1:1 htb rate 10gbit quantum 60000",
        "class add dev lo parent 1: classid 1:2 htb rate 8kbit quantum 3000",
        "qdisc add dev lo parent 1:2 handle 20: bfifo limit 1",
        # Up to 511 octets: sound, and checks of the connection.
        "filter add dev lo parent 1: protocol ip prio 1 u32 match u16 0 0xfe00 at 2"
        " flowid 1:1",
        "filter add dev lo parent 1: protocol ip prio 2 u32 match ip protocol 17 0xff"
        f" match ip sport {bridge_port} 0xffff flowid 1:2",
    ):
        subprocess.run(["tc", *command.split()], check=True)  # noqa: S603, S607


class Overload:
    """The crowded room, the two who talk, and the service."""

    def __init__(self, service: Service, options: argparse.Namespace) -> None:
        self._service = service
        self._options = options
        self._bridge = service.children()["bridge"]
        self._crowd = Peers(verify=VERIFY)
        self._talk = Peers()
        self._cameras: list[Participant] = []
        self._room = f"crowd-{time.monotonic_ns():x}"

    async def run(self) -> None:
        async with AsyncExitStack() as stack:
            for peers in (self._crowd, self._talk):
                beside(stack, peers.pump())
            self._http = await stack.enter_async_context(aiohttp.ClientSession())
            viewers = [VIEWER] * self._options.audience
            await stack.enter_async_context(
                room_of(self._service, viewers, self._crowd, name=self._room)
            )
            await stack.enter_async_context(
                room_of(self._service, [SPEAKER] * 2, self._talk, first=500)
            )
            stack.push_async_callback(self._go)
            drop_pictures(self._service.settings.bridge.udp_port)
            for peers in (self._crowd, self._talk):
                peers.native.set_sending(True)
            carried = await self._find_limit()
            await self._half_as_much_again(carried)

    async def _find_limit(self) -> int:
        """Pictures that the bridge just carries."""
        seconds = self._options.step
        while len(self._cameras) < MAX_PICTURES:
            await self._add_camera()
            await asyncio.sleep(WARM_UP)
            before = await self._sent()
            seen = await look(self._talk, self._bridge, seconds)
            sent = (await self._sent() - before) / seconds
            if self._options.verbose:
                print(len(self._cameras), f"{sent:,.0f}/s", seen, file=sys.stderr)
            if seen.cpu > FULL:
                break
        pictures = len(self._cameras)
        what = f"{pictures} pictures of {RATE} packets/s to {self._options.audience}"
        keep("L16 limit", f"{what}: sent by the bridge", sent, "packets/s", "")
        keep("L16 limit CPU", f"{what}: bridge", 100 * seen.cpu, "% of a core", "")
        if seen.cpu <= FULL:
            raise AssertionError("more pictures are needed to fill the bridge")
        return pictures

    async def _half_as_much_again(self, carried: int) -> None:
        options = self._options
        # Nothing before this is part of it: the bridge's own figures are of 10 s.
        more = max(carried // 2, 1)
        self._talk.native.reset()
        began = time.monotonic()
        for _ in range(more):
            await self._add_camera()
        said = asyncio.create_task(self._until(began, lambda stress: stress >= OVERLOADED))
        audio: list[Seen] = []
        end = time.monotonic() + options.seconds
        refusal = ""
        while time.monotonic() < end:
            audio.append(await look(self._talk, self._bridge, 5.0))
            if said.done() and not refusal:
                refusal = await self._open_room()
        what = f"{carried + more} pictures where {carried} are carried"
        took = await said
        keep(
            "L16 health", f"{what}: until the focus has it as overloaded", took, "s", "≤ 10"
        )
        refused = float("resource-constraint" in refusal)
        about = f"{what}: a new room got resource-constraint (it was: {refusal})"
        keep("L16 refused", about, refused, "", "1")
        worst = 100 * max(seen.loss for seen in audio)
        keep("L16 audio", f"{what}: loss of two who talk, worst 5 s", worst, "%", "≤ 1")
        lost = 100 * sum(seen.loss for seen in audio) / len(audio)
        keep("L16 audio, all", f"{what}: in {options.seconds:g} s", lost, "%", "≤ 1")
        slowest = max(seen.p99 for seen in audio)
        keep("L16 audio p99", f"{what}: added delay of their sound", slowest, "ms", "")
        if not all(seen.received for seen in audio):
            raise AssertionError("those who talk heard nothing for 5 s")

        self._crowd.native.set_sending(False)
        back = await self._until(time.monotonic(), lambda stress: stress < OVERLOADED)
        keep(
            "L16 back", f"{what}: from its end until health is as before", back, "s", "≤ 30"
        )
        after = await look(self._talk, self._bridge, 5.0)
        keep("L16 audio after", f"{what}: loss after its end", 100 * after.loss, "%", "0")
        opened = await self._open_room()
        if opened != "opened":
            raise AssertionError(f"no room can be opened afterwards: {opened}")

    async def _sent(self) -> float:
        return await asyncio.to_thread(self._service.counter, "engine_packets_sent")

    async def _add_camera(self) -> None:
        number = 600 + len(self._cameras)
        person = Participant(self._service.settings, self._room, number, CAMERA)
        self._cameras.append(person)
        await person.enter()
        await person.accept(self._crowd, 4, frozenset())
        await person.open_channel(self._http)
        await person.watch([])

    async def _go(self) -> None:
        await asyncio.gather(*(person.close() for person in self._cameras))

    async def _until(self, began: float, is_so: Callable[[float], bool]) -> float:
        """Seconds until what the focus knows of the bridge's stress is so."""
        while time.monotonic() - began < PATIENCE:
            page = await asyncio.to_thread(self._service.page, "focus", "/stats")
            [bridge] = json.loads(page)["bridge_selector"]["bridges"]
            if is_so(bridge["stress"]):
                break
            await asyncio.sleep(0.2)
        return time.monotonic() - began

    async def _open_room(self) -> str:
        """What two people get who open a room of their own."""
        one = replace(SPEAKER, level=plan.OPEN)
        peers = Peers()
        async with AsyncExitStack() as stack:
            beside(stack, peers.pump())
            try:
                async with room_of(self._service, [one] * 2, peers, first=700):
                    return "opened"
            except StanzaError as error:
                return error.condition
            except (PeerError, NoConnection, TimeoutError) as error:
                return repr(error)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--audience", type=int, default=50)
    parser.add_argument("--step", type=float, default=3, help="seconds for each picture")
    parser.add_argument("--seconds", type=float, default=120, help="of overload")
    parser.add_argument("--verbose", action="store_true", help="tell of each picture")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("needs root, for tc")
    with pinned_service(SETTINGS) as service:
        uvloop.run(Overload(service, options).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
