"""The local list of members: a JSON file, written by `xmppconf member`, read by the focus.

Passwords are kept as Argon2id hashes (RFC 9106) in the PHC form, so that the parameters can
grow without anybody choosing a new password.
"""

from __future__ import annotations

import csv
import io
import json
import secrets
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from xmppconf.errors import PeerError, SettingsError
from xmppconf.serve.state import write_private

MAX_FILE = 64 * 1024 * 1024  # bytes
MAX_USER = 200  # characters
MAX_PASSWORD = 1024  # bytes; hashing more would only cost time
MIN_PASSWORD = 8  # characters
COMPACT_DAY = 8  # digits
MAX_EXPIRY = 253_402_300_799.0  # seconds since 1970: the end of the calendar's year 9999

#: OWASP's choice for a server where several hash at once: 19 MiB, two passes, one lane.
_MEMORY, _PASSES, _LANES = 19 * 1024, 2, 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One member; `expires` is in seconds since 1970."""

    user: str
    password: str
    """PHC string."""
    name: str | None = None
    moderator: bool = True
    expires: float | None = None


def normalise(user: str) -> str:
    """A user's name as it is compared; raises `PeerError` if it cannot be one."""
    name = unicodedata.normalize("NFKC", user).strip().lower()
    if not 0 < len(name) <= MAX_USER or not name.isprintable():
        raise PeerError("user's name")
    return name


def hash_password(password: str) -> str:
    """About 30 ms and 19 MiB."""
    kdf = Argon2id(
        salt=secrets.token_bytes(16),
        length=32,
        iterations=_PASSES,
        lanes=_LANES,
        memory_cost=_MEMORY,
    )
    return kdf.derive_phc_encoded(password.encode())


def is_password(password: str, phc: str) -> bool:
    """Whether this is the password behind the hash."""
    try:
        Argon2id.verify_phc_encoded(password.encode(errors="surrogatepass"), phc)
    except (InvalidKey, ValueError):
        return False
    return True


#: What a password is compared with if there is no such member: it costs the same.
NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43


def read(path: Path) -> dict[str, Entry]:
    """The list by user; empty if there is no file.  Raises `SettingsError`."""
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SettingsError(f"{path}: others may read it; run: chmod 600 {path}")
        with path.open("rb") as file:
            text = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    try:
        if len(text) > MAX_FILE:
            raise ValueError("too large")
        return {entry.user: entry for entry in map(_entry, json.loads(text)["members"])}
    except (ValueError, TypeError, KeyError, PeerError):
        raise SettingsError(f"{path}: is no list of members") from None


def _entry(fields: dict[str, Any]) -> Entry:
    entry = Entry(**fields)
    if (
        normalise(entry.user) != entry.user
        or not isinstance(entry.password, str)
        or not isinstance(entry.name, str | None)
        or not isinstance(entry.moderator, bool)
        or not isinstance(entry.expires, int | float | None)
    ):
        raise ValueError("a member's fields")
    return entry


def write(path: Path, entries: Iterable[Entry]) -> None:
    """Replace the list in one step; nobody else can read it."""
    listed = [asdict(entry) for entry in sorted(entries, key=lambda entry: entry.user)]
    text = json.dumps({"members": listed}, indent=1, ensure_ascii=False)
    try:
        write_private(path, text + "\n")
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None


def parse_expiry(text: str) -> float | None:
    """A day (it is the last one) or seconds since 1970; raises `ValueError`.

    20271231 is a day too: as seconds it would have been over in 1970.
    """
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) != COMPACT_DAY:
        return min(float(text), MAX_EXPIRY)
    day = date.fromisoformat(text)
    end = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + 86400
    return min(end, MAX_EXPIRY)


def from_csv(text: str) -> Iterator[tuple[str, str, str | None, bool, float | None]]:
    """User, password, name, moderator and expiry of each row; raises `SettingsError`.

    The first row names the columns; `user` and `password` must be there.
    """
    rows = csv.DictReader(io.StringIO(text))
    try:
        yield from _members(rows)
    except csv.Error as error:
        raise SettingsError(f"row {rows.line_num}: {error}") from None


def _members(
    rows: csv.DictReader[str],
) -> Iterator[tuple[str, str, str | None, bool, float | None]]:
    if not {"user", "password"} <= set(rows.fieldnames or ()):
        raise SettingsError("the first row must name the columns user and password")
    for row in rows:
        where = f"row {rows.line_num}"
        try:
            user = normalise(row["user"] or "")
            expires = parse_expiry((row.get("expires") or "").strip())
        except (PeerError, ValueError):
            raise SettingsError(f"{where}: user or expires cannot be read") from None
        password = row["password"] or ""
        check_password(password, where)
        moderator = (row.get("moderator") or "true").strip().lower() in ("true", "yes", "1")
        yield user, password, row.get("name") or None, moderator, expires


def check_password(password: str, where: str) -> None:
    """Raises `SettingsError` for a password that cannot be used."""
    if len(password) < MIN_PASSWORD:
        raise SettingsError(
            f"{where}: the password has less than {MIN_PASSWORD} characters"
        )
    if len(password.encode()) > MAX_PASSWORD:
        raise SettingsError(f"{where}: the password has more than {MAX_PASSWORD} bytes")
