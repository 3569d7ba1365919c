"""Both XMPP servers: our private Prosody, and an ejabberd as our page has it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.existing import answers, ejabberd, prepare, process
from tests.support.prosody import running_prosody
from xmppconf.config import Settings
from xmppconf.config_file import load


@pytest.fixture(scope="module", params=["prosody", "ejabberd"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """The settings by which a focus and guests reach it."""
    if request.param == "prosody":
        with running_prosody() as running:
            yield running.settings
    else:
        yield from running_ejabberd(tmp_path_factory.mktemp("ejabberd"))


def running_ejabberd(folder: Path) -> Iterator[Settings]:
    prepared = prepare(folder, ejabberd)
    with process(folder / "server.log", *prepared.commands["server"]):
        deadline = time.monotonic() + 60
        while not all(map(answers, prepared.ports.values())):
            assert time.monotonic() < deadline, (folder / "server.log").read_text()
            time.sleep(0.1)
        yield load(prepared.settings_file)
