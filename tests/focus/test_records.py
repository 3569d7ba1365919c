"""Records in memory: what is saved last is read, whatever stops the writer where."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from xmppconf_focus.effects import RoomJid
from xmppconf_focus.io.records import RecordStore, open_store
from xmppconf_focus.record import (
    AccessRecord,
    ConferenceRecord,
    MediaRecord,
    ModerationRecord,
)

from xmppconf.config import FOCUS_RECORDS
from xmppconf.errors import SettingsError
from xmppconf.ids import MeetingId

Files = tuple[int, int]


@pytest.fixture
def files() -> Iterator[Files]:
    first, second = os.memfd_create("first"), os.memfd_create("second")
    yield first, second
    os.close(first)
    os.close(second)


def record(room: str, meeting: str = "m") -> ConferenceRecord:
    return ConferenceRecord(
        room=RoomJid(room),
        media=MediaRecord(
            meeting_id=MeetingId(meeting),
            start_muted=(None, 3),
            bridges=(),
            participants=(),
        ),
        access=AccessRecord(),
        moderation=ModerationRecord(),
    )


def rooms(store: RecordStore) -> dict[str, str]:
    return {r.room: r.media.meeting_id for r in store.load()}


def test_what_was_saved_last_is_there_and_what_ended_is_not(files: Files) -> None:
    store = RecordStore(files)
    store.save([(RoomJid(r), record(r)) for r in ("a@m", "b@m", "c@m")])
    store.save([(RoomJid("b@m"), None), (RoomJid("c@m"), record("c@m", "later"))])
    store.save([(RoomJid("never@m"), None)])
    assert rooms(RecordStore(files)) == {"a@m": "m", "c@m": "later"}


def test_nothing_stays_of_what_has_ended(files: Files) -> None:
    store = RecordStore(files)
    store.save([(RoomJid("secret@m"), record("secret@m")), (RoomJid("b@m"), record("b@m"))])
    store.save([(RoomJid("secret@m"), None)])
    for file in files:
        assert b"secret" not in os.pread(file, 1 << 20, 0)
    assert rooms(RecordStore(files)) == {"b@m": "m"}


def test_the_files_stay_small_however_often_something_changes(files: Files) -> None:
    store = RecordStore(files)
    for number in range(20_000):
        store.save([(RoomJid("a@m"), record("a@m", str(number)))])
    assert rooms(RecordStore(files)) == {"a@m": "19999"}
    assert sum(os.fstat(file).st_size for file in files) < 1024 * 1024


def test_a_writer_stopped_anywhere_leaves_all_but_its_last_record(files: Files) -> None:
    store = RecordStore(files)
    store.save([(RoomJid("a@m"), record("a@m", "one"))])
    before = os.fstat(files[0]).st_size + os.fstat(files[1]).st_size
    store.save([(RoomJid("a@m"), record("a@m", "two"))])
    current = max(files, key=lambda file: os.fstat(file).st_size)
    whole = os.pread(current, 1 << 20, 0)
    for length in range(before, len(whole)):
        os.ftruncate(current, 0)
        os.pwrite(current, whole[:length], 0)
        assert rooms(RecordStore(files)) == {"a@m": "one"}


def test_a_damaged_record_hides_nothing_before_it(files: Files) -> None:
    store = RecordStore(files)
    store.save([(RoomJid("a@m"), record("a@m")), (RoomJid("b@m"), record("b@m"))])
    current = max(files, key=lambda file: os.fstat(file).st_size)
    end = os.fstat(current).st_size
    os.pwrite(current, b"\0", end - 3)
    assert rooms(RecordStore(files)) == {"a@m": "m"}


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may be longer, in bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_there_is_no_room_for_is_saved_once_there_is(files: Files) -> None:
    store = RecordStore(files)
    store.save([(RoomJid("a@m"), record("a@m"))])
    size = os.fstat(files[0]).st_size + os.fstat(files[1]).st_size
    with room_for(size + 20):
        for meeting in ("one", "two"):
            changed = [(RoomJid(r), record(r, meeting)) for r in ("b@m", "c@m")]
            with pytest.raises(OSError, match=r"No space|too large"):
                store.save(changed)
            # What stops in the middle hides nothing that was there.
            assert rooms(RecordStore(files)) == {"a@m": "m"}
    store.save([])
    assert rooms(RecordStore(files)) == {"a@m": "m", "b@m": "two", "c@m": "two"}
    store.save([(RoomJid("b@m"), None)])
    assert rooms(RecordStore(files)) == {"a@m": "m", "c@m": "two"}


def test_bytes_from_anywhere_are_no_records(files: Files) -> None:
    random = Random(4)
    for size in (0, 1, 15, 16, 17, 100, 5000):
        for file in files:
            os.ftruncate(file, 0)
            os.pwrite(file, random.randbytes(size), 0)
        store = RecordStore(files)
        assert store.load() == []
        store.save([(RoomJid("a@m"), record("a@m"))])
        assert rooms(RecordStore(files)) == {"a@m": "m"}


def test_the_store_is_inherited_or_a_file_in_memory_or_none(
    files: Files, tmp_path: Path
) -> None:
    inherited = {FOCUS_RECORDS: f"{files[0]},{files[1]}"}
    assert open_store("", inherited) is not None
    assert open_store("", {}) is None
    with pytest.raises(SettingsError, match=FOCUS_RECORDS):
        open_store("", {FOCUS_RECORDS: "seven"})
    with pytest.raises(SettingsError, match=r"focus\.records: "):
        open_store("/proc/records", {})
    with pytest.raises(SettingsError, match=r"focus\.records: "):
        open_store(str(tmp_path / "nowhere" / "records"), {})
