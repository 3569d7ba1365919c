"""The two carriers of a bridge channel that live by themselves: every state, every event.

A data channel begins and ends with its association; a socket to another bridge is opened
again and again until its link ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiortc import RTCDataChannel, RTCDataChannelParameters
from xmppconf_bridge.io.dial import FIRST_WAIT, LONGEST_WAIT, Dialler
from xmppconf_bridge.io.sctp import MAX_MESSAGE, MAX_UNSENT

from tests.bridge.test_sctp import Wire

# -- data channels ------------------------------------------------------------------------


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = Wire()
    yield wire
    await wire.end()


class Bench:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.channel: RTCDataChannel | None = None
        self.heard: list[str | bytes] = []

    async def open(self) -> None:
        self.channel = await self.wire.open()
        self.channel.on("message", self.heard.append)
        await asyncio.wait_for(self.wire.opened.wait(), 2)

    async def begin(self) -> None:
        if self.channel is None:
            await self.open()

    async def into(self, state: str) -> None:
        if state != "new":
            await self.open()
        if state == "closed":
            self.wire.bridge.close()
        elif state == "abandoned":
            self.wire.bridge.abandon()
        elif state == "left":
            assert self.channel is not None
            self.channel.close()
            await asyncio.wait_for(self.wire.closed.wait(), 2)
        # What the state told is not what the event tells.
        self.wire.opened.clear()
        self.wire.closed.clear()

    async def say(self, text: str | bytes) -> None:
        if self.channel is not None and self.channel.readyState == "open":
            self.channel.send(text)

    async def second(self) -> None:
        if self.channel is not None and self.wire.peer.state == "connected":
            RTCDataChannel(self.wire.peer, RTCDataChannelParameters(label="more"))

    @property
    def told(self) -> str:
        """What the bridge was told, and what the peer heard."""
        wire = self.wire
        words = ["opened"] * wire.opened.is_set() + ["closed"] * wire.closed.is_set()
        words += ["message"] * (not wire.messages.empty()) + ["heard"] * bool(self.heard)
        return " ".join(words)

    async def wait_for(self, told: str) -> None:
        """Until that has come, or for a moment if nothing is to come."""
        for _ in range(200 if told else 5):
            if self.told:
                break
            await asyncio.sleep(0.01)


async def _do(action: Callable[[], None]) -> None:
    action()


def _flood(wire: Wire) -> None:
    wire.cut = True  # the peer reads nothing
    for _ in range(MAX_UNSENT // MAX_MESSAGE + 2):
        wire.bridge.send("x" * MAX_MESSAGE)


CHANNEL_EVENTS: dict[str, Callable[[Bench], Awaitable[None]]] = {
    "the peer opens": lambda bench: bench.begin(),
    "a message": lambda bench: bench.say("hello"),
    "a binary one": lambda bench: bench.say(b"hello"),
    "too large a one": lambda bench: bench.say("x" * (MAX_MESSAGE + 1)),
    "a second channel": lambda bench: bench.second(),
    "rubbish": lambda bench: _do(lambda: bench.wire.bridge.receive(bytes(50))),
    "we send": lambda bench: _do(lambda: bench.wire.bridge.send("to you")),
    "we send too much": lambda bench: _do(lambda: _flood(bench.wire)),
    "we give it up": lambda bench: _do(bench.wire.bridge.abandon),
    "we close": lambda bench: _do(bench.wire.bridge.close),
}
ENDED = ("",) * 10
#: What is told of each event; the end is told once, and not to who has closed.
CHANNELS: dict[str, tuple[str, ...]] = {
    "new": ("opened", "", "", "", "", "", "", "", "closed", ""),
    "open": (
        "",
        "message",
        "",
        "closed",
        "",
        "",
        "heard",
        "closed",
        "closed",
        "",
    ),
    "closed": ENDED,
    "abandoned": ENDED,
    "left": ENDED,
}


@pytest.mark.parametrize("state", CHANNELS)
@pytest.mark.parametrize("event", CHANNEL_EVENTS)
async def test_a_data_channel(wire: Wire, state: str, event: str) -> None:
    bench = Bench(wire)
    await bench.into(state)
    await CHANNEL_EVENTS[event](bench)
    expected = dict(zip(CHANNEL_EVENTS, CHANNELS[state], strict=True))[event]
    await bench.wait_for(expected)
    assert bench.told == expected
    ended = state not in ("new", "open") or "closed" in expected or event == "we close"
    is_open = not ended and (state == "open" or "opened" in expected)
    assert wire.bridge.is_open == is_open


# -- sockets to other bridges -------------------------------------------------------------
class Link:
    """A link's transport, and what the other bridge does at each attempt."""

    def __init__(self, *attempts: object) -> None:
        self.is_closed = False
        self.transport = self
        self.attempts = list(attempts)
        self.waits: list[float] = []

    async def connect(self) -> bool:
        now = self.attempts.pop(0)
        if isinstance(now, Exception):
            raise now
        return bool(now)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if not self.attempts:
            self.is_closed = True  # the focus has ended the link meanwhile


REFUSED = aiohttp.ClientError()
BROKEN, ENDED_THERE = False, True
#: What happens at each attempt, and how long is waited after each.
DIALS: dict[str, tuple[tuple[object, ...], tuple[float, ...]]] = {
    "ended there": ((ENDED_THERE,), ()),
    "broken": ((BROKEN,), (1,)),
    "refused": ((REFUSED,), (1,)),
    "no answer": ((TimeoutError(),), (1,)),
    "no way": ((OSError(),), (1,)),
    "refused again and again": ((REFUSED,) * 8, (1, 2, 4, 8, 16, 32, 60, 60)),
    # Who was there a moment ago is soon there again.
    "broken after a while": ((REFUSED, REFUSED, BROKEN, REFUSED), (1, 2, 1, 2)),
    "ended there after a while": ((REFUSED, BROKEN, ENDED_THERE), (1, 1)),
}


@pytest.mark.parametrize("name", DIALS)
async def test_a_socket_to_another_bridge(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts, waits = DIALS[name]
    link: Any = Link(*attempts)
    monkeypatch.setattr(Dialler, "_connect", lambda _: link.connect())
    monkeypatch.setattr("xmppconf_bridge.io.dial.asyncio.sleep", link.sleep)
    dialler = Dialler(link, "wss://other.example/colibri-relay-ws/x")
    await asyncio.wait_for(dialler._task, 2)
    assert tuple(link.waits) == waits
    assert link.attempts == []
    assert (FIRST_WAIT, LONGEST_WAIT) == (1, 60)


@pytest.mark.parametrize("url", ["https://other.example/x", "file:///x", "x", ""])
async def test_what_is_no_socket_is_not_opened(url: str) -> None:
    link: Any = Link(AssertionError("it was opened"))
    await asyncio.wait_for(Dialler(link, url)._task, 2)


async def test_a_link_that_ends_stops_its_dialling(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of an attempt, and while it waits for the next."""
    for attempts in ((), (REFUSED,)):
        link: Any = Link(*attempts)

        async def hang(_: Dialler, link: Any = link) -> bool:
            if link.attempts:
                raise link.attempts.pop()
            return await asyncio.Future[bool]()

        monkeypatch.setattr(Dialler, "_connect", hang)
        dialler = Dialler(link, "wss://other.example/x")
        await asyncio.sleep(0.01)
        dialler.close()
        await asyncio.gather(dialler._task, return_exceptions=True)
        assert dialler._task.cancelled()
