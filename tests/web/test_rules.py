"""Room names, origins, headers and the client's configuration."""

from __future__ import annotations

import json

import pytest
from xmppconf_web.client_config import client_config
from xmppconf_web.headers import security_headers
from xmppconf_web.origins import is_host, may_connect
from xmppconf_web.rooms import MAX_NAME, room_name

from xmppconf.config_file import parse


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
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "Strict-Transport-Security" in headers
    assert "Strict-Transport-Security" not in security_headers("a", "", secure=False)


def test_the_configuration_is_what_stock_clients_read() -> None:
    script = client_config(parse({"domain": "meet.example"}), "https://meet.example")
    first, _, rest = script.partition("\n")
    assert first.startswith("// @license magnet:")
    config = json.loads(rest.removeprefix("var config = ").partition(";\n")[0])
    assert config["hosts"] == {
        "domain": "meet.example",
        "anonymousdomain": "guest.meet.example",
        "muc": "muc.meet.example",
        "focus": "focus.meet.example",
    }
    assert (
        config["websocket"] == config["serviceUrl"] == "wss://meet.example/xmpp-websocket"
    )
    assert config["conferenceRequestUrl"] == "https://meet.example/conference-request/v1"
    assert config["disableThirdPartyRequests"] is True
