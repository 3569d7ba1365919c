"""Stands in for the packet engine: writes down what it is told."""

from __future__ import annotations

import datetime
import functools
import itertools
import json
from collections.abc import Callable
from typing import Any

from xmppconf_bridge.bridge import Bridge
from xmppconf_bridge.certificate import Certificate
from xmppconf_bridge.conference import Conference
from xmppconf_bridge.endpoint import Endpoint
from xmppconf_bridge.environment import Environment, Identity
from xmppconf_bridge.policy import VideoPolicy
from xmppconf_bridge.relay import Dialled, Relay
from xmppconf_bridge.transport import Channel

from tests.support.clock import Clock
from xmppconf.ids import EndpointId, MeetingId
from xmppconf.transport import Candidate

Call = tuple[Any, ...]
NO_POLICY = VideoPolicy()


class FakeTap:
    """Of a transport; what is in `waiting` is what is taken next."""

    def __init__(self, transport: int) -> None:
        self.transport = transport
        self.waiting: list[tuple[bytes, bool]] = []
        self.is_closed = False

    def take(self) -> tuple[bytes, bool]:
        return self.waiting.pop(0) if self.waiting else (b"", False)

    def close(self) -> None:
        self.is_closed = True


class FakeEngine:
    """`calls` has every command as (name, arguments...), `activity` what tests say."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.activity: dict[int, float] = {}
        self.counters: dict[str, int] = {}
        self.taps: list[FakeTap] = []
        self.is_busy = False

    def take(self, name: str) -> list[Call]:
        """The arguments of all calls of that name since the last time."""
        taken = [call[1:] for call in self.calls if call[0] == name]
        self.calls = [call for call in self.calls if call[0] != name]
        return taken

    def stats(self) -> dict[str, int]:
        return dict(self.counters)

    def transport_stats(self, transport: int) -> dict[str, Any] | None:
        return {"last_activity": self.activity.get(transport)}

    def open_tap(self, transport: int) -> FakeTap:
        if self.is_busy:
            raise BlockingIOError
        self.taps.append(FakeTap(transport))
        return self.taps[-1]

    def _call(self, name: str, *arguments: Any, **named: Any) -> None:
        self.calls.append((name, *arguments, *named.values()))

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)
        return functools.partial(self._call, name)


class RecordingCarrier:
    """A bridge channel's carrier whose other end is the test."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None

    def send(self, text: str) -> None:
        self.messages.append(json.loads(text))

    def close(self, code: int = 0, reason: str = "") -> None:
        self.closed = (code, reason)

    def abandon(self) -> None:
        self.close(1008, "too many messages")

    def take(self, kind: str | None = None) -> list[dict[str, Any]]:
        """What was sent since the last time; of one class, the rest stays."""
        taken = [m for m in self.messages if kind in (None, m["colibriClass"])]
        self.messages = [m for m in self.messages if m not in taken]
        return taken

    def kinds(self) -> list[str]:
        return [message["colibriClass"] for message in self.messages]


@functools.cache
def certificate() -> Certificate:
    return Certificate.generate(datetime.datetime.now(datetime.UTC))


class NoDataChannel(RecordingCarrier):
    """The data channel of a transport that never gets as far."""

    def receive(self, data: bytes) -> None:
        raise AssertionError("no DTLS in these tests")


def _no_channel(
    send: object,
    on_open: object,
    on_message: object,
    on_close: object,
    *,
    opens: bool = False,
) -> Channel:
    return NoDataChannel()


class BridgeBench:
    """A bridge with a fake engine, a clock in the hand and no chance."""

    def __init__(self, policy: VideoPolicy = NO_POLICY, **identity: Any) -> None:
        self.engine = FakeEngine()
        self.clock = Clock(1000.0)
        self.bound = 0
        self.dialled: list[str] = []
        numbers, tokens = itertools.count(900_001), itertools.count(1)
        environment = Environment(
            clock=lambda: self.clock.now,
            token=lambda length: f"t{next(tokens)}".ljust(length, "x"),
            random_ssrc=lambda: next(numbers),
            certificate=certificate,
            make_channel=_no_channel,
            bind_link=self._bind_link,
            dial=self._dial,
        )
        self.bridge = Bridge(
            Identity("bridge-1", (), **identity),
            self.engine,
            environment,
            policy,
        )

    def _dial(self, relay: Relay, url: str) -> Dialled:
        self.dialled.append(url)
        return RecordingCarrier()

    def _bind_link(self) -> tuple[tuple[Candidate, ...], tuple[int, int]]:
        self.bound += 1
        return (Candidate("192.0.2.1", 40_000 + self.bound),), (self.bound, 1)

    @property
    def conference(self) -> Conference:
        return self.bridge.conferences[MeetingId("m1")]

    def endpoint(self, name: str) -> Endpoint:
        return self.conference.endpoints[EndpointId(name)]

    def connect(self, name: str) -> RecordingCarrier:
        """As if ICE, DTLS and the data channel had come up; returns the channel."""
        endpoint = self.endpoint(name)
        endpoint.transport.is_connected = True
        endpoint.transport_connected()
        carrier = RecordingCarrier()
        endpoint.channel.open(carrier)
        self.conference.channel_opened(endpoint)
        return carrier

    def say(self, name: str, **message: Any) -> None:
        self.conference.channel_message(self.endpoint(name), json.dumps(message))
