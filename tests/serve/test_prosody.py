"""The private Prosody: what its configuration says, and what the real one then does."""

from __future__ import annotations

import hashlib
import hmac
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, TCPConnector, ThreadedResolver

from tests.support.prosody import RunningProsody
from xmppconf.config import Settings
from xmppconf.config_file import parse
from xmppconf.serve.prosody import Files, account, configuration, write
from xmppconf.serve.prosody_log import discreet

GOLDEN = Path(__file__).with_name("prosody.cfg.lua")


def example() -> Settings:
    return parse(
        {
            "domain": "meet.example",
            "xmpp": {"client_port": 1, "component_port": 2, "http_port": 3},
            "focus": {"component_secret": "component-secret"},
            "bridge": {"password": "bridge-password"},
        }
    )


def test_the_configuration_is_the_one_that_was_reviewed() -> None:
    text = configuration(example(), Files(Path("/state/prosody")), as_root=False)
    assert text == GOLDEN.read_text()


def test_federation_is_one_setting() -> None:
    table = {
        "xmpp": {"server_port": 5269},
        "web": {"tls_certificate": "/c.pem", "tls_key": "/k.pem"},
    }
    text = configuration(parse(table), Files(Path("/s")), as_root=True)
    assert "s2s_ports = { 5269 }" in text
    assert '"s2s"' not in text
    assert "run_as_root = true" in text


def test_texts_cannot_leave_their_quotes() -> None:
    settings = parse({"focus": {"component_secret": '"\\ä'}})
    text = configuration(settings, Files(Path("/s")), as_root=False)
    assert r'component_secret = "\034\092\195\164"' in text


def test_accounts_are_scram_keys() -> None:
    text = account("pencil", "QSXCR+Q6sek8bf92")
    salted = hashlib.pbkdf2_hmac("sha1", b"pencil", b"QSXCR+Q6sek8bf92", 10_000)
    assert hmac.digest(salted, b"Server Key", "sha1").hex() in text
    assert "pencil" not in text


def test_everything_written_is_private(tmp_path: Path) -> None:
    files = Files(tmp_path / "prosody")
    write(example(), files)
    written = [path for path in files.folder.rglob("*") if path.is_file()]
    assert len(written) == 2
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("mod_c2s  info\tClient connected", None),
        ("*** a banner", None),
        ("general  warn\tReceived SIGTERM", None),
        (
            "muc  error\tcannot send to ann@guest.example/x from 192.0.2.7",
            "prosody: error: cannot send to <…> from <…>",
        ),
        (
            "c2s  warn\tbad <message><body>hello</body></message> from 2001:db8::1",
            "prosody: warn: bad <…> from <…>",
        ),
    ],
)
def test_its_log_names_nobody(line: str, shown: str | None) -> None:
    assert discreet(line) == shown


# --- With the real one -------------------------------------------------------------------


@asynccontextmanager
async def guest(running: RunningProsody) -> AsyncIterator[ClientWebSocketResponse]:
    """An anonymous login over WebSocket, up to a bound stream."""
    url = f"http://127.0.0.1:{running.settings.xmpp.http_port}/xmpp-websocket"
    head = (
        '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" version="1.0" '
        f'to="{running.names.guests}"/>'
    )
    connector = TCPConnector(resolver=ThreadedResolver())
    async with (
        ClientSession(connector=connector) as session,
        session.ws_connect(
            url, protocols=["xmpp"], headers={"Host": "localhost"}
        ) as socket,
    ):
        await socket.send_str(head)
        assert (await socket.receive_str()).startswith("<open ")
        assert "<mechanism>ANONYMOUS</mechanism>" in await socket.receive_str()
        await socket.send_str(
            '<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="ANONYMOUS"/>'
        )
        assert (await socket.receive_str()).startswith("<success")
        await socket.send_str(head)
        assert (await socket.receive_str()).startswith("<open ")
        assert "urn:xmpp:sm:3" in await socket.receive_str()
        await socket.send_str(
            '<iq type="set" id="b" xmlns="jabber:client">'
            '<bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>'
        )
        assert f"@{running.names.guests}/" in await socket.receive_str()
        yield socket


async def ask(socket: ClientWebSocketResponse, to: str, child: str) -> str:
    await socket.send_str(
        f'<iq type="get" id="q" to="{to}" xmlns="jabber:client">{child}</iq>'
    )
    while True:
        answer = await socket.receive_str(timeout=5)
        if answer.startswith("<iq"):
            return answer


async def enter(socket: ClientWebSocketResponse, room: str) -> str:
    await socket.send_str(
        f'<presence to="{room}/me" xmlns="jabber:client">'
        '<x xmlns="http://jabber.org/protocol/muc"/></presence>'
    )
    return await socket.receive_str(timeout=5)


@pytest.mark.stack
async def test_a_guest_finds_what_a_client_needs(prosody: RunningProsody) -> None:
    domain = prosody.settings.domain
    async with guest(prosody) as socket:
        ping = await ask(socket, domain, '<ping xmlns="urn:xmpp:ping"/>')
        assert "type='result'" in ping
        services = await ask(socket, domain, '<services xmlns="urn:xmpp:extdisco:2"/>')
        assert "type='result'" in services
        version = await ask(socket, domain, '<query xmlns="jabber:iq:version"/>')
        assert "service-unavailable" in version


@pytest.mark.stack
async def test_a_guest_opens_no_room_and_no_brewery(prosody: RunningProsody) -> None:
    async with guest(prosody) as socket:
        for host in (prosody.names.rooms, prosody.names.internal):
            assert "not-allowed" in await enter(socket, f"mine@{host}")


@pytest.mark.stack
async def test_a_guest_is_no_member_and_no_bridge(prosody: RunningProsody) -> None:
    url = f"http://127.0.0.1:{prosody.settings.xmpp.http_port}/xmpp-websocket"
    connector = TCPConnector(resolver=ThreadedResolver())
    async with ClientSession(connector=connector) as session:
        for host, offered in (
            (prosody.names.members, "SCRAM-SHA-1"),
            (prosody.names.accounts, None),
        ):
            async with session.ws_connect(
                url, protocols=["xmpp"], headers={"Host": "localhost"}
            ) as socket:
                await socket.send_str(
                    '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" version="1.0" '
                    f'to="{host}"/>'
                )
                await socket.receive_str()
                features = await socket.receive_str()
                assert "ANONYMOUS" not in features
                if offered:
                    assert offered in features


@pytest.mark.stack
def test_it_starts_without_a_complaint(prosody: RunningProsody) -> None:
    lines = prosody.log.read_text().splitlines()
    assert [line for line in lines if discreet(line)] == []


@pytest.mark.stack
def test_prosodys_own_check_finds_no_unknown_option(tmp_path: Path) -> None:
    tool = shutil.which("prosodyctl")
    assert tool is not None
    files = Files(tmp_path)
    write(example(), files)
    done = subprocess.run(  # noqa: S603
        [tool, "--root", "--config", str(files.config), "check", "config"],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert "All checks passed" in done.stdout, done.stdout
