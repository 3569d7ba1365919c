"""The command as people type it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from xmppconf import __version__
from xmppconf.cli import BAD_SETTINGS, main


def test_config_prints_the_effective_settings(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "x.toml"
    file.touch(mode=0o600)
    file.write_text('[bridge]\npassword = "hush"\n')
    assert main(["config", "--config", str(file), "--port", "81"]) == 0
    out = capsys.readouterr().out
    assert "port = 81" in out
    assert "hush" not in out


def test_a_bad_setting_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "x.toml"
    file.write_text("[web]\nprot = 1\n")
    assert main(["config", "--config", str(file)]) == BAD_SETTINGS
    error = capsys.readouterr().err
    assert error == "xmppconf: unknown setting 'web.prot'; did you mean 'web.port'?\n"


def test_the_usual_file_is_found(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "xmppconf").mkdir()
    (tmp_path / "xmppconf" / "xmppconf.toml").write_text('domain = "found.example"\n')
    assert main(["config"]) == 0
    assert 'domain = "found.example"' in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"xmppconf {__version__}\n"


def test_config_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom xmppconf.cli import main\nmain(['config'])\n"
        "heavy = {'asyncio', 'aiohttp', 'slixmpp', 'ssl'} & set(sys.modules)\n"
        "print(heavy, file=sys.stderr)"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stderr == "set()\n"


@pytest.mark.parametrize("part", ["focus", "bridge", "web"])
def test_a_part_alone_says_what_it_needs(part: str, tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "xmppconf", part],
        capture_output=True,
        text=True,
        check=False,
        timeout=25,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
    )
    assert done.returncode == BAD_SETTINGS
    [line] = done.stderr.splitlines()
    assert line.startswith("xmppconf: ")
    assert "needed to" in line
