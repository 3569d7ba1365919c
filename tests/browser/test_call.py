"""Three people in one room through the bridge, in real browsers."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.browser import people as folk
from tests.browser.call import Caller, by_testid, new_room
from tests.browser.conftest import Browsers
from tests.browser.page import Page
from tests.browser.people import ANN, BEN, EVA, KIM, Person, preload
from tests.support import figures
from tests.support.figures import Figure
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(figures.count(180, 900)),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN, EVA)
FIREFOX = KIM
TIMES = figures.count(1, 20)


class Meeting:
    """A room and who is in it."""

    def __init__(self, browsers: Browsers, service: Service) -> None:
        self.browsers, self.service = browsers, service
        self.room = new_room()
        self.callers: list[Caller] = []

    async def enter(self, *cast: Person) -> list[Caller]:
        """Bring people in, one after the other."""
        entered = []
        for person in cast:
            page = await self.browsers.page(person, firefox=person is FIREFOX)
            entered.append(await self.enter_with(person, page))
        return entered

    async def enter_with(self, person: Person, page: Page) -> Caller:
        caller = Caller(person, page)
        await caller.open(self.service.url, self.room)
        await caller.join()
        self.callers.append(caller)
        return caller

    async def end(self) -> None:
        """Everybody closes the page, which has been quiet; another room is next."""
        for caller in self.callers:
            assert caller.page.observed.errors == []
            await caller.page.close()
            self.browsers.pages.remove(caller.page)
        self.callers.clear()
        self.room = new_room()

    async def all_see_all(self) -> None:
        for caller in self.callers:
            await caller.sees([other for other in self.callers if other is not caller])

    async def all_hear_all(self) -> None:
        for caller in self.callers:
            await folk.speak(caller.page, True)
        for caller in self.callers:
            await caller.hears([o.person for o in self.callers if o is not caller])


@pytest_asyncio.fixture(loop_scope="session")
async def meeting(people: Browsers, service: Service) -> AsyncIterator[Meeting]:
    yield Meeting(people, service)


@pytest.mark.parametrize(
    "cast", [(ANN, BEN, EVA), (ANN, BEN, KIM)], ids=["three-chromium", "with-firefox"]
)
async def test_everybody_sees_and_hears_everybody(
    meeting: Meeting, cast: tuple[Person, ...]
) -> None:
    slowest: dict[Person, float] = {}
    for _ in range(TIMES):
        await meeting.enter(*cast)
        await meeting.all_see_all()
        await meeting.all_hear_all()
        # The first one waited for company, not for the service.
        for caller in meeting.callers[1:]:
            timings = await caller.page.evaluate("xmppconf.timings")
            first = timings["firstRemoteFrame"] - timings["joinStart"]
            slowest[caller.person] = max(slowest.get(caller.person, 0), first)
        if TIMES > 1:
            await meeting.end()
    for person, first in slowest.items():
        browser = "Firefox" if person is FIREFOX else "Chromium"
        company = f"{len(cast)} people" + (", one with Firefox" if FIREFOX in cast else "")
        figures.record(
            Figure(
                "browser",
                f"B1 {company}, {person.name}",
                f"{browser}: from pressing join to the first picture of somebody,"
                f" slowest of {TIMES}",
                first,
                "ms",
                f"≤ {'2,000' if person is FIREFOX else '1,500'} on a quiet machine",
            )
        )


async def test_muting_is_seen_and_heard_by_the_others(meeting: Meeting) -> None:
    ann, ben = await meeting.enter(ANN, BEN)
    await meeting.all_see_all()
    await folk.speak(ann.page, True)
    await ben.hears([ANN])
    await ann.page.click(by_testid("toggle-audio"))
    await ben.wait_for_tile(ann, "tile.dataset.audioMuted === 'true'")
    await ben.hears([])
    await ann.page.click(by_testid("toggle-audio"))
    await ben.wait_for_tile(ann, "tile.dataset.audioMuted === 'false'")
    await ben.hears([ANN])
    await ann.page.click(by_testid("toggle-video"))
    await ben.wait_for_tile(ann, "tile.dataset.video === 'off'")
    await ann.page.click(by_testid("toggle-video"))
    await ben.wait_for_tile(ann, "tile.dataset.video === 'on'")
    await ben.sees([ann])


async def test_somebody_leaves_and_returns(meeting: Meeting) -> None:
    ann, ben, eva = await meeting.enter(ANN, BEN, EVA)
    await meeting.all_see_all()
    await ben.leave()
    for other in (ann, eva):
        await other.wait_for_tile(ben, "tile === null")
    await ben.page.click(by_testid("return"))
    await ben.page.wait_for(
        f"xmppconf.state === 'joined' || !!document.querySelector('{by_testid('join')}')"
    )
    if not await ben.page.evaluate("xmppconf.state === 'joined'"):
        await ben.join()
    ben.id = await ben.page.evaluate("xmppconf.endpointId")
    await meeting.all_see_all()


async def test_somebody_whose_browser_dies_disappears(meeting: Meeting) -> None:
    ann, ben = await meeting.enter(ANN, BEN)
    browser = await meeting.browsers.new_chromium(EVA)
    try:
        page = await browser.new_page(preload=preload(EVA, firefox=False))
        eva = await meeting.enter_with(EVA, page)
        await meeting.all_see_all()
        died = time.monotonic()
    finally:
        await browser.kill()
        await browser.close()
    for other in (ann, ben):
        await other.wait_for_tile(eva, "tile === null", seconds=90)
    figures.record(
        Figure(
            "browser",
            "browser dies",
            "all its processes killed, until it is gone from the others' pages",
            time.monotonic() - died,
            "s",
        )
    )
    meeting.callers.remove(eva)
    await meeting.all_see_all()


async def test_chat_is_delivered(meeting: Meeting) -> None:
    ann, ben = await meeting.enter(ANN, BEN)
    text = f"<b>hello</b> & {secrets.token_hex(4)}"
    await ann.say(text)
    await ben.page.click(by_testid("toggle-chat"))
    message = (
        f"[...document.querySelectorAll('{by_testid('chat-message')}')]"
        f".find((message) => message.textContent.includes({text!r}))"
    )
    await ben.page.wait_for(f"!!{message}", what="the message")
    assert await ben.page.evaluate(f"{message}.dataset.from") == ann.id
    assert not await ben.page.evaluate(f"!!{message}.querySelector('b b, .text b')")


async def test_the_dominant_speaker_is_the_one_who_makes_sound(meeting: Meeting) -> None:
    ann, ben, eva = await meeting.enter(ANN, BEN, EVA)
    await meeting.all_see_all()
    for speaker in (ben, ann, eva):
        await folk.speak(speaker.page, True)
        for caller in meeting.callers:
            await caller.page.wait_for(
                f"xmppconf.dominantSpeaker === {speaker.id!r}",
                what=f"{caller.person.name} to see {speaker.person.name} speak",
            )
        await folk.speak(speaker.page, False)
        await asyncio.sleep(0.5)
