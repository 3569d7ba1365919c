"""Two bridge processes on a real Prosody, one conference, a peer on each."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from tests.support.cascade import Ask, CascadingFocus
from tests.support.prosody import running_prosody
from tests.support.rtc_peer import RtcPeer, use_loopback
from xmppconf.config import Settings, XmppSettings
from xmppconf.config_file import to_toml
from xmppconf.serve.ports import free_ports
from xmppconf.xmpp.brewery import stats_from_presence
from xmppconf.xmpp.muc import presence_to_xml
from xmppconf.xmpp.stream import GuardedComponent

pytest.importorskip("xmppconf_bridge._native", reason="script/build-native")

pytestmark = [pytest.mark.stack, pytest.mark.timeout(90)]

BREWERY = "jvbbrewery@internal.localhost"
FOCUS = "focus@focus.localhost/focus"
RED, BLUE = (200, 30, 30), (30, 30, 200)
BRIDGES = ("bridge-1", "bridge-2")
PASSWORD = "the-other-bridge's-password"


@asynccontextmanager
async def bridge_process(
    settings: Settings, name: str, folder: Path
) -> AsyncIterator[None]:
    (http,) = free_ports(1)
    options = replace(
        settings.bridge,
        id=name,
        password=settings.xmpp.more_bridges.get(name, settings.bridge.password),
        udp_port=0,
        udp_addresses=("127.0.0.1",),
        http_port=http,
    )
    config = folder / f"{name}.toml"
    config.touch(mode=0o600)
    config.write_text(to_toml(replace(settings, bridge=options), secrets=True))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "xmppconf", "bridge", "--config", str(config)
    )
    try:
        yield
    finally:
        process.terminate()
        assert await process.wait() == 0


class Focus:
    """A scripted component that commands bridges through the brewery, as a stock focus."""

    def __init__(self, settings: Settings) -> None:
        secret = settings.focus.component_secret
        self.stream = GuardedComponent("focus.localhost", secret)
        self.relay_ids: dict[str, str] = {}
        self._changed = asyncio.Event()
        self.stream.listen(presence=self._presence)
        self.stream.open(settings.xmpp.host, settings.xmpp.component_port)

    def _presence(self, presence: Element) -> None:
        statistics = stats_from_presence(presence)
        if statistics and statistics.get("healthy") == "true":
            self.relay_ids[statistics["relay_id"]] = presence.get("from", "")
            self._changed.set()

    async def enter(self) -> None:
        """Enter the brewery and wait for all bridges."""
        await self.stream.session.wait()
        self.stream.write(presence_to_xml(f"{BREWERY}/focus", join=True, sender=FOCUS))
        while set(self.relay_ids) != set(BRIDGES):
            await self._changed.wait()
            self._changed.clear()

    def asking(self) -> dict[str, Ask]:
        def asks(occupant: str) -> Ask:
            async def ask(request: Element) -> Element | None:
                return await self.stream.ask(
                    occupant, "set", request, sender=FOCUS, timeout=10
                )

            return ask

        return {name: asks(occupant) for name, occupant in self.relay_ids.items()}


async def test_people_on_two_bridges_see_and_hear_each_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_loopback(monkeypatch)
    anna, ben = RtcPeer("anna", RED, 440), RtcPeer("ben", BLUE, 1000)
    two = Settings(xmpp=XmppSettings(more_bridges={"bridge-2": PASSWORD}))
    with running_prosody(two) as prosody:
        async with AsyncExitStack() as stack, asyncio.timeout(60):
            for name in BRIDGES:
                await stack.enter_async_context(
                    bridge_process(prosody.settings, name, tmp_path)
                )
            focus = Focus(prosody.settings)
            stack.push_async_callback(focus.stream.close)
            await focus.enter()
            cascade = CascadingFocus(focus.asking())
            stack.push_async_callback(anna.close)
            stack.push_async_callback(ben.close)
            await cascade.join("bridge-1", anna, "ssrc-rewriting")
            await cascade.join("bridge-2", ben, "ssrc-rewriting")
            for peer in (anna, ben):
                await peer.opened.wait()
                peer.say(
                    colibriClass="ReceiverVideoConstraints",
                    defaultConstraints={"maxHeight": 720},
                )
            await asyncio.gather(
                anna.see(BLUE), ben.see(RED), anna.listen(1000), ben.listen(440)
            )
            first, second = [
                (await peer.hear("DominantSpeakerEndpointChangeEvent"))[
                    "dominantSpeakerEndpoint"
                ]
                for peer in (anna, ben)
            ]
            assert {first, second} <= {"anna", "ben"}
            ben.say(colibriClass="EndpointMessage", to="", msgPayload={"n": 1})
            message = await anna.hear("EndpointMessage")
            assert (message["from"], message["msgPayload"]) == ("ben", {"n": 1})
