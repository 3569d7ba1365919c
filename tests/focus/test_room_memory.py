"""What is kept of rooms: settings come back, names and passwords cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from xmppconf_focus.effects import RoomJid
from xmppconf_focus.invitations import Invitation, InvitationInvalid, Invitations
from xmppconf_focus.io.room_file import make_memory
from xmppconf_focus.room_memory import MAX_ROOMS, RoomMemory
from xmppconf_focus.room_settings import Access, RoomRecord, RoomSettings

from xmppconf.errors import PeerError, SettingsError

ROOM = RoomJid("tea-for-two@muc.localhost")
RECORD = RoomRecord(
    RoomSettings(Access.LOBBY, "earl grey", True, 12, True, False),
    frozenset({"d1", "d2"}),
    {"00ff": "d3"},
)
DAY = 86400.0


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def made(key: bytes = bytes(32), clock: Clock | None = None) -> RoomMemory:
    return RoomMemory(key, DAY, clock or Clock(), lambda size: b"\x07" * size)


def test_a_record_comes_back_as_it_was() -> None:
    memory = made()
    assert memory.get(ROOM) == RoomRecord()
    memory.put(ROOM, RECORD)
    assert memory.get(ROOM) == RECORD
    later = made()
    assert later.load(memory.to_text()) == 0
    assert later.get(ROOM) == RECORD
    assert later.get(RoomJid("other@muc.localhost")) == RoomRecord()
    later.put(ROOM, None)
    assert later.get(ROOM) == RoomRecord()


def test_the_file_names_no_room_and_no_password() -> None:
    memory = made()
    memory.put(ROOM, RECORD)
    text = memory.to_text()
    for secret in ("tea-for-two", "muc.localhost", "earl", "grey"):
        assert secret not in text


def test_a_record_expires_and_use_does_not_depend_on_order() -> None:
    clock = Clock()
    memory = made(clock=clock)
    memory.put(ROOM, RECORD)
    clock.now += DAY - 1
    assert memory.get(ROOM) == RECORD
    clock.now += 1
    assert memory.get(ROOM) == RoomRecord()
    assert "d1" not in memory.to_text()


def test_with_another_key_nothing_is_found() -> None:
    memory = made()
    memory.put(ROOM, RECORD)
    other = made(b"\x01" * 32)
    other.load(memory.to_text())
    assert other.get(ROOM) == RoomRecord()


def test_a_damaged_password_lets_nobody_in() -> None:
    memory = made()
    memory.put(ROOM, RECORD)
    text = memory.to_text()
    sealed = text.partition('"password":"')[2].partition('"')[0]
    for bad in ("AAAA" + sealed[4:], "!", "QUJD"):
        other = made()
        assert other.load(text.replace(sealed, bad)) == 0
        password = other.get(ROOM).settings.password
        assert password
        assert password != RECORD.settings.password


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"rooms":[]}', '{"rooms":{"a":1,"a":2}}', "\x00"]
)
def test_a_file_that_is_none_of_ours_is_refused(text: str) -> None:
    with pytest.raises(PeerError):
        made().load(text)


def test_one_unreadable_room_does_not_take_the_others_away() -> None:
    memory = made()
    memory.put(ROOM, RECORD)
    text = memory.to_text().replace('"rooms":{', '"rooms":{"bad":{"settings":[]},', 1)
    other = made()
    assert other.load(text) == 1
    assert other.get(ROOM) == RECORD


def test_the_number_of_rooms_has_a_limit() -> None:
    memory = made()
    plain = RoomRecord(RoomSettings(Access.LOCKED))
    for number in range(MAX_ROOMS + 1):
        memory.put(RoomJid(f"r{number}@muc.localhost"), plain)
    assert memory.get(RoomJid("r0@muc.localhost")) == RoomRecord()
    assert memory.get(RoomJid("r1@muc.localhost")) == plain


def test_key_and_file_are_for_us_only_and_damage_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "rooms"
    memory = make_memory(str(folder), DAY)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "key").stat().st_mode & 0o777 == 0o600
    assert make_memory(str(folder), DAY).digest("x") == memory.digest("x")
    assert make_memory("", DAY).digest("x") != memory.digest("x")
    (folder / "rooms.json").write_text("nonsense")
    with pytest.raises(SettingsError, match=r"rooms\.json is damaged"):
        make_memory(str(folder), DAY)
    (folder / "key").write_text("nonsense")
    with pytest.raises(SettingsError):
        make_memory(str(folder), DAY)


# -- invitations -----------------------------------------------------------------------
@pytest.mark.parametrize("moderator", [False, True])
@pytest.mark.parametrize("single_use", [False, True])
@pytest.mark.parametrize("expires", [0, 2_000_000_000])
def test_an_invitation_says_what_it_is(
    moderator: bool, single_use: bool, expires: int
) -> None:
    invitations = Invitations(bytes(32))
    one = Invitation("00112233445566ff", expires, moderator, single_use)
    token = invitations.token(ROOM, one)
    assert len(token) == 40
    assert invitations.read(ROOM, token, 1.9e9) == one


def test_an_invitation_is_for_one_room_one_service_and_its_time() -> None:
    invitations = Invitations(bytes(32))
    token = invitations.token(ROOM, Invitation("00" * 8, 1000))
    assert invitations.read(ROOM, token, 999.9)
    for room, key, when in (
        (RoomJid("other@muc.localhost"), bytes(32), 0.0),
        (ROOM, b"\x01" * 32, 0.0),
        (ROOM, bytes(32), 1000.0),
    ):
        with pytest.raises(InvitationInvalid) as invalid:
            Invitations(key).read(room, token, when)
        assert invalid.value.condition == "not-acceptable"


def test_no_changed_token_is_good() -> None:
    invitations = Invitations(bytes(32))
    token = invitations.token(ROOM, Invitation("00" * 8, 0))
    alphabet = "ABab01-_"
    changed = {
        token[:index] + letter + token[index + 1 :]
        for index in range(len(token))
        for letter in alphabet
    } - {token}
    assert len(changed) > 200
    for other in (*changed, "", token[:-1], token + "A", token + "=", "é" * 40):
        with pytest.raises(InvitationInvalid):
            invitations.read(ROOM, other, 0.0)
