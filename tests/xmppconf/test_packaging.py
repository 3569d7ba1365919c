"""The package lists what it is made of, and the locks what it needs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_package_of_the_tree_is_in_the_wheel() -> None:
    tools = PROJECT["tool"]["setuptools"]
    found = set()
    for name, folder in tools["package-dir"].items():
        base = ROOT / folder
        for init in base.rglob("__init__.py"):
            inner = init.parent.relative_to(base).parts
            found.add(".".join((name, *inner)))
    assert found == set(tools["packages"])


@pytest.mark.parametrize("name", ["run", "dev"])
def test_locks_have_hashes_and_no_addresses(name: str) -> None:
    text = (ROOT / f"requirements/{name}.txt").read_text()
    assert "://" not in text
    pins = re.findall(r"^([a-z0-9._-]+)==\S+ \\$", text, re.MULTILINE)
    assert len(pins) > 20
    for entry in re.split(r"^(?=[a-z0-9._-]+==)", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in entry
    wanted = PROJECT["project"]["dependencies"]
    if name == "dev":
        wanted = [*wanted, *PROJECT["dependency-groups"]["dev"]]
    for requirement in wanted:
        package = re.split(r"[<>=\[]", requirement)[0].lower()
        assert package in pins, f"{package} is not locked; run script/lock"


def test_the_clients_lock_has_no_addresses() -> None:
    text = (ROOT / "web/client/package-lock.json").read_text()
    assert '"resolved"' not in text
    assert '"integrity"' in text


def test_scripts_say_what_they_do() -> None:
    scripts = [path for path in (ROOT / "script").iterdir() if path.is_file()]
    assert len(scripts) >= 8
    for path in (*scripts, ROOT / ".ci/run"):
        lines = path.read_text().splitlines()
        assert lines[0] == "#!/bin/sh", path
        assert re.match(r"# [A-Z]", lines[1]), path
        assert path.stat().st_mode & 0o111, path
