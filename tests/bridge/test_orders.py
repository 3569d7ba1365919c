"""S18: every request the bridge answers, from everybody who might ask.

The matrix is made from the registry: a new handler is for focuses only, or has to be named
here.
"""

from __future__ import annotations

from functools import partial
from typing import cast
from xml.etree.ElementTree import Element, SubElement

import pytest
from xmppconf_bridge.colibri import modify
from xmppconf_bridge.io.xmpp import Account, BridgeAccount

from tests.support.fake_engine import BridgeBench
from xmppconf import jid
from xmppconf.colibri2 import ConferenceModify
from xmppconf.errors import NotAllowed
from xmppconf.ids import MeetingId
from xmppconf.xmpp import healthcheck
from xmppconf.xmpp.colibri2 import MODIFY, modify_to_xml
from xmppconf.xmpp.stream import Kind, Request

BREWERY = "jvbbrewery@internal.localhost"
#: Who the room says is behind each nick; None: it does not say.
OCCUPANTS = {
    "focus": "focus@focus.localhost/focus",
    "stock": "focus@auth.localhost/jicofo",
    "second": "second@focuses.example/x",
    "bridge-2": "bridge-2@auth.localhost/bridge",
    "jicofo": "mallory@localhost/web",
    "hidden": None,
}
FOCUSES = {
    "focus.localhost",
    "focus@focus.localhost/focus",
    "focus@auth.localhost/anything",
    "second@focuses.example/y",
    f"{BREWERY}/focus",
    f"{BREWERY}/stock",
    f"{BREWERY}/second",
}
STRANGERS = {
    "mallory@localhost/web",
    "stranger@guest.localhost/web",
    "localhost",
    "auth.localhost",
    "internal.localhost",
    BREWERY,
    f"{BREWERY}/bridge-1",
    f"{BREWERY}/bridge-2",
    f"{BREWERY}/jicofo",
    f"{BREWERY}/hidden",
    f"{BREWERY}/nobody",
    "other@internal.localhost/focus",
    "tea@muc.localhost/focus",
    "bridge-1@auth.localhost/bridge",
    "focus2@auth.localhost/jicofo",
    "focus@localhost/focus",
    "focus@auth.localhost.example/jicofo",
    "focus@focus.localhost.example/focus",
    "sub.focus.localhost",
    "other@focuses.example/x",
    "focuses.example",
}
#: What anybody may ask: it changes nothing and tells nothing about calls.
PUBLIC: set[tuple[Kind, str]] = {
    ("get", "{urn:xmpp:ping}ping"),
    ("get", "{jabber:iq:version}query"),
    ("get", "{http://jabber.org/protocol/disco#info}query"),
    ("get", "{http://jabber.org/protocol/disco#items}query"),
}
#: What is asked of the others.
PAYLOADS = {
    MODIFY: modify_to_xml(ConferenceModify(MeetingId("m1"), create=True)),
    healthcheck.NAME: healthcheck.healthcheck_to_xml(),
}


class Bench:
    def __init__(self) -> None:
        self.bridge = BridgeBench().bridge
        account = Account(
            address="bridge-1@auth.localhost/bridge",
            password="secret",
            brewery=BREWERY,
            nick="bridge-1",
            focus_domain="focus.localhost",
            focus_jids=frozenset({"focus@auth.localhost", "second@focuses.example"}),
        )
        self.account = BridgeAccount(
            account, partial(modify, self.bridge), dict, lambda: True, verify=True
        )
        for nick, real in OCCUPANTS.items():
            presence = Element("{jabber:client}presence")
            presence.set("from", f"{BREWERY}/{nick}")
            user = SubElement(presence, "{http://jabber.org/protocol/muc#user}x")
            item = SubElement(user, "{http://jabber.org/protocol/muc#user}item")
            item.set("affiliation", "owner")
            item.set("role", "moderator")
            if real is not None:
                item.set("jid", real)
            self.account._presence(presence)

    async def ask(self, kind: Kind, name: str, sender: str) -> Element | None:
        answer = self.account.stream._answers[kind, name]
        payload = PAYLOADS.get(name, Element(name))
        to = jid.split("bridge-1@auth.localhost/bridge")
        return await answer(Request(jid.split(sender), to, kind, payload))


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_all_that_commands_is_for_focuses(bench: Bench) -> None:
    registry = cast(set[tuple[Kind, str]], set(bench.account.stream._answers))
    assert registry >= PUBLIC
    guarded = registry - PUBLIC
    assert {name for _, name in guarded} == set(PAYLOADS)
    for kind, name in guarded:
        for sender in STRANGERS:
            with pytest.raises(NotAllowed):
                await bench.ask(kind, name, sender)
    assert bench.bridge.conferences == {}


@pytest.mark.parametrize("kind", ["get", "set"])
async def test_a_focus_is_obeyed(bench: Bench, kind: Kind) -> None:
    for sender in FOCUSES:
        await bench.ask(kind, MODIFY, sender)
        [conference] = bench.bridge.conferences.values()
        bench.bridge.expire_conference(conference)


async def test_anybody_may_ask_who_we_are(bench: Bench) -> None:
    for sender in STRANGERS | FOCUSES:
        for kind, name in PUBLIC:
            await bench.ask(kind, name, sender)


async def test_who_has_left_the_brewery_commands_nothing(bench: Bench) -> None:
    gone = Element("{jabber:client}presence")
    gone.set("from", f"{BREWERY}/focus")
    gone.set("type", "unavailable")
    bench.account._presence(gone)
    with pytest.raises(NotAllowed):
        await bench.ask("set", MODIFY, f"{BREWERY}/focus")
