"""The folder in which rooms' settings outlive the focus: a key, and one file."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
from pathlib import Path

from xmppconf import clock
from xmppconf.errors import PeerError, SettingsError
from xmppconf_focus.room_memory import KEY_SIZE, RoomMemory

DELAY = 2.0  # seconds in which changes are gathered into one write

_KEY = re.compile(rb"[0-9a-f]{%d}" % (2 * KEY_SIZE))

log = logging.getLogger(__name__)


def make_memory(folder: str, lifetime: float) -> RoomMemory:
    """With what the folder has; without a folder it ends with the process.

    Raises `SettingsError` if the folder cannot be used.
    """
    try:
        key = _key(Path(folder)) if folder else secrets.token_bytes(KEY_SIZE)
        memory = RoomMemory(key, lifetime, clock.wall, secrets.token_bytes)
        file = Path(folder) / "rooms.json"
        if folder and file.exists():
            unread = memory.load(file.read_text(encoding="utf-8"))
            if unread:
                log.warning("settings of %d rooms could not be read", unread)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"rooms.folder: {error}") from None
    except PeerError:
        raise SettingsError("rooms.folder: rooms.json is damaged; remove it") from None
    return memory


def _key(folder: Path) -> bytes:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / "key"
    if not file.exists():
        _write(file, secrets.token_hex(KEY_SIZE))
    text = file.read_bytes()
    if not _KEY.fullmatch(text):
        raise SettingsError("rooms.folder: key is damaged; remove it and rooms.json")
    return bytes.fromhex(text.decode())


def _write(file: Path, text: str) -> None:
    """Replace a file in one step; others can never read it."""
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(handle)
    fresh.replace(file)


class RoomFile:
    """Writes the memory a moment after each change; call `close()` at the end."""

    def __init__(self, memory: RoomMemory, folder: str) -> None:
        self._memory = memory
        self._file = Path(folder) / "rooms.json" if folder else None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def changed(self) -> None:
        if self._file is not None and self._timer is None:
            self._timer = self._loop.call_later(DELAY, self._start)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._start()
        if self._writing is not None:
            await self._writing

    def _start(self) -> None:
        self._timer = None
        self._writing = self._loop.create_task(self._save(self._writing))

    async def _save(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        if self._file is None:
            return
        try:
            await asyncio.to_thread(_write, self._file, self._memory.to_text())
        except OSError as error:
            log.warning("the rooms' settings are not kept: %s", error.strerror)
