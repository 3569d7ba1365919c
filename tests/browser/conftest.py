"""Browsers and a service for all browser tests, and pages that must have been quiet."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from tests.browser import stock
from tests.browser.chromium import Chromium
from tests.browser.firefox import Firefox
from tests.browser.page import Browser, Page
from tests.browser.people import Person, preload, write_video
from tests.support.oidc_provider import provider as provider
from tests.support.service import Service, running_service


class Browsers:
    """One Chromium for each person, and one Firefox; each is started when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._chromiums: dict[str, Chromium] = {}
        self._firefox: Firefox | None = None
        self.pages: list[Page] = []

    async def start(self, cast: tuple[Person, ...], *, firefox: Person | None) -> None:
        """Start the browsers of these people that do not run yet."""
        for person in cast:
            if person.name not in self._chromiums:
                self._chromiums[person.name] = await self.new_chromium(person)
        if firefox is not None and self._firefox is None:
            self._firefox = await Firefox.start(tone=firefox.tone)

    async def new_chromium(self, person: Person) -> Chromium:
        """A Chromium of the caller's own, with the person's picture in its fake camera."""
        video = self._folder / f"{person.name}.y4m"
        if not video.exists():
            write_video(person, video)
        return await Chromium.start(video=str(video))

    def chromium(self, person: Person) -> Chromium:
        """The one of a person of the module's `CAST`."""
        return self._chromiums[person.name]

    async def page(self, person: Person, *, firefox: bool = False, more: str = "") -> Page:
        """A new page before which this person sits; `more` runs before its own scripts."""
        browser: Browser | None = self._chromiums.get(person.name)
        if firefox:
            browser = self._firefox
        assert browser is not None, f"{person.name} is not in the module's CAST"
        page = await browser.new_page(preload=preload(person, firefox=firefox) + more)
        self.pages.append(page)
        return page

    async def close(self) -> None:
        for browser in [*self._chromiums.values(), self._firefox]:
            if browser is not None:
                await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def all_browsers(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Browsers]:
    browsers = Browsers(tmp_path_factory.mktemp("media"))
    # The loop outlives each test, and so do its threads: here are all it gets.
    both = threading.Barrier(2)
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(2) as threads:
        loop.set_default_executor(threads)
        await asyncio.gather(*(asyncio.to_thread(both.wait) for _ in range(2)))
        try:
            yield browsers
        finally:
            await browsers.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browsers(request: pytest.FixtureRequest, all_browsers: Browsers) -> Browsers:
    """With browsers for the module's `CAST` of people; who of `FIREFOX`, if anybody."""
    # Before the tests of the module begin: what a browser holds is not left by a test.
    await all_browsers.start(request.module.CAST, firefox=request.module.FIREFOX)
    return all_browsers


@pytest_asyncio.fixture(loop_scope="session")
async def people(browsers: Browsers) -> AsyncIterator[Browsers]:
    """`browsers`, whose pages of this test are checked and closed at its end."""
    browsers.pages.clear()
    yield browsers
    complaints = []
    for page in browsers.pages:
        complaints += [*page.observed.errors, *await page.violations()]
        complaints += [f"asked outside: {url}" for url in page.observed.outside]
        await page.close()
    assert complaints == []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stock_page() -> AsyncIterator[str]:
    """URL of a page with other people's client library."""
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
    try:
        yield f"http://localhost:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, stock_page: str) -> Iterator[Service]:
    """The whole service; pages of the stock client may connect to it."""
    settings = (
        f'[web]\norigins = ["{stock_page.rstrip("/")}"]\n'
        # All tests come from one address.
        "max_requests_per_minute = 100000\n"
    )
    folder = tmp_path_factory.mktemp("service")
    with running_service(folder, settings=settings) as service:
        yield service


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go: docs/images if `UPDATE_SCREENSHOTS` is set, else somewhere."""
    if os.environ.get("UPDATE_SCREENSHOTS"):
        folder = Path(__file__).parent.parent.parent / "docs" / "images"
        folder.mkdir(exist_ok=True)
        return folder
    return tmp_path_factory.mktemp("screenshots")
