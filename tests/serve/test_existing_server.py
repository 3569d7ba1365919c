"""What the page about an existing server says, word for word, and then a call on it."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.existing import ROOT, ejabberd, existing_service, prepare, prosody
from tests.support.peer import peers
from tests.support.rtc_peer import Colour, use_loopback
from xmppconf.config import Settings
from xmppconf.config_file import load

RED: Colour = (200, 30, 30)
BLUE: Colour = (30, 60, 210)

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(150)]


@pytest.fixture(scope="module", params=[prosody, ejabberd])
def settings_file(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    prepared = prepare(tmp_path_factory.mktemp("existing"), request.param)
    with existing_service(prepared) as file:
        yield file


@pytest.fixture(scope="module")
def settings(settings_file: Path) -> Settings:
    return load(settings_file)


async def test_people_talk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use_loopback(monkeypatch)
    people = [(secrets.token_hex(4), RED, 440.0), (secrets.token_hex(4), BLUE, 880.0)]
    async with peers(settings, "tea", *people) as (ann, ben), asyncio.timeout(30):
        await ben.media.see(RED)
        await ann.media.see(BLUE)
        await ann.media.listen(880)


def test_the_doctor_finds_it_well(settings_file: Path, tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-m", "xmppconf", "doctor"),
            *("--config", str(settings_file), "--state", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "XMPP server accepts" in done.stdout, done.stdout
    assert done.returncode == 0, done.stdout
