"""Members of a whole service: signing in at its page's endpoints, and tokens on sockets."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.focus.test_tokens import CLAIMS, SECRET, hs
from tests.support.oidc_provider import Provider
from tests.support.service import Service, running_service

pytestmark = pytest.mark.stack

MACHINE = "5f2c" * 8
SETTINGS = f"""
[members]
open = false
internal_hosts = ["127.0.0.1"]
[members.jwt]
secret = "{SECRET}"
issuer = "issuer"
[members.oidc]
issuer = "{{issuer}}"
client_id = "xmppconf"
client_secret = "client-secret"
[web]
max_sign_ins_per_minute = 100
"""


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    provider: Provider,
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    settings = SETTINGS.format(issuer=provider.issuer)
    with running_service(folder, settings=settings) as running:
        yield running


class Socket:
    """A browser's XMPP socket through the gateway, by hand, as stock clients open it."""

    def __init__(self, http: aiohttp.ClientSession, url: str, query: str) -> None:
        self._connect = http.ws_connect(f"{url}xmpp-websocket{query}", protocols=("xmpp",))

    async def __aenter__(self) -> Socket:
        self._socket = await self._connect
        opening = (
            '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="guest.localhost"'
            ' version="1.0"/>'
        )
        await self._talk(opening, "mechanism")
        await self._talk(
            '<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="ANONYMOUS"/>',
            "success",
        )
        await self._talk(opening, "bind")
        await self._talk(
            '<iq xmlns="jabber:client" type="set" id="_bind_auth_2">'
            '<bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>',
            "<jid>",
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()

    async def _talk(self, text: str, expected: str) -> str:
        await self._socket.send_str(text)
        return await self.until(expected)

    async def join(self, room: str, nick: str, name: str = "") -> None:
        await self._talk(
            f"<presence xmlns='jabber:client' to='{room}@muc.localhost/{nick}'>"
            "<x xmlns='http://jabber.org/protocol/muc'/>"
            f"<nick xmlns='http://jabber.org/protocol/nick'>{name}</nick></presence>",
            f"{room}@muc.localhost/{nick}",
        )

    async def knock(self, room: str, nick: str) -> None:
        """Wait in the lobby."""
        await self._talk(
            f"<presence xmlns='jabber:client' to='{room}@focus.localhost/{nick}'>"
            "<x xmlns='http://jabber.org/protocol/muc'/></presence>",
            f"{room}@focus.localhost/{nick}",
        )

    async def until(self, expected: str) -> str:
        while True:
            answer: str = await self._socket.receive_str(timeout=10)
            if expected in answer:
                return answer

    async def ask(self, room: str, **attributes: str) -> str:
        """The answer to a conference request."""
        rest = " ".join(f"{key}='{value}'" for key, value in attributes.items())
        return await self._talk(
            "<iq xmlns='jabber:client' type='set' id='c1' to='focus.localhost'>"
            "<conference xmlns='http://jitsi.org/protocol/focus'"
            f" room='{room}@muc.localhost' machine-uid='{MACHINE}' {rest}/></iq>",
            "c1",
        )


def http_session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
    return aiohttp.ClientSession(connector=connector)


def member(service: Service, *words: str, password: str = "") -> None:
    command = [sys.executable, "-m", "xmppconf", "member", words[0]]
    subprocess.run(  # noqa: S603
        [*command, "--state", str(service.state), *words[1:]],
        input=f"{password}\n".encode(),
        check=True,
        cwd=Path(__file__).parent.parent.parent,
    )


async def post(
    http: aiohttp.ClientSession, service: Service, path: str, **body: str
) -> Any:
    async with http.post(service.url + path, json=body) as answer:
        return answer.status, await answer.json()


async def test_a_listed_member_signs_in_opens_a_room_and_is_out_when_removed(
    service: Service,
) -> None:
    async with http_session() as http:
        async with http.get(f"{service.url}login/ways") as answer:
            ways = {"open": False, "password": False, "oidc": "single sign-on"}
            assert await answer.json() == ways
        member(service, "add", "ann", "--name", "Ann", password="correct horse")
        async with http.get(f"{service.url}login/ways") as answer:
            assert (await answer.json())["password"] is True
        who = {"user": "Ann", "machineUid": MACHINE}
        assert await post(http, service, "login", **who, password="wrong") == (
            403,
            {"error": "refused"},
        )
        status, signed_in = await post(
            http, service, "login", **who, password="correct horse"
        )
        assert status == 200
        assert (signed_in["identity"], signed_in["name"]) == ("ann", "Ann")
        assert signed_in["expires"] > time.time()
        session = signed_in["sessionId"]
        url = service.url
        async with Socket(http, url, "") as guest, Socket(http, url, "") as ann:
            assert "not-authorized" in await guest.ask("tea")
            answer_ = await ann.ask("tea", **{"session-id": session})
            assert re.search(r"ready=['\"]true", answer_)
            assert re.search(r"identity=['\"]ann['\"]", answer_)
            assert re.search(r"ready=['\"]true", await guest.ask("tea"))
            other = await guest.ask("cake", **{"session-id": session[:-4] + "AAAA"})
            assert "session-invalid" in other
            assert await post(http, service, "logout", sessionId=session) == (200, {})
            gone = await ann.ask("cake", **{"session-id": session})
            assert "session-invalid" in gone
    text = service.log_text()
    assert "ann" not in re.findall(r"\w+", text)
    assert "correct horse" not in text


async def test_a_login_at_a_provider_opens_a_room(
    service: Service,
    provider: Provider,
) -> None:
    async with http_session() as http:
        _, started = await post(
            http, service, "login/oidc", machineUid=MACHINE, room="coffee"
        )
        back = await asyncio.to_thread(provider.log_in, started["url"], "ann")
        flow = {"code": back["code"], "state": back["state"]}
        for machine, status in (("0" * 32, 403), (MACHINE, 200), (MACHINE, 403)):
            found, signed_in = await post(
                http, service, "login/oidc/finish", machineUid=machine, **flow
            )
            assert found == status
            if status == 200:
                assert (signed_in["room"], signed_in["name"]) == ("coffee", "Ann")
                session = signed_in["sessionId"]
        async with Socket(http, service.url, "") as ann:
            answer = await ann.ask("coffee", **{"session-id": session})
            assert re.search(r"ready=['\"]true", answer)


async def test_a_token_on_the_socket_makes_a_member(service: Service) -> None:
    good = hs({**CLAIMS, "room": "tee", "exp": time.time() + 60, "nbf": 0})
    bad = hs({**CLAIMS, "room": "tee", "exp": time.time() - 60, "nbf": 0})
    async with http_session() as http:
        async with Socket(http, service.url, f"?room=tee&token={bad}") as eve:
            assert "not-authorized" in await eve.ask("tee")
            assert "not-authorized" in await eve.ask("tee", token=bad)
        async with Socket(http, service.url, f"?room=tee&token={good}") as mia:
            assert "not-authorized" in await mia.ask("other")
            assert re.search(r"ready=['\"]true", await mia.ask("tee"))
        async with Socket(http, service.url, "") as lee:
            other = good.replace(".", ".", 1)
            assert "not-authorized" in await lee.ask("tee2", token=other)


class Bosh:
    """The same over BOSH."""

    def __init__(self, http: aiohttp.ClientSession, service: Service, query: str) -> None:
        self._http, self._url = http, f"{service.url}http-bind{query}"
        self._rid, self._sid = 1000, ""

    async def talk(self, inner: str = "", expected: str = "", **named: str) -> str:
        """Send one body, then empty ones until the answer has what is expected."""
        while True:
            self._rid += 1
            more = {**named, **({"sid": self._sid} if self._sid else {})}
            attributes = " ".join(f"{name}='{value}'" for name, value in more.items())
            body = (
                "<body xmlns='http://jabber.org/protocol/httpbind'"
                f" xmlns:xmpp='urn:xmpp:xbosh' rid='{self._rid}' {attributes}>"
                f"{inner}</body>"
            )
            async with self._http.post(self._url, data=body) as answer:
                text = await answer.text()
            assert "type='terminate'" not in text.replace('"', "'"), text
            if found := re.search(r"\bsid=['\"]([^'\"]+)", text):
                self._sid = found[1]
            if expected in text:
                return text
            inner, named = "", {}

    async def begin(self) -> None:
        head = {"to": "guest.localhost", "wait": "5", "hold": "1", "ver": "1.6"}
        await self.talk("", "mechanism", **head, **{"xmpp:version": "1.0"})
        await self.talk(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>",
            "success",
        )
        await self.talk("", "bind", to="guest.localhost", **{"xmpp:restart": "true"})
        await self.talk(
            "<iq xmlns='jabber:client' type='set' id='b'>"
            "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
            "<jid>",
        )

    async def ask(self, room: str) -> str:
        return await self.talk(
            "<iq xmlns='jabber:client' type='set' id='c1' to='focus.localhost'>"
            "<conference xmlns='http://jitsi.org/protocol/focus'"
            f" room='{room}@muc.localhost' machine-uid='{MACHINE}'/></iq>",
            "c1",
        )


async def test_a_token_on_bosh_makes_a_member(service: Service) -> None:
    good = hs({**CLAIMS, "room": "leaf", "exp": time.time() + 60, "nbf": 0})
    async with http_session() as http:
        mia = Bosh(http, service, f"?room=leaf&token={good}")
        await mia.begin()
        assert re.search(r"ready=['\"]true", await mia.ask("leaf"))
        assert "not-authorized" in await mia.ask("other")
        eve = Bosh(http, service, "?room=leaf2")
        await eve.begin()
        assert "not-authorized" in await eve.ask("leaf2")


def test_secrets_are_in_no_command_line_environment_or_log(service: Service) -> None:
    """What `ps` and /proc show of our processes, and what they wrote."""
    settings = service.settings
    secrets = [
        settings.members.session_key,
        settings.members.jwt.secret,
        settings.focus.component_secret,
        settings.bridge.password,
    ]
    assert all(len(secret) >= 32 for secret in secrets)
    pids = [service.process.pid, *service.children().values()]
    assert len(pids) == 5
    shown = service.log_text()
    for pid in pids:
        for name in ("cmdline", "environ"):
            shown += Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    for secret in secrets:
        assert secret not in shown
        assert secret not in repr(settings)
        assert secret not in json.dumps(service.page("focus", "/stats"))


def command(service: Service, *words: str, code: int = 0) -> str:
    """What `xmppconf` prints about this service."""
    head, *rest = words
    sub = [head, rest.pop(0)] if head == "room" else [head]
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "xmppconf", *sub, "--state", str(service.state), *rest],
        capture_output=True,
        cwd=Path(__file__).parent.parent.parent,
    )
    assert done.returncode == code, done.stderr
    return (done.stdout if code in (0, 1) else done.stderr).decode()


async def test_the_operator_sees_locks_and_ends_rooms(service: Service) -> None:
    good = hs({**CLAIMS, "room": "ops", "exp": time.time() + 60, "nbf": 0})
    async with http_session() as http, Socket(http, service.url, "") as mia:
        assert re.search(r"ready=['\"]true", await mia.ask("ops", token=good))
        await mia.join("ops", "mia")

        def run(*words: str, code: int = 0) -> Any:
            return asyncio.to_thread(command, service, *words, code=code)

        async def ops() -> Any:
            listed = json.loads(await run("room", "list", "--json"))
            return next((room for room in listed if room["room"] == "ops"), None)

        shown = await run("room", "list")
        assert re.search(r"^ops +1 people +0 bridges +open$", shown, re.M)
        assert (await ops())["access"] == "open"
        await run("room", "lock", "ops")
        assert (await ops())["access"] == "locked"
        shown = json.loads(await run("status", "--json"))
        assert shown["healthy"]
        assert shown["parts"] == {"focus": True, "bridge": True, "web": True}
        assert shown["participants"] == 1
        assert re.search(r"^participants +1 +largest 1$", await run("status"), re.M)
        await run("room", "end", "ops")
        assert "destroy" in await mia.until("destroy")
        assert await ops() is None
        assert "no such room" in await run("room", "end", "ops", code=2)
