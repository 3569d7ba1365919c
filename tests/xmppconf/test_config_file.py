"""Settings files: what is read, what is refused and in which words."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xmppconf.config import Settings
from xmppconf.config_file import PUBLIC_SECRETS, load, parse, to_toml, values
from xmppconf.config_reference import reference
from xmppconf.errors import SettingsError
from xmppconf.names import Names, public_url

ROOT = Path(__file__).parents[2]


def test_no_line_is_required() -> None:
    assert parse({}) == Settings()
    assert load(None) == Settings()


def test_what_is_written_is_read_back() -> None:
    settings = parse(
        {
            "domain": "meet.example",
            "focus": {"component_secret": 'quo"te\\', "codecs": ["av1"]},
            "bridge": {"public_addresses": ["203.0.113.7", "2001:db8::1"]},
            "web": {"port": 443, "bridges": {"a-1": "http://127.0.0.1:1"}},
        }
    )
    assert parse(tomllib.loads(to_toml(settings, secrets=True))) == settings


def test_secrets_are_printed_only_on_request() -> None:
    settings = parse(
        {"focus": {"component_secret": "hush-1"}, "bridge": {"password": "hush-2"}}
    )
    assert "hush" not in to_toml(settings, secrets=False)
    assert "# password: set, not shown" in to_toml(settings, secrets=False)
    assert to_toml(settings, secrets=True).count("hush") == 2


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"domian": "x"}, "unknown setting 'domian'; did you mean 'domain'?"),
        ({"bridge": {"udp-port": 1}}, "unknown setting 'bridge.udp-port'; did you mean"),
        ({"zzz": 1}, "unknown setting 'zzz'"),
        ({"web": 1}, "web: must be a section"),
        ({"web": {"port": "8080"}}, "web.port: must be a whole number"),
        ({"web": {"port": True}}, "web.port: must be a whole number"),
        ({"web": {"port": 65536}}, "web.port: must be between 0 and 65535"),
        ({"bridge": {"udp_port": -1}}, "bridge.udp_port: must be between 0 and 65535"),
        ({"xmpp": {"private": 1}}, "xmpp.private: must be true or false"),
        ({"focus": {"codecs": "vp8"}}, "focus.codecs: must be a list"),
        ({"focus": {"codecs": ["vp8", 1]}}, "focus.codecs[1]: must be a text"),
        ({"focus": {"codecs": ["vp8", "vp7"]}}, "focus.codecs: 'vp7' is not one of vp8,"),
        (
            {"bridge": {"public_addresses": ["meet.example"]}},
            "bridge.public_addresses: 'meet.example' is not an IP address",
        ),
        ({"focus": {"initial_timeout": "1"}}, "focus.initial_timeout: must be a number"),
        ({"focus": {"initial_timeout": 0}}, "focus.initial_timeout: must be more than 0"),
        ({"focus": {"max_participants": 0}}, "focus.max_participants: must be at least 1"),
        ({"web": {"bridges": {"b": 1}}}, "web.bridges.b: must be a text"),
        ({"domain": "Meet Example"}, "domain: must be a host name in lower case"),
        ({"domain": ""}, "domain: must be a host name in lower case"),
        ({"domain": 'a"; os.execute("x'}, "domain: must be a host name in lower case"),
        ({"xmpp": {"rooms_domain": "a b"}}, "xmpp.rooms_domain: must be a host name"),
        ({"xmpp": {"host": "a\nb"}}, "xmpp.host: contains control characters"),
        ({"bridge": {"id": "../x"}}, "bridge.id: must be lower-case letters"),
        ({"focus": {"phone_brewery": "a b"}}, "focus.phone_brewery: must be lower-case"),
        ({"focus": {"recorder_brewery": "jvbbrewery"}}, "focus.brewery, recorder_brewery"),
        ({"log": {"level": "loud"}}, "log.level: must be one of debug, info"),
        ({"web": {"tls_key": "k.pem"}}, "web.tls_certificate: needed"),
    ],
)
def test_a_refusal_names_the_setting_in_full(
    table: dict[str, object], sentence: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(table)
    assert str(caught.value).startswith(sentence)


def test_a_whole_number_is_a_number() -> None:
    assert parse({"focus": {"initial_timeout": 3}}).focus.initial_timeout == 3.0


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("domain = [")
    huge = tmp_path / "huge.toml"
    huge.write_bytes(b"#" * 300_000)
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'domain = "\xe9"')
    for path in (tmp_path / "none.toml", tmp_path, broken, huge, latin):
        with pytest.raises(SettingsError, match=str(path)):
            load(path)


def test_options_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("[web]\nport = 1\nhost = '127.0.0.1'\n")
    settings = load(file, {"web.port": 2, "domain": "a.example"})
    assert (settings.web.port, settings.web.host, settings.domain) == (
        2,
        "127.0.0.1",
        "a.example",
    )


def test_options_cannot_hide_a_broken_section(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("web = 1\n")
    with pytest.raises(SettingsError, match="web: must be a section"):
        load(file, {"web.port": 2})


def test_addresses_follow_the_domain_unless_given() -> None:
    settings = parse({"domain": "a.example", "xmpp": {"rooms_domain": "rooms.example"}})
    names = Names.of(settings)
    assert (names.members, names.guests, names.rooms) == (
        "a.example",
        "guest.a.example",
        "rooms.example",
    )
    assert names.focus_jid == "focus@focus.a.example"


@pytest.mark.parametrize(
    ("web", "url"),
    [
        ({}, "http://a.example:8080"),
        ({"port": 80}, "http://a.example"),
        ({"port": 443, "tls_certificate": "c", "tls_key": "k"}, "https://a.example"),
        ({"port": 8443, "tls_certificate": "c", "tls_key": "k"}, "https://a.example:8443"),
        ({"public_url": "https://b.example/"}, "https://b.example"),
    ],
)
def test_the_url_that_people_open(web: dict[str, object], url: str) -> None:
    assert public_url(parse({"domain": "a.example", "web": web})) == url


def test_the_reference_is_up_to_date_and_complete() -> None:
    page = (ROOT / "docs/reference/settings.md").read_text()
    assert page == reference(), (
        "run: xmppconf config --reference > docs/reference/settings.md"
    )
    for name, _ in values(replace(Settings())):
        assert f"| `{name.rpartition('.')[2]}` |" in page


def secret_values(table: Any) -> Iterator[tuple[dataclasses.Field[Any], str]]:
    for field in dataclasses.fields(table):
        value = getattr(table, field.name)
        if dataclasses.is_dataclass(value):
            yield from secret_values(value)
        elif field.metadata.get("secret"):
            yield field, value


def test_no_secret_is_in_the_repr_of_the_settings() -> None:
    """A traceback or a log line may show settings whole."""
    found = [field for field, _ in secret_values(Settings())]
    assert len(found) >= 8
    assert not any(field.repr for field in found)


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"domains": ["Not A Host"]}, "members.domains: 'Not A Host'"),
        ({"domains": ["*"]}, r"members.domains: '\*'"),
        ({"session_key": "short"}, "members.session_key: shorter than 32"),
        ({"session_lifetime": 1}, "members.session_lifetime"),
        ({"jwt": {"secret": "short"}}, "members.jwt.secret: shorter than 32"),
        (
            {"jwt": {"secret": "-----BEGIN PUBLIC KEY-----" + "x" * 40}},
            "members.jwt.secret: is a key",
        ),
        ({"jwt": {"algorithms": ["none"]}}, "members.jwt.algorithms: 'none'"),
        ({"oidc": {"issuer": "https://x"}}, "members.oidc.client_id"),
        ({"ldap": {"url": "http://x"}}, "members.ldap.url"),
        ({"ldap": {"url": "ldap://x"}}, "members.ldap: needs user_dn"),
        ({"ldap": {"url": "ldap://x", "user_dn": "uid=a"}}, "members.ldap.user_dn"),
        ({"sql": {"url": "sqlite:///x", "query": "select 1"}}, "members.sql.query"),
    ],
)
def test_sources_of_members_that_cannot_work_are_named(
    members: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint):
        parse({"members": members})


def test_a_file_with_secrets_is_not_for_others_to_read(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text('[bridge]\npassword = "a very private one"\n')
    for mode, refused in ((0o604, True), (0o644, True), (0o640, False), (0o600, False)):
        file.chmod(mode)
        if refused:
            with pytest.raises(SettingsError, match=r"bridge\.password.*chmod 640"):
                load(file)
        else:
            assert load(file).bridge.password == "a very private one"
    file.write_text("[web]\nport = 1\n")
    file.chmod(0o644)
    assert load(file).web.port == 1


@pytest.mark.parametrize("secret", ["COMPONENT-SECRET", "changeme", "from-the-provider"])
def test_a_secret_that_everybody_knows_is_refused(tmp_path: Path, secret: str) -> None:
    file = tmp_path / "x.toml"
    file.touch(mode=0o600)
    file.write_text(f'[focus]\ncomponent_secret = "{secret}"\n')
    with pytest.raises(SettingsError, match=r"focus\.component_secret: everybody knows"):
        load(file)


def test_a_table_of_secrets_is_looked_into(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.touch(mode=0o600)
    file.write_text('[xmpp]\nmore_bridges = { bridge-2 = "changeme" }\n')
    with pytest.raises(SettingsError, match=r"xmpp\.more_bridges: everybody knows"):
        load(file)
    file.write_text('[xmpp]\nmore_bridges = { bridge-2 = "another secret" }\n')
    assert "another" not in repr(load(file))


def test_no_secret_of_the_documents_works() -> None:
    found = 0
    for page in sorted((ROOT / "docs" / "operating").glob("*.md")):
        for text in re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.S | re.M):
            settings = parse(tomllib.loads(text))
            for field, value in secret_values(settings):
                if value and field.name != "url":
                    table = value.values() if isinstance(value, dict) else [value]
                    assert PUBLIC_SECRETS.issuperset(table), (page, value)
                    found += 1
    assert found >= 5
