"""People in rooms for the tests, as clients speak: by hand, over a real server."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from xml.etree.ElementTree import Element, tostring

from xmppconf_focus.app import running
from xmppconf_focus.io.xmpp import FocusOnXmpp

from xmppconf.config import MembersSettings, RoomsSettings, Settings
from xmppconf.serve.ports import free_ports
from xmppconf.xmpp.conference_request import (
    ConferenceAnswer,
    ConferenceRequest,
    answer_from_xml,
    request_to_xml,
)
from xmppconf.xmpp.disco import DiscoInfo, Identity, serve_disco
from xmppconf.xmpp.jids import parse_bare_jid
from xmppconf.xmpp.muc import MUC, MUC_ADMIN, MUC_USER, NICK, presence_from_xml
from xmppconf.xmpp.stanza import StanzaError
from xmppconf.xmpp.stream import GuardedClient
from xmppconf.xmpp.xml import JITMEET, STREAM, build, child, tag

FOCUS = "focus.localhost"
OWN = "urn:xmppconf:room"
CAN_TALK = DiscoInfo(
    (Identity("client", "web"),), frozenset({"urn:xmpp:jingle:apps:rtp:audio"})
)
PATIENCE = 10.0  # seconds


class Person:
    """`uid` is what the browser keeps and sends with every conference request."""

    def __init__(self, settings: Settings, room: str, nick: str, uid: str = "") -> None:
        self.nick, self.room = nick, room
        self.display_name = f"Name of {nick}"
        self.uid = uid or secrets.token_hex(16)
        self.session: str | None = None
        """Of whom it has signed in as."""
        self.roles: dict[str, str] = {}
        self.presences: list[Element] = []
        self.json: list[dict[str, Any]] = []
        self.messages: list[Element] = []
        self.stream = GuardedClient(f"guest.{settings.domain}", "", verify=False)
        serve_disco(self.stream, CAN_TALK, "https://example/client")
        self.stream.listen(presence=self._presence, message=self._message)
        self.stream.open(settings.xmpp.host, settings.xmpp.client_port)

    @property
    def bare_jid(self) -> str:
        return self.jid.partition("/")[0]

    @property
    def jid(self) -> str:
        return str(self.stream.boundjid)

    def _presence(self, element: Element) -> None:
        self.presences.append(element)
        seen = presence_from_xml(element)
        # ejabberd's rooms have a presence of their own, without a nickname.
        if seen.room == self.room and seen.nick:
            if seen.available:
                self.roles[seen.nick] = seen.role
            elif seen.error is None:
                self.roles.pop(seen.nick, None)

    @property
    def subject(self) -> str:
        """The room's, as told last."""
        subjects = [m.findtext(tag(STREAM, "subject")) for m in self.messages]
        return next((text for text in reversed(subjects) if text is not None), "")

    def _message(self, element: Element) -> None:
        self.messages.append(element)
        payload = child(element, tag(JITMEET, "json-message"))
        if payload is not None and element.get("from") == FOCUS:
            self.json.append(json.loads(payload.text or ""))

    # -- what it does ------------------------------------------------------------------
    async def request(self, **properties: str) -> ConferenceAnswer:
        async with asyncio.timeout(PATIENCE):
            await self.stream.session.wait()
        asked = ConferenceRequest(
            parse_bare_jid(self.room),
            machine_uid=self.uid,
            session_id=self.session,
            properties=properties,
        )
        return answer_from_xml(
            await self.stream.ask(FOCUS, "set", request_to_xml(asked), timeout=PATIENCE)
        )

    async def join(self, password: str = "", **properties: str) -> None:
        answer = await self.request(**properties)
        assert answer.ready
        self.enter(password or answer.properties.get("password", ""))
        await until(
            lambda: self.nick in self.roles,
            self.shown,
        )

    def shown(self) -> str:
        """What it has got, for a failing test."""
        return f"{self.nick}: {[tostring(p).decode() for p in self.presences]}"

    def enter(self, password: str = "", to: str = "") -> None:
        """Join the room, or the lobby if `to` is it."""
        secret = [build(MUC, "password", text=password)] if password else []
        self.stream.write(
            build(
                STREAM,
                "presence",
                {"to": f"{to or self.room}/{self.nick}"},
                build(MUC, "x", None, *secret),
                build(NICK, "nick", text=self.display_name),
            )
        )

    async def refused(self, password: str = "", to: str = "") -> str:
        """Try to join; the condition of the error."""
        before = len(self.presences)
        self.enter(password, to)
        await until(lambda: any(p.get("type") == "error" for p in self.presences[before:]))
        [error] = [p for p in self.presences[before:] if p.get("type") == "error"]
        found = error.find(tag(STREAM, "error"))
        assert found is not None
        return str(found[0].tag).rpartition("}")[2]

    @property
    def lobby(self) -> str:
        return f"{self.room.partition('@')[0]}@{FOCUS}"

    def leave(self, address: str = "") -> None:
        head = {"to": f"{address or self.room}/{self.nick}", "type": "unavailable"}
        self.stream.write(build(STREAM, "presence", head))

    async def ask(
        self, name: str, text: str = "", kind: str = "set", **attributes: str
    ) -> Element | None:
        """One of our own requests to the focus in the room."""
        named = {key.replace("_", "-"): value for key, value in attributes.items()}
        payload = build(OWN, name, named, text=text or None)
        return await self.stream.ask(
            f"{self.room}/focus", "get" if kind == "get" else "set", payload
        )

    async def set_affiliation(self, jid: str, affiliation: str) -> None:
        item = build(MUC_ADMIN, "item", {"jid": jid, "affiliation": affiliation})
        await self.stream.ask(self.room, "set", build(MUC_ADMIN, "query", None, item))

    async def kick(self, nick: str, room: str = "") -> None:
        item = build(MUC_ADMIN, "item", {"nick": nick, "role": "none"})
        await self.stream.ask(
            room or self.room, "set", build(MUC_ADMIN, "query", None, item)
        )

    def admit(self, jid: str) -> None:
        invite = build(MUC_USER, "invite", {"to": jid})
        user = build(MUC_USER, "x", None, invite)
        self.stream.write(build(STREAM, "message", {"to": self.room}, user))

    def tell(
        self, name: str, text: str = "", *, bare: bool = False, **attributes: str
    ) -> None:
        """A message to the components; `bare` as clients that leave the namespace out."""
        payload = build(STREAM if bare else JITMEET, name, attributes, text=text or None)
        self.stream.write(build(STREAM, "message", {"to": FOCUS, "id": "m"}, payload))

    # -- what it gets ------------------------------------------------------------------
    async def told(self, **expected: object) -> dict[str, Any]:
        """Wait for a JSON message with these members; take it and all before it."""
        found: list[int] = []

        def look() -> bool:
            found[:] = [
                index
                for index, value in enumerate(self.json)
                if expected.items() <= value.items()
            ]
            return bool(found)

        await until(look, f"{self.nick}: no {expected} in {self.json}")
        value = self.json[found[0]]
        del self.json[: found[0] + 1]
        return value

    async def gone(self, room: str = "") -> tuple[set[int], Element]:
        """Wait until out of the room; status codes and the presence that said so."""
        address = f"{room or self.room}/{self.nick}"
        found: list[Element] = []

        def look() -> bool:
            found[:] = [
                p
                for p in self.presences
                if p.get("type") == "unavailable" and p.get("from") == address
            ]
            return bool(found)

        await until(look, f"{self.nick} is still in")
        return set(presence_from_xml(found[-1]).status), found[-1]


async def until(condition: Callable[[], bool], what: str | Callable[[], str] = "") -> None:
    """Wait for what nobody announces."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110  (several people's events end it)
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(
            (what if isinstance(what, str) else what()) or "it did not come"
        ) from None


def condition_of(error: BaseException) -> str:
    assert isinstance(error, StanzaError)
    return error.condition


class House:
    """A focus on a server, and the people who come."""

    def __init__(self, settings: Settings, focus: FocusOnXmpp) -> None:
        self.settings = settings
        self.focus = focus
        self.room = f"r{secrets.token_hex(4)}@muc.localhost"
        self._people: list[Person] = []

    def person(self, nick: str, uid: str = "", room: str = "") -> Person:
        person = Person(self.settings, room or self.room, nick, uid)
        self._people.append(person)
        return person

    async def joined(self, *nicks: str) -> list[Person]:
        """People who came one after the other; the first is moderator."""
        people = [self.person(nick) for nick in nicks]
        for number, person in enumerate(people):
            await person.join()
            if not number:
                await until(
                    lambda: people[0].roles[people[0].nick] == "moderator", person.shown
                )
        for person in people:
            await until(
                lambda p=person: len(p.roles) == len(nicks) + 1,  # type: ignore[misc]
                person.shown,
            )
        return people

    async def all_left(self, *people: Person) -> None:
        for person in people:
            person.leave()
        room = people[0].room
        await until(lambda: room not in self.focus.machine.conferences)

    async def disconnect(self, person: Person) -> None:
        await person.stream.close()

    async def close(self) -> None:
        for person in self._people:
            await person.stream.close()


@asynccontextmanager
async def house(
    settings: Settings,
    folder: str = "",
    *,
    open: bool = True,
    lobby_module: bool = False,
) -> AsyncIterator[House]:
    [port] = free_ports(1)
    settings = replace(
        settings,
        focus=replace(settings.focus, http_port=port),
        members=MembersSettings(open=open),
        rooms=RoomsSettings(folder=folder, lobby_module=lobby_module),
    )
    async with running(settings) as focus:
        made = House(settings, focus)
        try:
            await until(focus.is_connected)
            yield made
        finally:
            await made.close()
