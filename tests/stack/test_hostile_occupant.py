"""One occupant says whatever is well-formed; the focus's stream and its calls go on.

`XMPPCONF_HOSTILE_STANZAS` sets how many stanzas that is (100,000 for the whole check).
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from xml.sax.saxutils import quoteattr

import pytest
from xmppconf_focus.handlers import HANDLERS

from tests.stack.test_focus import clients, focus_and_bridge, until
from tests.support.prosody import RunningProsody
from xmppconf.xmpp.stanza import StanzaError
from xmppconf.xmpp.stream import GuardedClient
from xmppconf.xmpp.xml import build

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1800)]

COUNT = int(os.environ.get("XMPPCONF_HOSTILE_STANZAS", "1000"))
ROOM = "tea@muc.localhost"
TARGETS = (
    "focus.localhost",
    "focus@focus.localhost/focus",
    "focus@focus.localhost",
    "x@focus.localhost/y",
    f"{ROOM}/focus",
    f"{ROOM}/focus",
    f"{ROOM}/ann",
    ROOM,
)
TEXTS = (
    "",
    "-1",
    "99999999999999999999",
    "1_0",
    "\u0663",
    "\ufffd\u202e\u0000".replace("\u0000", ""),
    "\U0001f600",
    "\"'<>&",
    "%s%n{0}${jndi:ldap://x}",
    "true",
    "focus",
    "../../../x",
    '{"sources":{',
)
LONG_TEXTS = ("\"'<>&" * 50, "{" * 300, '{"sources":' * 60, "a" * 3000)
ACTIONS = (
    *("session-initiate", "session-accept", "session-info", "session-terminate"),
    *("transport-info", "source-add", "source-remove", "addsource", "content-add", ""),
)


class Eve:
    """Makes stanzas from one seed, each well-formed and none of them meant well."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.sid = "s"

    def stanza(self) -> str:
        kinds: tuple[Callable[[], str], ...] = (
            self._iq,
            self._iq,
            self._iq,
            self._presence,
            self._message,
        )
        return self._random.choice(kinds)()

    def _text(self) -> str:
        if self._random.random() < 0.01:
            return self._random.choice(LONG_TEXTS)
        return self._random.choice(TEXTS)

    def _attribute(self, name: str, value: str | None = None) -> str:
        return f" {name}={quoteattr(self._text() if value is None else value)}"

    def _attributes(self, *names: str) -> str:
        return "".join(self._attribute(n) for n in names if self._random.random() < 0.6)

    def _iq(self) -> str:
        type_ = self._random.choice(("get", "set", "set", "result", "error"))
        identity = self._text()
        if self._random.random() < 0.002:
            identity = self._random.choice(('"' * 3000, "&" * 30_000))
        to = self._random.choice(TARGETS)
        many = self._random.choice((0, 1, 1, 1, 1, 2)) if type_ == "result" else 1
        body = "".join(self._payload() for _ in range(many))
        return f"<iq to='{to}' type='{type_}'{self._attribute('id', identity)}>{body}</iq>"

    def _payload(self) -> str:
        choice = self._random.random()
        if choice < 0.5:
            return self._jingle()
        if choice < 0.6:
            return self._deep(self._random.choice((3, 3, 3, 60, 100)))
        kind = self._random.choice(HANDLERS).kind.value
        namespace, _, name = kind[1:].partition("}")
        attributes = self._attributes("room", "jid", "node", "machine-uid", "session-id")
        inner = self._random.choice(("true", "", self._deep(3), "<property/>" * 7))
        return f"<{name} xmlns='{namespace}'{attributes}>{inner}</{name}>"

    def _jingle(self) -> str:
        action = self._attribute("action", self._random.choice(ACTIONS))
        sid = self._attribute("sid", self._random.choice((self.sid, self._text())))
        inner = "".join(self._content() for _ in range(self._random.choice((0, 1, 1, 2))))
        session = self._attributes("id", "restart", "ice-restart")
        return (
            f"<jingle xmlns='urn:xmpp:jingle:1'{action}{sid}>{inner}"
            f"<bridge-session xmlns='http://jitsi.org/protocol/focus'{session}/></jingle>"
        )

    def _content(self) -> str:
        sources = "".join(
            "<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'"
            f"{self._attribute('ssrc', str(self._random.randint(-1, 2**33)))}"
            f"{self._attributes('name', 'videoType')}>"
            f"<parameter name='msid'{self._attribute('value')}/></source>"
            for _ in range(self._random.choice((0, 0, 1, 1, 3)))
        )
        group = (
            "<ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'"
            f"{self._attribute('semantics', self._random.choice(('SIM', 'FID', '?')))}>"
            "<source ssrc='1'/><source ssrc='1'/></ssrc-group>"
        )
        media = self._random.choice(("audio", "video", "data", self._text()))
        return (
            f"<content{self._attribute('name', media)}>"
            "<description xmlns='urn:xmpp:jingle:apps:rtp:1'"
            f"{self._attribute('media', media)}>"
            f"{sources}{group}</description>"
            "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'"
            f"{self._attributes('ufrag', 'pwd')}>"
            f"<candidate{self._attributes('ip', 'port', 'priority', 'type')}/>"
            "</transport></content>"
        )

    def _presence(self) -> str:
        extensions = "".join(
            self._random.choice(
                (
                    f"<SourceInfo>{'[' * self._random.choice((1, 300))}</SourceInfo>",
                    "<c xmlns='http://jabber.org/protocol/caps'"
                    f"{self._attributes('ver', 'node', 'hash')}/>",
                    "<x xmlns='http://jabber.org/protocol/muc#user'><item role='moderator'"
                    " affiliation='owner' jid='focus@focus.localhost/focus'/>"
                    "<status code='110'/><destroy/></x>",
                    "<stats xmlns='http://jitsi.org/protocol/colibri'/>",
                    self._deep(5),
                )
            )
            for _ in range(self._random.choice((0, 1, 2, 5)))
        )
        to = self._random.choice((f"{ROOM}/eve", f"{ROOM}/eve", f"{ROOM}/focus", *TARGETS))
        # Leaving would make the others of these stanzas pointless.
        type_ = self._random.choice(("", "", "", " type='subscribe'", " type='probe'"))
        return f"<presence to='{to}'{type_}>{extensions}</presence>"

    def _message(self) -> str:
        to = self._random.choice(TARGETS)
        type_ = self._random.choice(("groupchat", "chat", "error", "normal"))
        return (
            f"<message to='{to}' type='{type_}'><body>{self._deep(2)}</body>"
            f"<json-message xmlns='http://jitsi.org/jitmeet'>{'[' * 90}</json-message>"
            f"{self._payload()}</message>"
        )

    def _deep(self, depth: int) -> str:
        namespace = self._random.choice(
            ("jabber:component:accept", "jabber:client", "urn:xmpp:jingle:1", "")
        )
        opening = f"<a xmlns='{namespace}'{self._attribute('b')}>"
        return opening + "<a>" * depth + "</a>" * depth + "</a>"


async def pinged(stream: GuardedClient) -> None:
    """Wait until the server has read everything; it holds back who sends too fast."""
    with suppress(StanzaError):  # Or until it has thrown us out.
        await stream.ask("localhost", "get", build("urn:xmpp:ping", "ping"), timeout=600)


async def test_whatever_one_occupant_says_the_focus_stays(
    prosody: RunningProsody,
) -> None:
    async with focus_and_bridge(prosody) as (settings, focus, _):
        ended: list[object] = []
        focus.stream.add_event_handler("disconnected", ended.append)
        async with clients(settings, ROOM, "ann", "bob", "eve") as (ann, bob, eve):
            for client in (ann, bob, eve):
                await client.join()
            offer = await asyncio.wait_for(eve.offers.get(), 5)
            makes = Eve(seed=19)
            makes.sid = offer.get("sid", "")
            began = time.monotonic()
            thrown_out = 0
            for number in range(COUNT):
                if eve.stream.transport is None or not eve.stream.session.is_set():
                    thrown_out += 1
                    eve.seen.clear()
                    await eve.join()
                assert eve.stream.transport is not None
                eve.stream.transport.write(makes.stanza().encode())
                if number % 200 == 199:
                    await pinged(eve.stream)
            await pinged(eve.stream)
            rate = COUNT / (time.monotonic() - began)
            print(f"\n{COUNT} hostile stanzas, {rate:.0f} a second, {thrown_out} times out")
            assert ended == []
            assert ann.seen["focus"].real_jid == "focus@focus.localhost/focus"
            await until(lambda: focus.stream.session.is_set() and not focus.stream._running)
            assert set(focus.machine.conferences) == {ROOM}
            assert ann.ended.empty()
            assert bob.ended.empty()
            began = time.monotonic()
            async with clients(settings, "milk@muc.localhost", "cid", "dan") as others:
                for client in others:
                    await client.join()
                for client in others:
                    await asyncio.wait_for(client.offers.get(), 5)
            print(f"two others joined after that in {time.monotonic() - began:.2f} s")
