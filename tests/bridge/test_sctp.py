from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable

import pytest
from aiortc import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport
from xmppconf_bridge.io import sctp
from xmppconf_bridge.io.sctp import MAX_MESSAGE, MAX_UNSENT, PORT, DataChannel


class ClientDtls:
    """The peer's side of the wire."""

    state = "connected"
    _role = "client"

    def __init__(self) -> None:
        self.deliver: Callable[[bytes], None] = lambda data: None

    def _register_data_receiver(self, receiver: object) -> None: ...
    def _unregister_data_receiver(self, receiver: object) -> None: ...

    async def _send_data(self, data: bytes) -> None:
        self.deliver(data)


class Wire:
    """A bridge's data channel and an aiortc peer, back to back."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()
        self.messages: asyncio.Queue[str] = asyncio.Queue()
        self.cut = False
        self._peer_started = asyncio.Event()
        dtls = ClientDtls()
        self.peer = RTCSctpTransport(dtls, port=PORT)  # type: ignore[arg-type]
        self._to_peer: asyncio.Queue[bytes] = asyncio.Queue()
        self.bridge = DataChannel(
            self._to_peer.put_nowait,
            self.opened.set,
            self.messages.put_nowait,
            self.closed.set,
        )
        dtls.deliver = lambda data: None if self.cut else self.bridge.receive(data)
        self._task = asyncio.get_running_loop().create_task(self._carry())

    async def _carry(self) -> None:
        await self._peer_started.wait()  # a peer that is not there yet loses packets
        while True:
            packet = await self._to_peer.get()
            if not self.cut:
                await self.peer._handle_data(packet)

    async def open(self, label: str = "JVB data channel") -> RTCDataChannel:
        await self.peer.start(RTCSctpCapabilities(maxMessageSize=0), PORT)
        self._peer_started.set()
        return RTCDataChannel(self.peer, RTCDataChannelParameters(label=label))

    async def end(self) -> None:
        self.bridge.close()
        await asyncio.sleep(0)
        await self.peer.stop()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.sleep(0.01)


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = Wire()
    yield wire
    await wire.end()


async def test_messages_go_both_ways(wire: Wire) -> None:
    channel = await wire.open()
    got: asyncio.Queue[str] = asyncio.Queue()
    channel.on("message", got.put_nowait)
    await asyncio.wait_for(wire.opened.wait(), 5)
    assert wire.bridge.is_open
    wire.bridge.send("to the peer")
    channel.send("to the bridge")
    assert await asyncio.wait_for(got.get(), 5) == "to the peer"
    assert await asyncio.wait_for(wire.messages.get(), 5) == "to the bridge"


async def test_a_message_larger_than_a_packet_arrives_whole(wire: Wire) -> None:
    channel = await wire.open()
    got: asyncio.Queue[str] = asyncio.Queue()
    channel.on("message", got.put_nowait)
    await asyncio.wait_for(wire.opened.wait(), 5)
    wire.bridge.send("m" * 50_000)
    channel.send("x" * (MAX_MESSAGE - 1))
    assert len(await asyncio.wait_for(got.get(), 5)) == 50_000
    assert len(await asyncio.wait_for(wire.messages.get(), 5)) == MAX_MESSAGE - 1


async def test_binary_messages_are_ignored(wire: Wire) -> None:
    channel = await wire.open()
    await asyncio.wait_for(wire.opened.wait(), 5)
    channel.send(b"\x00\x01")
    channel.send("text")
    assert await asyncio.wait_for(wire.messages.get(), 5) == "text"


async def test_a_second_channel_is_ignored_and_counted(wire: Wire) -> None:
    first = await wire.open()
    await asyncio.wait_for(wire.opened.wait(), 5)
    second = RTCDataChannel(wire.peer, RTCDataChannelParameters(label="another"))
    second_open = asyncio.Event()
    second.on("open", second_open.set)
    await asyncio.wait_for(second_open.wait(), 5)
    second.send("from the second")
    first.send("from the first")
    assert await asyncio.wait_for(wire.messages.get(), 5) == "from the first"
    assert wire.bridge.rejected_channels == 1


async def test_too_large_a_message_ends_the_channel(wire: Wire) -> None:
    channel = await wire.open()
    await asyncio.wait_for(wire.opened.wait(), 5)
    channel.send("x" * (MAX_MESSAGE + 1))
    await asyncio.wait_for(wire.closed.wait(), 5)
    assert wire.messages.empty()
    assert not wire.bridge.is_open


async def test_a_slow_reader_ends_its_channel(wire: Wire) -> None:
    await wire.open()
    await asyncio.wait_for(wire.opened.wait(), 5)
    wire.cut = True
    for _ in range(MAX_UNSENT // 50_000 + 3):
        wire.bridge.send("m" * 50_000)
    assert wire.closed.is_set()
    assert not wire.bridge.is_open


async def test_rubbish_ends_at_most_the_channel(wire: Wire) -> None:
    for size in (0, 1, 11, 12, 13, 40, 1200):
        wire.bridge.receive(os.urandom(size))
    await wire.open()
    await asyncio.wait_for(wire.opened.wait(), 5)


async def test_an_assertion_inside_the_association_is_contained(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await wire.open()
    await asyncio.wait_for(wire.opened.wait(), 5)

    async def fail(data: bytes) -> None:
        raise AssertionError

    monkeypatch.setattr(wire.bridge._sctp, "_handle_data", fail)
    channel.send("anything")
    channel.send("something")
    await asyncio.wait_for(wire.closed.wait(), 5)


async def test_packets_before_they_are_read_are_bounded() -> None:
    channel = DataChannel(lambda data: None, lambda: None, lambda text: None, lambda: None)
    for _ in range(sctp.MAX_PACKETS * 2):
        channel.receive(b"x")
    assert channel._packets.qsize() == sctp.MAX_PACKETS
    channel.close()
    await asyncio.sleep(0)
