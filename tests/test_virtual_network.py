from __future__ import annotations

import asyncio
from itertools import groupby
from typing import Any

import pytest

from tests.support.virtual_network import (
    ADSL_UP,
    BAD,
    CLEAN,
    PRESETS,
    Impairment,
    Link,
    UdpRelay,
    arrivals,
)

COUNT = 50_000


def number(packet: bytes) -> int:
    return int.from_bytes(packet[:4], "big")


def carry(
    impairment: Impairment, *, seed: int = 1, every: float = 0.01, size: int = 100
) -> list[tuple[float, int]]:
    """Send numbered packets at a steady pace; returns (time, number) of the arrived."""
    link = Link(impairment, seed=seed)
    for index in range(COUNT):
        link.send(index.to_bytes(4, "big") + bytes(size - 4), now=index * every)
    return [(at, number(packet)) for at, packet in arrivals(link)]


def test_a_clean_link_delivers_everything_in_order_at_once() -> None:
    assert carry(CLEAN) == [(index * 0.01, index) for index in range(COUNT)]


@pytest.mark.parametrize(
    ("name", "loss"), [("wifi", 0.01), ("mobile", 0.02), ("bad", 0.10)]
)
def test_the_share_of_losses_is_the_one_asked_for(name: str, loss: float) -> None:
    assert PRESETS[name].loss == pytest.approx(loss)
    assert 1 - len(carry(PRESETS[name])) / COUNT == pytest.approx(loss, rel=0.2)


def test_losses_come_in_bursts_of_the_asked_length() -> None:
    arrived = {index for _, index in carry(BAD)}
    runs = [
        len(list(run))
        for lost, run in groupby(range(COUNT), key=lambda index: index not in arrived)
        if lost
    ]
    assert sum(runs) / len(runs) == pytest.approx(4, rel=0.1)
    assert max(runs) > 8


def test_a_token_bucket_lets_a_burst_pass_after_a_pause_and_then_its_rate() -> None:
    link = Link(Impairment(rate=10_000, buffer=10, burst=300), seed=1)
    for index in range(5):
        link.send(index.to_bytes(4, "big") + bytes(96), now=1.0)
    link.send(bytes(100), now=1.5)
    link.send(bytes(100), now=1.5)
    passed = [round(at - 1, 6) for at, _ in arrivals(link)]
    # Three at once; then 100 bytes in 10 ms each.
    assert passed == [0, 0, 0, 0.01, 0.02, 0.5, 0.5]


def test_jitter_spreads_the_delay_and_reorders() -> None:
    arrived = carry(Impairment(delay=0.1, jitter=0.05))
    delays = [at - index * 0.01 for at, index in arrived]
    assert min(delays) >= 0.1
    assert max(delays) <= 0.15
    assert sum(delays) / COUNT == pytest.approx(0.125, rel=0.02)
    assert [index for _, index in arrived] != sorted(index for _, index in arrived)


def test_packets_are_duplicated_as_often_as_asked() -> None:
    arrived = carry(Impairment(duplicate=0.05))
    assert len(arrived) / COUNT == pytest.approx(1.05, rel=0.01)
    assert len({index for _, index in arrived}) == COUNT


def test_the_bottleneck_has_a_rate_and_a_finite_buffer() -> None:
    arrived = carry(ADSL_UP, every=0.005, size=1000)  # 200 kB/s into 60 kB/s
    last = arrived[-1][0]
    assert len(arrived) * 1000 / last == pytest.approx(60_000, rel=0.02)
    assert max(at - index * 0.005 for at, index in arrived) <= 0.2 + 1000 / 60_000 + 1e-9


def test_one_seed_gives_one_network() -> None:
    assert carry(BAD, seed=7) == carry(BAD, seed=7)
    assert carry(BAD, seed=7) != carry(BAD, seed=8)


def test_nothing_arrives_before_its_time() -> None:
    link = Link(Impairment(delay=1.0), seed=1)
    assert link.next_arrival() is None
    link.send(b"packet", now=5.0)
    assert link.next_arrival() == 6.0
    assert list(link.receive(now=5.999)) == []
    assert list(link.receive(now=6.0)) == [b"packet"]
    assert link.next_arrival() is None


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


class Collect(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.got: list[bytes] = []

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.got.append(data)


async def test_the_relay_carries_both_ways_and_can_go_silent() -> None:
    loop = asyncio.get_running_loop()
    echo, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    relay = await UdpRelay.start(echo.get_extra_info("sockname"), seed=3)
    clients = [
        await loop.create_datagram_endpoint(Collect, remote_addr=relay.address)
        for _ in range(2)
    ]
    for index, (transport, _) in enumerate(clients):
        transport.sendto(f"hello {index}".encode())
    await asyncio.sleep(0.2)
    relay.change(up=Impairment(enter_burst=1.0, leave_burst=0.0))
    clients[0][0].sendto(b"into the dark")
    await asyncio.sleep(0.2)
    assert [collect.got for _, collect in clients] == [[b"hello 0"], [b"hello 1"]]
    for transport in [echo, *(transport for transport, _ in clients)]:
        transport.close()
    await relay.close()
