"""The bridge beside a real Prosody: announced in the brewery, obeying the focus only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Literal
from xml.etree.ElementTree import Element

import aiohttp
import pytest

from tests.support.prosody import RunningProsody
from xmppconf import __version__
from xmppconf.colibri2 import (
    ConferenceModify,
    EndpointRequest,
    Reason,
    Sctp,
    Transport,
)
from xmppconf.config import Settings
from xmppconf.ids import EndpointId, MeetingId
from xmppconf.serve.ports import free_ports
from xmppconf.xmpp import healthcheck
from xmppconf.xmpp.brewery import stats_from_presence
from xmppconf.xmpp.colibri2 import modified_from_xml, modify_to_xml, refused_from_error
from xmppconf.xmpp.muc import presence_to_xml
from xmppconf.xmpp.stanza import StanzaError
from xmppconf.xmpp.stream import GuardedClient, GuardedComponent

pytest.importorskip("xmppconf_bridge._native", reason="script/build-native")

from xmppconf_bridge.app import serve

pytestmark = pytest.mark.stack

BREWERY = "jvbbrewery@internal.localhost"
OCCUPANT = f"{BREWERY}/bridge-1"
DISCO = "http://jabber.org/protocol/disco#info"
FOCUS = "focus@focus.localhost/focus"


@pytest.fixture
async def settings(prosody: RunningProsody) -> AsyncIterator[Settings]:
    (http,) = free_ports(1)
    bridge = replace(
        prosody.settings.bridge,
        udp_port=0,
        udp_addresses=("127.0.0.1",),
        http_port=http,
        websocket_base="ws://localhost",
        region="here",
    )
    settings = replace(prosody.settings, bridge=bridge)
    stopped = asyncio.Event()
    serving = asyncio.create_task(serve(settings, stopped, asyncio.Event()))
    yield settings
    stopped.set()
    async with asyncio.timeout(5):
        await serving


class Focus:
    """A component that enters the brewery and waits for what it shows."""

    def __init__(self, settings: Settings) -> None:
        self.stream = GuardedComponent("focus.localhost", settings.focus.component_secret)
        self.presences: asyncio.Queue[Element] = asyncio.Queue()
        self.stream.listen(presence=self.presences.put_nowait)
        self.stream.open(settings.xmpp.host, settings.xmpp.component_port)

    async def enter(self) -> dict[str, str]:
        """Enter; returns the bridge's statistics."""
        await self.stream.session.wait()
        self.stream.write(presence_to_xml(f"{BREWERY}/focus", join=True, sender=FOCUS))
        while True:
            presence = await self.presences.get()
            if presence.get("from") == OCCUPANT:
                statistics = stats_from_presence(presence)
                if statistics is not None:
                    return statistics

    async def modify(self, request: ConferenceModify) -> Element | None:
        return await self.stream.ask(
            OCCUPANT, "set", modify_to_xml(request), sender=FOCUS, timeout=5
        )


@pytest.fixture
async def focus(settings: Settings) -> AsyncIterator[Focus]:
    focus = Focus(settings)
    yield focus
    await focus.stream.close()


def creation() -> ConferenceModify:
    endpoint = EndpointRequest(
        EndpointId("ab12cd34"),
        create=True,
        capabilities=frozenset({"source-names"}),
        transport=Transport(ice_controlling=True, sctp=Sctp()),
    )
    return ConferenceModify(
        MeetingId("meeting-1"), "tea@muc.localhost", create=True, endpoints=(endpoint,)
    )


async def test_the_focus_finds_the_bridge_and_allocates(
    settings: Settings, focus: Focus
) -> None:
    async with asyncio.timeout(10):
        statistics = await focus.enter()
        assert statistics["drain"] == "false"
        assert statistics["healthy"] == "true"
        assert statistics["region"] == "here"
        assert float(statistics["stress_level"]) >= 0

        answer = modified_from_xml(await focus.modify(creation()))
        [endpoint] = answer.endpoints
        assert endpoint.transport is not None
        assert endpoint.transport.sctp == Sctp(5000, "server")
        ice = endpoint.transport.ice
        assert ice is not None
        assert [candidate.ip for candidate in ice.candidates] == ["127.0.0.1"]
        assert ice.fingerprints[0].setup.value == "actpass"
        assert ice.web_sockets[0].startswith("ws://localhost/colibri-ws/bridge-1/")
        assert answer.sources is not None
        assert [source.name for source in answer.sources] == ["jvb-a0", "jvb-v0"]

        assert (
            await focus.stream.ask(
                OCCUPANT, "get", healthcheck.healthcheck_to_xml(), sender=FOCUS
            )
            is None
        )
        with pytest.raises(StanzaError) as refused:
            await focus.modify(ConferenceModify(MeetingId("nowhere")))
        assert refused_from_error(refused.value).reason is Reason.CONFERENCE_NOT_FOUND


async def test_a_stock_focus_asks_with_get_and_for_features_and_version(
    settings: Settings, focus: Focus
) -> None:
    async with asyncio.timeout(10):
        await focus.enter()
        ask = partial(focus.stream.ask, OCCUPANT, "get", sender=FOCUS)
        assert modified_from_xml(await ask(modify_to_xml(creation()))).endpoints
        info = await ask(Element(f"{{{DISCO}}}query"))
        assert info is not None
        features = {one.get("var") for one in info.iter(f"{{{DISCO}}}feature")}
        assert features >= {
            "http://jitsi.org/protocol/healthcheck",
            "urn:xmpp:jingle:apps:dtls:0",
            "urn:xmpp:jingle:transports:ice-udp:1",
            "jabber:iq:version",
        }
        version = await ask(Element("{jabber:iq:version}query"))
        assert version is not None
        assert version.findtext("{jabber:iq:version}version") == __version__


async def test_others_may_not_give_orders(settings: Settings, focus: Focus) -> None:
    """Neither a fellow account, nor an occupant of the brewery that is no focus."""
    account = settings.bridge
    stranger = GuardedClient(
        f"{account.id}@auth.localhost/other", account.password, verify=False
    )
    stranger.open(settings.xmpp.host, settings.xmpp.client_port)
    try:
        async with asyncio.timeout(10):
            await focus.enter()
            await stranger.session.wait()
            # Its name in the room is no proof either.
            stranger.write(presence_to_xml(f"{BREWERY}/jicofo", join=True))
            while True:
                presence = await focus.presences.get()
                if presence.get("from") == f"{BREWERY}/jicofo":
                    break
            bridge = f"{account.id}@auth.localhost/bridge"
            orders: tuple[tuple[Literal["get", "set"], Element], ...] = (
                ("set", modify_to_xml(creation())),
                ("get", modify_to_xml(creation())),
                ("get", healthcheck.healthcheck_to_xml()),
            )
            for address in (bridge, OCCUPANT):
                for kind, order in orders:
                    with pytest.raises(StanzaError) as refused:
                        await stranger.ask(address, kind, order)
                    assert refused.value.condition == "forbidden"
            # Nothing came of it: the meeting is still to be created.
            assert modified_from_xml(await focus.modify(creation())).endpoints
    finally:
        await stranger.close()


async def test_http_answers_health_statistics_and_metrics(
    settings: Settings, focus: Focus
) -> None:
    base = f"http://127.0.0.1:{settings.bridge.http_port}"
    # The other resolver keeps a thread.
    connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
    async with (
        asyncio.timeout(10),
        aiohttp.ClientSession(base, connector=connector) as session,
    ):
        await focus.enter()
        async with session.get("/about/health") as response:
            assert response.status == 200
        async with session.get("/colibri/stats") as response:
            assert (await response.json())["conferences"] == 0
        async with session.get("/metrics") as response:
            metrics = await response.text()
            assert "jitsi_jvb_stress" in metrics
            assert "jitsi_jvb_healthy 1.0" in metrics
            assert "# TYPE jitsi_jvb_packets_received_total counter" in metrics
            # No label at all, so nothing about anybody can be in one.
            assert "{" not in metrics
        async with session.get("/colibri-ws/bridge-1/x/y?pwd=z") as response:
            assert response.status == 403
        async with session.get("/colibri-ws/other/x/y?pwd=z") as response:
            assert response.status == 404
