"""Records of running conferences, in memory that outlives this process.

Two files take turns: records are appended to one until most of it is outdated or a
conference ends, then the valid ones are written to the other, and the first is emptied.  A
file counts once its header is written, which is last; the newer one counts.  They are of
memory, never of a disk: descriptors inherited from the supervisor, or files on a tmpfs.
"""

from __future__ import annotations

import errno
import logging
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

from xmppconf.config import FOCUS_RECORDS
from xmppconf.errors import PeerError, SettingsError
from xmppconf_focus.effects import RoomJid
from xmppconf_focus.record import ConferenceRecord, decode, encode

_HEADER = struct.Struct("!8sQ")  # magic, generation
_MAGIC = b"xmppconf"
_ENTRY = struct.Struct("!III")  # CRC-32 of what follows the lengths; lengths of key, data
_MIN_COMPACT = 256 * 1024  # bytes; a smaller file is not worth the trouble
_MAX_FILE = 256 * 1024 * 1024  # bytes; what is more is not read

log = logging.getLogger(__name__)


class RecordStore:
    """`files` are two descriptors open for reading and writing; they stay the caller's."""

    def __init__(self, files: tuple[int, int]) -> None:
        self._files = files
        generations = [self._generation(file) for file in files]
        self._current = generations.index(max(generations))
        self._number = generations[self._current]
        self._valid: dict[bytes, bytes] = {}
        self._end = _HEADER.size
        self._behind = False
        """Something valid is not in the current file, for want of room."""
        if self._number:
            self._end = self._read()
        else:
            self._start(0)

    def load(self) -> list[ConferenceRecord]:
        """What is there; unreadable records are left out."""
        records = []
        for data in self._valid.values():
            try:
                records.append(decode(data))
            except PeerError:
                log.warning("a conference's record cannot be read; its calls start anew")
        return records

    def save(self, changed: Iterable[tuple[RoomJid, ConferenceRecord | None]]) -> None:
        """Raises `OSError` if there is no room; what was there before stays valid."""
        ended = self._behind
        fresh: list[tuple[bytes, bytes]] = []
        for room, record in changed:
            key = room.encode()
            data = b"" if record is None else encode(record)
            if data == self._valid.get(key, b""):
                continue
            if data:
                self._valid[key] = data
                fresh.append((key, data))
            else:
                del self._valid[key]
                ended = True
        self._behind = True
        if not ended:
            for key, data in fresh:
                self._end += _append(self._files[self._current], self._end, key, data)
        if ended or self._end > max(_MIN_COMPACT, 4 * self._size()):
            # Of a call that has ended nothing stays, in memory neither.
            self._start(1 - self._current)
            os.ftruncate(self._files[1 - self._current], 0)
        self._behind = False

    def _size(self) -> int:
        return sum(len(key) + len(data) for key, data in self._valid.items())

    def _generation(self, file: int) -> int:
        header = os.pread(file, _HEADER.size, 0)
        if len(header) < _HEADER.size:
            return 0
        magic, number = _HEADER.unpack(header)
        return int(number) if magic == _MAGIC else 0

    def _read(self) -> int:
        """Fill in what is valid; the position behind the last whole entry."""
        content = os.pread(self._files[self._current], _MAX_FILE, 0)
        at = _HEADER.size
        while at + _ENTRY.size <= len(content):
            checksum, key_length, length = _ENTRY.unpack_from(content, at)
            start = at + _ENTRY.size
            end = start + key_length + length
            body = content[start:end]
            if len(body) < key_length + length or zlib.crc32(body) != checksum:
                break
            self._valid[body[:key_length]] = body[key_length:]
            at = end
        return at

    def _start(self, which: int) -> None:
        """Make a file the current one, with what is valid in it."""
        file, end = self._files[which], _HEADER.size
        os.ftruncate(file, 0)
        for key, data in self._valid.items():
            end += _append(file, end, key, data)
        number = self._number + 1
        _write(file, _HEADER.pack(_MAGIC, number), 0)
        self._current, self._number, self._end = which, number, end


def _append(file: int, at: int, key: bytes, data: bytes) -> int:
    """How long the entry is."""
    body = key + data
    entry = _ENTRY.pack(zlib.crc32(body), len(key), len(data)) + body
    _write(file, entry, at)
    return len(entry)


def _write(file: int, data: bytes, at: int) -> None:
    """All of it; raises `OSError`."""
    if os.pwrite(file, data, at) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def open_store(path: str, environment: dict[str, str]) -> RecordStore | None:
    """The store that we were given, if any; raises `SettingsError`.

    `path` is the setting `focus.records`.
    """
    inherited = environment.get(FOCUS_RECORDS, "")
    if inherited:
        try:
            first, second = (int(number) for number in inherited.split(","))
            return RecordStore((first, second))
        except (ValueError, OSError):
            raise SettingsError(f"{FOCUS_RECORDS}: no two open descriptors") from None
    if not path:
        return None
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        if not _is_memory(Path(path).parent):
            raise SettingsError("focus.records: the folder is on no tmpfs")
        files = [os.open(f"{path}.{n}", flags, 0o600) for n in (1, 2)]
        return RecordStore((files[0], files[1]))
    except OSError as error:
        raise SettingsError(f"focus.records: {error.strerror}") from None


def _is_memory(folder: Path) -> bool:
    """Whether a folder's file system keeps nothing on a disk."""
    device = os.stat(folder).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if before.split()[2] == wanted:
            return after.split()[0] in ("tmpfs", "ramfs")
    return False
