"""The focus on a real Prosody, with a scripted bridge and scripted browsers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from xml.etree.ElementTree import Element

import aiohttp
import pytest
from xmppconf_focus import fullness
from xmppconf_focus.app import running
from xmppconf_focus.io.xmpp import FocusOnXmpp

from tests.focus.support import BRIDGE_TRANSPORT, FEEDBACK, MODERN, camera
from tests.support.prosody import RunningProsody
from xmppconf import clock
from xmppconf.colibri2 import (
    ConferenceModified,
    ConferenceModify,
    EndpointAnswer,
    Sctp,
    Transport,
)
from xmppconf.config import Settings
from xmppconf.media import MediaType
from xmppconf.serve.ports import free_ports
from xmppconf.xmpp.brewery import stats_to_xml
from xmppconf.xmpp.colibri2 import MODIFY, modified_to_xml, modify_from_xml
from xmppconf.xmpp.conference_request import (
    ConferenceRequest,
    answer_from_xml,
    request_to_xml,
)
from xmppconf.xmpp.disco import DiscoInfo, Identity, serve_disco, verification_string
from xmppconf.xmpp.healthcheck import NAME as HEALTHCHECK
from xmppconf.xmpp.jids import parse_bare_jid
from xmppconf.xmpp.jingle import NAME as JINGLE_NAME
from xmppconf.xmpp.muc import (
    Caps,
    OccupantPresence,
    caps_to_xml,
    presence_from_xml,
    presence_to_xml,
)
from xmppconf.xmpp.sources import sources_to_xml
from xmppconf.xmpp.stanza import StanzaError
from xmppconf.xmpp.stream import GuardedClient, Request, iq_handler
from xmppconf.xmpp.xml import FOCUS, JINGLE, RTP, attribute, build, child, tag

pytestmark = pytest.mark.stack

ICE = "urn:xmpp:jingle:transports:ice-udp:1"


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what nobody announces, at most 10 s."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def http_session() -> aiohttp.ClientSession:
    # The default resolver starts a thread that stays.
    connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
    return aiohttp.ClientSession(connector=connector)


class Client:
    """A browser's signalling, by hand."""

    def __init__(self, settings: Settings, nick: str, room: str) -> None:
        self.nick, self.room = nick, room
        self.offers: asyncio.Queue[Element] = asyncio.Queue()
        self.ended: asyncio.Queue[Element] = asyncio.Queue()
        self.seen: dict[str, OccupantPresence] = {}
        self.focus_presence: list[Element] = []
        self.changed = asyncio.Event()
        guests = f"guest.{settings.domain}"
        self.stream = GuardedClient(guests, "", verify=False)
        info = DiscoInfo((Identity("client", "web", "scripted"),), frozenset(MODERN))
        serve_disco(self.stream, info, "https://example/client")
        self.caps = Caps("https://example/client", verification_string(info), "sha-1")
        iq_handler(self.stream, JINGLE_NAME, ("set",), self._jingle)
        self.stream.listen(presence=self._presence)
        self.stream.open(settings.xmpp.host, settings.xmpp.client_port)

    async def _jingle(self, request: Request) -> None:
        action = attribute(request.payload, "action", "")
        if action == "session-initiate":
            # The client trusts an offer from whom it already sees under that nickname.
            assert self.seen["focus"].real_jid == "focus@focus.localhost/focus"
            self.offers.put_nowait(request.payload)
        elif action == "session-terminate":
            self.ended.put_nowait(request.payload)

    def _presence(self, element: Element) -> None:
        presence = presence_from_xml(element)
        if presence.available:
            self.seen[presence.nick] = presence
        else:
            self.seen.pop(presence.nick, None)
        if presence.nick == "focus":
            self.focus_presence.append(element)
        self.changed.set()

    async def until(self, nick: str, *, role: str | None = None) -> None:
        async with asyncio.timeout(5):
            while nick not in self.seen or role not in (None, self.seen[nick].role):
                self.changed.clear()
                await self.changed.wait()

    async def request(self) -> None:
        async with asyncio.timeout(5):
            await self.stream.session.wait()
        asked = ConferenceRequest(parse_bare_jid(self.room), machine_uid="f00d")
        answer = answer_from_xml(
            await self.stream.ask("focus.localhost", "set", request_to_xml(asked))
        )
        assert answer.ready
        assert answer.focus_jid == "focus@focus.localhost"

    async def join(self) -> None:
        await self.request()
        self.enter()
        await self.until(self.nick)

    def enter(self) -> None:
        self.stream.write(
            presence_to_xml(f"{self.room}/{self.nick}", [caps_to_xml(self.caps)], join=True)
        )

    def leave(self) -> None:
        self.stream.write(presence_to_xml(f"{self.room}/{self.nick}", available=False))

    async def send(self, action: str, offer: Element, *children: Element) -> None:
        jingle = build(
            JINGLE, "jingle", {"action": action, "sid": offer.get("sid")}, *children
        )
        await self.stream.ask(f"{self.room}/focus", "set", jingle, timeout=10)

    async def accept(self, offer: Element, base: int) -> None:
        contents = []
        for content in offer.findall(tag(JINGLE, "content")):
            name = content.get("name")
            transport = build(ICE, "transport", {"ufrag": "c1", "pwd": "c2"})
            media = [m for m in MediaType if m.value == name]
            sources = [
                element
                for medium in media
                for element in sources_to_xml(camera(self.nick, base), medium)
            ]
            description = build(RTP, "description", {"media": name}, *sources)
            contents.append(
                build(JINGLE, "content", {"name": name}, description, transport)
            )
        await self.send("session-accept", offer, *contents)


class Bridge:
    """Announces itself and answers as a bridge does; notes what it was asked."""

    def __init__(self, settings: Settings) -> None:
        self.asked: list[ConferenceModify] = []
        self.room = "jvbbrewery@internal.localhost"
        account = f"{settings.bridge.id}@auth.{settings.domain}"
        self.stream = GuardedClient(account, settings.bridge.password, verify=False)
        iq_handler(self.stream, MODIFY, ("set",), self._modify)
        iq_handler(self.stream, HEALTHCHECK, ("get",), self._healthy)
        self.stream.add_event_handler("session_start", self._announce)
        self.stream.open(settings.xmpp.host, settings.xmpp.client_port)

    def _announce(self, _: object) -> None:
        self.announce(0.1, join=True)

    def announce(self, stress: float, *, join: bool = False) -> None:
        stats = stats_to_xml({"stress_level": stress, "drain": False, "region": "eu"})
        self.stream.write(presence_to_xml(f"{self.room}/b1", [stats], join=join))

    async def _healthy(self, _: Request) -> None:
        """Always."""

    async def _modify(self, request: Request) -> Element:
        modify = modify_from_xml(request.payload)
        self.asked.append(modify)
        created = [e for e in modify.endpoints if e.create]
        answers = tuple(
            EndpointAnswer(
                e.id,
                expire=e.expire,
                transport=Transport(ice=BRIDGE_TRANSPORT, sctp=Sctp(5000, "server"))
                if e.create
                else None,
            )
            for e in modify.endpoints
        )
        return modified_to_xml(
            ConferenceModified(answers, sources=FEEDBACK if created else None)
        )

    def endpoints(self) -> list[tuple[str, bool, bool]]:
        return [(e.id, e.create, e.expire) for m in self.asked for e in m.endpoints]


@asynccontextmanager
async def focus_and_bridge(
    server: RunningProsody, *, single: float = 20.0
) -> AsyncIterator[tuple[Settings, FocusOnXmpp, Bridge]]:
    settings = server.settings
    [port] = free_ports(1)
    settings = replace(
        settings,
        focus=replace(settings.focus, http_port=port, single_participant_timeout=single),
    )
    async with running(settings) as focus:
        bridge = Bridge(settings)
        try:
            await until(lambda: bool(focus.machine.brewery.bridges))
            yield settings, focus, bridge
        finally:
            await bridge.stream.close()


@asynccontextmanager
async def clients(
    settings: Settings, room: str, *nicks: str
) -> AsyncIterator[list[Client]]:
    made = [Client(settings, nick, room) for nick in nicks]
    try:
        yield made
    finally:
        for client in made:
            await client.stream.close()


async def test_two_join_and_are_invited(prosody: RunningProsody) -> None:
    async with focus_and_bridge(prosody, single=0.3) as (settings, _, bridge):
        room = "tea@muc.localhost"
        async with clients(settings, room, "ann", "bob") as (ann, bob):
            await ann.join()
            assert "focus" in ann.seen
            await ann.until("ann", role="moderator")
            started = time.monotonic()
            await bob.join()
            offers = []
            for client in (ann, bob):
                async with asyncio.timeout(5):
                    offers.append(await client.offers.get())
            print(f"join to offer: {time.monotonic() - started:.3f} s")
            names = [c.get("name") for c in offers[0].findall(tag(JINGLE, "content"))]
            assert names == ["audio", "video", "data"]
            for number, client in enumerate((ann, bob)):
                await client.accept(offers[number], 1000 * (number + 1))
            properties = child(ann.focus_presence[-1], tag(FOCUS, "conference-properties"))
            assert properties is not None
            found = {p.get("key"): p.get("value") for p in properties}
            assert found == {
                "support-terminate-restart": "true",
                "bridge-count": "1",
                "audio-limit-reached": "false",
                "video-limit-reached": "false",
            }
            bob.leave()
            async with asyncio.timeout(5):
                ended = await ann.ended.get()
            assert ended.get("sid") == offers[0].get("sid")
            ann.leave()
            await until(lambda: bridge.asked[-1].expire)
            assert bridge.endpoints()[:2] == [("ann", True, False), ("bob", True, False)]
            assert ("bob", False, True) in bridge.endpoints()


async def test_requests_at_once_make_one_conference(
    prosody: RunningProsody,
) -> None:
    async with focus_and_bridge(prosody) as (settings, focus, _):  # noqa: SIM117
        async with clients(settings, "many@muc.localhost", "ann", "bob") as people:
            await asyncio.gather(*(person.request() for person in people for _ in range(5)))
            url = f"http://127.0.0.1:{settings.focus.http_port}/conference-request/v1"
            body = {"room": "many@muc.localhost", "properties": {"visitors-version": 1}}
            async with http_session() as http, http.post(url, json=body) as answer:
                assert answer.status == 200
                assert (await answer.json())["focusJid"] == "focus@focus.localhost"
            assert focus.machine.created == 1


BAD_BODIES = {
    '{"room": "tea@elsewhere.example"}': 400,
    '{"room": "muc.localhost"}': 400,
    '{"room": "tea@muc.localhost", "room": "x@muc.localhost"}': 400,
    "{}": 400,
    "\udcff": 400,
    "[" * 20000: 400,
    " " * 40000: 413,
}


async def test_bad_requests_over_http(prosody: RunningProsody) -> None:
    async with (
        focus_and_bridge(prosody) as (settings, focus, _),
        http_session() as http,
    ):
        url = f"http://127.0.0.1:{settings.focus.http_port}/conference-request/v1"
        found = {}
        for body in BAD_BODIES:
            data = body.encode(errors="surrogateescape")
            async with http.post(url, data=data) as answer:
                found[body] = answer.status
        assert found == BAD_BODIES
        assert focus.machine.created == 0


async def test_a_destroyed_room_frees_the_bridge(
    prosody: RunningProsody,
) -> None:
    async with focus_and_bridge(prosody) as (settings, focus, bridge):
        room = "gone@muc.localhost"
        async with clients(settings, room, "ann", "bob") as (ann, bob):
            await ann.join()
            await bob.join()
            async with asyncio.timeout(5):
                await ann.offers.get()
                await bob.offers.get()
            await ann.until("ann", role="moderator")
            owner = "http://jabber.org/protocol/muc#owner"
            destroy = build(owner, "query", None, build(owner, "destroy"))
            await ann.stream.ask(room, "set", destroy)
            await until(lambda: bridge.asked[-1].expire)
            assert focus.machine.conferences == {}


async def test_after_a_lost_stream_rooms_are_left_and_served_anew(
    prosody: RunningProsody,
) -> None:
    async with focus_and_bridge(prosody) as (settings, focus, _):  # noqa: SIM117
        async with clients(settings, "back@muc.localhost", "ann", "bob") as (ann, bob):
            await ann.join()
            await bob.join()
            async with asyncio.timeout(5):
                first = await ann.offers.get()
                await bob.offers.get()
            focus.stream.abort()
            await until(lambda: focus.machine.conferences == {})
            await until(lambda: "focus" not in ann.seen)
            await until(lambda: bool(focus.machine.brewery.bridges))
            await ann.request()
            async with asyncio.timeout(5):
                second = await ann.offers.get()
            assert second.get("sid") != first.get("sid")


async def test_who_took_the_nickname_of_the_focus_loses_it(
    prosody: RunningProsody,
) -> None:
    async with focus_and_bridge(prosody) as (settings, focus, _):
        room = "name@muc.localhost"
        async with clients(settings, room, "ann", "bob", "focus") as (ann, bob, eve):
            await ann.join()
            focus.stream.abort()
            await until(lambda: "focus" not in ann.seen)
            async with asyncio.timeout(5):
                await eve.stream.session.wait()
            eve.stream.write(presence_to_xml(f"{room}/focus", join=True))
            await eve.until("focus")
            assert "@guest." in (eve.seen["focus"].real_jid or "")
            await until(focus.is_connected)
            await bob.join()
            assert bob.seen["focus"].real_jid == "focus@focus.localhost/focus"
            async with asyncio.timeout(5):
                await ann.offers.get()
                await bob.offers.get()
            [conference] = focus.machine.conferences.values()
            assert set(conference.occupants) == {"ann", "bob"}
            assert set(bob.seen) == {"ann", "bob", "focus"}


async def test_a_room_of_a_killed_focus_sees_it_go_before_it_comes_back(
    prosody: RunningProsody,
) -> None:
    """Otherwise clients keep the session of the old one beside that of the new one."""
    async with focus_and_bridge(prosody) as (settings, focus, _):  # noqa: SIM117
        async with clients(settings, "killed@muc.localhost", "ann", "bob") as (ann, bob):
            await ann.join()
            await bob.join()
            for client in (ann, bob):
                async with asyncio.timeout(5):
                    await client.offers.get()
            # What a new process knows: nothing.
            focus.machine.conferences.clear()
            ann.focus_presence.clear()
            ann.stream.write(presence_to_xml(f"{ann.room}/ann", [caps_to_xml(ann.caps)]))
            async with asyncio.timeout(5):
                await ann.offers.get()
                await bob.offers.get()
            types = [presence.get("type") for presence in ann.focus_presence]
            assert types[:2] == ["unavailable", None]
            assert "unavailable" not in types[1:]


async def test_health_is_the_xmpp_stream_and_about_health_a_bridge(
    prosody: RunningProsody,
) -> None:
    async with focus_and_bridge(prosody) as (settings, focus, bridge):
        base = f"http://127.0.0.1:{settings.focus.http_port}"

        async def status(path: str) -> int:
            async with http_session() as http, http.get(base + path) as answer:
                return answer.status

        assert await status("/health") == 200
        assert await status("/about/health") == 200
        await bridge.stream.close()
        await until(lambda: not focus.machine.brewery.bridges)
        assert await status("/health") == 200
        assert await status("/about/health") == 503
        assert await status("/metrics") == 200
        assert await status("/stats") == 200


async def test_a_full_bridge_costs_new_conferences_and_nobody_who_comes_into_one(
    prosody: RunningProsody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fullness, "SUSTAINED", 0.5)
    async with (
        focus_and_bridge(prosody) as (settings, focus, bridge),
        clients(settings, "old@muc.localhost", "ann", "bob", "kim") as (ann, bob, kim),
        clients(settings, "new@muc.localhost", "eve") as (eve,),
        http_session() as session,
    ):

        async def health() -> str:
            port = settings.focus.http_port
            async with session.get(f"http://127.0.0.1:{port}/about/health") as answer:
                assert answer.status == 200
                return await answer.text()

        await ann.join()
        await bob.join()
        async with asyncio.timeout(5):
            await bob.offers.get()
        bridge.announce(1.05)
        await until(lambda: focus.machine.brewery.is_full(clock.monotonic()))
        assert await health() == "overloaded\n"
        with pytest.raises(StanzaError) as refused:
            await eve.request()
        assert refused.value.condition == "resource-constraint"
        assert [one.tag for one in refused.value.extensions] == [
            "{urn:xmppconf:room}overloaded"
        ]
        async with session.post(
            f"http://127.0.0.1:{settings.focus.http_port}/conference-request/v1",
            json={"room": "new@muc.localhost"},
        ) as answer:
            assert answer.status == 429
        await kim.join()
        async with asyncio.timeout(5):
            await kim.offers.get()
        bridge.announce(0.5)
        await until(lambda: not focus.machine.brewery.is_full(clock.monotonic()))
        assert await health() == "OK\n"
        await eve.request()
