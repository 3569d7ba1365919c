"""L16: half as much again as the bridge carries: what it refuses, what stays, how it ends.

One room has more and more pictures until the bridge's core is full, while it may not send
fewer of them to help itself.  In another service half as many again come at once.
Meanwhile two other people talk, and somebody opens a new room.  In the end the pictures
stop, and the time until all is as before is taken.
The bridge has one core and one worker, the load generator the other core, which is the
slower side: so pictures to the crowd go no farther than the loopback device, as if they
were lost on the way.  Needs a network namespace of its own and tc: start it as root with
`script/soak overload`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Self

import uvloop
from xmppconf_bridge.generator import plan
from xmppconf_bridge.generator.app import beside
from xmppconf_bridge.generator.io.participant import Participant, http_session
from xmppconf_bridge.generator.io.peers import NoConnection, Peers
from xmppconf_focus.codecs import VIDEO_CODECS

from tests.load.rooms import (
    NOTHING,
    WARM_UP,
    Seen,
    end_cleanly,
    keep,
    look,
    pinned_service,
    room_of,
)
from tests.support.service import Service
from xmppconf.errors import PeerError
from xmppconf.xmpp.stanza import StanzaError

SETTINGS = "[bridge]\ntrust_bandwidth = false\nworkers = 1\n"
#: Packets a second of one picture, which each of the audience gets.
RATE = 200
#: As many as one receiver gets at most; more would only come in.
MAX_PICTURES = 50
#: `Generator` decrypts one packet of so many, so that it is not the slower side.
VERIFY = 16
NEAR = 0.6  # where it is worth looking closely
FULL = 0.95  # of the bridge's core; who measures and the kernel have some of it
LOST = 0.01  # of what two say who talk: more than a bridge that is not full loses
WINDOW = 5.0  # seconds in which loss is counted
PATIENCE = 120.0  # seconds until health says something
SPEAKER = plan.Person(audio=plan.Layer(160, 50), level=plan.SPEAKING, audios_expected=1)
CAMERA = plan.Person(video=(plan.Layer(1100, RATE),), watches=0)
#: Of pictures that go no farther than the loopback device nobody can report the arrival.
VIEWER = plan.Person(reports=False)


def drop_pictures(bridge_port: int) -> None:
    """Let the bridge's packets of pictures end here.

    Not by their size: of sound that waited the kernel gets several packets in one.
    """
    picture = VIDEO_CODECS["vp8"].id
    for command in (
        "qdisc add dev lo root handle 1: htb default 1",
        "class add dev lo parent 1: classid 1:1 htb rate 10gbit quantum 60000",
        "class add dev lo parent 1: classid 1:2 htb rate 8kbit quantum 3000",
        "qdisc add dev lo parent 1:2 handle 20: bfifo limit 1",
        "filter add dev lo parent 1: protocol ip prio 1 u32 match ip protocol 17 0xff"
        # RTP by its first octet (RFC 7983), and its payload type (RFC 3550, 5.1).
        f" match ip sport {bridge_port} 0xffff match u8 0x80 0xc0 at 28"
        f" match u8 {picture} 0x7f at 29 flowid 1:2",
    ):
        tc(command)


def tc(command: str) -> None:
    subprocess.run(["tc", *command.split()], check=True)  # noqa: S603, S607


class Stage:
    """The crowded room, the two who talk, and the service."""

    def __init__(self, service: Service, options: argparse.Namespace) -> None:
        self.bridge = service.children()["bridge"]
        self.crowd = Peers(verify=VERIFY)
        self.talk = Peers()
        self.cameras: list[Participant] = []
        self._service = service
        self._options = options
        self._room = f"crowd-{time.monotonic_ns():x}"
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        stack, service = self._stack, self._service
        for peers in (self.crowd, self.talk):
            beside(stack, peers.pump())
        self._http = await stack.enter_async_context(http_session())
        viewers = [VIEWER] * self._options.audience
        await stack.enter_async_context(
            room_of(service, viewers, self.crowd, name=self._room)
        )
        await stack.enter_async_context(
            room_of(service, [SPEAKER] * 2, self.talk, first=500)
        )
        drop_pictures(service.settings.bridge.udp_port)
        stack.callback(tc, "qdisc del dev lo root")
        self.talk.native.set_sending(True)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def find_limit(self) -> int:
        """Pictures that fill the bridge's core."""
        options, carried, sent = self._options, 0, 0.0
        seen, best = NOTHING, (NOTHING, 0.0)
        self.crowd.native.set_sending(True)
        while len(self.cameras) < MAX_PICTURES:
            try:
                await self.add_camera()
            except NoConnection:
                break  # it has no time for who comes
            await asyncio.sleep(WARM_UP)
            before, step = await self._sent(), options.step
            if seen.cpu < NEAR:
                step = min(step, 1.0)
            seen = await look(self.talk, self.bridge, step)
            sent = (await self._sent() - before) / step
            if options.verbose:
                print(len(self.cameras), f"{sent:,.0f}/s", seen, file=sys.stderr)
            if seen.cpu > NEAR and seen.loss > LOST:
                break
            best, carried = (seen, sent), len(self.cameras)
            if seen.cpu > FULL:
                break
        else:
            raise AssertionError("more pictures are needed to fill the bridge")
        seen, sent = best
        what = f"{carried} pictures of {RATE} packets/s to {options.audience}"
        keep("L16 limit", f"{what}, never fewer: the bridge sends", sent, "packets/s")
        keep("L16 limit CPU", f"{what}: bridge", 100 * seen.cpu, "% of a core")
        return carried

    async def overload(self, carried: int) -> None:
        """So many pictures and half as many again at once, then none."""
        pictures, seconds = carried + max(carried // 2, 1), self._options.seconds
        if pictures > MAX_PICTURES:
            raise AssertionError(f"a larger audience is needed: {carried} are carried")
        while len(self.cameras) < pictures:
            await self.add_camera()
        what = f"{pictures} pictures where {carried} fill the bridge"
        began = time.monotonic()
        self.crowd.native.set_sending(True)
        asking = asyncio.create_task(self._ask_for_room(began))
        audio: list[Seen] = []
        while time.monotonic() - began < seconds:
            audio.append(await look(self.talk, self.bridge, WINDOW))
        took, full, answer = await asking
        keep("L16 health", f"{what}: until health says so", took, "s", "≤ 10")
        keep("L16 full", f"{what}: until no new room is opened", full, "s")
        about = f"{what}: a new room got resource-constraint (it was: {answer})"
        keep("L16 refused", about, float(answer == "resource-constraint"), "", "1")
        worst = 100 * max(seen.loss for seen in audio)
        about = f"{what}: loss of two who talk"
        keep("L16 audio", f"{about}, worst {WINDOW:g} s", worst, "%", "≤ 1")
        mean = 100 * sum(seen.loss for seen in audio) / len(audio)
        keep("L16 audio mean", f"{about}, in {seconds:g} s", mean, "%", "≤ 1")
        slowest = max(seen.p99 for seen in audio)
        keep("L16 audio p99", f"{what}: added delay of their sound", slowest, "ms")
        if not all(seen.received for seen in audio):
            raise AssertionError("those who talk heard nothing for a while")

        self.crowd.native.set_sending(False)
        ended = time.monotonic()
        opens = await self._until(ended, "/stats", '"full": false')
        back = await self._until(ended, "/about/health", "OK")
        about = f"{what}: from their end until"
        keep("L16 opens", f"{about} new rooms are opened", opens, "s", "≤ 30")
        keep("L16 back", f"{about} health is as before", back, "s", "≤ 30")
        after = await look(self.talk, self.bridge, WINDOW)
        keep("L16 audio after", f"{what}: loss after their end", 100 * after.loss, "%", "0")
        answer = await self._open_room()
        if answer != "opened":
            raise AssertionError(f"no room can be opened afterwards: {answer}")

    async def _ask_for_room(self, began: float) -> tuple[float, float, str]:
        """Seconds until overload is told, and until it refuses; what a new room gets."""
        took = await self._until(began, "/about/health", "overloaded")
        full = await self._until(began, "/stats", '"full": true')
        return took, full, await self._open_room()

    async def _sent(self) -> float:
        return await asyncio.to_thread(self._service.counter, "engine_packets_sent")

    async def add_camera(self) -> None:
        number = 600 + len(self.cameras)
        person = Participant(self._service.settings, self._room, number, CAMERA)
        self.cameras.append(person)
        self._stack.push_async_callback(person.close)
        await person.enter()
        await person.accept(self.crowd, 4, frozenset())
        await person.open_channel(self._http)
        beside(self._stack, person.drain())
        await person.watch([])

    async def _until(self, began: float, path: str, word: str) -> float:
        """Seconds until a page of the focus has it."""
        while time.monotonic() - began < PATIENCE:
            page = await asyncio.to_thread(self._service.page, "focus", path)
            if word in page:
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


async def limit_of(service: Service, options: argparse.Namespace) -> int:
    async with Stage(service, options) as stage:
        return await stage.find_limit()


async def overload(service: Service, options: argparse.Namespace, carried: int) -> None:
    async with Stage(service, options) as stage:
        await stage.overload(carried)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--audience", type=int, default=150)
    parser.add_argument(
        "--pictures", type=int, default=0, help="that fill the bridge; 0: find out"
    )
    parser.add_argument("--step", type=float, default=3, help="seconds for each picture")
    parser.add_argument("--seconds", type=float, default=120, help="of overload")
    parser.add_argument("--verbose", action="store_true", help="tell of each picture")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("needs root, for tc")
    end_cleanly()
    carried = options.pictures
    if not carried:
        # It would send fewer long before it is full.
        with pinned_service(SETTINGS + "reduce_load = false\n") as service:
            carried = uvloop.run(limit_of(service, options))
    with pinned_service(SETTINGS) as service:
        uvloop.run(overload(service, options, carried))
    return 0


if __name__ == "__main__":
    sys.exit(main())
