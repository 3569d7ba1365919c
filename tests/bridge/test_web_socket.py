"""The bridge channel's WebSocket, over real sockets with a fake engine behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import BaseTestServer, TestServer
from xmppconf_bridge.colibri import modify
from xmppconf_bridge.io.http import Reports, make_application
from xmppconf_bridge.io.rest import Orders
from xmppconf_web.app import make_app

from tests.support.fake_engine import BridgeBench
from xmppconf.channel_messages import EndpointMessage
from xmppconf.colibri2 import ConferenceModify, EndpointRequest, Transport
from xmppconf.config import Settings
from xmppconf.ids import EndpointId, MeetingId

M1 = MeetingId("m1")
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


class Client:
    def __init__(self, bench: BridgeBench, session: aiohttp.ClientSession) -> None:
        self.bench = bench
        self.session = session

    @property
    def path(self) -> str:
        return f"/colibri-ws/bridge-1/{self.bench.conference.socket_id}/a"

    @property
    def password(self) -> str:
        return self.bench.endpoint("a").password

    async def open(self) -> aiohttp.ClientWebSocketResponse:
        return await self.session.ws_connect(f"{self.path}?pwd={self.password}")


@pytest.fixture(params=["direct", "gateway"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Client]:
    """Someone at the bridge's own port, or at the gateway before it."""
    bench = BridgeBench()
    for name in ("a", "b"):
        creation = EndpointRequest(
            EndpointId(name),
            create=True,
            capabilities=frozenset({"source-names"}),
            transport=Transport(),
        )
        create = not bench.bridge.conferences
        modify(bench.bridge, ConferenceModify(M1, create=create, endpoints=(creation,)))
    reports = Reports(dict, lambda: True, dict)
    orders = Orders(partial(modify, bench.bridge), bench.bridge.operation, print, print)
    application = make_application(
        bench.bridge, reports, orders, (), rest=False, packet_headers=False
    )
    async with TestServer(application) as server:
        if request.param == "direct":
            async with browse(server) as session:
                yield Client(bench, session)
            return
        url = str(server.make_url("")).rstrip("/")
        settings = Settings()
        settings = replace(settings, web=replace(settings.web, bridges={"bridge-1": url}))
        (tmp_path / "index.html").write_text("page")
        async with (
            TestServer(make_app(settings, tmp_path)) as gateway,
            browse(gateway) as session,
        ):
            yield Client(bench, session)


def browse(server: BaseTestServer) -> aiohttp.ClientSession:
    # The other resolver keeps a thread.
    connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
    return aiohttp.ClientSession(server.make_url("/"), connector=connector)


async def test_the_server_greets_and_messages_go_both_ways(client: Client) -> None:
    async with asyncio.timeout(5):
        socket = await client.open()
        assert (await socket.receive_json())["colibriClass"] == "ServerHello"
        assert (await socket.receive_json())["colibriClass"] == "ForwardedSources"
        other = client.bench.connect("b")
        other.take()
        await socket.send_json(
            {"colibriClass": "EndpointMessage", "to": "b", "msgPayload": {"x": 1}}
        )
        while not other.messages:  # noqa: ASYNC110  (no event tells)
            await asyncio.sleep(0.01)
        assert other.take()[0]["from"] == "a"
        await socket.close()
        while client.bench.endpoint("a").channel.is_open:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_wrong_password_and_unknown_endpoint_look_the_same(client: Client) -> None:
    answers = []
    conference = client.bench.conference.socket_id
    for path in (
        f"{client.path}?pwd=wrong",
        client.path,
        f"/colibri-ws/bridge-1/{conference}/nobody?pwd={client.password}",
        f"/colibri-ws/bridge-1/nowhere/a?pwd={client.password}",
        f"/colibri-ws/bridge-1/{conference}/nobody?pwd=",
        f"{client.path}?pwd={client.password}&more=1",
    ):
        async with client.session.get(path, headers=UPGRADE) as response:
            answers.append((response.status, await response.text()))
    assert set(answers) == {(403, "403: Forbidden")}
    other = client.path.replace("bridge-1", "other")
    async with client.session.get(f"{other}?pwd=x", headers=UPGRADE) as response:
        assert response.status == 404
    assert not client.bench.endpoint("a").channel.is_open


async def test_a_newer_socket_replaces_the_older(client: Client) -> None:
    async with asyncio.timeout(5):
        first = await client.open()
        second = await client.open()
        while (await first.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
        assert first.close_code == 1000
        assert (await second.receive_json())["colibriClass"] == "ServerHello"
        client.bench.bridge.close()
        while (await second.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
        assert second.close_code == 1001


@pytest.mark.parametrize(
    ("binary", "size", "code"), [(True, 4, 1003), (False, 70_000, 1009)]
)
async def test_other_frames_end_the_socket(
    client: Client, binary: bool, size: int, code: int
) -> None:
    async with asyncio.timeout(5):
        socket = await client.open()
        if binary:
            await socket.send_bytes(b"x" * size)
        else:
            await socket.send_str("x" * size)
        while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
        assert socket.close_code == code


async def test_a_flood_ends_its_own_socket_only(client: Client) -> None:
    async with asyncio.timeout(20):
        socket = await client.open()
        other = client.bench.connect("b")
        text = json.dumps({"colibriClass": "EndpointMessage", "to": "b", "msgPayload": {}})
        try:
            for _ in range(10_000):
                await socket.send_str(text)
        except ConnectionError:
            pass
        while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
        assert socket.close_code == 1008
    assert other.closed is None
    assert 100 <= len(other.take("EndpointMessage")) < 250


async def test_who_does_not_read_is_closed_and_costs_a_mebibyte(client: Client) -> None:
    async with asyncio.timeout(10):
        socket = await client.open()
        channel = client.bench.endpoint("a").channel
        message = EndpointMessage("a", EndpointId("b"), {"msgPayload": {"x": "y" * 60_000}})
        # Nobody reads: what neither kernel nor gateway takes waits in the bridge.
        for _ in range(1000):
            channel.send_message(message)
            await asyncio.sleep(0)
        while channel.is_open:  # noqa: ASYNC110  (no event tells)
            await asyncio.sleep(0.01)
    await socket.close()
