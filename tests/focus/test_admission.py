"""Who gets into a room: every standing before every kind of room."""

from __future__ import annotations

import pytest
from xmppconf_focus.admission import (
    ENTRIES,
    Entry,
    Refusal,
    Situation,
    Standing,
    judge,
)
from xmppconf_focus.room_settings import Access, RoomSettings

CALM = Situation(host_present=True, full=False)

#: What is given, by standing and access: affiliation, or the refusal; "-" leaves it to the
#: room's server, which knows the password and sends to the lobby.
TABLE = """
            open     members  lobby    locked
banned      removed  removed  removed  removed
removed     removed  removed  none     removed
moderator   owner    owner    owner    owner
admitted    member   member   member   member
member      member   member   -        -
guest       member   -        -        -
"""


def cells() -> list[tuple[Standing, Access, str]]:
    head, *rows = [line.split() for line in TABLE.strip().splitlines()]
    return [
        (Standing(name), Access(access), cell)
        for name, *cells in rows
        for access, cell in zip(head, cells, strict=True)
    ]


@pytest.mark.parametrize(("standing", "access", "cell"), cells())
def test_every_standing_before_every_kind_of_room(
    standing: Standing, access: Access, cell: str
) -> None:
    entry = judge(standing, RoomSettings(access), CALM)
    if cell == "removed":
        assert (entry.refusal, entry.affiliation) == (Refusal.REMOVED, "outcast")
    else:
        assert (entry.refusal, entry.affiliation) == (None, None if cell == "-" else cell)


@pytest.mark.parametrize("standing", [Standing.MEMBER, Standing.GUEST])
def test_a_password_is_left_to_the_server(standing: Standing) -> None:
    assert judge(standing, RoomSettings(password="p"), CALM) == Entry()


def test_the_table_has_every_cell() -> None:
    assert {(s, a) for s, a, _ in cells()} == {(s, a) for s in Standing for a in Access}
    assert {(s, a) for s, row in ENTRIES.items() for a in row} == {
        (s, a) for s in Standing for a in Access
    }


@pytest.mark.parametrize("access", Access)
@pytest.mark.parametrize("standing", Standing)
def test_the_password_is_told_to_those_who_have_been_in(
    standing: Standing, access: Access
) -> None:
    entry = judge(standing, RoomSettings(access, password="p"), CALM)
    inside = standing in (Standing.MODERATOR, Standing.ADMITTED)
    assert entry.knows_password is inside


@pytest.mark.parametrize("standing", Standing)
def test_without_the_host_only_moderators_enter(standing: Standing) -> None:
    settings = RoomSettings(wait_for_host=True)
    entry = judge(standing, settings, Situation(host_present=False, full=False))
    expected = {
        Standing.MODERATOR: Entry(None, "owner", True),
        Standing.BANNED: Entry(Refusal.REMOVED, "outcast"),
        Standing.REMOVED: Entry(Refusal.REMOVED, "outcast"),
    }
    assert entry == expected.get(standing, Entry(Refusal.WAIT))


@pytest.mark.parametrize("standing", Standing)
def test_a_full_room_takes_moderators_and_who_comes_back(standing: Standing) -> None:
    entry = judge(standing, RoomSettings(), Situation(host_present=True, full=True))
    full = standing in (Standing.MEMBER, Standing.GUEST)
    assert (entry.refusal is Refusal.FULL) is full
