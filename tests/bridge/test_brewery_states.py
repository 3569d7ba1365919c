"""The bridge's place in the brewery: every state, every event."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from xml.etree.ElementTree import Element, SubElement

import pytest
from xmppconf_bridge.colibri import modify
from xmppconf_bridge.io.xmpp import Account, BridgeAccount

from tests.support.fake_engine import BridgeBench
from xmppconf import jid
from xmppconf.errors import NotAllowed

BREWERY = "brewery@internal.localhost"
MUC = "http://jabber.org/protocol/muc"


class Bench:
    def __init__(self) -> None:
        account = Account(
            address="bridge-1@auth.localhost/bridge",
            password="secret",
            brewery=BREWERY,
            nick="bridge-1",
            focus_domain="focus.localhost",
            focus_jids=frozenset(),
        )
        orders = partial(modify, BridgeBench().bridge)
        self.account = BridgeAccount(account, orders, dict, lambda: True, verify=True)
        self.written: list[Element] = []
        self.account.stream.write = self.written.append  # type: ignore[assignment]

    def presence(
        self, nick: str, kind: str = "", *, room: str = BREWERY, real: str = ""
    ) -> None:
        presence = Element("{jabber:client}presence")
        presence.set("from", f"{room}/{nick}")
        if kind:
            presence.set("type", kind)
        user = SubElement(presence, f"{{{MUC}#user}}x")
        item = SubElement(user, f"{{{MUC}#user}}item", affiliation="member", role="none")
        if real:
            item.set("jid", real)
        if kind == "error":
            error = SubElement(presence, "{jabber:client}error", type="auth")
            SubElement(error, "{urn:ietf:params:xml:ns:xmpp-stanzas}forbidden")
        self.account._presence(presence)

    def session(self) -> None:
        self.account._session_started(None)

    @property
    def obeys(self) -> bool:
        """Whether the focus is known by its occupant."""
        try:
            self.account._authorise(jid.split(f"{BREWERY}/focus"))
        except NotAllowed:
            return False
        return True

    def found(self) -> str:
        """Whether it takes itself for an occupant, asks to be let in next, and obeys."""
        self.written.clear()
        self.account.announce()
        [presence] = self.written
        joins = presence.find(f"{{{MUC}}}x") is not None
        assert joins != self.account.is_joined
        assert presence.get("to") == f"{BREWERY}/bridge-1"
        return f"{'asks' if joins else 'in'}{', obeys' if self.obeys else ''}"


FOCUS = "focus@focus.localhost/focus"


def outside() -> Bench:
    bench = Bench()
    bench.session()
    return bench


def inside() -> Bench:
    bench = outside()
    bench.presence("bridge-1")
    return bench


def met() -> Bench:
    """The focus is there as well."""
    bench = inside()
    bench.presence("focus", real=FOCUS)
    return bench


EVENTS: dict[str, Callable[[Bench], None]] = {
    "let in": lambda bench: bench.presence("bridge-1"),
    "refused": lambda bench: bench.presence("bridge-1", "error"),
    "put out": lambda bench: bench.presence("bridge-1", "unavailable"),
    "the focus comes": lambda bench: bench.presence("focus", real=FOCUS),
    "a focus without address": lambda bench: bench.presence("focus"),
    "the focus goes": lambda bench: bench.presence("focus", "unavailable"),
    "somebody takes its nick": lambda bench: bench.presence(
        "focus", real="mallory@localhost/web"
    ),
    "another room's focus": lambda bench: bench.presence(
        "focus", room="tea@muc.localhost", real=FOCUS
    ),
    "another session": lambda bench: bench.session(),
}
TABLE = {
    "outside": (
        "in",
        "asks",
        "asks",
        "asks, obeys",
        "asks",
        "asks",
        "asks",
        "asks",
        "asks",
    ),
    "inside": ("in", "asks", "asks", "in, obeys", "in", "in", "in", "in", "asks"),
    "met": (
        "in, obeys",
        # From outside nobody sees who has which nick.
        "asks",
        "asks",
        "in, obeys",
        # What was known of the occupant stays known.
        "in, obeys",
        "in",
        "in",
        "in, obeys",
        "asks",
    ),
}


@pytest.mark.parametrize("state", [outside, inside, met])
@pytest.mark.parametrize("event", EVENTS)
async def test_every_event_in_every_state(state: Callable[[], Bench], event: str) -> None:
    bench = state()
    EVENTS[event](bench)
    assert bench.found() == dict(zip(EVENTS, TABLE[state.__name__], strict=True))[event]
