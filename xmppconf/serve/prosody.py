"""The configuration of a private, unmodified Prosody (0.12 or later).

Everything listens on loopback; browsers reach it through the gateway only, and with
`xmpp.server_port` other servers reach it by s2s.  Nothing people say is stored: rooms and
guests live in memory, there is no archive, no history, no offline store.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xmppconf.config import Settings
from xmppconf.names import Names
from xmppconf.serve.state import write_private

STANZA_LIMIT = 256 * 1024  # bytes, what a client may send in one stanza
COMPONENT_STANZA_LIMIT = 2 * 1024 * 1024  # escaping makes a stanza up to six times longer
#: The one module of ours, which stock clients' lobby needs and nothing else.
MODULES = Path(__file__).parent / "prosody_modules"
SCRAM_ITERATIONS = 10_000  # Prosody's own default; our passwords are 192 random bits

Value = str | int | bool | Sequence["Value"] | Mapping[str, "Value"]
Options = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Files:
    """Where the private server keeps its things."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "prosody.cfg.lua"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def command(self) -> list[str]:
        """How to run it in the foreground."""
        return ["prosody", "--config", str(self.config), "-F"]


def write(settings: Settings, files: Files) -> None:
    """Write configuration and our parts' accounts; the folder is made if missing."""
    accounts = files.data / _encode(Names.of(settings).accounts) / "accounts"
    accounts.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Prosody looks for certificates beside its configuration and complains without.
    (files.folder / "certs").mkdir(mode=0o700, exist_ok=True)
    write_private(files.config, configuration(settings, files, as_root=os.geteuid() == 0))
    own = {settings.bridge.id: settings.bridge.password}
    if settings.focus.account:
        own[settings.focus.account.partition("@")[0]] = settings.focus.password
    for id, password in (settings.xmpp.more_bridges | own).items():
        write_private(
            accounts / f"{_encode(id)}.dat", account(password, salt=os.urandom(16).hex())
        )


def configuration(settings: Settings, files: Files, *, as_root: bool) -> str:
    """The text of `prosody.cfg.lua`."""
    names = Names.of(settings)
    ids = (settings.bridge.id, *settings.xmpp.more_bridges)
    bridges = [f"{id}@{names.accounts}" for id in dict.fromkeys(ids)]
    parts = [
        "-- Written by `xmppconf serve` at every start; changes are lost.",
        _options(_server(settings, files, bridges, as_root=as_root)),
        _host(f"VirtualHost {_lua(names.members)}", _members(names)),
        _host(
            f"VirtualHost {_lua(names.guests)}",
            {"authentication": "anonymous", "storage": "memory"},
        ),
        _host(
            f"VirtualHost {_lua(names.accounts)}",
            {
                "authentication": "internal_hashed",
                # A session that could be resumed hides for a minute that a part died.
                "modules_disabled": ["bosh", "websocket", "offline", "smacks"],
            },
        ),
        "-- Only the focus opens rooms, so it is there before anybody else is.",
        _host(f'Component {_lua(names.rooms)} "muc"', _rooms(settings, names)),
        "-- Focus and bridge own every room here, whoever is first; no one else gets in.",
        _host(f'Component {_lua(names.internal)} "muc"', _brewery(names, bridges)),
    ]
    if not settings.focus.account:
        secret: Options = {"component_secret": settings.focus.component_secret}
        parts.append(_host(f"Component {_lua(names.focus)}", secret))
    return "\n".join(parts)


def account(password: str, salt: str) -> str:
    """A stored account: SCRAM-SHA-1 keys (RFC 5802, 3) in Prosody's own data format."""
    salted = hashlib.pbkdf2_hmac("sha1", password.encode(), salt.encode(), SCRAM_ITERATIONS)
    client = hmac.digest(salted, b"Client Key", "sha1")
    keys: Options = {
        "iteration_count": SCRAM_ITERATIONS,
        "salt": salt,
        "server_key": hmac.digest(salted, b"Server Key", "sha1").hex(),
        "stored_key": hashlib.sha1(client, usedforsecurity=False).hexdigest(),
    }
    return f"return {_lua(keys)};\n"


def _server(
    settings: Settings, files: Files, bridges: list[str], *, as_root: bool
) -> Options:
    xmpp = settings.xmpp
    options: Options = {
        "data_path": str(files.data),
        "umask": "077",
        "log": [{"to": "console", "levels": {"min": "warn"}}],
        **({"plugin_paths": [str(MODULES)]} if settings.rooms.lobby_module else {}),
        "admins": [],
        "modules_enabled": [
            *("disco", "ping", "saslauth", "smacks", "limits", "bosh", "websocket"),
            *(("tls", "dialback") if xmpp.server_port else ()),
        ],
        "modules_disabled": [
            "offline",
            *(() if xmpp.server_port else ("s2s", "s2s_auth_certs")),
        ],
        "default_storage": "internal",
        "c2s_interfaces": [xmpp.host],
        "c2s_ports": [xmpp.client_port],
        "c2s_direct_tls_ports": [],
        "component_interfaces": [xmpp.host],
        "component_ports": [xmpp.component_port],
        "http_interfaces": [xmpp.host],
        "http_ports": [xmpp.http_port],
        "https_ports": [],
        "http_default_host": settings.domain,
        "http_paths": {"bosh": xmpp.bosh_path, "websocket": xmpp.websocket_path},
        "http_max_content_size": 2 * STANZA_LIMIT,
        # The browser's TLS ends at the gateway, and from there it is loopback.
        "consider_websocket_secure": True,
        "consider_bosh_secure": True,
        # Else small stanzas wait up to 40 ms for the acknowledgement of the last one.
        "network_settings": {"nagle": False, "opportunistic_writes": True},
        "c2s_require_encryption": False,
        "c2s_timeout": 30,
        "c2s_stanza_size_limit": STANZA_LIMIT,
        "s2s_stanza_size_limit": STANZA_LIMIT,
        "component_stanza_size_limit": COMPONENT_STANZA_LIMIT,
        "smacks_hibernation_time": 60,
        "smacks_max_queue_size": 500,
        "limits": {
            "c2s": {"rate": "256kb/s", "burst": "4s"},
            "s2sin": {"rate": "1mb/s", "burst": "4s"},
        },
        "unlimited_jids": [*bridges, *filter(None, [settings.focus.account])],
    }
    if as_root:
        options["run_as_root"] = True
    if xmpp.server_port:
        options |= {
            "s2s_interfaces": ["*", "::"],
            "s2s_ports": [xmpp.server_port],
            "s2s_require_encryption": True,
            "s2s_secure_auth": True,
            "ssl": {
                "certificate": settings.web.tls_certificate,
                "key": settings.web.tls_key,
            },
        }
    return options


def _members(names: Names) -> Options:
    return {
        "authentication": "internal_hashed",
        "allow_registration": False,
        "modules_enabled": ["roster", "blocklist", "carbons", "pep", "external_services"],
        "disco_items": [[names.rooms, "Conferences"]],
    }


def _rooms(settings: Settings, names: Names) -> Options:
    lobby: Options = {
        "modules_enabled": ["xmppconf_lobby"],
        "xmppconf_focus": names.lobbies or names.focus_jid,
    }
    return {
        **(lobby if settings.rooms.lobby_module else {}),
        **_muc("Conferences", [names.focus_jid]),
        "muc_room_cache_size": settings.focus.max_conferences + 100,
        "muc_room_default_members_only": False,
        "muc_room_default_change_subject": False,
    }


def _brewery(names: Names, bridges: list[str]) -> Options:
    return {
        **_muc("Bridges", [names.focus_jid, *bridges]),
        "muc_room_default_members_only": True,
    }


def _muc(name: str, owners: list[str]) -> Options:
    return {
        "name": name,
        "admins": owners,
        "storage": "memory",
        "restrict_room_creation": True,
        "muc_room_locking": False,
        "muc_tombstones": False,
        "muc_room_default_public": False,
        "muc_room_default_public_jids": True,
        "muc_room_default_persistent": False,
        "muc_room_allow_persistent": False,
        "muc_room_default_history_length": 0,
        "max_history_messages": 0,
    }


def _host(head: str, options: Options) -> str:
    return f"{head}\n{_options(options, indent='  ')}"


def _options(options: Options, indent: str = "") -> str:
    return "".join(f"{indent}{key} = {_lua(value)}\n" for key, value in options.items())


def _lua(value: Value) -> str:
    """One value as a Lua literal; texts are escaped byte by byte, nothing can end one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        safe = "".join(
            chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03d}"
            for byte in value.encode()
        )
        return f'"{safe}"'
    if isinstance(value, Mapping):
        inner = ", ".join(f'["{key}"] = {_lua(item)}' for key, item in value.items())
        return f"{{ {inner} }}"
    return "{ " + ", ".join(_lua(item) for item in value) + " }"


def _encode(name: str) -> str:
    """A name as Prosody writes it in its data folder."""
    return "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02x}"
        for byte in name.encode()
    )
