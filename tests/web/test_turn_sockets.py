"""The relay on real sockets, used by somebody else's TURN client; HTTP beside it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import ClientSession, TCPConnector, ThreadedResolver, web
from aioice.stun import TransactionFailed
from aioice.turn import TurnTransport, create_turn_endpoint
from xmppconf_web.app import make_app, tls_context
from xmppconf_web.io.first_byte import Listener
from xmppconf_web.io.state import GATEWAY

from tests.support.certificate import make_certificate
from xmppconf.config import Settings
from xmppconf.serve.ports import free_ports
from xmppconf.turn import make_credentials

SECRET = "s" * 32
NOW = 4e9  # seconds since 1970: credentials that still hold when somebody runs this


class Bridge(asyncio.DatagramProtocol):
    """Stands where the bridge's port is, and says everything backwards."""

    def __init__(self) -> None:
        self.heard = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.heard += 1
        self.transport.sendto(data[::-1], addr)


class Receiver(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.errors: asyncio.Queue[Exception] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.received.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        self.errors.put_nowait(exc)


class Running:
    def __init__(self, settings: Settings, runner: web.AppRunner, bridge: Bridge) -> None:
        self.settings = settings
        self.runner = runner
        self.bridge = bridge
        self.at = ("127.0.0.1", settings.bridge.udp_port)

    async def client(
        self, password: str | None = None, tls: ssl.SSLContext | None = None
    ) -> tuple[TurnTransport, Receiver]:
        held = make_credentials(SECRET, NOW, 60.0)
        return await create_turn_endpoint(
            Receiver,
            ("127.0.0.1", self.settings.web.port),
            held.username,
            password or held.password,
            transport="tcp",
            ssl=tls,
        )

    async def page(self, scheme: str = "http", tls: ssl.SSLContext | None = None) -> int:
        connector = TCPConnector(resolver=ThreadedResolver())
        async with ClientSession(connector=connector) as http:
            url = f"{scheme}://127.0.0.1:{self.settings.web.port}/health"
            async with http.get(url, ssl=tls or True) as answer:
                return answer.status


@asynccontextmanager
async def running(**changes: Any) -> AsyncIterator[Running]:
    port, media = free_ports(2)
    plain = Settings()
    settings = replace(
        plain,
        web=replace(plain.web, port=port, **changes.pop("web", {})),
        bridge=replace(plain.bridge, udp_port=media),
        turn=replace(plain.turn, secret=SECRET, **changes),
    )
    loop = asyncio.get_running_loop()
    transport, bridge = await loop.create_datagram_endpoint(
        Bridge, local_addr=("127.0.0.1", media)
    )
    runner = web.AppRunner(make_app(settings), access_log=None)
    await runner.setup()
    listener = Listener(runner, settings)
    try:
        await listener.listen("127.0.0.1", tls_context(settings))
        yield Running(settings, runner, bridge)
    finally:
        listener.close()
        await runner.cleanup()
        transport.close()


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110  # nobody here sets an event
        await asyncio.sleep(0.01)


async def closed(transport: TurnTransport) -> None:
    """aioice closes in a task of its own; nothing of it may outlive the test."""
    transport.close()
    await asyncio.sleep(0)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    waiting = [t for t in others if "TurnTransport._close" in repr(t.get_coro())]
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_datagrams_reach_the_bridge_and_come_back_and_pages_are_served() -> None:
    async with running() as gateway:
        transport, receiver = await gateway.client()
        for data in (b"abc", bytes(range(256)) * 5):
            transport.sendto(data, gateway.at)
            assert await asyncio.wait_for(receiver.received.get(), 5) == data[::-1]
        assert await gateway.page() == 503  # no focus here, but it is the gateway's answer
        await closed(transport)


async def test_over_tls_on_the_port_of_https(tmp_path: Path) -> None:
    files = make_certificate(tmp_path, "localhost")
    trust = ssl.create_default_context(cafile=files["tls_certificate"])
    trust.check_hostname = False
    async with running(web=files) as gateway:
        transport, receiver = await gateway.client(tls=trust)
        transport.sendto(b"abc", gateway.at)
        assert await asyncio.wait_for(receiver.received.get(), 5) == b"cba"
        assert await gateway.page("https", trust) == 503
        await closed(transport)


async def test_a_wrong_password_opens_nothing() -> None:
    async with running() as gateway:
        with pytest.raises(TransactionFailed, match="401"):
            await gateway.client(password="wrong")


async def test_nobody_else_is_reached() -> None:
    async with running() as gateway:
        transport, receiver = await gateway.client()
        transport.sendto(b"x", ("127.0.0.1", gateway.settings.web.port))
        error = await asyncio.wait_for(receiver.errors.get(), 5)
        assert "403" in str(error)
        await closed(transport)


async def test_too_many_clients_are_turned_away_and_pages_are_not() -> None:
    async with running(max_clients=1) as gateway:
        transport, _ = await gateway.client()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", gateway.settings.web.port
        )
        writer.write(bytes(20))
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        assert await gateway.page() == 503
        await closed(transport)
        transport, _ = await gateway.client()
        await closed(transport)


async def test_more_than_the_gateway_has_time_for_is_dropped() -> None:
    async with running(max_datagrams=40) as gateway:
        transport, _ = await gateway.client()
        for _ in range(100):
            transport.sendto(b"x", gateway.at)
        metrics = gateway.runner.app[GATEWAY].metrics
        await until(lambda: b'{reason="too_many"} 0.0' not in metrics.render()[0])
        await until(lambda: gateway.bridge.heard > 0)
        assert gateway.bridge.heard < 100
        await closed(transport)


async def test_without_a_secret_nothing_but_http_is_spoken() -> None:
    async with running(relay=False) as gateway:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", gateway.settings.web.port
        )
        writer.write(bytes(20))
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        assert await gateway.page() == 503


async def test_closing_ends_who_says_nothing_and_who_is_relayed() -> None:
    async with running() as gateway:
        transport, receiver = await gateway.client()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", gateway.settings.web.port
        )
        transport.sendto(b"x", gateway.at)
        await asyncio.wait_for(receiver.received.get(), 5)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    await closed(transport)
