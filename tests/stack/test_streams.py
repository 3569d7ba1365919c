"""Our component, a bridge's account and a guest, in rooms of a real Prosody."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from xml.etree.ElementTree import Element

import aiohttp
import pytest

from tests.support.prosody import RunningProsody
from xmppconf.errors import NotAllowed
from xmppconf.ids import BRIDGE_OWNER, EndpointId
from xmppconf.jingle import Offer
from xmppconf.media import MediaDescription, MediaType, PayloadType
from xmppconf.sources import SourceSet
from xmppconf.transport import Fingerprint, IceTransport, Setup
from xmppconf.xmpp.brewery import stats_from_presence, stats_to_xml
from xmppconf.xmpp.conference_request import (
    NAME,
    ConferenceAnswer,
    answer_to_xml,
    request_from_xml,
)
from xmppconf.xmpp.healthcheck import NAME as HEALTHCHECK
from xmppconf.xmpp.healthcheck import healthcheck_to_xml
from xmppconf.xmpp.jingle import offer_to_xml
from xmppconf.xmpp.muc import (
    SELF,
    OccupantPresence,
    affiliation_to_xml,
    configuration_from_xml,
    configuration_query,
    configuration_to_xml,
    presence_from_xml,
    presence_to_xml,
)
from xmppconf.xmpp.stanza import StanzaError
from xmppconf.xmpp.stream import (
    GuardedClient,
    GuardedComponent,
    GuardedStream,
    Request,
    iq_handler,
)

pytestmark = pytest.mark.stack


class Seen:
    """The presences that a stream got, and a way to wait for one."""

    def __init__(self, stream: GuardedStream) -> None:
        self.elements: list[Element] = []
        self._arrived = asyncio.Event()
        stream.listen(presence=self._take)

    def _take(self, element: Element) -> None:
        self.elements.append(element)
        self._arrived.set()

    async def wait_for(self, room: str, nick: str) -> tuple[OccupantPresence, Element]:
        async with asyncio.timeout(5):
            while True:
                for element in self.elements:
                    read = presence_from_xml(element)
                    if (read.room, read.nick) == (room, nick):
                        return read, element
                self._arrived.clear()
                await self._arrived.wait()


@asynccontextmanager
async def focus_stream(prosody: RunningProsody) -> AsyncIterator[GuardedComponent]:
    settings = prosody.settings
    stream = GuardedComponent(prosody.names.focus, settings.focus.component_secret)
    stream.open(settings.xmpp.host, settings.xmpp.component_port)
    try:
        await asyncio.wait_for(stream.session.wait(), 5)
        yield stream
    finally:
        await stream.close()


@asynccontextmanager
async def bridge_stream(prosody: RunningProsody) -> AsyncIterator[GuardedClient]:
    settings = prosody.settings
    jid = f"{settings.bridge.id}@{prosody.names.accounts}"
    stream = GuardedClient(jid, settings.bridge.password, verify=False)
    stream.open(settings.xmpp.host, settings.xmpp.client_port)
    try:
        await asyncio.wait_for(stream.session.wait(), 5)
        yield stream
    finally:
        await stream.close()


class Guest:
    """A client of few words, over the server's WebSocket, that keeps the raw text."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        await self._socket.send_str(text)

    async def until(self, pattern: str) -> str:
        async with asyncio.timeout(5):
            while True:
                text = await self._socket.receive_str()
                if re.search(pattern, text):
                    return text


@asynccontextmanager
async def guest(prosody: RunningProsody) -> AsyncIterator[Guest]:
    xmpp = prosody.settings.xmpp
    framing = "urn:ietf:params:xml:ns:xmpp-framing"
    hello = f"<open xmlns='{framing}' to='{prosody.names.guests}' version='1.0'/>"
    async with (
        # The default resolver leaves a thread behind.
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
        ) as session,
        session.ws_connect(
            f"http://{xmpp.host}:{xmpp.http_port}{xmpp.websocket_path}",
            protocols=("xmpp",),
            # Host names the virtual host for Prosody's HTTP server.
            headers={"Host": prosody.settings.domain},
        ) as socket,
    ):
        one = Guest(socket)
        await one.send(hello)
        await one.until("ANONYMOUS")
        await one.send(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>"
        )
        await one.until("<success")
        await one.send(hello)
        await one.until("xmpp-bind")
        await one.send(
            "<iq xmlns='jabber:client' type='set' id='b'>"
            "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
        )
        await one.until("""id=['"]b['"]""")
        yield one


async def test_a_bridge_announces_itself_and_answers_through_the_brewery(
    prosody: RunningProsody,
) -> None:
    names = prosody.names
    brewery = f"jvbbrewery@{names.internal}"
    focus_jid = f"{names.focus_jid}/focus"
    async with focus_stream(prosody) as focus, bridge_stream(prosody) as bridge:
        seen, own = Seen(focus), Seen(bridge)
        focus.write(presence_to_xml(f"{brewery}/focus", join=True, sender=focus_jid))
        read, _ = await seen.wait_for(brewery, "focus")
        assert SELF in read.status

        stats = stats_to_xml({"stress_level": 0.5, "drain": False})
        bridge.write(presence_to_xml(f"{brewery}/b1", [stats], join=True))
        await own.wait_for(brewery, "b1")
        _, element = await seen.wait_for(brewery, "b1")
        assert stats_from_presence(element) == {"stress_level": "0.5", "drain": "false"}

        asked_by: list[str] = []

        async def answer(request: Request) -> None:
            asked_by.append(str(request.sender))
            if len(asked_by) > 1:
                raise NotAllowed("only once")

        iq_handler(bridge, HEALTHCHECK, ("get",), answer)
        check = healthcheck_to_xml()
        assert await focus.ask(f"{brewery}/b1", "get", check, sender=focus_jid) is None
        assert asked_by == [f"{brewery}/focus"]
        with pytest.raises(StanzaError) as caught:
            await focus.ask(f"{brewery}/b1", "get", check, sender=focus_jid)
        assert caught.value.condition == "forbidden"
        with pytest.raises(StanzaError) as caught:
            await focus.ask(f"{brewery}/nobody", "get", check, sender=focus_jid)
        assert caught.value.condition == "item-not-found"


async def test_a_guest_is_let_in_and_reads_an_offer_with_every_namespace_spelled_out(
    prosody: RunningProsody,
) -> None:
    names = prosody.names
    room = f"demo@{names.rooms}"
    focus_jid = f"{names.focus_jid}/focus"
    async with focus_stream(prosody) as focus, guest(prosody) as client:
        seen = Seen(focus)

        async def serve(request: Request) -> Element:
            asked = request_from_xml(request.payload)
            assert request.sender.domain == names.guests
            focus.write(presence_to_xml(f"{room}/focus", join=True, sender=focus_jid))
            await seen.wait_for(room, "focus")
            form = await focus.ask(room, "get", configuration_query(), sender=focus_jid)
            assert "muc#roomconfig_whois" in configuration_from_xml(form)
            anyone = configuration_to_xml({"muc#roomconfig_whois": "anyone"})
            await focus.ask(room, "set", anyone, sender=focus_jid)
            return answer_to_xml(ConferenceAnswer(str(asked.room), True, names.focus_jid))

        iq_handler(focus, NAME, ("set",), serve)
        await client.send(
            f"<iq xmlns='jabber:client' type='set' id='c1' to='{names.focus}'>"
            f"<conference xmlns='http://jitsi.org/protocol/focus' room='{room}'/></iq>"
        )
        answer = await client.until("c1")
        assert re.search(r"ready=['\"]true", answer)
        assert re.search(
            r"<conference [^>]*xmlns=['\"]http://jitsi.org/protocol/focus", answer
        )

        await client.send(
            f"<presence xmlns='jabber:client' to='{room}/a1b2c3d4'>"
            "<x xmlns='http://jabber.org/protocol/muc'/>"
            '<SourceInfo>{"a1b2c3d4-a0":{"muted":false}}</SourceInfo>'
            "<nick xmlns='http://jabber.org/protocol/nick'>Änn &amp; Co</nick></presence>"
        )
        focus_seen = await client.until("demo@[^ ]*/focus")
        assert f"{names.focus_jid}/focus" in focus_seen
        read, _ = await seen.wait_for(room, "a1b2c3d4")
        assert read.real_jid is not None
        assert read.real_jid.partition("/")[0].endswith(f"@{names.guests}")
        assert read.display_name == "Änn & Co"
        assert [state.muted for state in read.sources.values()] == [False]

        grant = affiliation_to_xml(read.real_jid.partition("/")[0], "owner")
        await focus.ask(room, "set", grant, sender=focus_jid)
        await client.until(
            """affiliation=['"]owner['"][^>]*role=['"]moderator|"""
            """role=['"]moderator['"][^>]*affiliation=['"]owner"""
        )

        offer = Offer(
            sid="s1",
            initiator=focus_jid,
            media=(
                MediaDescription(
                    MediaType.AUDIO, (PayloadType(111, "opus", 48000, 2),), (), True
                ),
            ),
            data=True,
            transport=IceTransport(
                "abcd",
                "pwpwpwpwpwpwpwpwpwpwpw",
                (Fingerprint("sha-256", ":".join(["AB"] * 32), Setup.ACTPASS),),
                web_sockets=("wss://x/colibri-ws/b/c/e?pwd=a&b",),
                sctp_port=5000,
            ),
            sources={BRIDGE_OWNER: SourceSet(), EndpointId("99ff00aa"): SourceSet()},
            json_sources=True,
            bridge_session_id="bs1",
        )
        task = asyncio.create_task(
            focus.ask(f"{room}/a1b2c3d4", "set", offer_to_xml(offer), sender=focus_jid)
        )
        text = await client.until("session-initiate")
        await client.send(
            f"<iq xmlns='jabber:client' type='result' to='{room}/focus' id='"
            + re.findall(r"<iq[^>]* id=['\"]([^'\"]+)", text)[0]
            + "'/>"
        )
        assert await asyncio.wait_for(task, 5) is None
        # Clients look for the attribute itself: prefixed names are lost to them.
        elements = re.findall(r"<([\w:-]+)([^>]*)>", text)
        assert not any(":" in name for name, _ in elements)
        spelled_out = {name for name, attributes in elements if "xmlns=" in attributes}
        assert spelled_out >= {
            "jingle",
            "description",
            "extmap-allow-mixed",
            "transport",
            "fingerprint",
            "web-socket",
            "sctpmap",
            "group",
            "bridge-session",
            "json-message",
        }
        assert "a=&" not in text


async def test_a_wrong_secret_is_tried_again_and_never_in(prosody: RunningProsody) -> None:
    stream = GuardedComponent(prosody.names.focus, "wrong")
    stream.open(prosody.settings.xmpp.host, prosody.settings.xmpp.component_port)
    await asyncio.sleep(1.0)
    assert not stream.session.is_set()
    await stream.close()
