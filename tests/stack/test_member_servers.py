"""Sources of members that are servers of other people's making: slapd, PostgreSQL, OIDC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from xmppconf_focus.io.members.fetch import Fetcher, SourceUnavailable
from xmppconf_focus.io.members.ldap import LdapMembers
from xmppconf_focus.io.members.oidc import OidcLogin
from xmppconf_focus.io.members.sql import SqlMembers
from xmppconf_focus.io.members.workers import Workers
from xmppconf_focus.membership import Member
from xmppconf_focus.tokens import TokenRefused

from tests.support.oidc_provider import WITHOUT_SECRETS, Provider, running_provider
from tests.support.openldap import Directory, running_slapd
from tests.support.postgresql import running_postgresql
from xmppconf import clock
from xmppconf.config import LdapSettings, OidcSettings, SqlSettings
from xmppconf.members_file import hash_password

pytestmark = pytest.mark.stack

MACHINE = "5f2c" * 8


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(2, "test")
    yield made
    made.close()


# -- LDAP --------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    with running_slapd() as running:
        yield running


def ldap_settings(directory: Directory, **changed: Any) -> LdapSettings:
    settings = LdapSettings(
        url=directory.url,
        ca_file=directory.ca_file,
        base="ou=people,dc=example",
    )
    return replace(settings, **changed)


@pytest.mark.parametrize("way", ["start_tls", "ldaps", "in the clear", "template", "bound"])
async def test_a_directory_judges_its_passwords(
    directory: Directory, workers: Workers, way: str
) -> None:
    settings = {
        "start_tls": ldap_settings(directory),
        "ldaps": ldap_settings(directory, url=directory.tls_url),
        "in the clear": ldap_settings(directory, start_tls=False),
        "template": ldap_settings(
            directory, user_dn="uid={user},ou=people,dc=example", base=""
        ),
        "bound": ldap_settings(
            directory, bind_dn="cn=admin,dc=example", bind_password="admin-password"
        ),
    }[way]
    source = LdapMembers(settings, workers)
    assert await source.check("ann", "correct horse") == Member("ldap", "ann", "Ann Ägäis")
    odd = await source.check("odd, name", "battery staple")
    assert odd == Member("ldap", "odd, name", "Odd")
    for user, password in (
        ("ann", "wrong"),
        ("ann", ""),
        ("eve", "correct horse"),
        ("*", "correct horse"),
        ("a*", "correct horse"),
        ("ann)(uid=*", "correct horse"),
        ("ann,ou=people,dc=example", "correct horse"),
        ("ann\x00", "correct horse"),
    ):
        assert await source.check(user, password) is None, user
    still = None if way == "template" else True
    assert await source.knows("ann") is still
    if still:
        assert await source.knows("eve") is False


async def test_who_left_the_directory_is_not_known_any_more(
    directory: Directory, workers: Workers
) -> None:
    source = LdapMembers(ldap_settings(directory), workers)
    directory.run(
        "ldapadd",
        text="dn: uid=tmp,ou=people,dc=example\nobjectClass: inetOrgPerson\n"
        "uid: tmp\ncn: T\nsn: T\nuserPassword: battery staple\n",
    )
    assert await source.check("tmp", "battery staple") is not None
    assert await source.knows("tmp") is True
    directory.run("ldapdelete", "uid=tmp,ou=people,dc=example")
    assert await source.knows("tmp") is False


@pytest.mark.parametrize(
    "changed",
    [
        {"ca_file": ""},
        {"url": "ldap://127.0.0.1:9"},
        {"bind_dn": "cn=admin,dc=example", "bind_password": "wrong"},
    ],
    ids=["certificate", "nobody there", "wrong password of who searches"],
)
async def test_a_directory_that_cannot_be_trusted_is_no_refusal(
    directory: Directory, workers: Workers, changed: dict[str, str]
) -> None:
    source = LdapMembers(ldap_settings(directory, **changed), workers)
    with pytest.raises(SourceUnavailable):
        await source.check("ann", "correct horse")


async def test_a_certificate_for_another_name_is_refused(
    directory: Directory, workers: Workers
) -> None:
    other = directory.tls_url.replace("localhost", "127.0.0.1")
    source = LdapMembers(ldap_settings(directory, url=other), workers)
    with pytest.raises(SourceUnavailable):
        await source.check("ann", "correct horse")


# -- PostgreSQL --------------------------------------------------------------------------
async def test_members_of_a_postgresql_database(workers: Workers) -> None:
    import psycopg

    with running_postgresql() as url:
        with psycopg.connect(url) as database:
            database.execute("create table people (login text, hash text, until float)")
            for login, until in (("ann", None), ("old", clock.wall() - 1)):
                database.execute(
                    "insert into people values (%s, %s, %s)",
                    (login, hash_password("correct horse"), until),
                )
        query = (
            "select hash as password, initcap(login)::text as name, until as expires "
            "from people where login = :user and login not like '%x'"
        )
        source = SqlMembers(SqlSettings(url=url, query=query), workers)
        assert await source.check("ann", "correct horse") == Member("sql", "ann", "Ann")
        assert await source.check("ann", "wrong") is None
        assert await source.check("old", "correct horse") is None
        assert await source.check("' or true --", "correct horse") is None
        assert await source.knows("ann") is True
        assert await source.knows("eve") is False
        judged = "select 1 from people where login = :user and :password = 'let me in'"
        source = SqlMembers(SqlSettings(url=url, query=judged), workers)
        assert await source.check("ann", "let me in") == Member("sql", "ann")
        assert await source.check("ann", "x' or 'x'='x") is None
        writing = "delete from people where login = :user returning login"
        source = SqlMembers(SqlSettings(url=url, query=writing), workers)
        with pytest.raises(SourceUnavailable):
            await source.check("ann", "correct horse")
    with pytest.raises(SourceUnavailable):
        await source.check("ann", "correct horse")


# -- OpenID Connect ----------------------------------------------------------------------
BACK = "https://meet.example/login/callback"


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    made = Fetcher(["127.0.0.1"])
    yield made
    await made.close()


def oidc(provider: Provider, fetcher: Fetcher, **changed: Any) -> OidcLogin:
    settings = OidcSettings(
        issuer=provider.issuer,
        client_id="xmppconf",
        client_secret="client-secret",
        groups=("staff",),
        moderator_groups=("chairs",),
        scopes=("openid", "profile", "groups"),
    )
    return OidcLogin(replace(settings, **changed), fetcher)


async def test_a_login_at_a_provider(provider: Provider, fetcher: Fetcher) -> None:
    login = oidc(provider, fetcher)
    for user, name, moderator in (("ann", "Ann", True), ("bob", None, False)):
        url = await login.start(MACHINE, BACK, "tea")
        back = provider.log_in(url, user)
        member, room = await login.finish(back["code"], back["state"], MACHINE)
        assert (member, room) == (Member("oidc", user, name, moderator), "tea")
        # A code is good once, and so is the flow.
        with pytest.raises(TokenRefused):
            await login.finish(back["code"], back["state"], MACHINE)


async def test_a_client_without_a_secret(
    provider: Provider, fetcher: Fetcher, tmp_path: Path
) -> None:
    with running_provider(tmp_path / "log", WITHOUT_SECRETS) as public:
        login = oidc(public, fetcher, client_secret="")
        back = public.log_in(await login.start(MACHINE, BACK, "tea"), "ann")
        member, _ = await login.finish(back["code"], back["state"], MACHINE)
        assert member == Member("oidc", "ann", "Ann", True)
    login = oidc(provider, fetcher, client_secret="")
    back = provider.log_in(await login.start(MACHINE, BACK, "tea"), "ann")
    with pytest.raises(TokenRefused):
        await login.finish(back["code"], back["state"], MACHINE)


async def test_who_is_in_none_of_the_groups_is_no_member(
    provider: Provider, fetcher: Fetcher
) -> None:
    login = oidc(provider, fetcher)
    back = provider.log_in(await login.start(MACHINE, BACK, ""), "eve")
    with pytest.raises(TokenRefused):
        await login.finish(back["code"], back["state"], MACHINE)


async def test_a_flow_is_finished_by_the_browser_that_began_it(
    provider: Provider, fetcher: Fetcher
) -> None:
    login = oidc(provider, fetcher)
    back = provider.log_in(await login.start(MACHINE, BACK, ""), "ann")
    for code, state, machine in (
        (back["code"], back["state"], "a" * 32),
        (back["code"], "x" * 32, MACHINE),
        ("", back["state"], MACHINE),
        ("x" * 5000, back["state"], MACHINE),
    ):
        with pytest.raises(TokenRefused):
            await login.finish(code, state, machine)
    member, _ = await login.finish(back["code"], back["state"], MACHINE)
    assert member.user == "ann"


async def test_a_code_of_another_flow_fails_by_its_challenge(
    provider: Provider, fetcher: Fetcher
) -> None:
    """PKCE: a stolen code is worth nothing without the verifier of its own flow."""
    login = oidc(provider, fetcher)
    stolen = provider.log_in(await login.start(MACHINE, BACK, ""), "ann")
    other = provider.log_in(await login.start("b" * 32, BACK, ""), "bob")
    with pytest.raises(TokenRefused):
        await login.finish(stolen["code"], other["state"], "b" * 32)


@pytest.mark.parametrize(
    "changed", [{"client_id": "another"}, {"issuer": "http://127.0.0.1:9"}]
)
async def test_another_issuer_or_client_is_refused(
    provider: Provider, fetcher: Fetcher, changed: dict[str, str]
) -> None:
    login = oidc(provider, fetcher)
    back = provider.log_in(await login.start(MACHINE, BACK, ""), "ann")
    other = oidc(provider, fetcher, **changed)
    other._flows = login._flows
    with pytest.raises((TokenRefused, SourceUnavailable)):
        await other.finish(back["code"], back["state"], MACHINE)
