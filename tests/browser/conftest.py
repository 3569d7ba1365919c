"""Browsers that live as long as a test module, and pages that must have been quiet."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser.chromium import Chromium
from tests.browser.firefox import Firefox
from tests.browser.page import Browser, Page
from tests.browser.people import Person, preload, write_video


class Browsers:
    """One Chromium for each person of a cast, and one Firefox if asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._chromiums: dict[str, Chromium] = {}
        self._firefox: Firefox | None = None
        self.pages: list[Page] = []

    async def start(self, cast: tuple[Person, ...], *, firefox: Person | None) -> None:
        for person in cast:
            self._chromiums[person.name] = await self.new_chromium(person)
        if firefox is not None:
            self._firefox = await Firefox.start(tone=firefox.tone)

    async def new_chromium(self, person: Person) -> Chromium:
        """A Chromium of the caller's own, with the person's picture in its fake camera."""
        video = self._folder / f"{person.name}.y4m"
        if not video.exists():
            write_video(person, video)
        return await Chromium.start(video=str(video))

    async def page(self, person: Person, *, firefox: bool = False) -> Page:
        """A new page before which this person sits."""
        browser: Browser | None = self._chromiums.get(person.name)
        if firefox:
            browser = self._firefox
        assert browser is not None, f"{person.name} is not in the module's CAST"
        page = await browser.new_page(preload=preload(person, firefox=firefox))
        self.pages.append(page)
        return page

    async def close(self) -> None:
        for browser in [*self._chromiums.values(), self._firefox]:
            if browser is not None:
                await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browsers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Browsers]:
    """Browsers for the module's `CAST` of people; who of `FIREFOX`, if anybody."""
    browsers = Browsers(tmp_path_factory.mktemp("media"))
    try:
        await browsers.start(request.module.CAST, firefox=request.module.FIREFOX)
        yield browsers
    finally:
        await browsers.close()


@pytest_asyncio.fixture(loop_scope="module")
async def people(browsers: Browsers) -> AsyncIterator[Browsers]:
    """`browsers`, whose pages of this test are checked and closed at its end."""
    browsers.pages.clear()
    yield browsers
    complaints = [
        *(error for page in browsers.pages for error in page.observed.errors),
        *(
            f"asked outside: {url}"
            for page in browsers.pages
            for url in page.observed.outside
        ),
    ]
    for page in browsers.pages:
        await page.close()
    assert complaints == []


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go: docs/images if `UPDATE_SCREENSHOTS` is set, else somewhere."""
    if os.environ.get("UPDATE_SCREENSHOTS"):
        folder = Path(__file__).parent.parent.parent / "docs" / "images"
        folder.mkdir(exist_ok=True)
        return folder
    return tmp_path_factory.mktemp("screenshots")
