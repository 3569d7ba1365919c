"""Members in a database: SQLite, or PostgreSQL by psycopg (an optional dependency)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from importlib import import_module
from typing import Any
from urllib.parse import quote

from xmppconf import clock
from xmppconf.config import SqlSettings
from xmppconf.errors import PeerError, SettingsError
from xmppconf.members_file import NOBODY, is_password
from xmppconf_focus.io.members.fetch import SourceUnavailable
from xmppconf_focus.io.members.workers import Workers
from xmppconf_focus.membership import Member

PATIENCE = 5  # seconds for connecting, and for the query
#: `:user`, but not the type cast `::user`.
_PARAMETER = re.compile(r"(?<!:):(user|password)\b")


class SqlMembers:
    """Every question is a connection of its own: they are rare, and none goes stale."""

    name = "sql"

    def __init__(self, settings: SqlSettings, workers: Workers) -> None:
        self._url = settings.url
        self._query = settings.query
        self._workers = workers
        self._asks_password = ":password" in _names(settings.query)
        if settings.url.startswith("sqlite:///"):
            self._row = self._sqlite_row
        elif settings.url.startswith(("postgresql://", "postgres://")):
            try:
                self._psycopg: Any = import_module("psycopg")
            except ImportError:
                raise SettingsError(
                    "members.sql.url: PostgreSQL needs the extra: "
                    "pip install 'xmppconf[postgresql]'"
                ) from None
            self._row = self._postgresql_row
        else:
            raise SettingsError("members.sql.url: must begin with sqlite or postgresql")

    def is_there(self) -> bool:
        return True

    async def check(self, user: str, password: str) -> Member | None:
        """Raises `SourceUnavailable`, `LimitExceeded`."""

        def look() -> Mapping[str, Any] | None:
            row = self._row({"user": user, "password": password})
            if self._asks_password:
                return row
            stored = NOBODY if row is None else row.get("password")
            good = is_password(password, stored if isinstance(stored, str) else NOBODY)
            return row if good else None

        return _member(user, await self._workers.run(look))

    async def knows(self, user: str) -> bool | None:
        """None with a query that asks for the password: there is no asking without."""
        if self._asks_password:
            return None
        row = await self._workers.run(lambda: self._row({"user": user, "password": ""}))
        return _member(user, row) is not None

    def _sqlite_row(self, parameters: Mapping[str, str]) -> Mapping[str, Any] | None:
        # Always absolute, whether one wrote three slashes or four.
        path = "/" + self._url.removeprefix("sqlite:").lstrip("/")
        try:
            with closing(
                sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=PATIENCE)
            ) as database:
                database.row_factory = sqlite3.Row
                row = database.execute(self._query, parameters).fetchone()
                return None if row is None else dict(row)
        except sqlite3.Error as error:
            raise SourceUnavailable(f"database: {type(error).__name__}") from None

    def _postgresql_row(self, parameters: Mapping[str, str]) -> Mapping[str, Any] | None:
        query = _PARAMETER.sub(r"%(\1)s", self._query.replace("%", "%%"))
        try:
            with self._psycopg.connect(
                self._url,
                connect_timeout=PATIENCE,
                options=f"-c statement_timeout={PATIENCE * 1000}"
                " -c default_transaction_read_only=on",
                row_factory=self._psycopg.rows.dict_row,
            ) as database:
                row: Mapping[str, Any] | None = database.execute(
                    query, parameters
                ).fetchone()
                return row
        except self._psycopg.Error as error:
            raise SourceUnavailable(f"database: {type(error).__name__}") from None


def _names(query: str) -> set[str]:
    return {f":{name}" for name in _PARAMETER.findall(query)}


def _member(user: str, row: Mapping[str, Any] | None) -> Member | None:
    if row is None:
        return None
    name, expires = row.get("name"), row.get("expires")
    try:
        expires = None if expires is None else float(expires)
        if expires is not None and expires <= clock.wall():
            return None
        shown = name if isinstance(name, str) else None
        return Member("sql", user, shown, bool(row.get("moderator", True)), expires=expires)
    except (TypeError, ValueError, PeerError):
        raise SourceUnavailable("database: a column cannot be read") from None
