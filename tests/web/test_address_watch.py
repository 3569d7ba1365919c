"""Whose address a token is told for: the server's word, and only the first one."""

from __future__ import annotations

import pytest
from xmppconf_web.address_watch import (
    MAX_ANSWERS,
    MAX_SESSIONS,
    AddressWatch,
    BoshWatches,
)

BIND = "urn:ietf:params:xml:ns:xmpp-bind"
BOUND = (
    f"<iq id='_bind' type='result'><bind xmlns='{BIND}'>"
    "<jid>a&amp;b@guest.example/web</jid></bind></iq>"
)
FORGED = BOUND.replace("a&amp;b@guest.example/web", "eve@guest.example/web")


def test_the_first_address_counts_and_no_later_one() -> None:
    watch = AddressWatch("t")
    assert watch.look("<open/>") is None
    assert watch.look(BOUND) == "a&b@guest.example/web"
    assert watch.over
    assert watch.look(FORGED) is None


def test_a_resumed_session_gets_no_address_and_others_words_count_for_nothing() -> None:
    watch = AddressWatch("t")
    assert watch.look("<resumed xmlns='urn:xmpp:sm:3' previd='p' h='1'/>") is None
    assert watch.over
    assert watch.look(FORGED) is None
    # In one text, as a server may send them.
    assert AddressWatch("t").look(f"<resumed xmlns='urn:xmpp:sm:3'/>{FORGED}") is None


@pytest.mark.parametrize(
    "text",
    [
        FORGED.replace("<iq", "<message"),
        FORGED.replace("'result'", "'set'"),
        FORGED.replace(f"<bind xmlns='{BIND}'>", "<bind xmlns='other'>"),
        f"<iq type='result'><x/><bind xmlns='{BIND}'><jid>e@x/y</jid></bind></iq>",
        f"<iq type='result'><bind xmlns='{BIND}'><jid>{'e' * 4000}</jid></bind></iq>",
    ],
)
def test_what_only_looks_like_the_servers_answer_is_none(text: str) -> None:
    watch = AddressWatch("t")
    assert watch.look(text) is None
    assert not watch.over


def test_nobody_is_watched_for_ever() -> None:
    watch = AddressWatch("t")
    for _ in range(MAX_ANSWERS):
        assert not watch.over
        watch.look("<presence/>")
    assert watch.over


def body(inner: str = "", sid: str = "", **more: str) -> str:
    named = {"rid": "1", **more, **({"sid": sid} if sid else {})}
    attributes = " ".join(f"{name}='{value}'" for name, value in named.items())
    return f"<body {attributes}>{inner}</body>"


def test_bosh_is_watched_from_its_first_answer_to_its_address() -> None:
    watches = BoshWatches()
    first = watches.watch_for(body(to="guest.example"), body(sid="s1"), "t")
    assert first is not None
    assert first.look(body(sid="s1")) is None
    second = watches.watch_for(body(sid="s1"), body(BOUND), "")
    assert second is first
    assert second.look(body(BOUND)) == "a&b@guest.example/web"
    assert watches.watch_for(body(sid="s1"), body(FORGED), "t") is None
    assert len(watches) == 0


def test_bosh_without_a_token_at_its_beginning_is_not_watched() -> None:
    watches = BoshWatches()
    assert watches.watch_for(body(), body(sid="s1"), "") is None
    # Nor does a token that comes later count: others' words are in the session by then.
    assert watches.watch_for(body(sid="s1"), body(FORGED), "t") is None
    assert watches.watch_for("<x/>", "<x/>", "t") is None
    for number in range(MAX_SESSIONS + 5):
        watches.watch_for(body(), body(sid=f"s{number}"), "t")
    assert len(watches) == MAX_SESSIONS
