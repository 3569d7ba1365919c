"""The gateway between a browser and servers that this file plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import (
    ClientSession,
    TCPConnector,
    ThreadedResolver,
    WSMsgType,
    WSServerHandshakeError,
    web,
)
from aiohttp.test_utils import BaseTestServer, TestServer
from xmppconf_web import stanzas
from xmppconf_web.app import make_app
from xmppconf_web.io import state

from xmppconf.config import Settings


@dataclass
class Behind:
    """What stands behind the gateway: XMPP server, focus and bridge in one."""

    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    healthy: bool = True
    flooded: int = 0
    """Messages of a megabyte sent to somebody who asked for a flood."""
    may_open: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a socket that is to be slow may open."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """A socket was asked for that is to be slow, and has ended."""

    def note(self, request: web.Request, body: bytes = b"") -> None:
        self.seen.append((request.method, request.path_qs, dict(request.headers), body))

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        self.note(request)
        if request.query.get("pwd") == "wrong":
            raise web.HTTPForbidden
        if request.query.get("pwd") == "slow":
            self.asked.set()
            await self.may_open.wait()
        socket = web.WebSocketResponse(protocols=("xmpp",))
        await socket.prepare(request)
        self.sockets.append(socket)
        async for frame in socket:
            if frame.data == "bye":
                await socket.close(code=4001, message=b"as you like")
            elif frame.data == "flood":
                while not socket.closed:
                    await socket.send_bytes(bytes(1024 * 1024))
                    self.flooded += 1
            elif frame.type is WSMsgType.TEXT:
                await socket.send_str(f"<{frame.data}>")
            else:
                await socket.send_bytes(frame.data)
        if self.asked.is_set():
            self.left.set()
        return socket

    async def body(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.note(request, body)
        if body == b"refuse":
            return web.Response(status=403, text="no")
        return web.Response(body=b"<answer/>", content_type="text/xml")

    async def health(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if self.healthy else 503)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/xmpp-websocket", self.socket)
        app.router.add_get("/colibri-ws/{rest:.*}", self.socket)
        app.router.add_get("/colibri-relay-ws/{rest:.*}", self.socket)
        app.router.add_post("/http-bind", self.body)
        app.router.add_post("/conference-request/v1", self.body)
        app.router.add_get("/health", self.health)
        return app


@pytest.fixture
async def behind() -> AsyncIterator[tuple[Behind, Settings]]:
    server = Behind()
    async with TestServer(server.app()) as running:
        url = str(running.make_url("")).rstrip("/")
        settings = Settings()
        yield (
            server,
            replace(
                settings,
                xmpp=replace(settings.xmpp, host="127.0.0.1", http_port=running.port or 0),
                web=replace(
                    settings.web,
                    focus_url=url,
                    bridges={"b1": url},
                    origins=("https://friend.example",),
                ),
            ),
        )


@pytest.fixture
def static(tmp_path: Path) -> Path:
    (tmp_path / "static" / "assets").mkdir(parents=True)
    (tmp_path / "static" / "index.html").write_text("<!doctype html><title>page</title>")
    (tmp_path / "static" / "assets" / "main-abcdef12.js").write_text("1")
    (tmp_path / "secret").write_text("secret")
    return tmp_path / "static"


@pytest.fixture
async def gateway(
    behind: tuple[Behind, Settings], static: Path
) -> AsyncIterator[BaseTestServer]:
    async with TestServer(make_app(behind[1], static)) as running:
        yield running


def session(gateway: BaseTestServer) -> ClientSession:
    """A browser, without the resolver whose thread outlives a test."""
    connector = TCPConnector(resolver=ThreadedResolver())
    return ClientSession(gateway.make_url("/"), connector=connector)


@pytest.fixture
async def browser(gateway: BaseTestServer) -> AsyncIterator[ClientSession]:
    async with session(gateway) as opened:
        yield opened


async def test_a_room_is_the_page_under_a_strict_policy(browser: ClientSession) -> None:
    for path in ("/", "/standup", "/%C3%A4rger"):
        async with browser.get(path) as answer:
            assert answer.status == 200
            assert "<title>page" in await answer.text()
            assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Cache-Control"] == "no-cache"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "Server" not in answer.headers


async def test_a_room_has_one_spelling(browser: ClientSession) -> None:
    async with browser.get("/StandUp", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/standup")


async def test_hashed_files_are_kept_for_ever(browser: ClientSession) -> None:
    async with browser.get("/assets/main-abcdef12.js") as answer:
        assert answer.status == 200
        assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    "path",
    [
        "/../secret",
        "/..%2fsecret",
        "/%2e%2e/secret",
        "/assets/../../secret",
        "/assets/..%2f..%2fsecret",
        "//etc/passwd",
        "/a/b",
        "/a%00b",
        "/a%0d%0aSet-Cookie:x",
        "/%ff%fe",
        "/.git",
        "/" + "x" * 2000,
        "/colibri-ws/other/c/e?pwd=x",
        "/colibri-ws/b1/..%2f/e?pwd=x",
    ],
)
async def test_hostile_paths_lead_nowhere(gateway: BaseTestServer, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    status = int(answer.split(b" ", 2)[1])
    assert status in (302, 400, 404)
    assert b"secret" not in answer.partition(b"\r\n\r\n")[2]
    assert b"\nSet-Cookie" not in answer


async def test_xmpp_is_carried_both_ways(
    browser: ClientSession, behind: tuple[Behind, Settings]
) -> None:
    headers = {"Origin": str(browser._base_url).rstrip("/"), "X-Forwarded-For": "192.0.2.7"}
    async with browser.ws_connect(
        "/xmpp-websocket?room=tea", protocols=["xmpp"], headers=headers
    ) as socket:
        assert socket.protocol == "xmpp"
        await socket.send_str("open")
        assert await socket.receive_str() == "<open>"
        await socket.send_str("bye")
        message = await socket.receive()
        assert (message.type, message.data, message.extra) == (
            WSMsgType.CLOSE,
            4001,
            "as you like",
        )
    _, path, sent, _ = behind[0].seen[0]
    assert path == "/xmpp-websocket?room=tea"
    assert sent["Host"] == "localhost"
    # The XMPP server learns nothing about the browser.
    assert not {"Origin", "X-Forwarded-For", "Forwarded", "Cookie"} & set(sent)


async def test_a_new_socket_ends_the_one_it_replaces(
    browser: ClientSession, behind: tuple[Behind, Settings]
) -> None:
    old, new = "ab" * 16, "cd" * 16
    path = "/xmpp-websocket?room=tea&stream="
    sockets = behind[0].sockets
    async with browser.ws_connect(path + old, protocols=["xmpp"]) as first:
        await first.send_str("open")
        await first.receive_str()
        # What nobody can have named so ends nothing, and no name is taken twice.
        for query in (f"{new}&replaces=ab", f"{old}&replaces={new}"):
            async with browser.ws_connect(path + query, protocols=["xmpp"]):
                pass
        assert not sockets[0].closed
        query = f"{new}&replaces={old}"
        async with browser.ws_connect(path + query, protocols=["xmpp"]) as second:
            assert sockets[0].closed, "before the new one is open"
            await second.send_str("open")
            assert await second.receive_str() == "<open>"
            assert (await first.receive()).type is WSMsgType.CLOSE
    async with browser.ws_connect(path + old, protocols=["xmpp"]):
        async with browser.post(f"/http-bind?replaces={old}", data=b"<body/>") as answer:
            assert answer.status == 200
        assert sockets[-1].closed, "also where WebSockets do not get through"
    # The server learns nothing of it.
    seen = {path for _, path, _, _ in behind[0].seen}
    assert seen == {"/xmpp-websocket?room=tea", "/http-bind"}


async def test_leaving_is_passed_on(
    browser: ClientSession, behind: tuple[Behind, Settings]
) -> None:
    socket = await browser.ws_connect("/xmpp-websocket", protocols=["xmpp"])
    await socket.send_str("open")
    await socket.receive_str()
    await socket.close(code=1000)
    async with asyncio.timeout(5):
        while not behind[0].sockets[0].closed:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert behind[0].sockets[0].close_code == 1000


async def test_a_message_too_long_ends_the_connection(browser: ClientSession) -> None:
    async with browser.ws_connect("/xmpp-websocket", protocols=["xmpp"]) as socket:
        await socket.send_str("x" * 600_000)
        message = await socket.receive(5)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1009)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example", "Sec-WebSocket-Protocol": "xmpp"}, 403),
        ({"Origin": "null", "Sec-WebSocket-Protocol": "xmpp"}, 403),
        ({}, 400),
        ({"Sec-WebSocket-Protocol": "chat"}, 400),
    ],
)
async def test_sockets_that_are_refused(
    browser: ClientSession,
    behind: tuple[Behind, Settings],
    headers: dict[str, str],
    status: int,
) -> None:
    with pytest.raises(WSServerHandshakeError) as caught:
        await browser.ws_connect("/xmpp-websocket", headers=headers)
    assert caught.value.status == status
    assert behind[0].seen == []


async def test_the_keep_alive_is_answered(browser: ClientSession) -> None:
    async with browser.get("/xmpp-websocket") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("kind", ["colibri-ws", "colibri-relay-ws"])
async def test_the_bridge_channel_is_carried(
    kind: str, browser: ClientSession, behind: tuple[Behind, Settings]
) -> None:
    async with browser.ws_connect(f"/{kind}/b1/c1/e1?pwd=right") as socket:
        await socket.send_str("{}")
        assert await socket.receive_str() == "<{}>"
    assert behind[0].seen[0][1] == f"/{kind}/b1/c1/e1?pwd=right"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/colibri-ws/b1/c1/e1?pwd=wrong", 403),
        ("/colibri-ws/b1/c1/e1", 403),
        ("/colibri-ws/b1/c1/e1?pwd=a&x=b", 403),
        ("/colibri-ws/b2/c1/e1?pwd=a", 404),
    ],
)
async def test_channels_that_are_refused(
    browser: ClientSession, path: str, status: int
) -> None:
    with pytest.raises(WSServerHandshakeError) as caught:
        await browser.ws_connect(path)
    assert caught.value.status == status


async def test_a_browser_that_goes_before_its_socket_is_open_is_no_bug(
    behind: tuple[Behind, Settings], static: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # The server of tests cancels the handler, which the real one does not.
    runner = web.AppRunner(make_app(behind[1], static), handler_cancellation=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    [(_, port)] = runner.addresses
    server, host = behind[0], f"127.0.0.1:{port}"
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /colibri-ws/b1/c/e?pwd=slow HTTP/1.1\r\nHost: {host}\r\n"
        f"Origin: http://{host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    async with asyncio.timeout(5):
        await server.asked.wait()
        writer.transport.abort()
        await asyncio.sleep(0.05)
        server.may_open.set()
        # The gateway takes leave of the server on its behalf.
        await server.left.wait()
    await runner.cleanup()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_bosh_is_carried(
    browser: ClientSession, behind: tuple[Behind, Settings]
) -> None:
    async with browser.post("/http-bind?room=tea", data=b"<body/>") as answer:
        assert (answer.status, await answer.read()) == (200, b"<answer/>")
    method, path, headers, body = behind[0].seen[0]
    assert (method, path, body) == ("POST", "/http-bind?room=tea", b"<body/>")
    assert headers["Host"] == "localhost"


async def test_conference_requests_are_carried(
    browser: ClientSession, behind: tuple[Behind, Settings]
) -> None:
    token = {"Authorization": "Bearer t", "Origin": "https://friend.example"}
    async with browser.post("/conference-request/v1", data=b"{}", headers=token) as answer:
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "https://friend.example"
    assert behind[0].seen[0][2]["Authorization"] == "Bearer t"
    async with browser.post("/conference-request/v1", data=b"refuse") as answer:
        assert answer.status == 403
    async with browser.options("/conference-request/v1", headers=token) as answer:
        assert answer.status == 200
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(
    "path", ["/http-bind", "/conference-request/v1", "/login/oidc/finish"]
)
async def test_slow_bodies_are_not_waited_for(
    gateway: BaseTestServer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(state, "BODY_TIMEOUT", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    own = f"http://127.0.0.1:{gateway.port}"
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\nOrigin: {own}\r\n"
        "Content-Length: 100\r\nContent-Type: application/json\r\n\r\n<b".encode()
    )
    async with asyncio.timeout(5):
        answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("path", ["/conference-request/v1", "/http-bind"])
async def test_long_bodies_are_refused(
    browser: ClientSession, behind: tuple[Behind, Settings], path: str
) -> None:
    async with browser.post(path, data=b"x" * 600_000) as answer:
        assert answer.status == 413
    assert behind[0].seen == []


@pytest.fixture
def from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everybody have one address that is counted."""
    for module in ("state", "focus"):
        monkeypatch.setattr(f"xmppconf_web.io.{module}.source_of", lambda _: "192.0.2.7")


@pytest.mark.usefixtures("from_outside")
async def test_one_address_gets_so_many_sockets_and_requests(
    behind: tuple[Behind, Settings], static: Path
) -> None:
    settings = behind[1]
    web_settings = replace(
        settings.web, max_sockets_per_address=1, max_requests_per_minute=4
    )
    tight = replace(settings, web=web_settings)
    async with (
        TestServer(make_app(tight, static)) as running,
        session(running) as browser,
    ):
        for _ in range(3):
            async with browser.ws_connect("/colibri-ws/b1/c1/e1?pwd=x"):
                with pytest.raises(WSServerHandshakeError) as caught:
                    await browser.ws_connect("/colibri-ws/b1/c1/e2?pwd=x")
                assert caught.value.status == 503
                async with browser.post("/http-bind", data=b"x") as answer:
                    assert answer.status == 503
            await asyncio.sleep(0.05)
        statuses = []
        for _ in range(3):
            async with browser.post("/conference-request/v1", data=b"{}") as answer:
                statuses.append(answer.status)
        assert statuses == [200, 200, 429]
        assert int(answer.headers["Retry-After"]) > 0


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two changes of presence at once, and ten a second."""
    monkeypatch.setattr(stanzas, "AT_ONCE", 2 * stanzas.TO_ROOM)
    monkeypatch.setattr(stanzas, "PER_SECOND", 10 * stanzas.TO_ROOM)


@pytest.mark.usefixtures("narrow")
async def test_a_flood_of_stanzas_waits_and_nothing_is_lost(
    browser: ClientSession,
) -> None:
    async with browser.ws_connect("/xmpp-websocket", protocols=["xmpp"]) as socket:
        began = asyncio.get_running_loop().time()
        texts = [f"<presence id='{number}'/>" for number in range(8)]
        for text in texts:
            await socket.send_str(text)
        assert [await socket.receive_str() for _ in texts] == [f"<{one}>" for one in texts]
        assert asyncio.get_running_loop().time() - began >= 6 / 10
        await socket.send_str("<presence/>" * 3)
        message = await socket.receive()
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1008)
    async with browser.ws_connect("/colibri-ws/b1/x/y?pwd=z") as socket:
        await socket.send_str("<presence/>" * 3)
        assert await socket.receive_str(), "only XMPP has stanzas"


@pytest.mark.usefixtures("narrow")
async def test_a_flood_over_bosh_waits_too(
    browser: ClientSession, behind: tuple[Behind, Settings]
) -> None:
    began = asyncio.get_running_loop().time()
    body = b"<body sid='a'><presence/><presence/></body>"
    for _ in range(4):
        async with browser.post("/http-bind", data=body) as answer:
            assert answer.status == 200
    assert asyncio.get_running_loop().time() - began >= 6 / 10
    assert len(behind[0].seen) == 4
    for refused, status in ((b"<presence/>" * 3, 413), ("<body/>".encode("utf-16"), 400)):
        async with browser.post("/http-bind", data=refused) as answer:
            assert answer.status == status
    assert len(behind[0].seen) == 4


async def test_who_does_not_read_is_not_waited_for_in_memory(
    browser: ClientSession, behind: tuple[Behind, Settings]
) -> None:
    socket = await browser.ws_connect("/xmpp-websocket", protocols=["xmpp"])
    await socket.send_str("flood")
    before, now = -1, 0
    async with asyncio.timeout(10):
        while now == 0 or now != before:
            await asyncio.sleep(0.3)
            before, now = now, behind[0].flooded
    # Socket buffers on both ways hold some; our own memory holds a message or two.
    assert now < 40
    socket._response.close()


async def test_health_is_that_of_the_parts(
    browser: ClientSession, behind: tuple[Behind, Settings]
) -> None:
    async with browser.get("/health") as answer:
        assert answer.status == 200
    behind[0].healthy = False
    async with browser.get("/health") as answer:
        assert answer.status == 503
        assert await answer.json() == {"healthy": False, "xmpp": True, "focus": False}


async def test_metrics_are_for_this_machine(browser: ClientSession) -> None:
    async with browser.get("/metrics") as answer:
        assert answer.status == 200
        assert "xmppconf_web_sockets 0.0" in await answer.text()
    async with browser.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"}) as answer:
        assert answer.status == 404


async def test_a_server_that_is_gone_is_a_bad_gateway(
    behind: tuple[Behind, Settings], static: Path
) -> None:
    with_nobody = replace(
        behind[1],
        xmpp=replace(behind[1].xmpp, http_port=1),
        web=replace(behind[1].web, focus_url="http://127.0.0.1:1"),
    )
    async with (
        TestServer(make_app(with_nobody, static)) as running,
        session(running) as browser,
    ):
        for path in ("/http-bind", "/conference-request/v1"):
            async with browser.post(path, data=b"x") as answer:
                assert answer.status == 502
        with pytest.raises(WSServerHandshakeError) as caught:
            await browser.ws_connect("/xmpp-websocket", protocols=["xmpp"])
        assert caught.value.status == 502


async def test_ending_tells_the_sockets(
    behind: tuple[Behind, Settings], static: Path
) -> None:
    async with (
        TestServer(make_app(behind[1], static)) as running,
        session(running) as browser,
    ):
        socket = await browser.ws_connect("/xmpp-websocket", protocols=["xmpp"])
        await socket.send_str("open")
        await socket.receive_str()
        closing = asyncio.create_task(running.close())
        message = await socket.receive(5)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
        await socket.close()
        await closing


async def test_a_client_that_is_not_built_is_said(
    behind: tuple[Behind, Settings], tmp_path: Path
) -> None:
    async with (
        TestServer(make_app(behind[1], tmp_path)) as running,
        session(running) as browser,
        browser.get("/room") as answer,
    ):
        assert answer.status == 503
        assert "script/bootstrap" in await answer.text()
