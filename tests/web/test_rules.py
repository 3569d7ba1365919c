"""Room names, origins, headers and the client's configuration."""

from __future__ import annotations

import json

import pytest
from xmppconf_web import stanzas
from xmppconf_web.client_config import client_config
from xmppconf_web.fairness import MAX_SOURCES, Allowance, Held, source_of
from xmppconf_web.headers import security_headers
from xmppconf_web.origins import is_host, may_connect
from xmppconf_web.rooms import MAX_NAME, room_name

from xmppconf.config_file import parse
from xmppconf.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("standup", "standup"),
        ("StandUp", "standup"),
        ("ÄRGER", "ärger"),
        ("ﬁne", "fine"),  # NFKC
        ("a.b-c_d!(e)", "a.b-c_d!(e)"),
        ("комната", "комната"),
        ("x" * MAX_NAME, "x" * MAX_NAME),
    ],
)
def test_rooms(text: str, name: str) -> None:
    assert room_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..", ".hidden", "a b", "a\tb", "a\x00b", "a\nb", "a/b", "a@b", "a:b"),
        *('a"b', "a'b", "a<b", "a&b", "a\\b", "a?b", "a#b", "a%b", "a\u202eb", "a\u200bb"),
        *("a\ud800b", "\ue000", "a\u2028b", "x" * (MAX_NAME + 1), "ä" * MAX_NAME),
    ],
)
def test_no_rooms(text: str) -> None:
    assert room_name(text) is None


URL = "https://meet.example"


@pytest.mark.parametrize(
    ("origin", "host", "others", "may"),
    [
        (None, "meet.example", (), True),
        ("https://meet.example", "meet.example", (), True),
        (
            "https://meet.example",
            "10.0.0.1:8080",
            (),
            True,
        ),  # the public URL, behind a proxy
        ("http://localhost:8080", "localhost:8080", (), True),
        ("http://localhost:8081", "localhost:8080", (), False),
        ("https://evil.example", "meet.example", (), False),
        ("https://meet.example.evil.example", "meet.example", (), False),
        ("null", "meet.example", (), False),
        ("null", "", (), False),
        ("", "", (), False),
        ("https://friend.example", "meet.example", ("https://friend.example",), True),
        ("https://any.example", "meet.example", ("*",), True),
    ],
)
def test_origins(origin: str | None, host: str, others: tuple[str, ...], may: bool) -> None:
    assert may_connect(origin, host, URL, others) is may


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("meet.example", True),
        ("localhost:8080", True),
        ("[::1]:8080", True),
        ("", False),
        ("a b", False),
        ("a;script-src *", False),
        ("a'", False),
        ("a/b", False),
        ("a\n", False),
    ],
)
def test_hosts_that_may_be_quoted(text: str, good: bool) -> None:
    assert is_host(text) is good


def test_pages_talk_to_this_server_only() -> None:
    headers = security_headers("meet.example", "", secure=True)
    policy = dict(
        part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == "'self' wss://meet.example"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["trusted-types"] == "default"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "Strict-Transport-Security" in headers
    assert "Strict-Transport-Security" not in security_headers("a", "", secure=False)


def test_the_configuration_is_what_stock_clients_read() -> None:
    script = client_config(parse({"domain": "meet.example"}), "https://meet.example")
    first, _, rest = script.partition("\n")
    assert first.startswith("// @license magnet:")
    config = json.loads(rest.removeprefix("var config = ").partition(";\n")[0])
    assert config["hosts"] == {
        "domain": "focus.meet.example",
        "authdomain": "meet.example",
        "anonymousdomain": "guest.meet.example",
        "muc": "muc.meet.example",
        "focus": "focus.meet.example",
        "lobbies": "focus.meet.example",
    }
    assert (
        config["websocket"] == config["serviceUrl"] == "wss://meet.example/xmpp-websocket"
    )
    # The focus has to know who asks; over HTTP it cannot.
    assert "conferenceRequestUrl" not in config
    assert config["disableThirdPartyRequests"] is True
    assert "tokenAuthUrl" not in config


def test_clients_write_to_the_account_of_a_focus_that_is_no_component() -> None:
    focus = {"account": "focus@auth.meet.example", "password": "x"}
    settings = parse(
        {
            "domain": "meet.example",
            "xmpp": {"private": False, "services_domain": "meet.example"},
            "focus": focus,
        }
    )
    script = client_config(settings, "https://meet.example")
    config = json.loads(script.partition("var config = ")[2].partition(";\n")[0])
    assert config["hosts"]["focus"] == "focus@auth.meet.example/focus"
    assert config["hosts"]["domain"] == "meet.example"
    assert config["focusUserJid"] == "focus@auth.meet.example"
    assert "lobbies" not in config["hosts"]


def test_stock_clients_are_sent_to_the_page_that_makes_tokens() -> None:
    url = "https://portal.example/call/{room}"
    script = client_config(
        parse({"members": {"jwt": {"login_url": url}}}), "https://meet.example"
    )
    assert f'"tokenAuthUrl": "{url}"' in script
    with pytest.raises(SettingsError, match=r"members\.jwt\.login_url"):
        parse({"members": {"jwt": {"login_url": "javascript:alert(1)"}}})


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("127.0.0.1", None),
        ("::1", None),
        ("::ffff:127.0.0.1", None),
        (None, None),
        ("nonsense", None),
    ],
)
def test_who_is_counted(address: str | None, source: str | None) -> None:
    assert source_of(address) == source


def test_one_address_cannot_hold_everything() -> None:
    held = Held(limit=3, limit_each=2)
    assert [held.enter("a") for _ in range(3)] == [True, True, False]
    assert held.enter("b")
    assert not held.enter("c"), "full"
    held.leave("a")
    assert held.enter(None)
    held.leave(None)
    held.leave("a")
    held.leave("b")
    assert [held.enter("a") for _ in range(3)] == [True, True, False]


def test_requests_come_back_with_time() -> None:
    allowance = Allowance(per_minute=60)
    assert sum(allowance.take("a", 0.0) for _ in range(100)) == 30
    assert allowance.take("b", 0.0), "somebody else has an own allowance"
    assert not allowance.take("a", 0.9)
    assert allowance.take("a", 1.9)
    assert sum(allowance.take("a", 1000.0) for _ in range(100)) == 30
    assert all(allowance.take(None, 0.0) for _ in range(100))


def test_addresses_without_number_do_not_fill_the_memory() -> None:
    allowance = Allowance(per_minute=60)
    for number in range(MAX_SOURCES + 100):
        allowance.take(str(number), 0.0)
    assert len(allowance._buckets) == MAX_SOURCES


PRESENCE = "<presence xmlns='jabber:client' to='a@b/c'/>"


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("<iq type='set'/>", 1.0),
        (PRESENCE, 5.0),
        ("<message\nto='a' type='groupchat'/>", 5.0),
        ("<message to='a>b' type='group&#99;hat'>", 5.0),
        ("<message to='room'><x><invite to='a'/></x></message>", 1.0),
        ("<c:presence xmlns:c='jabber:client'/>", 5.0),
        (PRESENCE * 3, 15.0),
        ("<body><iq/><presence/></body>", 6.0),
        ("<a xmlns='urn:xmpp:sm:3' h='7'/>", 0.2),
        ("<presences/>", 0.2),
        ("<iq><x>&lt;presence/></x></iq>", 1.0),
        ("", 0.2),
    ],
)
def test_what_goes_to_a_whole_room_costs_more(text: str, taken: float) -> None:
    assert stanzas.cost(text) == pytest.approx(taken)


def test_ordinary_people_never_wait() -> None:
    def waits(texts: list[str], seconds: float) -> bool:
        pace, step = stanzas.Pace(), seconds / len(texts)
        return any(pace.wait(text, n * step) for n, text in enumerate(texts))

    joins = ["<open/>", "<auth/>", "<open/>", *["<iq/>"] * 20, *[PRESENCE] * 10]
    assert not waits(joins, 1.0)
    assert not waits(["<iq/>"] * 200, 1.0), "somebody who mutes everybody"
    assert not waits(["<message to='room'/>"] * 200, 1.0), "who lets everybody in"
    assert not waits(["<iq type='result'/>", "<a h='1'/>"] * 200, 10.0), "200 who join"
    assert not waits([PRESENCE, "<message type='chat'/>", "<iq/>"] * 600, 600.0), (
        "a busy chat"
    )


def test_who_is_too_fast_waits_until_it_is_paid_for() -> None:
    pace = stanzas.Pace()
    assert [pace.wait(PRESENCE, 0.0) for _ in range(40)] == [0.0] * 40
    assert pace.wait(PRESENCE, 0.0) == pytest.approx(0.25)
    assert pace.wait(PRESENCE, 0.25) == pytest.approx(0.25)
    assert pace.wait(PRESENCE, 100.0) == 0.0
    assert pace.wait(PRESENCE * 41, 100.0) is None
    assert pace.wait(PRESENCE, 100.0) == 0.0, "what is refused costs nothing"


@pytest.mark.parametrize(
    ("body", "sid"),
    [
        ("<body sid='abc'/>", "abc"),
        ('<body rid="1"\n sid="abc" xmlns="x">', "abc"),
        ("<body sid='abc' x=' sid=\"other\" '/>", "abc"),
        ("<body x=' sid=\"other\" ' sid='abc'/>", "abc"),
        ("<body rid='1'/>", ""),
        ("<body sid='&#97;bc'/>", ""),
        ("<b:body sid='abc'/>", ""),
        ("<bodysid='abc'/>", ""),
        ("x<body sid='abc'/>", ""),
        ("", ""),
    ],
)
def test_sessions_over_bosh(body: str, sid: str) -> None:
    assert stanzas.session_of(body) == sid


def test_each_session_over_bosh_has_its_pace() -> None:
    paces = stanzas.BoshPaces()

    def say(sid: str) -> float | None:
        return paces.wait(f"<body sid='{sid}'>{PRESENCE * 40}</body>", 0.0)

    assert (say("a"), say("b")) == (0.0, 0.0)
    assert say("a") == pytest.approx(10.0)
    for number in range(stanzas.MAX_SESSIONS + 10):
        paces.wait(f"<body sid='{number}'/>", 0.0)
    assert len(paces._by_sid) == stanzas.MAX_SESSIONS
