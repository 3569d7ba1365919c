"""The `xmppconf` command.

Each part is imported only when it is asked for: `xmppconf config` must not load a packet
engine, and a bridge must not load the gateway.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xmppconf import __version__
from xmppconf.errors import SettingsError

if TYPE_CHECKING:
    from xmppconf.config import Settings

#: Exit code for a setting that cannot work: restarting would not help.
BAD_SETTINGS = 2

PARTS = {
    "focus": "xmppconf_focus.app",
    "bridge": "xmppconf_bridge.app",
    "web": "xmppconf_web.app",
}

#: The load generator knows its own options.
LOAD = "xmppconf_bridge.generator.app"

#: Options that stand for one setting each.
_SHORTCUTS = {
    "domain": "domain",
    "port": "web.port",
    "udp_port": "bridge.udp_port",
    "tls_certificate": "web.tls_certificate",
    "tls_key": "web.tls_key",
    "log_level": "log.level",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except SettingsError as exc:
        print(f"xmppconf: {exc}", file=sys.stderr)
        return BAD_SETTINGS
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace) -> int:
    command: str = options.command
    if command == "version":
        print(f"xmppconf {__version__}")
        return 0
    if command == "config" and options.reference:
        print(import_module("xmppconf.config_reference").reference(), end="")
        return 0
    if command == "load" and options.config is None and options.state is not None:
        options.config = options.state / "run.toml"
    settings = _settings(options)
    if command == "load":
        return int(import_module(LOAD).main(settings, options))
    if command == "config":
        print(
            import_module("xmppconf.config_file").to_toml(settings, secrets=False), end=""
        )
        return 0
    if command in PARTS:
        return _run_part(PARTS[command], settings)
    state = import_module("xmppconf.serve.state")
    folder: Path = options.state or state.default_folder()
    if command == "member":
        return int(import_module("xmppconf.member_cli").main(options, settings, folder))
    if command in ("status", "room"):
        return int(import_module("xmppconf.operate_cli").main(options, settings, folder))
    module = {"serve": "xmppconf.serve.app", "doctor": "xmppconf.serve.doctor"}[command]
    return int(import_module(module).main(settings, folder))


def _run_part(module: str, settings: Settings) -> int:
    part = import_module(module)
    import_module("xmppconf.log").setup(settings.log.level)
    try:
        return int(part.main(settings))
    except SettingsError:
        raise
    except Exception:
        # Python itself would print the error's text, which may quote a peer.
        logging.getLogger("xmppconf").critical("ended by a bug", exc_info=True)
        return 1


def _settings(options: argparse.Namespace) -> Settings:
    path: Path | None = options.config
    if path is None:
        usual = _usual_file()
        path = usual if usual.is_file() else None
    chosen = {
        name: value
        for option, name in _SHORTCUTS.items()
        if (value := getattr(options, option)) is not None
    }
    settings: Settings = import_module("xmppconf.config_file").load(path, chosen)
    return settings


def _usual_file() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME", "")
    home = Path(base) if base.startswith("/") else Path.home() / ".config"
    return home / "xmppconf" / "xmppconf.toml"


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    _add(common, "--config", "FILE", "settings (TOML); `xmppconf config` shows all", Path)
    _add(common, "--domain", "NAME", "the service's name (default: localhost)")
    _add(common, "--port", "N", "TCP port of pages (default: 8080)", int)
    _add(common, "--udp-port", "N", "UDP port of media (default: 10000)", int)
    _add(common, "--tls-certificate", "FILE", "PEM chain; without it plain HTTP")
    _add(common, "--tls-key", "FILE", "PEM key")
    _add(common, "--log-level", "LEVEL", "debug, info, warning or error")

    parser = argparse.ArgumentParser(
        prog="xmppconf", description="A complete conference service on XMPP."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in (
        ("serve", "run everything on this machine and print the URL"),
        ("focus", "run the focus against an existing XMPP server"),
        ("bridge", "run a media bridge against an existing XMPP server"),
        ("web", "run the web gateway"),
        ("doctor", "check this machine and the settings, with a fix for each fault"),
        ("config", "print the effective settings, without secrets"),
    ):
        command = commands.add_parser(name, help=text, description=text, parents=[common])
        if name in ("serve", "doctor"):
            _add(command, "--state", "DIR", "folder for what the service writes", Path)
        if name == "config":
            command.add_argument(
                "--reference", action="store_true", help="print the page on all settings"
            )
    _add_load(commands, common)
    text = "change or show the list of members (members.json in the state folder)"
    _add_member(commands.add_parser("member", help=text, description=text), common)
    _add_operation(commands, common)
    commands.add_parser("version", help="print the version")
    return parser


def _add_load(commands: Any, common: argparse.ArgumentParser) -> None:
    """Only a command line that begins with it loads its options, and the engine."""
    text = "load a running service with participants, and tell what they got"
    load = commands.add_parser("load", help=text, description=text, parents=[common])
    if "load" in sys.argv[1:2]:
        import_module(LOAD).add_arguments(load)


def _add_operation(commands: Any, common: argparse.ArgumentParser) -> None:
    text = "show how the running service is, and how many people are in it"
    status = commands.add_parser("status", help=text, description=text, parents=[common])
    _add(status, "--state", "DIR", "folder for what the service writes", Path)
    status.add_argument("--json", action="store_true", help="for scripts")
    status.add_argument("--watch", action="store_true", help="every two seconds, until ^C")
    text = "list, end or lock the rooms of the running service"
    room = commands.add_parser("room", help=text, description=text)
    actions = room.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text in (
        ("list", "show all rooms that are open"),
        ("end", "end a room for everybody in it"),
        ("lock", "let in nobody who has not been in the room"),
        ("unlock", "let in everybody again"),
    ):
        action = actions.add_parser(name, help=text, description=text, parents=[common])
        _add(action, "--state", "DIR", "folder for what the service writes", Path)
        if name == "list":
            action.add_argument("--json", action="store_true", help="for scripts")
        else:
            action.add_argument("room", metavar="ROOM", help="its name, as in the link")


def _add_member(member: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    actions = member.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text in (
        (
            "add",
            "add a member, or change one; the password is asked for, or read from stdin",
        ),
        ("remove", "remove a member; their sessions end within a minute"),
        ("list", "show all members"),
        ("import", "add or change the members of a CSV file"),
    ):
        action = actions.add_parser(name, help=text, description=text, parents=[common])
        _add(action, "--state", "DIR", "folder for what the service writes", Path)
        if name in ("add", "remove"):
            action.add_argument("user", metavar="USER")
        if name == "add":
            _add(action, "--name", "NAME", "the name shown to others")
            _add(action, "--expires", "DAY", "last day of membership, such as 2027-12-31")
            action.add_argument(
                "--generate", action="store_true", help="make up a password and print it"
            )
            action.add_argument(
                "--not-moderator",
                action="store_true",
                help="may open rooms but does not moderate them",
            )
        if name == "list":
            action.add_argument("--json", action="store_true", help="for scripts")
        if name == "import":
            action.add_argument(
                "csv",
                metavar="FILE",
                help="columns user, password and, if you like, name, moderator, expires",
            )


def _add(
    parser: argparse.ArgumentParser, name: str, metavar: str, text: str, kind: Any = str
) -> None:
    parser.add_argument(name, metavar=metavar, help=text, type=kind, default=None)
