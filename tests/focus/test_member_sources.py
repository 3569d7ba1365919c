"""Sources of members that need no server: the local list, SQLite, a hook, key files."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jwk
from xmppconf_focus.app import make_membership
from xmppconf_focus.io.members import admission
from xmppconf_focus.io.members.admission import Members
from xmppconf_focus.io.members.fetch import Fetcher, SourceUnavailable, is_public
from xmppconf_focus.io.members.hook import HookMembers
from xmppconf_focus.io.members.jwt import TokenMembers
from xmppconf_focus.io.members.listed import ListedMembers
from xmppconf_focus.io.members.passwords import Passwords
from xmppconf_focus.io.members.sql import SqlMembers
from xmppconf_focus.io.members.workers import MAX_WAITING, Workers
from xmppconf_focus.membership import Member, NotAuthorized, SessionInvalid
from xmppconf_focus.tokens import TokenRefused

from tests.focus.test_tokens import CLAIMS, SECRET, hs, signed
from tests.support.certificate import make_certificate
from xmppconf import clock
from xmppconf.config import (
    HookSettings,
    JwtSettings,
    MembersSettings,
    Settings,
    SqlSettings,
)
from xmppconf.errors import LimitExceeded, PeerError, SettingsError
from xmppconf.jid import Jid
from xmppconf.members_file import Entry, hash_password, write
from xmppconf.xmpp.conference_request import ConferenceRequest

MACHINE = "5f2c" * 8
ROOM = Jid("tea", "muc.localhost", "")
GUEST_JID = Jid("x1", "guest.localhost", "web")
HASH = hash_password("correct horse")


@pytest.fixture
def workers() -> Any:
    made = Workers(2, "test")
    yield made
    made.close()


def listed(path: Path, *entries: Entry) -> None:
    write(path, entries)


async def test_the_local_list_follows_its_file(tmp_path: Path, workers: Workers) -> None:
    path = tmp_path / "members.json"
    source = ListedMembers(path, workers)
    assert not source.is_there()
    assert await source.check("ann", "correct horse") is None
    listed(path, Entry("ann", HASH, "Ann"), Entry("old", HASH, expires=clock.wall() - 1))
    assert source.is_there()
    assert await source.check("ann", "correct horse") == Member("list", "ann", "Ann")
    assert await source.check("ann", "wrong") is None
    assert await source.check("bob", "correct horse") is None
    assert await source.check("old", "correct horse") is None
    assert [await source.knows(user) for user in ("ann", "old", "bob")] == [
        True,
        False,
        False,
    ]
    listed(path, Entry("bob", HASH))
    assert await source.knows("ann") is False
    assert await source.check("bob", "correct horse") is not None


async def test_a_list_that_others_can_read_is_not_used(
    tmp_path: Path, workers: Workers
) -> None:
    path = tmp_path / "members.json"
    listed(path, Entry("ann", HASH))
    path.chmod(0o640)
    with pytest.raises(SourceUnavailable):
        await ListedMembers(path, workers).check("ann", "correct horse")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "members.sqlite"
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("create table people (login, hash, name, chair, until, clear)")
        opened.executemany(
            "insert into people values (?, ?, ?, ?, ?, ?)",
            [
                ("ann", HASH, "Ann", 1, None, "correct horse"),
                ("bob", HASH, None, 0, clock.wall() + 60, "battery"),
                ("old", HASH, None, 1, clock.wall() - 60, "battery"),
                ("none", None, None, 1, None, None),
            ],
        )
        opened.commit()
    return path


QUERY = (
    "select hash as password, name, chair as moderator, until as expires "
    "from people where login = :user"
)


async def test_members_of_an_sqlite_database(database: Path, workers: Workers) -> None:
    source = SqlMembers(SqlSettings(url=f"sqlite:///{database}", query=QUERY), workers)
    assert await source.check("ann", "correct horse") == Member("sql", "ann", "Ann")
    bob = await source.check("bob", "correct horse")
    assert bob is not None
    assert not bob.moderator
    assert bob.expires is not None
    for user, password in (
        ("ann", "wrong"),
        ("old", "correct horse"),
        ("none", "correct horse"),
        ("' or 1=1 --", "correct horse"),
        ("eve", "correct horse"),
    ):
        assert await source.check(user, password) is None
    assert [await source.knows(user) for user in ("ann", "old", "eve")] == [
        True,
        False,
        False,
    ]


async def test_a_query_may_judge_the_password_itself(
    database: Path, workers: Workers
) -> None:
    query = "select name from people where login = :user and clear = :password"
    source = SqlMembers(SqlSettings(url=f"sqlite:///{database}", query=query), workers)
    assert await source.check("ann", "correct horse") == Member("sql", "ann", "Ann")
    assert await source.check("ann", "' or 1=1 --") is None
    assert await source.knows("ann") is None


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/nowhere/at/all", QUERY),
        ("", "select nonsense from :user"),
        ("", "delete from people where login = :user"),
    ],
)
async def test_a_database_that_cannot_be_asked_is_no_refusal(
    database: Path, workers: Workers, path: str, query: str
) -> None:
    url = f"sqlite://{path or database}"
    source = SqlMembers(SqlSettings(url=url, query=query), workers)
    with pytest.raises(SourceUnavailable):
        await source.check("ann", "correct horse")


class Program:
    """What an operator might write for the hook."""

    def __init__(self) -> None:
        self.people = {"ann": "correct horse"}
        self.asked: list[dict[str, Any]] = []
        self.answer: web.Response | None = None

    async def members(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == "Bearer hook-secret"
        question = await request.json()
        self.asked.append(question)
        if self.answer is not None:
            return self.answer
        known = self.people.get(question["user"])
        if known is None or question.get("password", known) != known:
            return web.Response(status=403)
        return web.json_response({"name": "Ann", "features": ["recording"]})


@pytest.fixture
async def hook() -> AsyncIterator[tuple[Program, HookMembers]]:
    program = Program()
    app = web.Application()
    app.router.add_post("/members", program.members)
    fetcher = Fetcher(["127.0.0.1"])
    async with TestServer(app) as server:
        url = str(server.make_url("/members"))
        yield program, HookMembers(HookSettings(url=url, secret="hook-secret"), fetcher)
    await fetcher.close()


async def test_members_known_to_a_program(hook: tuple[Program, HookMembers]) -> None:
    program, source = hook
    ann = await source.check("ann", "correct horse")
    assert ann == Member("hook", "ann", "Ann", features=frozenset({"recording"}))
    assert await source.check("ann", "wrong") is None
    assert await source.knows("ann") is True
    assert program.asked[-1] == {"user": "ann"}
    program.people.clear()
    assert await source.knows("ann") is False


@pytest.mark.parametrize(
    ("status", "text", "known"),
    [
        (500, "", None),
        (302, "", None),
        (200, "[]", "unreadable"),
        (200, '{"name": 1, "name": 2}', "unreadable"),
        (200, '{"expires": "soon"}', "unreadable"),
        (200, "x" * 300_000, "unreadable"),
    ],
)
async def test_a_broken_program_makes_nobody_a_member(
    hook: tuple[Program, HookMembers], status: int, text: str, known: object
) -> None:
    program, source = hook
    program.answer = web.Response(status=status, text=text, headers={"Location": "/"})
    with pytest.raises(SourceUnavailable):
        await source.check("ann", "correct horse")


# -- where requests may go ---------------------------------------------------------------
FORBIDDEN = [
    "http://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/",
    "https://2130706433:{port}/",
    "https://0x7f000001:{port}/",
    "https://0177.0.0.1:{port}/",
    "https://127.1:{port}/",
    "https://[::1]:{port}/",
    "https://[::ffff:127.0.0.1]:{port}/",
    "https://localhost:{port}/",
    "https://localhost.:{port}/",
    "https://0.0.0.0:{port}/",
    "https://10.0.0.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://224.0.0.1/",
    "https://[fc00::1]/",
    "https://[fe80::1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/",
    "ftp://127.0.0.1/",
    "https://user:secret@example.org/",
    "//127.0.0.1/",
    "https:///",
    "https://example.org:99999/",
]


async def test_no_request_goes_where_only_this_machine_can() -> None:
    reached = []

    async def note(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", note)
    fetcher = Fetcher([])
    async with TestServer(app) as server:
        for url in FORBIDDEN:
            with pytest.raises(SourceUnavailable):
                await fetcher.request("GET", url.format(port=server.port))
    await fetcher.close()
    assert reached == []


async def test_a_redirect_is_not_followed_and_an_endless_answer_is_cut() -> None:
    async def redirect(_: web.Request) -> web.Response:
        raise web.HTTPFound("/endless")

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with pytest.raises((ConnectionError, asyncio.CancelledError)):  # noqa: PT012
            while True:
                await response.write(b"x" * 65536)
        return response

    app = web.Application()
    app.router.add_get("/", redirect)
    app.router.add_get("/endless", endless)
    fetcher = Fetcher(["127.0.0.1"])
    async with TestServer(app) as server:
        status, _ = await fetcher.request("GET", str(server.make_url("/")))
        assert status == 302
        with pytest.raises(SourceUnavailable):
            await fetcher.request("GET", str(server.make_url("/endless")))
    await fetcher.close()


def test_which_addresses_are_public() -> None:
    for address in ("93.184.216.34", "2606:2800:220:1::1"):
        assert is_public(address)
    for address in ("", "x", "0.0.0.0", "255.255.255.255", "::", "fe80::1%eth0"):  # noqa: S104
        assert not is_public(address)


# -- tokens ------------------------------------------------------------------------------
async def test_tokens_checked_with_a_key_set_that_is_fetched_and_renewed() -> None:
    old, new = (jwk.RSAKey.generate_key(2048, {"kid": kid}) for kid in ("old", "new"))
    published = [old]
    asked = 0

    async def keys(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        listed = [key.as_dict(private=False) for key in published]
        return web.json_response({"keys": listed})

    app = web.Application()
    app.router.add_get("/keys", keys)
    fetcher = Fetcher(["127.0.0.1"])
    claims = {**CLAIMS, "exp": clock.wall() + 60, "nbf": 0}
    async with TestServer(app) as server:
        url = str(server.make_url("/keys"))
        members = TokenMembers(JwtSettings(jwks_url=url), fetcher)
        for _ in range(3):
            token = signed(old, "RS256", claims, kid="old")
            assert (await members.check(token, ROOM)).user == "u1"
        assert asked == 1
        for _ in range(5):
            # A stranger's key ids do not make us ask again and again.
            with pytest.raises(TokenRefused):
                await members.check(signed(new, "RS256", claims, kid="new"), ROOM)
        assert asked <= 2
        members = TokenMembers(JwtSettings(jwks_url=url), fetcher)
        published[:] = [new]
        assert (await members.check(signed(new, "RS256", claims, kid="new"), ROOM)).user
    await fetcher.close()


async def test_without_any_key_nobody_is_judged() -> None:
    fetcher = Fetcher(["127.0.0.1"])
    members = TokenMembers(JwtSettings(jwks_url="http://127.0.0.1:9/keys"), fetcher)
    with pytest.raises(SourceUnavailable):
        await members.check(hs(), ROOM)
    await fetcher.close()


async def test_tokens_checked_with_key_files(tmp_path: Path) -> None:
    fetcher = Fetcher([])
    key = jwk.ECKey.generate_key("P-256", {"kid": "e"})
    claims = {**CLAIMS, "exp": clock.wall() + 60, "nbf": 0}
    token = signed(key, "ES256", claims, kid="e")
    pem, keys = tmp_path / "key.pem", tmp_path / "keys.json"
    pem.write_bytes(key.as_pem(private=False))
    keys.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    for settings in (JwtSettings(key_file=str(pem)), JwtSettings(jwks_file=str(keys))):
        assert (await TokenMembers(settings, fetcher).check(token, ROOM)).user == "u1"
    keys.write_text('{"keys": []}')
    for bad in (
        JwtSettings(key_file=str(keys)),
        JwtSettings(key_file=str(tmp_path / "none")),
        JwtSettings(jwks_file=str(pem)),
        JwtSettings(jwks_file=str(keys)),
        JwtSettings(secret=SECRET, key_file=str(pem)),
    ):
        with pytest.raises(SettingsError, match=r"members\.jwt"):
            TokenMembers(bad, fetcher)


# -- all together ------------------------------------------------------------------------
class Fixed:
    """A source with one member; `broken` makes it unavailable."""

    name = "fixed"

    def __init__(self) -> None:
        self.there, self.broken = True, False

    def is_there(self) -> bool:
        return True

    async def check(self, user: str, password: str) -> Member | None:
        if self.broken:
            raise SourceUnavailable("fixed")
        good = self.there and (user, password) == ("ann", "correct horse")
        return Member("fixed", "ann") if good else None

    async def knows(self, user: str) -> bool | None:
        return self.there


async def test_every_refusal_is_the_same_and_a_name_has_few_tries() -> None:
    source = Fixed()
    passwords = Passwords([source], refusal=0)
    assert (await passwords.sign_in(" ANN ", "correct horse")).user == "ann"
    for user, password in (
        ("ann", "wrong"),
        ("nobody", "correct horse"),
        ("ann", ""),
        ("", "x"),
        ("ann", "x" * 2000),
        ("a\nb", "x"),
        ("ann", "\ud800"),
    ):
        with pytest.raises(NotAuthorized) as refused:
            await passwords.sign_in(user, password)
        assert str(refused.value) == "name or password"
    for _ in range(20):
        with pytest.raises((NotAuthorized, LimitExceeded)) as last:
            await passwords.sign_in("ann", "guess")
    assert isinstance(last.value, LimitExceeded)
    source.broken = True
    with pytest.raises(SourceUnavailable):
        await passwords.sign_in("eve", "x")


async def test_the_end_does_not_wait_for_a_slow_directory() -> None:
    asked, answered = threading.Event(), threading.Event()
    workers = Workers(1, "test")

    def slow() -> bool:
        asked.set()
        return answered.wait(5)

    question = asyncio.ensure_future(workers.run(slow))
    await asyncio.to_thread(asked.wait)
    workers.close()
    answered.set()
    assert await question


async def test_more_than_a_few_at_once_wait_and_more_than_many_are_refused(
    workers: Workers,
) -> None:
    begun = asyncio.gather(
        *(workers.run(lambda: hash_password("x" * 8)) for _ in range(4)),
    )
    waiting = [asyncio.ensure_future(workers.run(int)) for _ in range(MAX_WAITING - 4)]
    await asyncio.sleep(0)
    with pytest.raises(LimitExceeded):
        await workers.run(int)
    assert len(set(await begun)) == 4
    assert await asyncio.gather(*waiting) == [0] * (MAX_WAITING - 4)


@pytest.fixture
async def members(tmp_path: Path) -> AsyncIterator[Members]:
    settings = MembersSettings(
        open=False,
        file=str(tmp_path / "members.json"),
        jwt=JwtSettings(secret=SECRET, issuer="issuer"),
    )
    made = Members(settings, make_membership(Settings(members=settings)))
    yield made
    await made.close()


async def test_a_removed_member_is_out_at_the_next_look(
    members: Members, tmp_path: Path
) -> None:
    path = tmp_path / "members.json"
    listed(path, Entry("ann", HASH))
    signed_in = await members.sign_in("Ann", "correct horse", MACHINE)
    request = ConferenceRequest(ROOM, MACHINE, signed_in.session_id)
    assert (await members.admit(request, GUEST_JID)).identity.is_member
    listed(path, Entry("bob", HASH))
    members._checked.clear()  # as when half a minute has passed
    with pytest.raises(SessionInvalid):
        await members.admit(request, GUEST_JID)
    assert not members.membership.identity_of(GUEST_JID.bare).is_member


async def test_a_source_that_stumbles_does_not_end_the_look_at_members(
    members: Members, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(tmp_path / "members.json", Entry("ann", HASH))
    signed_in = await members.sign_in("ann", "correct horse", MACHINE)
    await members.admit(ConferenceRequest(ROOM, MACHINE, signed_in.session_id), GUEST_JID)
    answers: Iterator[bool | Exception] = iter([RuntimeError("a bug"), False])

    async def knows(_: str) -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(members.passwords.sources["list"], "knows", knows)
    monkeypatch.setattr(admission, "SWEEP", 0)
    monkeypatch.setattr(admission, "RECHECK", 0.0)
    changed = asyncio.get_running_loop().create_future()
    members.start(changed.set_result)
    assert await asyncio.wait_for(changed, 30) == GUEST_JID.bare


async def test_a_wrong_token_leaves_the_first_session_as_it_is(members: Members) -> None:
    good = hs({**CLAIMS, "exp": clock.wall() + 60, "nbf": 0})
    admission = await members.admit(ConferenceRequest(ROOM, MACHINE, token=good), GUEST_JID)
    assert admission.identity.user == "jwt:u1"
    other = Jid("x2", "guest.localhost", "web")
    for sender in (other, GUEST_JID):
        with pytest.raises(TokenRefused):
            await members.admit(ConferenceRequest(ROOM, MACHINE, token=good + "x"), sender)
    identity_of = members.membership.identity_of
    assert identity_of(GUEST_JID.bare, ROOM.bare) == admission.identity
    assert not identity_of(other.bare, ROOM.bare).is_member


async def test_a_token_for_one_room_makes_nobody_a_member_in_another(
    members: Members,
) -> None:
    good = hs({**CLAIMS, "exp": clock.wall() + 60, "nbf": 0})
    await members.admit(ConferenceRequest(ROOM, MACHINE, token=good), GUEST_JID)
    elsewhere = Jid("elsewhere", ROOM.domain, "")
    asked = ConferenceRequest(elsewhere, MACHINE)
    assert not (await members.admit(asked, GUEST_JID)).identity.is_member
    assert (await members.admit(ConferenceRequest(ROOM, MACHINE), GUEST_JID)).identity.user
    membership = members.membership
    assert not membership.identity_of(GUEST_JID.bare, elsewhere.bare).is_member
    assert membership.sealed(GUEST_JID.bare, elsewhere.bare) is None
    # Nor after a focus that was killed.
    sealed = membership.sealed(GUEST_JID.bare, ROOM.bare)
    assert sealed is not None
    after = Members(MembersSettings(), make_membership(Settings())).membership
    after._sealer = membership._sealer
    after.restore(GUEST_JID.bare, sealed)
    assert after.identity_of(GUEST_JID.bare, ROOM.bare).is_member
    assert not after.identity_of(GUEST_JID.bare, elsewhere.bare).is_member


async def test_a_bad_machine_uid_is_told_before_the_password_is_looked_at(
    members: Members,
) -> None:
    with pytest.raises(PeerError) as refused:
        await members.sign_in("ann", "correct horse", "short")
    assert refused.value.condition == "bad-request"


# -- certificates ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "days"),
    [("localhost", 60), ("localhost", -1), ("elsewhere.example", 60)],
    ids=["self-signed", "expired", "another name"],
)
async def test_a_server_without_a_good_certificate_is_not_asked(
    tmp_path: Path, name: str, days: float
) -> None:
    asked = []

    async def note(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    files = make_certificate(tmp_path, name, days)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(files["tls_certificate"], files["tls_key"])
    app = web.Application()
    app.router.add_get("/", note)
    fetcher = Fetcher(["localhost"])
    async with TestServer(app, scheme="https", host="localhost") as server:
        await server.start_server(ssl=tls)
        with pytest.raises(SourceUnavailable):
            await fetcher.request("GET", f"https://localhost:{server.port}/")
    await fetcher.close()
    assert asked == []
