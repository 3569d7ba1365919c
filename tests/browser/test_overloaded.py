"""Who opens a room while the service is full is told so, in words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.browser.call import by_testid
from tests.browser.conftest import Browsers
from tests.browser.house import House, ended
from tests.browser.people import ANN
from tests.support.service import Service, running_service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN,)
FIREFOX = None
SUSTAINED = 30.0  # seconds until the focus takes the bridge to be full, at most


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for which what a bridge does at rest is too much, when it lasts."""
    settings = "[focus]\nrefuse_stress = 0.000001\n"
    with running_service(tmp_path_factory.mktemp("full"), settings=settings) as service:
        yield service


async def test_a_new_room_is_refused_in_words(people: Browsers, full: Service) -> None:
    async with asyncio.timeout(SUSTAINED):
        while '"full": true' not in await asyncio.to_thread(full.page, "focus", "/stats"):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    ann = await House(people, full).knock(ANN)
    await ended(ann, "overloaded")
    page = by_testid("left-page")
    said = await ann.page.evaluate(
        f"document.querySelector('{page} [role=alert]').textContent"
    )
    assert "no new one can begin" in said
    assert await ann.page.evaluate(f"!!document.querySelector('{by_testid('return')}')")
