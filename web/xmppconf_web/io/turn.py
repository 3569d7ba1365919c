"""The relay's streams and sockets, and what clients may have of them together."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, assert_never, cast

from xmppconf import clock
from xmppconf.config import Settings
from xmppconf.driver import Driver
from xmppconf.metrics import Metrics
from xmppconf.serve.ports import is_own_address
from xmppconf.turn import password_of
from xmppconf_web.fairness import Bucket, Held, source_of
from xmppconf_web.turn.connection import (
    Close,
    Effect,
    Forward,
    OpenRelay,
    Rules,
    TurnConnection,
    Write,
)
from xmppconf_web.turn.messages import Address
from xmppconf_web.turn.peers import Bridges

#: Bytes that wait for a client who reads slowly; media beyond it would come too late.
MAX_WAITING = 64 * 1024

log = logging.getLogger(__name__)


class Relay:
    """Serves the clients that begin to speak TURN; one for the whole gateway."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        turn = settings.turn
        self.rules = Rules(
            settings.domain,
            lambda username: password_of(turn.secret, username, clock.wall()),
            Bridges(settings.bridge, turn.bridges, is_own_address),
        )
        self.held = Held(turn.max_clients, settings.web.max_sockets_per_address)
        # A quarter of a second's worth at once: pictures come in bursts.
        self.budget = Bucket(turn.max_datagrams, max(1.0, turn.max_datagrams / 4))
        self.carried = metrics.counter(
            "turn_datagrams", "Datagrams relayed", "direction", ("in", "out")
        )
        self.dropped = metrics.counter(
            "turn_dropped", "Datagrams not relayed", "reason", ("slow_client", "too_many")
        )
        self.clients: set[asyncio.Transport] = set()
        metrics.gauge("turn_clients", "Clients of the relay", lambda: len(self.clients))

    def close(self) -> None:
        """End all connections."""
        for transport in self.clients:
            transport.close()

    def serve(self, transport: asyncio.Transport) -> asyncio.Protocol | None:
        """What takes the connection over; None: there are too many."""
        source = source_of(_host(transport, "peername"))
        if not self.held.enter(source):
            return None
        return _Client(self, transport, partial(self.held.leave, source))


class _Client(asyncio.Protocol):
    def __init__(
        self, relay: Relay, transport: asyncio.Transport, leave: Callable[[], None]
    ) -> None:
        self._relay = relay
        self._transport = transport
        self._leave = leave
        self._socket: asyncio.DatagramTransport | None = None
        self._opening: asyncio.Task[None] | None = None
        self._closed = False
        client = cast("tuple[Any, ...]", transport.get_extra_info("peername"))
        self._machine = TurnConnection(
            relay.rules, _plain(client), secrets.token_hex(16), clock.monotonic()
        )
        self._driver: Driver[Effect] = Driver(self._machine, self._perform)
        self._driver.pump()
        relay.clients.add(transport)

    def data_received(self, data: bytes) -> None:
        self._machine.receive(data, self._driver.now())
        self._driver.pump()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._closed:
            return
        self._closed = True
        self._driver.close()
        if self._opening is not None:
            self._opening.cancel()
        if self._socket is not None:
            self._socket.close()
        self._relay.clients.discard(self._transport)
        self._leave()

    def datagram(self, source: Address, data: bytes) -> None:
        """From the relay's socket."""
        if self._transport.get_write_buffer_size() > MAX_WAITING:
            self._relay.dropped.increment("slow_client")
            return
        self._machine.datagram(source, data, self._driver.now())
        self._driver.pump()

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Write(data, media):
                if media and not self._may_carry("in"):
                    return
                self._transport.write(data)
                # Answers are never left out; who does not read even those is gone.
                if self._transport.get_write_buffer_size() > 2 * MAX_WAITING:
                    self._transport.abort()
            case Forward(address, data):
                if self._socket is not None and self._may_carry("out"):
                    self._socket.sendto(data, address)
            case OpenRelay(version):
                self._opening = asyncio.get_running_loop().create_task(self._open(version))
            case Close():
                self._transport.close()
            case _:
                assert_never(effect)

    def _may_carry(self, direction: Literal["in", "out"]) -> bool:
        if not self._relay.budget.take(self._driver.now()):
            self._relay.dropped.increment("too_many")
            return False
        self._relay.carried.increment(direction)
        return True

    async def _open(self, version: Literal[4, 6]) -> None:
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        address: Address | None = None
        try:
            opened = socket.socket(family, socket.SOCK_DGRAM)
            opened.setblocking(False)
            opened.bind(("", 0))
            address = (self._near(version), opened.getsockname()[1])
            self._socket, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _RelaySocket(self), sock=opened
            )
        except OSError as exc:
            log.warning("no socket for a client of the relay: %s", exc.strerror)
        self._machine.relay_opened(address, self._driver.now())
        self._driver.pump()

    def _near(self, version: Literal[4, 6]) -> str:
        """An address of ours of this family: where the client found us, if that is one."""
        host = _plain(self._transport.get_extra_info("sockname"))[0]
        if (":" in host) == (version == 6):
            return host
        return "127.0.0.1" if version == 4 else "::1"


class _RelaySocket(asyncio.DatagramProtocol):
    def __init__(self, client: _Client) -> None:
        self._client = client

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._client.datagram((addr[0], addr[1]), data)

    def error_received(self, exc: Exception) -> None:
        """An ICMP error says that nobody listens there, which ICE finds out by itself."""


def _host(transport: asyncio.Transport, which: str) -> str | None:
    name = transport.get_extra_info(which)
    return name[0] if name else None


def _plain(name: tuple[Any, ...] | None) -> Address:
    """A socket's name without scope, and an IPv4 address as such."""
    if not name:
        return "::", 0  # it is gone already
    host = str(name[0]).partition("%")[0]
    return host.removeprefix("::ffff:") if "." in host else host, int(name[1])
