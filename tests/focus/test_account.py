"""The focus with an account: its session, its address, and who asks through a proxy."""

from __future__ import annotations

from typing import Any, cast
from xml.etree.ElementTree import Element

import pytest
from xmppconf_focus.domains import Domains
from xmppconf_focus.handlers import Origin, origin_of
from xmppconf_focus.io.account import Account, make_stream

from xmppconf.config import Settings
from xmppconf.config_file import parse
from xmppconf.errors import SettingsError
from xmppconf.jid import split
from xmppconf.names import Names
from xmppconf.xmpp.stream import GuardedClient, GuardedComponent, GuardedStream

JID = "focus@auth.meet.example"
PROXY = "focus.meet.example"


def settings(**focus: str) -> Settings:
    xmpp = {"private": False, "client_port": 5222}
    return parse({"domain": "meet.example", "xmpp": xmpp, "focus": focus})


class Stream:
    def __init__(self, boundjid: str = f"{JID}/focus") -> None:
        self.boundjid = boundjid
        self.written: list[dict[str, str]] = []

    def write(self, stanza: Element) -> bool:
        self.written.append(dict(stanza.attrib))
        return True


def account(stream: Stream, **focus: str) -> Account:
    return Account(settings(account=JID, **focus), cast(GuardedStream, stream))


async def test_an_account_is_used_where_one_is_named() -> None:
    stream, port = make_stream(settings(account=JID, password="p"))
    assert isinstance(stream, GuardedClient)
    assert (str(stream.requested_jid), port) == (f"{JID}/focus", 5222)
    component, _ = make_stream(
        parse({"xmpp": {"component_port": 1}, "focus": {"component_secret": "s"}})
    )
    assert isinstance(component, GuardedComponent)


@pytest.mark.parametrize(
    ("focus", "missing"),
    [({}, "component_secret"), ({"account": JID}, "password")],
)
def test_nothing_starts_without_a_secret(focus: dict[str, str], missing: str) -> None:
    with pytest.raises(SettingsError, match=missing):
        make_stream(settings(**focus))


def test_it_becomes_available_once_logged_in() -> None:
    stream = Stream()
    assert account(stream).begin()
    assert stream.written == [{}]


def test_another_address_than_the_one_told_to_clients_is_no_use() -> None:
    stream = Stream(f"{JID}/8f3c")
    assert not account(stream).begin()
    assert stream.written == []


def test_a_component_has_nothing_to_begin_with() -> None:
    stream = Stream("focus.meet.example")
    assert Account(parse({}), cast(GuardedStream, stream)).begin()
    assert stream.written == []


@pytest.mark.parametrize(
    ("stamped", "asker"),
    [
        (f"{PROXY}/ann@meet.example/x", "ann@meet.example/x"),
        (f"{PROXY}/muc.meet.example", "muc.meet.example"),
        (PROXY, PROXY),
        # Only the proxy itself, whose address a server has stamped.
        (f"eve@{PROXY}/ann@meet.example/x", f"eve@{PROXY}/ann@meet.example/x"),
        ("eve@meet.example/ann@meet.example/x", "eve@meet.example/ann@meet.example/x"),
    ],
)
def test_who_asks_through_the_proxy(stamped: str, asker: str) -> None:
    assert account(Stream(), client_proxy=PROXY).asker(split(stamped)) == split(asker)


def test_without_a_proxy_nobody_asks_for_another() -> None:
    stamped = split(f"{PROXY}/ann@meet.example/x")
    assert account(Stream()).asker(stamped) == stamped


def presence(sender: str, kind: str) -> Element:
    return Element("presence", {"from": sender, "type": kind})


def test_only_the_proxy_may_know_whether_we_are_there() -> None:
    stream = Stream()
    one = account(stream, client_proxy=PROXY)
    assert not one.presence(presence("eve@meet.example", "subscribe"))
    assert not account(stream).presence(presence(PROXY, "subscribe"))
    assert stream.written == []
    assert one.presence(presence(PROXY, "subscribe"))
    assert one.presence(presence(PROXY, "unavailable"))
    assert stream.written == [{"type": "subscribed", "to": PROXY}]


def test_the_focus_is_known_by_its_account() -> None:
    names = Names.of(settings(account=JID))
    domains = Domains.of(settings().members, names)

    def origin(sender: str) -> Origin:
        return origin_of(split(sender), names, domains, lambda *_: False, lambda _: False)

    assert origin(f"{JID}/other") is Origin.FOCUS
    assert origin("bridge-1@auth.meet.example/x") is Origin.BACKEND
    assert origin("ann@meet.example/focus") is Origin.LOCAL


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"focus": {"account": "focus"}}, "user@host"),
        ({"focus": {"account": "focus@auth.localhost/x"}}, "user@host"),
        ({"focus": {"account": "focus@elsewhere.example"}}, "private server"),
        ({"focus": {"client_proxy": "focus.localhost"}}, "needs focus.account"),
        (
            {"focus": {"account": "focus@auth.localhost", "client_proxy": "a b"}},
            "host name",
        ),
    ],
)
def test_settings_that_cannot_work(table: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        parse(table)
