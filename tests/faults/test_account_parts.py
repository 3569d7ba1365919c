"""A focus with an account dies or is restarted during a call.

Unlike a component it is out of its rooms at once, because the server ends its presence;
the next one enters them and goes on.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from tests.faults.caller import Caller, call, talking
from tests.support.rtc_peer import use_loopback
from tests.support.service import Service, running_service

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(150)]

PATIENCE = 40.0  # seconds


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = '[focus]\naccount = "focus@auth.localhost"\n'
    folder = tmp_path_factory.mktemp("service")
    with running_service(folder, settings=settings) as service:
        yield service


@pytest.fixture(autouse=True)
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    use_loopback(monkeypatch)


async def replaced(service: Service, old: int) -> None:
    """Wait until another focus runs and all is well."""
    async with asyncio.timeout(PATIENCE):
        while service.children().get("focus", old) == old:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        while not await asyncio.to_thread(service.is_whole):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM], ids=["dies", "restarts"])
async def test_calls_outlive_the_focus(service: Service, sent: signal.Signals) -> None:
    async with call(service.settings, f"outlive-{sent}") as (ann, ben):
        old = service.children()["focus"]
        os.kill(old, sent)
        async with asyncio.timeout(PATIENCE):
            await ann.focus_left.wait()
        await replaced(service, old)
        async with asyncio.timeout(PATIENCE):
            while "focus" not in ann.occupants:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await talking(ann, ben, session=1)
        assert (ann.sessions, ben.sessions) == (1, 1)
        # Who comes afterwards talks with those who were there before.
        await ben.media.close()
        ben.leave()
        cid = Caller(service.settings, f"outlive-{sent}", ben.colour)
        try:
            await cid.enter()
            await talking(ann, cid, session=1, within=PATIENCE)
            assert ann.sessions == 1
        finally:
            await cid.close()


async def test_a_server_that_restarts_brings_the_focus_back(service: Service) -> None:
    old = service.children()["prosody"]
    os.kill(old, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        while service.children().get("prosody", old) == old:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        while not await asyncio.to_thread(service.is_whole):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    async with call(service.settings, "after") as (ann, ben):
        await talking(ann, ben, session=1)
