"""`xmppconf member`, and the list that it writes."""

from __future__ import annotations

import io
import json
import stat
import sys
from pathlib import Path

import pytest

from xmppconf.cli import BAD_SETTINGS, main
from xmppconf.errors import PeerError, SettingsError
from xmppconf.members_file import (
    NOBODY,
    Entry,
    hash_password,
    is_password,
    normalise,
    parse_expiry,
    read,
    write,
)


class Terminal:
    """Runs the command on a state folder of its own."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.folder = folder
        self.file = folder / "state" / "members.json"
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: str, password: str = "") -> str:
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(password + "\n"))
        action, *rest = words
        state = ["--state", str(self.folder / "state")]
        assert main(["member", action, *state, *rest]) == 0
        return self._capsys.readouterr().out

    def fails(self, *words: str, password: str = "") -> str:
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(password + "\n"))
        action, *rest = words
        state = ["--state", str(self.folder / "state")]
        assert main(["member", action, *state, *rest]) == BAD_SETTINGS
        return self._capsys.readouterr().err


@pytest.fixture
def terminal(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Terminal:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nowhere"))
    return Terminal(tmp_path, monkeypatch, capsys)


def test_a_member_is_added_shown_and_removed(terminal: Terminal) -> None:
    terminal("add", "Ann", "--name", "Ann A.", password="correct horse")
    terminal("add", "bob", "--not-moderator", "--expires", "2030-12-31", "--generate")
    assert terminal("list") == (
        "ann\tAnn A.\tmoderator\nbob\t\tmember\tuntil 2031-01-01 00:00 UTC\n"
    )
    shown = json.loads(terminal("list", "--json"))
    assert [entry["user"] for entry in shown] == ["ann", "bob"]
    assert all("password" not in entry for entry in shown)
    terminal("remove", "ANN")
    assert list(read(terminal.file)) == ["bob"]
    assert "no member 'ann'" in terminal.fails("remove", "ann")


def test_the_list_is_readable_by_its_owner_only_and_holds_no_password(
    terminal: Terminal,
) -> None:
    terminal("add", "ann", password="correct horse")
    assert stat.S_IMODE(terminal.file.stat().st_mode) == 0o600
    text = terminal.file.read_text()
    assert "correct horse" not in text
    assert "$argon2id$" in text
    entry = read(terminal.file)["ann"]
    assert is_password("correct horse", entry.password)
    assert not is_password("correct horsf", entry.password)


def test_a_made_up_password_is_printed_once_and_works(terminal: Terminal) -> None:
    password = terminal("add", "ann", "--generate").strip()
    assert len(password) >= 16
    assert is_password(password, read(terminal.file)["ann"].password)


def test_members_come_from_a_csv_file(terminal: Terminal) -> None:
    terminal("add", "ann", password="the old one")
    file = terminal.folder / "people.csv"
    file.write_text(
        "\ufeffuser,password,name,moderator,expires\n"
        "Ann,correct horse,Ann,,\n"
        'bob,"battery, staple",,no,2030-01-01\n'
    )
    assert terminal("import", str(file)) == "2 members added or changed, 2 in all\n"
    entries = read(terminal.file)
    assert is_password("correct horse", entries["ann"].password)
    assert is_password("battery, staple", entries["bob"].password)
    assert (entries["ann"].moderator, entries["bob"].moderator) == (True, False)
    assert entries["bob"].expires == parse_expiry("2030-01-01")


def test_a_day_without_dashes_is_a_day() -> None:
    assert parse_expiry("20271231") == parse_expiry("2027-12-31") == 1_830_297_600.0
    assert parse_expiry("1830297600") == 1_830_297_600.0
    with pytest.raises(ValueError, match="month"):
        parse_expiry("20271331")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name,secret\nann,x\n", "must name the columns"),
        ("user,password\nann,short\n", "row 2: the password has less than 8"),
        ("user,password\nann,12345678\n,12345678\n", "row 3: user or expires"),
        ("user,password,expires\nann,12345678,soon\n", "row 2: user or expires"),
        (f"user,password\nann,{'x' * 200_000}\n", "row 1: field larger than"),
    ],
)
def test_a_csv_file_counts_wholly_or_not_at_all(
    terminal: Terminal, text: str, complaint: str
) -> None:
    file = terminal.folder / "people.csv"
    file.write_text(text)
    assert complaint in terminal.fails("import", str(file))
    assert not terminal.file.exists()


@pytest.mark.parametrize("day", ["9999-12-31", "9" * 400])
def test_a_membership_without_end_can_be_shown(terminal: Terminal, day: str) -> None:
    terminal("add", "ann", "--expires", day, password="correct horse")
    assert "until 9999-12-31 23:59 UTC" in terminal("list")


def test_what_cannot_work_is_said(terminal: Terminal) -> None:
    assert "8 characters" in terminal.fails("add", "ann", password="short")
    assert "1024 bytes" in terminal.fails("add", "ann", password="x" * 2000)
    assert "--expires" in terminal.fails("add", "ann", "--expires", "soon")
    assert "printable" in terminal.fails("add", " ", password="correct horse")
    assert "cannot be read" in terminal.fails("import", str(terminal.folder / "none"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"members": [{}]}',
        '{"members": [{"user": "A", "password": ""}]}',
        '{"members": [{"user": "a", "password": "", "expires": "2030-12-31"}]}',
        '{"members": [{"user": "a", "password": "", "name": 1}]}',
        '{"members": [{"user": "a", "password": "", "moderator": "no"}]}',
    ],
)
def test_a_file_that_is_no_list_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "members.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="no list of members"):
        read(path)


def test_a_list_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "members.json"
    write(path, [Entry("ann", NOBODY)])
    path.chmod(0o604)
    with pytest.raises(SettingsError, match="chmod 600"):
        read(path)


def test_names_have_one_spelling() -> None:
    assert normalise("  \uff21nn ") == "ann"
    for wrong in ("", " ", "a\tb", "a\u202eb", "x" * 201):
        with pytest.raises(PeerError):
            normalise(wrong)


def test_nobodys_password_cannot_be_guessed_and_costs_the_same() -> None:
    assert not is_password("", NOBODY)
    assert NOBODY.split("$")[1:4] == hash_password("x").split("$")[1:4]


@pytest.mark.parametrize("phc", ["", "x", "$2b$10$abc", "$argon2i$v=19$m=8,t=1,p=1$AA$AA"])
def test_what_is_no_hash_fits_no_password(phc: str) -> None:
    assert not is_password("correct horse", phc)
