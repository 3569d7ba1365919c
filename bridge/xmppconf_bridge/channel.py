"""The bridge channel of one peer, over a data channel, a WebSocket or both.

What carries the messages is outside; here is which carrier to use, and how many messages
an endpoint, or another bridge, may send.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from xmppconf.bridge_channel import Message, serialize

#: An endpoint may send this many messages at once, and this many a second in the long run.
BURST = 100
RATE = 50.0
#: The same for characters, since one message can go to everybody.
SIZE_BURST = 512 * 1024
SIZE_RATE = 64 * 1024.0
#: Messages beyond that are dropped; this many dropped ones, and as many a second as may be
#: sent, are borne before the carrier is closed.
PATIENCE = 500


class Carrier(Protocol):
    """Bounds its own queue; a carrier that cannot send any more closes itself."""

    def send(self, text: str) -> None: ...
    def abandon(self) -> None:
        """Close it for breaking the rules."""


class WebSocketCarrier(Carrier, Protocol):
    def close(self, code: int, reason: str) -> None: ...


class Bucket:
    """Lets `rate` a second pass, and `burst` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at: float | None = None

    def take(self, now: float, amount: int = 1) -> bool:
        if self._at is not None:
            self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True


@dataclass(slots=True)
class Messages:
    """How many went one way."""

    data_channel: int = 0
    web_socket: int = 0

    def count(self, *, is_socket: bool) -> None:
        if is_socket:
            self.web_socket += 1
        else:
            self.data_channel += 1


class BridgeChannel:
    """Sends on the carrier that was last heard from."""

    def __init__(self, share: int = 1) -> None:
        """`share` is how many endpoints' messages may come over it."""
        self._carriers: list[Carrier] = []  # the last heard from at the end
        self._socket: WebSocketCarrier | None = None
        self._messages = Bucket(RATE * share, BURST * share)
        self._size = Bucket(SIZE_RATE * share, SIZE_BURST * share)
        self._patience = Bucket(RATE * share, PATIENCE * share)
        self.sent = Messages()
        self.received = Messages()
        self.dropped = 0

    @property
    def is_open(self) -> bool:
        return bool(self._carriers)

    def open(self, carrier: Carrier) -> None:
        self._carriers.append(carrier)

    def open_socket(self, socket: WebSocketCarrier) -> None:
        """A newer socket replaces the older one."""
        if self._socket is not None:
            old, self._socket = self._socket, None
            self.closed(old)
            old.close(1000, "replaced")
        self._socket = socket
        self.open(socket)

    def closed(self, carrier: Carrier) -> None:
        """The carrier is gone; unknown ones are no error, since several may report it."""
        if carrier in self._carriers:
            self._carriers.remove(carrier)
        if carrier is self._socket:
            self._socket = None

    def may_receive(self, carrier: Carrier, size: int, now: float) -> bool:
        """Whether to read a message of `size` characters that just came.

        Also makes its carrier the current one, or closes it if there is no end of them.
        """
        if carrier not in self._carriers:
            return False
        if self._carriers[-1] is not carrier:
            self._carriers.remove(carrier)
            self._carriers.append(carrier)
        self.received.count(is_socket=carrier is self._socket)
        if self._messages.take(now) and self._size.take(now, size):
            return True
        self.dropped += 1
        if not self._patience.take(now):
            self.closed(carrier)
            carrier.abandon()
        return False

    def send_message(self, message: Message) -> None:
        """Send, or drop the message if nothing is open."""
        if self._carriers:
            carrier = self._carriers[-1]
            self.sent.count(is_socket=carrier is self._socket)
            carrier.send(serialize(message))

    def close(self, reason: str = "endpoint closed", code: int = 1001) -> None:
        """Its peer is expired and shall not come back with this password."""
        self._carriers.clear()
        if self._socket is not None:
            socket, self._socket = self._socket, None
            socket.close(code, reason)
