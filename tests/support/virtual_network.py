"""A bad network without the kernel's help: one direction of a link, stepped by a clock.

Loss comes in bursts (Gilbert's two states), jitter lets packets overtake, a bottleneck has
a finite buffer, some packets arrive twice.  All of it follows from one seed.  `UdpRelay`
puts two such links between real sockets.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """How a link treats packets.  The default delivers all of them at once."""

    delay: float = 0.0
    """Seconds that every packet takes."""
    jitter: float = 0.0
    """Seconds that a packet may take more, evenly spread."""
    enter_burst: float = 0.0
    """Chance, per packet, that a loss burst begins with it."""
    leave_burst: float = 1.0
    """Chance, per packet, that a burst is over; its mean length is the inverse."""
    duplicate: float = 0.0
    """Chance that a packet arrives twice."""
    rate: float = float("inf")
    """Bytes per second of the bottleneck."""
    buffer: float = 0.2
    """Seconds a packet may wait at the bottleneck; what would wait longer is dropped."""
    burst: float = 0.0
    """Bytes that pass at once after a pause, as shapers let them (a token bucket)."""

    @property
    def loss(self) -> float:
        """Share of packets lost in bursts, in the long run."""
        return self.enter_burst / (self.enter_burst + self.leave_burst)


def _in_bursts(loss: float, length: float) -> dict[str, float]:
    leave = 1 / length
    return {"enter_burst": loss * leave / (1 - loss), "leave_burst": leave}


CLEAN = Impairment()
WIFI = Impairment(jitter=0.010, **_in_bursts(0.01, 2))
MOBILE = Impairment(delay=0.060, jitter=0.030, rate=2e6, **_in_bursts(0.02, 4))
BAD = Impairment(delay=0.120, jitter=0.060, **_in_bursts(0.10, 4))
ADSL_UP = Impairment(rate=60_000, buffer=0.2)
PRESETS = {"clean": CLEAN, "wifi": WIFI, "mobile": MOBILE, "bad": BAD, "adsl_up": ADSL_UP}


@dataclass(slots=True)
class Figures:
    sent: int = 0
    lost: int = 0
    overflowed: int = 0
    duplicated: int = 0


class Link:
    """Carries packets one way.  The caller brings the time and collects what arrived."""

    def __init__(self, impairment: Impairment, *, seed: int) -> None:
        self.impairment = impairment
        self.figures = Figures()
        self._chance = random.Random(seed).random
        self._in_burst = False
        self._bottleneck_free = 0.0
        self._under_way: list[tuple[float, int, bytes]] = []
        self._order = itertools.count()

    def send(self, packet: bytes, *, now: float) -> None:
        link = self.impairment
        self.figures.sent += 1
        threshold = 1 - link.leave_burst if self._in_burst else link.enter_burst
        self._in_burst = self._chance() < threshold
        if self._in_burst:
            self.figures.lost += 1
            return
        # With a full bucket the bottleneck is free since so long that the burst fits.
        begin = max(now - link.burst / link.rate, self._bottleneck_free)
        if begin - now > link.buffer:
            self.figures.overflowed += 1
            return
        self._bottleneck_free = begin + len(packet) / link.rate
        copies = 1
        if self._chance() < link.duplicate:
            self.figures.duplicated += 1
            copies = 2
        for _ in range(copies):
            passed = max(now, self._bottleneck_free)
            arrival = passed + link.delay + link.jitter * self._chance()
            heapq.heappush(self._under_way, (arrival, next(self._order), packet))

    def next_arrival(self) -> float | None:
        """When `receive` will have something, in the caller's time."""
        return self._under_way[0][0] if self._under_way else None

    def receive(self, *, now: float) -> Iterator[bytes]:
        """Take what has arrived by now, in the order of arrival."""
        while self._under_way and self._under_way[0][0] <= now:
            yield heapq.heappop(self._under_way)[2]


@dataclass(slots=True)
class _Leg:
    """One client of the relay: its own socket towards the target, and two links."""

    upstream: asyncio.DatagramTransport
    up: Link
    down: Link
    timers: set[asyncio.TimerHandle] = field(default_factory=set)


class UdpRelay(asyncio.DatagramProtocol):
    """Stands before a UDP port and treats both directions badly.

    Each client gets a socket of its own towards the target, so the target sees as many
    addresses as there are clients.  `up` and `down` may be replaced while it runs.
    """

    def __init__(
        self, target: Address, *, up: Impairment, down: Impairment, seed: int
    ) -> None:
        self.target = target
        self.up, self.down = up, down
        self.seed = seed
        self._transport: asyncio.DatagramTransport | None = None
        self._legs: dict[Address, _Leg] = {}
        self._opening: dict[Address, asyncio.Task[None]] = {}

    @classmethod
    async def start(
        cls,
        target: Address,
        *,
        up: Impairment = CLEAN,
        down: Impairment = CLEAN,
        seed: int,
    ) -> UdpRelay:
        relay = cls(target, up=up, down=down, seed=seed)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: relay, local_addr=("127.0.0.1", 0)
        )
        relay._transport = transport
        return relay

    @property
    def address(self) -> Address:
        """Where clients send to."""
        assert self._transport is not None
        name: Address = self._transport.get_extra_info("sockname")
        return name

    def change(
        self, *, up: Impairment | None = None, down: Impairment | None = None
    ) -> None:
        """Treat packets differently from now on."""
        self.up, self.down = up or self.up, down or self.down
        for leg in self._legs.values():
            leg.up.impairment, leg.down.impairment = self.up, self.down

    async def close(self) -> None:
        for task in self._opening.values():
            task.cancel()
        await asyncio.gather(*self._opening.values(), return_exceptions=True)
        for leg in self._legs.values():
            for timer in leg.timers:
                timer.cancel()
            leg.upstream.close()
        if self._transport is not None:
            self._transport.close()
        await asyncio.sleep(0)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        leg = self._legs.get(addr)
        if leg is None:
            if addr not in self._opening and len(self._legs) < 64:
                task = asyncio.ensure_future(self._open(addr, data))
                self._opening[addr] = task
            return
        self._carry(leg, leg.up, data, leg.upstream, None)

    async def _open(self, client: Address, first: bytes) -> None:
        loop = asyncio.get_running_loop()
        number = 2 * len(self._opening)

        class Upstream(asyncio.DatagramProtocol):
            def datagram_received(_, data: bytes, addr: tuple[str | Any, int]) -> None:  # noqa: N805
                leg = self._legs[client]
                assert self._transport is not None
                self._carry(leg, leg.down, data, self._transport, client)

        transport, _ = await loop.create_datagram_endpoint(
            Upstream, remote_addr=self.target
        )
        self._legs[client] = leg = _Leg(
            transport,
            Link(self.up, seed=self.seed + number),
            Link(self.down, seed=self.seed + number + 1),
        )
        del self._opening[client]
        self._carry(leg, leg.up, first, transport, None)

    def _carry(
        self,
        leg: _Leg,
        link: Link,
        data: bytes,
        out: asyncio.DatagramTransport,
        to: Address | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        link.send(data, now=loop.time())
        due = link.next_arrival()
        if due is None:
            return

        def deliver() -> None:
            leg.timers.discard(timer)
            for packet in link.receive(now=max(due, loop.time())):
                out.sendto(packet, to)

        timer = loop.call_at(due, deliver)
        leg.timers.add(timer)


def arrivals(link: Link) -> Iterator[tuple[float, bytes]]:
    """All that is under way, each with its time, jumping from one to the next."""
    while (due := link.next_arrival()) is not None:
        for packet in link.receive(now=due):
            yield due, packet
