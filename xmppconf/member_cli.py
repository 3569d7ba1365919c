"""`xmppconf member`: the local list of members.

A running service reads the list again by itself, so nothing has to be restarted.
"""

from __future__ import annotations

import argparse
import fcntl
import getpass
import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from xmppconf.config import Settings
from xmppconf.errors import PeerError, SettingsError
from xmppconf.members_file import (
    MAX_FILE,
    Entry,
    check_password,
    from_csv,
    hash_password,
    normalise,
    parse_expiry,
    read,
    write,
)


def main(options: argparse.Namespace, settings: Settings, state: Path) -> int:
    """Carry out one action; returns the exit code, raises `SettingsError`."""
    path = Path(settings.members.file) if settings.members.file else state / "members.json"
    if options.action == "list":
        _show(list(read(path).values()), as_json=options.json)
        return 0
    with _locked(path):
        entries = read(path)
        if options.action == "import":
            added = _import(Path(options.csv))
            entries.update((entry.user, entry) for entry in added)
            print(f"{len(added)} members added or changed, {len(entries)} in all")
        else:
            user = _user(options.user)
            if options.action == "add":
                entries[user] = _make(user, options)
            elif entries.pop(user, None) is None:
                raise SettingsError(f"no member '{user}'")
        write(path, entries.values())
    return 0


def random_password() -> str:
    """128 random bits as text."""
    return secrets.token_urlsafe(16)


def _make(user: str, options: argparse.Namespace) -> Entry:
    try:
        expires = parse_expiry(options.expires or "")
    except ValueError:
        raise SettingsError("--expires: must be a day such as 2027-12-31") from None
    if options.generate:
        password = random_password()
        print(password)
    elif sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != password:
            raise SettingsError("the two passwords differ")
    else:
        password = sys.stdin.readline().rstrip("\n")
    check_password(password, user)
    return Entry(
        user, hash_password(password), options.name, not options.not_moderator, expires
    )


def _import(path: Path) -> list[Entry]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(MAX_FILE)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read ({type(error).__name__})") from None
    return [
        Entry(user, hash_password(password), name, moderator, expires)
        for user, password, name, moderator, expires in from_csv(text)
    ]


def _show(entries: list[Entry], *, as_json: bool) -> None:
    if as_json:
        shown = [
            {key: value for key, value in asdict(entry).items() if key != "password"}
            for entry in entries
        ]
        print(json.dumps(shown, indent=1, ensure_ascii=False))
        return
    for entry in entries:
        role = "moderator" if entry.moderator else "member"
        until = ""
        if entry.expires is not None:
            until = f"until {datetime.fromtimestamp(entry.expires, UTC):%Y-%m-%d %H:%M} UTC"
        print("\t".join((entry.user, entry.name or "", role, until)).rstrip())


def _user(text: str) -> str:
    try:
        return normalise(text)
    except PeerError:
        raise SettingsError("a user's name has 1 to 200 printable characters") from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two commands at once must not lose each other's change."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
