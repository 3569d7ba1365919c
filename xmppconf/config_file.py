"""Reads and writes the one settings file (TOML).

An unknown key, a wrong type or an impossible value is a `SettingsError` that names the
setting in full: an operator must never have to guess which line is meant.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import json
import os
import re
import stat
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xmppconf.config import LdapSettings, MembersSettings, Settings, TurnSettings
from xmppconf.errors import SettingsError
from xmppconf.host_port import split_address
from xmppconf.names import Names
from xmppconf.turn import MAX_LIFETIME, server_from_url

MAX_FILE = 256 * 1024  # bytes

VIDEO_CODECS = ("vp8", "vp9", "av1", "h264")
LOG_LEVELS = ("debug", "info", "warning", "error")
JWT_ALGORITHMS = (
    *("HS256", "HS384", "HS512", "RS256", "RS384", "RS512"),
    *("PS256", "PS384", "PS512", "ES256", "ES384", "ES512"),
)
#: What documents and other people's examples say, and people leave as it is.
PUBLIC_SECRETS = frozenset(
    {
        *("COMPONENT-SECRET", "BRIDGE-PASSWORD", "FOCUS-PASSWORD", "password"),
        *("changeme", "change-me"),
        *("secret", "jitsi", "topsecret", "passw0rd", "from-the-provider"),
        "from-the-turn-server",
        *(
            "from-the-directory",
            "what-it-knows-us-by",
            "make-up-one-with-openssl-rand-base64-32",
        ),
    }
)
MIN_SECRET = 32  # characters; 128 bits in hexadecimal

_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_NODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
}


def load(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Settings from a file (None: defaults); `overrides` maps full names to values."""
    table: dict[str, Any] = {}
    if path is not None:
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read(MAX_FILE + 1)
        except OSError as exc:
            raise SettingsError(f"{path}: {exc.strerror}") from None
        if len(text) > MAX_FILE:
            raise SettingsError(f"{path}: larger than {MAX_FILE} bytes")
        try:
            table = tomllib.loads(text.decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise SettingsError(f"{path}: {exc}") from None
    for name, value in (overrides or {}).items():
        section, _, key = name.rpartition(".")
        inner = table.setdefault(section, {}) if section else table
        if not isinstance(inner, dict):
            raise SettingsError(f"{section}: must be a section")
        inner[key] = value
    settings = parse(table)
    if path is not None:
        _check_secrets(path, settings, readable=bool(mode & stat.S_IROTH))
    return settings


def _check_secrets(path: Path, settings: Settings, *, readable: bool) -> None:
    for name, value, secret in _walk(settings, ""):
        if not secret or not value:
            continue
        if readable:
            raise SettingsError(
                f"{path}: holds {name}, and others may read it; run: chmod 640 {path}"
            )
        secrets = value.values() if isinstance(value, dict) else (value,)
        if not PUBLIC_SECRETS.isdisjoint(secrets):
            raise SettingsError(f"{name}: everybody knows this one; make up another")


def parse(table: Mapping[str, Any]) -> Settings:
    """Settings from a table as TOML gives it."""
    settings: Settings = _build(Settings, table, "")
    check(settings)
    return settings


def check(settings: Settings) -> None:
    """Refuse values that have the right type and cannot work."""
    for name, value in values(settings):
        last = name.rpartition(".")[2]
        if (last == "port" or last.endswith("_port")) and not 0 <= value <= 65535:
            raise SettingsError(f"{name}: must be between 0 and 65535")
        if (
            (name == "domain" or last.endswith("_domain"))
            and (value or name == "domain")
            and not _HOST_NAME.fullmatch(value)
        ):
            raise SettingsError(f"{name}: must be a host name in lower case")
        if last.endswith("_timeout") and value <= 0:
            raise SettingsError(f"{name}: must be more than 0 seconds")
        if last.endswith("last_n") and value < -1:
            raise SettingsError(f"{name}: must be a number of sources, or -1 for no limit")
        if last.startswith("max_") and value < 1:
            raise SettingsError(f"{name}: must be at least 1")
    for name, value in (
        ("bridge.id", settings.bridge.id),
        ("bridge.brewery", settings.bridge.brewery),
        ("focus.brewery", settings.focus.brewery),
        *(
            (f"focus.{name}", value)
            for name in ("recorder_brewery", "phone_brewery")
            if (value := getattr(settings.focus, name))
        ),
    ):
        if not _NODE.fullmatch(value):
            raise SettingsError(
                f"{name}: must be lower-case letters, digits, '.', '_' or '-'"
            )
    focus = settings.focus
    breweries = [focus.brewery, focus.recorder_brewery, focus.phone_brewery]
    named = [room for room in breweries if room]
    if len(set(named)) < len(named):
        raise SettingsError(
            "focus.brewery, recorder_brewery, phone_brewery: each needs a room of its own"
        )
    for name, addresses in (
        ("bridge.udp_addresses", settings.bridge.udp_addresses),
        ("bridge.public_addresses", settings.bridge.public_addresses),
    ):
        for address in addresses:
            if not _is_address(address):
                raise SettingsError(f"{name}: '{address}' is not an IP address")
    for size, limit in settings.bridge.last_n_by_size.items():
        if not re.fullmatch("[0-9]{1,6}", size) or limit < -1:
            raise SettingsError(
                f"bridge.last_n_by_size.{size}: must be a number of sources to a limit"
            )
    for name, rate in (
        ("bridge.assumed_bandwidth_limit", settings.bridge.assumed_bandwidth_limit),
        ("bridge.oversend", settings.bridge.oversend),
    ):
        if rate < 0:
            raise SettingsError(f"{name}: must be at least 0 bits per second")
    for codec in settings.focus.codecs:
        if codec not in VIDEO_CODECS:
            known = ", ".join(VIDEO_CODECS)
            raise SettingsError(f"focus.codecs: '{codec}' is not one of {known}")
    _check_focus_account(settings)
    if settings.focus.admin_token and len(settings.focus.admin_token) < MIN_SECRET:
        raise SettingsError(f"focus.admin_token: shorter than {MIN_SECRET} characters")
    _check_turn(settings.turn)
    _check_members(settings.members)
    if settings.log.level not in LOG_LEVELS:
        raise SettingsError(f"log.level: must be one of {', '.join(LOG_LEVELS)}")
    if bool(settings.web.tls_certificate) != bool(settings.web.tls_key):
        missing = "tls_key" if settings.web.tls_certificate else "tls_certificate"
        raise SettingsError(f"web.{missing}: needed, because the other of the pair is set")


def _check_focus_account(settings: Settings) -> None:
    account, proxy = settings.focus.account, settings.focus.client_proxy
    if account:
        user, _, host = account.partition("@")
        if not _NODE.fullmatch(user) or not _HOST_NAME.fullmatch(host):
            raise SettingsError("focus.account: must be user@host in lower case")
        accounts = Names.of(settings).accounts
        if settings.xmpp.private and host != accounts:
            raise SettingsError(f"focus.account: the private server has it at {accounts}")
    if proxy and not account:
        raise SettingsError("focus.client_proxy: needs focus.account")
    if proxy and not _HOST_NAME.fullmatch(proxy):
        raise SettingsError("focus.client_proxy: must be a host name in lower case")


def _check_turn(turn: TurnSettings) -> None:
    for name, texts, read in (
        ("servers", turn.servers, server_from_url),
        ("relay_url", (turn.relay_url,) if turn.relay_url else (), server_from_url),
        ("bridges", turn.bridges, split_address),
    ):
        for text in texts:
            try:
                read(text)
            except ValueError as exc:
                raise SettingsError(f"turn.{name}: {exc}") from None
    relays = any(server_from_url(url).relays for url in turn.servers)
    if relays and not turn.servers_secret:
        raise SettingsError("turn.servers_secret: needed for a TURN server")
    if turn.secret and len(turn.secret) < MIN_SECRET:
        raise SettingsError(f"turn.secret: shorter than {MIN_SECRET} characters")
    if not 60 <= turn.lifetime <= MAX_LIFETIME:
        raise SettingsError(f"turn.lifetime: must be 60 to {MAX_LIFETIME:.0f} seconds")


def _check_members(members: MembersSettings) -> None:
    for name, domains in (
        ("domains", members.domains),
        ("guest_domains", members.guest_domains),
        ("denied_domains", members.denied_domains),
    ):
        for domain in domains:
            if not _HOST_NAME.fullmatch(domain) and (name, domain) != (
                "guest_domains",
                "*",
            ):
                raise SettingsError(f"members.{name}: '{domain}' is not a host name")
    for name, secret in (
        ("session_key", members.session_key),
        ("jwt.secret", members.jwt.secret),
    ):
        if secret and len(secret) < MIN_SECRET:
            raise SettingsError(f"members.{name}: shorter than {MIN_SECRET} characters")
    if "-----BEGIN" in members.jwt.secret:
        # Whoever knows the public key could then sign tokens with it.
        raise SettingsError("members.jwt.secret: is a key; name its file in jwt.key_file")
    if members.session_lifetime < 60:
        raise SettingsError("members.session_lifetime: must be at least 60 seconds")
    if members.jwt.login_url and not re.match(r"https?://", members.jwt.login_url):
        raise SettingsError("members.jwt.login_url: must begin with https:// or http://")
    for algorithm in members.jwt.algorithms:
        if algorithm not in JWT_ALGORITHMS:
            known = ", ".join(JWT_ALGORITHMS)
            raise SettingsError(
                f"members.jwt.algorithms: '{algorithm}' is not one of {known}"
            )
    if members.oidc.issuer and not members.oidc.client_id:
        raise SettingsError("members.oidc.client_id: needed with an issuer")
    if members.ldap.url:
        _check_ldap(members.ldap)
    if members.sql.url and not re.search(r"(?<!:):user\b", members.sql.query):
        raise SettingsError("members.sql.query: has no ':user'")


def _check_ldap(ldap: LdapSettings) -> None:
    if not ldap.url.startswith(("ldap://", "ldaps://", "ldapi://")):
        raise SettingsError("members.ldap.url: must begin with ldap, ldaps or ldapi")
    if not ldap.user_dn and not ldap.base:
        raise SettingsError("members.ldap: needs user_dn, or a base to search in")
    pattern = "user_dn" if ldap.user_dn else "filter"
    if "{user}" not in getattr(ldap, pattern):
        raise SettingsError(f"members.ldap.{pattern}: has no '{{user}}'")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def values(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Every setting with its full name, top level first, then section by section."""
    for name, value, _ in _walk(settings, ""):
        yield name, value


def to_toml(settings: Settings, *, secrets: bool) -> str:
    """The effective settings as a file `load` reads; secrets only on request."""
    lines: list[str] = []
    section = ""
    for name, value, secret in _walk(settings, ""):
        prefix, _, key = name.rpartition(".")
        if prefix != section:
            section = prefix
            lines += ["", f"[{section}]"]
        if secret and not secrets:
            lines.append(f"# {key}: {'set' if value else 'not set'}, not shown")
        else:
            lines.append(f"{key} = {toml_value(value)}")
    return "\n".join(lines) + "\n"


def _walk(table: Any, prefix: str) -> Iterator[tuple[str, Any, bool]]:
    sections = []
    for field in dataclasses.fields(table):
        value = getattr(table, field.name)
        if dataclasses.is_dataclass(value):
            sections.append((field.name, value))
        else:
            yield prefix + field.name, value, bool(field.metadata.get("secret"))
    for name, value in sections:
        yield from _walk(value, f"{prefix}{name}.")


def _build(cls: Any, table: Mapping[str, Any], prefix: str) -> Any:
    hints = typing.get_type_hints(cls)
    arguments: dict[str, Any] = {}
    for key, value in table.items():
        name = prefix + key
        if key not in hints:
            near = difflib.get_close_matches(key, hints, n=1)
            advice = f"; did you mean '{prefix}{near[0]}'?" if near else ""
            raise SettingsError(f"unknown setting '{name}'{advice}")
        if dataclasses.is_dataclass(hints[key]):
            if not isinstance(value, dict):
                raise SettingsError(f"{name}: must be a section")
            arguments[key] = _build(hints[key], value, f"{name}.")
        else:
            arguments[key] = _convert(hints[key], value, name)
    return cls(**arguments)


def _convert(kind: Any, value: Any, name: str) -> Any:
    origin = typing.get_origin(kind)
    if origin is tuple:
        if not isinstance(value, list):
            raise SettingsError(f"{name}: must be a list")
        inner = typing.get_args(kind)[0]
        return tuple(_convert(inner, item, f"{name}[{i}]") for i, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise SettingsError(f"{name}: must be a section")
        inner = typing.get_args(kind)[1]
        return {key: _convert(inner, item, f"{name}.{key}") for key, item in value.items()}
    if kind is float and type(value) is int:
        value = float(value)
    # bool is an int to isinstance; a port of `true` is a slip, not a number.
    if isinstance(kind, types.UnionType) or type(value) is not kind:
        raise SettingsError(f"{name}: must be {_KINDS[kind]}")
    if kind is str and not value.isprintable():
        raise SettingsError(f"{name}: contains control characters")
    return value


def toml_value(value: Any) -> str:
    """One value in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value)  # a JSON string is a TOML basic string
    if isinstance(value, tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, dict):
        pairs = ", ".join(
            f"{json.dumps(key)} = {toml_value(item)}" for key, item in value.items()
        )
        return "{ " + pairs + " }" if pairs else "{}"
    return repr(value)
