"""L9: bad SRTP packets at a call's own address pair, as one on the same line can send them.

They come from the participant's address and port, under its own SSRC, so that nothing but
the authentication tells them from its own.  Turns without and with them alternate.  Needs
a raw socket (root), and reaches loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import socket
import statistics
import struct
import sys
import time
from contextlib import AsyncExitStack

import uvloop
from xmppconf_bridge.generator import plan
from xmppconf_bridge.generator.app import beside
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

LOOPBACK = "127.0.0.1"
SETTINGS = "[bridge]\ntrust_bandwidth = false\nworkers = 1\n"
PERSON = plan.Person(
    audio=plan.Layer(160, 50), level=plan.SPEAKING, video=(plan.Layer(1100, 30),)
)
PEOPLE = 4
OPUS = 111
SIZE = 172  # octets after the RTP header: a voice and an authentication tag
AT_ONCE = 20  # packets
#: Sequence numbers ahead of the participant's own, and never caught up with: nothing but
#: authentication refuses such a packet (RFC 3711, 3.3).
AHEAD = range(10_000, 30_000)


def spoofed(source: int, target: int, rtp: bytes) -> bytes:
    """An IPv4 packet (RFC 791) with a UDP datagram (RFC 768), without its checksum."""
    udp = struct.pack("!HHHH", source, target, 8 + len(rtp), 0) + rtp
    here = socket.inet_aton(LOOPBACK)
    # The kernel fills in length, id and checksum.
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, 17, 0, here, here)
    return head + udp


def number_on_the_wire(source: int, ssrc: int) -> int:
    """The sequence number of the next packet that the participant itself sends."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        raw.settimeout(5)
        wanted = struct.pack("!H", source), struct.pack("!I", ssrc)
        while True:
            packet = raw.recv(2048)
            udp = packet[4 * (packet[0] & 15) :]
            if (udp[:2], udp[16:20]) == wanted:
                return int.from_bytes(udp[10:12], "big")


def flood(source: int, target: int, ssrc: int, rate: int, seconds: float) -> None:
    """The process that sends them; as many a second as told, evenly."""
    chance = random.Random(9)
    first = number_on_the_wire(source, ssrc) + AHEAD.start
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        packets = [
            spoofed(
                source,
                target,
                struct.pack(
                    *("!BBHII", 0x80, OPUS, (first + number) & 0xFFFF),
                    *(960 * number & 0xFFFFFFFF, ssrc),
                )
                + chance.randbytes(SIZE),
            )
            for number in range(len(AHEAD))
        ]
        began = time.monotonic()
        sent = 0
        while (now := time.monotonic() - began) < seconds:
            while sent < now * rate:
                for _ in range(AT_ONCE):
                    raw.sendto(packets[sent % len(packets)], (LOOPBACK, 0))
                    sent += 1
            time.sleep(AT_ONCE / rate / 2)


async def measure(service: Service, options: argparse.Namespace) -> None:
    def refused() -> float:
        return service.counter("engine_dropped_srtp_unauthentic")

    peers = Peers()
    seen: dict[bool, list[Seen]] = {False: [], True: []}
    came = 0.0
    async with AsyncExitStack() as stack:
        beside(stack, peers.pump())
        people = await stack.enter_async_context(room_of(service, [PERSON] * PEOPLE, peers))
        peers.native.set_sending(True)
        victim = people[0].peer
        assert victim is not None
        _, source = peers.native.local_address(victim)
        bridge = service.children()["bridge"]
        # The audio stream of the first participant (`Participant._streams`).
        _, ssrc, _ = next(one for one in peers.native.sent() if one[0] == victim)
        target = service.settings.bridge.udp_port
        spawn = multiprocessing.get_context("spawn")
        for number in range(2 * options.rounds):
            hostile = number % 2 == 1
            duration = WARM_UP + options.seconds + 5
            sender = spawn.Process(
                target=flood, args=(source, target, ssrc, options.rate, duration)
            )
            if hostile:
                sender.start()
                # An interpreter has to start for it.
                await asyncio.sleep(2)
            try:
                await asyncio.sleep(WARM_UP)
                before = await asyncio.to_thread(refused)
                seen[hostile].append(await look(peers, bridge, options.seconds))
                after = await asyncio.to_thread(refused)
            finally:
                if hostile:
                    sender.terminate()
                    sender.join()
            came += after - before
    rate = came / options.rounds / options.seconds
    tell(seen, rate, options.seconds)
    if rate < 0.9 * options.rate:
        raise AssertionError(f"{rate:,.0f} bad packets a second reached authentication")


def tell(seen: dict[bool, list[Seen]], rate: float, seconds: float) -> None:
    def middle(hostile: bool, name: str) -> float:
        values: list[float] = [getattr(one, name) for one in seen[hostile]]
        return statistics.median(values)

    bad = f"{rate:,.0f} bad SRTP tags/s from a participant's own address, {seconds:g} s"
    for hostile, about, row in ((False, "without", "control"), (True, bad, "flooded")):
        marks = ("≤ 0.1", "≤ 20") if hostile else ("", "")
        what = f"call of {PEOPLE}, {about}"
        keep(
            f"L9 {row} loss", f"{what}: loss", 100 * middle(hostile, "loss"), "%", marks[0]
        )
        keep(
            f"L9 {row} p99", f"{what}: added delay", middle(hostile, "p99"), "ms", marks[1]
        )
        keep(
            f"L9 {row} CPU", f"{what}: bridge", 100 * middle(hostile, "cpu"), "% of a core"
        )
    more = 100 * (middle(True, "cpu") - middle(False, "cpu"))
    keep("L9 more CPU", f"{bad}: bridge, beyond control", more, "% of a core", "≤ 40")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="of each turn")
    parser.add_argument("--rounds", type=int, default=1, help="of a turn without and with")
    parser.add_argument("--rate", type=int, default=20_000, help="packets a second")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("a raw socket is root's")
    end_cleanly()
    with pinned_service(SETTINGS) as service:
        uvloop.run(measure(service, options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
