"""The bridge channel of one peer, over every combination of carriers, at every event.

A state is who may carry messages, the last heard from at the end: `d` is the data channel,
`s` the WebSocket.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from xmppconf_bridge.channel import BURST, PATIENCE, BridgeChannel

from tests.support.fake_engine import RecordingCarrier
from xmppconf.bridge_channel import ServerHello


class Bench:
    def __init__(self) -> None:
        self.channel = BridgeChannel()
        self.names: dict[str, RecordingCarrier] = {}
        self.heard: bool | None = None

    def open(self, name: str) -> None:
        carrier = RecordingCarrier()
        if name == "d":
            self.channel.open(carrier)
        else:
            self.channel.open_socket(carrier)
        self.names[name] = carrier

    def hear(self, name: str) -> None:
        carrier = self.names.get(name, RecordingCarrier())
        self.heard = self.channel.may_receive(carrier, 1, 0.0)

    def flood(self, name: str) -> None:
        carrier = self.names.get(name, RecordingCarrier())
        for _ in range(BURST + PATIENCE + 1):
            self.heard = self.channel.may_receive(carrier, 1, 0.0)

    def gone(self, name: str) -> None:
        self.channel.closed(self.names.get(name, RecordingCarrier()))

    @property
    def state(self) -> str:
        """By who gets what is sent, again and again."""
        letters = ""
        while self.channel.is_open:
            self.channel.send_message(ServerHello())
            [(name, carrier)] = [one for one in self.names.items() if one[1].take()]
            letters = name + letters
            self.channel.closed(carrier)
        return letters


STATES = ("", "d", "s", "ds", "sd")
EVENTS: dict[str, Callable[[Bench], None]] = {
    "data channel": lambda bench: bench.open("d"),
    "socket": lambda bench: bench.open("s"),
    "word from d": lambda bench: bench.hear("d"),
    "word from s": lambda bench: bench.hear("s"),
    "flood from d": lambda bench: bench.flood("d"),
    "flood from s": lambda bench: bench.flood("s"),
    "d gone": lambda bench: bench.gone("d"),
    "s gone": lambda bench: bench.gone("s"),
    "end": lambda bench: bench.channel.close(),
}
#: The states afterwards, in the order of the events; None: a transport has one data
#: channel, and ends it before the next.
TABLE = {
    "": ("d", "s", "", "", "", "", "", "", ""),
    "d": (None, "ds", "d", "d", "", "d", "", "d", ""),
    "s": ("sd", "s", "s", "s", "s", "", "s", "", ""),
    "ds": (None, "ds", "sd", "ds", "s", "d", "s", "d", ""),
    "sd": (None, "ds", "sd", "ds", "s", "d", "s", "d", ""),
}
BROKEN = (1008, "too many messages")


PAIRS = [
    (state, event, after)
    for state in STATES
    for event, after in zip(EVENTS, TABLE[state], strict=True)
    if after is not None
]


@pytest.mark.parametrize(("state", "event", "after"), PAIRS)
def test_every_event_in_every_state(state: str, event: str, after: str) -> None:
    bench = Bench()
    for name in state:
        bench.open(name)
    before = dict(bench.names)
    EVENTS[event](bench)
    who = event.rpartition(" ")[2]
    # Only what is open is read, and only as much as may be sent.
    if event.startswith("word"):
        assert bench.heard == (who in state)
    elif event.startswith("flood"):
        assert bench.heard is False
    closed = {name: one.closed for name, one in before.items() if one.closed is not None}
    expected: dict[str, tuple[int, str]] = {}
    if event.startswith("flood") and who in state:
        expected = {who: BROKEN}
    elif event == "socket" and "s" in state:
        expected = {"s": (1000, "replaced")}
    elif event == "end" and "s" in state:
        # The data channel ends with its transport.
        expected = {"s": (1001, "endpoint closed")}
    assert closed == expected
    assert bench.state == after


@pytest.mark.parametrize("state", STATES)
def test_messages_are_counted_by_what_carries_them(state: str) -> None:
    bench = Bench()
    for name in state:
        bench.open(name)
    bench.channel.send_message(ServerHello())
    for name in "ds":
        bench.hear(name)
    sent, received = bench.channel.sent, bench.channel.received
    assert (sent.data_channel, sent.web_socket) == (state[-1:] == "d", state[-1:] == "s")
    assert (received.data_channel, received.web_socket) == ("d" in state, "s" in state)


def test_a_carrier_that_was_replaced_is_not_heard_any_more() -> None:
    bench = Bench()
    bench.open("s")
    old = bench.names["s"]
    bench.open("s")
    assert not bench.channel.may_receive(old, 1, 0.0)
    bench.channel.closed(old)
    assert bench.state == "s", "its end is not the newer one's"
