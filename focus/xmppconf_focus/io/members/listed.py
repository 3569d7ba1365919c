"""Members of the local list."""

from __future__ import annotations

import logging
from pathlib import Path

from xmppconf import clock
from xmppconf.errors import SettingsError
from xmppconf.members_file import NOBODY, Entry, is_password, read
from xmppconf_focus.io.members.fetch import SourceUnavailable
from xmppconf_focus.io.members.workers import Workers
from xmppconf_focus.membership import Member

log = logging.getLogger(__name__)


class ListedMembers:
    """The file is read again whenever it has changed."""

    name = "list"

    def __init__(self, path: Path, workers: Workers) -> None:
        self._path = path
        self._workers = workers
        self._entries: dict[str, Entry] = {}
        self._seen: tuple[int, int, int] | None = None

    def is_there(self) -> bool:
        return self._path.exists()

    async def check(self, user: str, password: str) -> Member | None:
        """Raises `SourceUnavailable`, `LimitExceeded`."""

        def look() -> Entry | None:
            entry = self._read().get(user)
            # Whether there is such a member must not show in the time it takes.
            good = is_password(password, entry.password if entry else NOBODY)
            return entry if good else None

        entry = await self._workers.run(look)
        return None if entry is None else _member(entry)

    async def knows(self, user: str) -> bool | None:
        entries = await self._workers.run(self._read)
        return user in entries and _member(entries[user]) is not None

    def _read(self) -> dict[str, Entry]:
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        except FileNotFoundError:
            self._seen, self._entries = None, {}
            return self._entries
        except OSError:
            raise SourceUnavailable("list cannot be read") from None
        if seen != self._seen:
            try:
                self._entries = read(self._path)
            except SettingsError as error:
                log.warning("%s", error)
                raise SourceUnavailable("list cannot be read") from None
            self._seen = seen
        return self._entries


def _member(entry: Entry) -> Member | None:
    if entry.expires is not None and entry.expires <= clock.wall():
        return None
    return Member("list", entry.user, entry.name, entry.moderator, expires=entry.expires)
