"""The bridge as a program: what it checks, what ends it, and how it takes its leave."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.support.rtc_peer import RtcPeer, use_loopback
from xmppconf.colibri2 import ColibriRefused, ConferenceModify, Reason
from xmppconf.config import BridgeSettings, Settings, XmppSettings
from xmppconf.errors import SettingsError
from xmppconf.ids import MeetingId
from xmppconf.log import setup as setup_log
from xmppconf.serve.ports import free_ports

pytest.importorskip("xmppconf_bridge._native", reason="script/build-native")

from xmppconf_bridge import app
from xmppconf_bridge.app import Running, serve
from xmppconf_bridge.engine import EngineStopped
from xmppconf_bridge.io.echo import answers

MEETING = MeetingId("meeting-1")


def make_settings(udp_port: int = 0, *, packet_headers: bool = False) -> Settings:
    """All ports from the kernel, and an XMPP server that is not there."""
    http, nobody = free_ports(2)
    return Settings(
        xmpp=XmppSettings(host="127.0.0.1", client_port=nobody),
        bridge=BridgeSettings(
            udp_port=udp_port,
            udp_addresses=("127.0.0.1",),
            http_port=http,
            websocket_base="ws://127.0.0.1",
            packet_headers=packet_headers,
        ),
    )


class Served:
    """A bridge that serves in this process."""

    def __init__(self, settings: Settings, task: asyncio.Task[None]) -> None:
        self.settings = settings
        self.task = task
        self.running: Running
        self.stopped, self.draining = asyncio.Event(), asyncio.Event()


@asynccontextmanager
async def served(
    monkeypatch: pytest.MonkeyPatch, *, packet_headers: bool = False
) -> AsyncIterator[Served]:
    use_loopback(monkeypatch)
    settings = make_settings(packet_headers=packet_headers)
    stopped, draining = asyncio.Event(), asyncio.Event()
    made: asyncio.Queue[Running] = asyncio.Queue()

    class Watched(Running):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            made.put_nowait(self)

    monkeypatch.setattr(app, "Running", Watched)
    bridge = Served(settings, asyncio.create_task(serve(settings, stopped, draining)))
    bridge.stopped, bridge.draining = stopped, draining
    bridge.running = await made.get()
    try:
        async with asyncio.timeout(5):
            while not bridge.running.is_healthy():  # noqa: ASYNC110  (no event tells)
                await asyncio.sleep(0.01)
        yield bridge
    finally:
        stopped.set()
        await asyncio.gather(bridge.task, return_exceptions=True)


async def call(bridge: Served, peer: RtcPeer) -> None:
    """Bring `peer` into a conference, as a focus does, until its channel is open."""
    running = bridge.running
    answer = running.modify(
        ConferenceModify(MEETING, create=True, endpoints=(peer.creation(),))
    )
    transport = answer.endpoints[0].transport
    assert transport is not None
    assert transport.ice is not None
    accepted = await peer.accept(transport.ice)
    running.modify(ConferenceModify(MEETING, endpoints=(accepted,)))
    await peer.opened.wait()


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"bridge\.udp_port: UDP port {port}"):
            Running(make_settings(port))


async def test_an_http_port_that_is_taken_frees_the_rest() -> None:
    settings = make_settings()
    with socket.socket() as other:
        other.bind(("127.0.0.1", settings.bridge.http_port))
        other.listen()
        with pytest.raises(SettingsError, match=r"bridge\.http_port"):
            await serve(settings, asyncio.Event(), asyncio.Event())


@pytest.mark.parametrize(("is_on", "status"), [(False, 403), (True, 404)])
async def test_headers_of_packets_are_there_by_the_setting_alone(
    is_on: bool, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(monkeypatch, packet_headers=is_on) as bridge:
        base = f"http://127.0.0.1:{bridge.settings.bridge.http_port}/"
        connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
        async with (
            aiohttp.ClientSession(base, connector=connector) as session,
            session.get("debug/nobody/x/packets") as response,
        ):
            assert response.status == status


async def test_the_death_of_the_engine_ends_the_bridge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    peer = RtcPeer("anna", (200, 30, 30), 440)

    class Dead:
        """Answers as the native engine does once its worker has ended."""

        def __init__(self, native: Any) -> None:
            self.event_fd, self.stats = native.event_fd, native.stats
            self.local_addresses, self.close = native.local_addresses, native.close

        def __getattr__(self, name: str) -> Any:
            def refuse(*_: object, **__: object) -> None:
                raise RuntimeError("the engine's worker has stopped")

            return refuse

    async with served(monkeypatch) as bridge:
        engine: Any = bridge.running.engine
        creation = ConferenceModify(MEETING, create=True, endpoints=(peer.creation(),))
        bridge.running.modify(creation)
        engine._native = Dead(engine._native)
        os.eventfd_write(engine.event_fd(), 1)
        async with asyncio.timeout(2):
            with pytest.raises(EngineStopped):
                await bridge.task
    await peer.close()


async def test_every_worker_is_asked_whether_it_is_well() -> None:
    settings = make_settings()
    bridge = dataclasses.replace(settings.bridge, workers=3)
    running = Running(dataclasses.replace(settings, bridge=bridge))
    try:
        await running.check()
        assert running.is_healthy()
        async with asyncio.timeout(10):  # figures come twice a second
            while any(packets < 2 for _, packets in running.engine.workers()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        running.close()


async def test_only_an_engine_that_answers_is_healthy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running = Running(make_settings())
    assert not running.is_healthy()
    await running.check()
    assert running.is_healthy()
    address = running.engine.local_addresses()[0]
    assert not await answers(address, "unknown1", "p" * 24, 0.3)
    running.close()
    # The port is closed now: nobody answers there.
    assert not await answers(address, "unknown1", "p" * 24, 0.3)


async def test_all_peers_are_told_before_the_bridge_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    peer = RtcPeer("anna", (200, 30, 30), 440)
    closed = asyncio.Event()
    async with asyncio.timeout(15), served(monkeypatch) as bridge:
        await call(bridge, peer)
        dtls = peer.dtls

        def watch() -> None:
            if dtls.state == "closed":
                closed.set()

        dtls.on("statechange", watch)
        endpoint = bridge.running.bridge.conferences[MEETING].endpoints[peer.id]
        conference = bridge.running.bridge.conferences[MEETING]
        url = (
            f"http://127.0.0.1:{bridge.settings.bridge.http_port}/colibri-ws/"
            f"{bridge.settings.bridge.id}/{conference.socket_id}/{peer.id}"
            f"?pwd={endpoint.password}"
        )
        # The other resolver keeps a thread.
        connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.ws_connect(url) as web_socket,
        ):
            started = asyncio.get_running_loop().time()
            bridge.stopped.set()
            while (await web_socket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
            assert web_socket.close_code == 1001
            await closed.wait()
            await bridge.task
            assert asyncio.get_running_loop().time() - started < 2
    await peer.close()


async def test_a_draining_bridge_keeps_its_calls_and_ends_with_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    peer = RtcPeer("anna", (200, 30, 30), 440)
    async with asyncio.timeout(15), served(monkeypatch) as bridge:
        modify = bridge.running.modify
        modify(ConferenceModify(MEETING, create=True, endpoints=(peer.creation(),)))
        bridge.draining.set()
        while not bridge.running.presence_statistics()["graceful_shutdown"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        with pytest.raises(ColibriRefused) as refused:
            modify(ConferenceModify(MeetingId("other"), create=True))
        assert refused.value.condition == "service-unavailable"
        assert refused.value.reason is Reason.GRACEFUL_SHUTDOWN
        await asyncio.sleep(0.3)
        assert not bridge.task.done()
        modify(ConferenceModify(MEETING, expire=True))
        await bridge.task
    await peer.close()


async def test_signals_ask_to_drain_and_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    async def listen(_: Settings, stopped: asyncio.Event, draining: asyncio.Event) -> None:
        await draining.wait()
        order.append("drain")
        os.kill(os.getpid(), signal.SIGTERM)
        await stopped.wait()
        order.append("end")

    monkeypatch.setattr(app, "serve", listen)
    running = asyncio.create_task(app.run(make_settings()))
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGUSR1)
    async with asyncio.timeout(2):
        await running
    assert order == ["drain", "end"]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        asyncio.get_running_loop().remove_signal_handler(number)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that is logged at DEBUG."""
    root = logging.getLogger()
    handlers, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    stream = io.StringIO()
    setup_log("debug", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising
    logging.captureWarnings(False)


async def test_logs_of_a_call_name_nobody_and_nothing(
    monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    peer = RtcPeer("c4n4ry01", (200, 30, 30), 440)
    async with asyncio.timeout(15), served(monkeypatch) as bridge:
        await call(bridge, peer)
        endpoint = bridge.running.bridge.conferences[MEETING].endpoints[peer.id]
        ice = endpoint.transport.describe(("ws://x",))
        peer.say(colibriClass="EndpointMessage", to="", msgPayload={"t": "s3cr3t"})
        peer.say(colibriClass="Nonsense", text="s3cr3t")
        secrets = [peer.id, endpoint.password, ice.ufrag, ice.pwd, "127.0.0.1", "s3cr3t"]
        await peer.close()
    text = log.getvalue()
    assert "connected" in text
    assert not [secret for secret in secrets if str(secret) in text]
