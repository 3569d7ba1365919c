"""Other people's client library in a room with our client, through our focus and bridge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from tests.browser import people as folk
from tests.browser import stock
from tests.browser.call import Caller, by_testid, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN
from tests.support.service import Service, running_service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
]

CAST = (ANN, BEN)
FIREFOX = None


@dataclass(frozen=True, slots=True)
class Place:
    service: Service
    page: str
    """URL of the page with the stock client."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    script = await stock.library()

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=stock.PAGE, content_type="text/html")

    async def library(request: web.Request) -> web.Response:
        return web.Response(text=script, content_type="text/javascript")

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/library.js", library)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = f"http://localhost:{runner.addresses[0][1]}"
    folder: Path = tmp_path_factory.mktemp("service")
    try:
        with running_service(
            folder, settings=f'[web]\norigins = ["{origin}"]\n'
        ) as service:
            yield Place(service, f"{origin}/")
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("codec", ["VP8", ""], ids=["vp8", "own-preference"])
async def test_a_stock_client_and_ours_see_and_hear_each_other(
    browsers: Browsers, place: Place, codec: str
) -> None:
    room = new_room()
    browsers.pages.clear()
    ann = Caller(ANN, await browsers.page(ANN))
    await ann.open(place.service.url, room)
    await ann.join()
    page = await browsers.page(BEN)
    await page.go(place.page)
    await page.call(
        "start",
        {
            "websocket": f"{place.service.url.replace('http', 'ws')}xmpp-websocket",
            "domain": place.service.settings.domain,
            "room": room,
            "name": BEN.name,
            "codec": codec,
        },
    )
    await page.wait_for("stock.state === 'joined'", what="the stock client in the room")
    ben = Caller(BEN, page, await page.evaluate("stock.id"))
    await ann.sees([ben])
    await page.wait_for("testSeen().length === 1", what="a picture at the stock client")
    await page.wait_for(f"testSeen()[0].number === {ANN.number}", what="Ann's picture")
    await folk.speak(ann.page, True)
    await folk.speak(page, True)
    await ann.hears([BEN])
    await page.wait_for(
        f"testHeard([{ANN.tone}]).then((tracks) => tracks.flat().length)", what="Ann's tone"
    )
    assert await page.evaluate("stock.names") == [ANN.name]
    assert await page.evaluate("stock.error") == ""
    await ann.page.click(by_testid("toggle-audio"))
    await page.wait_for(
        "conference.getParticipants()[0].isAudioMuted()",
        what="Ann muted at the stock client",
    )
    assert ann.page.observed.errors == []
    assert [*ann.page.observed.outside, *page.observed.outside] == []
    for one in (page, ann.page):
        await one.close()
