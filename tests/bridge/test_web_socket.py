"""The bridge channel's WebSocket, over real sockets with a fake engine behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from xmppconf_bridge.colibri import modify
from xmppconf_bridge.io.http import Reports, make_application

from tests.support.fake_engine import BridgeBench
from xmppconf.colibri2 import ConferenceModify, EndpointRequest, Transport
from xmppconf.ids import EndpointId, MeetingId

M1 = MeetingId("m1")


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


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    bench = BridgeBench()
    for name in ("a", "b"):
        request = EndpointRequest(
            EndpointId(name),
            create=True,
            capabilities=frozenset({"source-names"}),
            transport=Transport(),
        )
        create = not bench.bridge.conferences
        modify(bench.bridge, ConferenceModify(M1, create=create, endpoints=(request,)))
    reports = Reports(dict, lambda: True, dict)
    runner = web.AppRunner(make_application(bench.bridge, reports), shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    # The other resolver keeps a thread.
    connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
    async with aiohttp.ClientSession(
        f"http://{host}:{port}", connector=connector
    ) as session:
        yield Client(bench, session)
    await runner.cleanup()


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
        async with client.session.get(path) as response:
            answers.append((response.status, await response.text()))
    assert set(answers) == {(403, "403: Forbidden")}
    async with client.session.get(client.path.replace("bridge-1", "other")) as response:
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
