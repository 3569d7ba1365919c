"""How many processors the bridge takes for its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from xmppconf_bridge.io.processor import usable_processors, waiting_time


@pytest.mark.parametrize(
    ("limits", "usable"),
    [
        ({}, 8),
        ({"a/b": "max 100000"}, 8),
        ({"a/b": "150000 100000"}, 2),
        ({"a/b": "50000 100000"}, 1),
        ({"a": "300000 100000", "a/b": "max 100000"}, 3),
        ({"": "400000 100000", "a": "900000 100000"}, 4),
        ({"a/b": "1 0"}, 8),
        ({"a/b": "many"}, 8),
        ({"other": "100000 100000"}, 8),
    ],
)
def test_a_control_group_may_have_time_for_fewer(
    limits: dict[str, str], usable: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    groups, own = tmp_path / "groups", tmp_path / "own"
    own.write_text("1:cpu:/old\n0::/a/b\n")
    for group, limit in limits.items():
        (groups / group).mkdir(parents=True, exist_ok=True)
        (groups / group / "cpu.max").write_text(f"{limit}\n")
    assert usable_processors(groups, own) == usable
    assert usable_processors(groups, tmp_path / "missing") == 8


@pytest.mark.parametrize(
    ("schedstat", "waited"),
    [("1697058 3718193 2\n", 0.003718193), ("1697058\n", 0.0), ("ran waited", 0.0)],
)
def test_a_thread_waits_while_others_have_its_processor(
    schedstat: str, waited: float, tmp_path: Path
) -> None:
    assert waiting_time(tmp_path) == 0.0
    (tmp_path / "schedstat").write_text(schedstat)
    assert waiting_time(tmp_path) == pytest.approx(waited)
