"""`xmppconf load` against a whole service: every track arrives, nothing comes twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from xmppconf_bridge.generator import plan

from tests.load.speakers import meet
from tests.support.service import ROOT, Service, running_service

pytestmark = [pytest.mark.stack, pytest.mark.timeout(150)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    # How fast a bandwidth is found out is for other tests, and takes time.
    settings = "[bridge]\ntrust_bandwidth = false\n"
    with running_service(tmp_path_factory.mktemp("service"), settings=settings) as service:
        yield service


def load(service: Service, *arguments: str) -> dict[str, Any]:
    places = os.pathsep.join(str(ROOT / part) for part in (".", "bridge", "focus", "web"))
    done = subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-m", "xmppconf", "load", *arguments),
            *("--state", str(service.state), "--seconds", "1", "--json"),
        ],
        env={**os.environ, "PYTHONPATH": places},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize(
    ("arguments", "tracks"),
    [
        (["fan-out", "--people", "3", "--rate", "100"], 3),
        (["fan-out", "--people", "2", "--rate", "100", "--ipv6"], 2),
        (["microphones", "--people", "7"], 5 * 4 + 2 * 5),
        (["meeting", "--people", "10"], 10 * 9 + 3 * 2 + 7 * 3),
    ],
)
def test_what_is_expected_arrives_once(
    service: Service, arguments: list[str], tracks: int
) -> None:
    before = service.counter("engine_tcc_received")
    result = load(service, *arguments)
    told = service.counter("engine_tcc_received") - before
    assert told > 0, "they say what came and when, as browsers do: that costs as well"
    assert (result["tracks_expected"], result["tracks_received"]) == (tracks, tracks)
    assert (result["duplicates"], result["refused"]) == (0, 0)
    assert result["received"] > 0
    assert result["cpu_us_per_packet"] is not None


async def test_who_speaks_is_named_and_shown(service: Service) -> None:
    scenario = plan.speakers(senders=6, listeners=2, shown=2)
    meeting = await meet(service, scenario, turns=2, seconds=3)
    assert all(turn.named is not None for turn in meeting.turns)
    assert meeting.pictures == (2 * 7, 2 * 7)
    assert meeting.at_once == pytest.approx(2, abs=0.2)
