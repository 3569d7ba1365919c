"""Before the call: the start page, and the page on which one looks at oneself."""

from __future__ import annotations

import pytest

from tests.browser.call import Caller, by_testid, enter, new_room, sit_down
from tests.browser.conftest import Browsers
from tests.browser.page import Page
from tests.browser.people import ANN, BEN, KIM, Person, speak
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN)
FIREFOX = KIM

everywhere = pytest.mark.parametrize("person", [ANN, KIM], ids=["chromium", "firefox"])


async def start(people: Browsers, service: Service, person: Person) -> Page:
    page = await people.page(person, firefox=person is KIM)
    await page.go(service.url)
    await page.wait_for(f"!!document.querySelector('{by_testid('start-page')}')")
    return page


async def shows(page: Page, name: str) -> None:
    await page.wait_for(f"!!document.querySelector('{by_testid(name)}')", what=name)


@everywhere
async def test_a_room_is_named_or_taken_as_offered(
    people: Browsers, service: Service, person: Person
) -> None:
    page = await start(people, service, person)
    await page.fill(by_testid("room-name"), "!?")
    await page.click(by_testid("go"))
    assert await page.text("#room-error") != ""
    await page.fill(by_testid("room-name"), "Tea at Five")
    await page.click(by_testid("go"))
    await shows(page, "prejoin-page")
    assert await page.evaluate("location.pathname") == "/tea-at-five"
    assert await page.text(by_testid("room-title")) == "tea-at-five"
    await page.evaluate("history.back()")
    await shows(page, "start-page")
    offered = await page.text(by_testid("suggestion"))
    await page.evaluate("document.querySelector('.suggestion .small').click()")
    another = await page.text(by_testid("suggestion"))
    assert len({offered, another}) == 2
    await page.click(by_testid("suggestion"))
    await shows(page, "prejoin-page")
    assert await page.evaluate("location.pathname") == f"/{another}"


async def test_rooms_are_remembered_only_if_that_is_wanted(
    people: Browsers, service: Service
) -> None:
    page = await start(people, service, ANN)

    async def visit(room: str) -> None:
        await page.fill(by_testid("room-name"), room)
        for one in ("go", "join"):
            await page.click(by_testid(one))
        await page.wait_for("xmppconf.state === 'joined'")
        for one in ("leave", "home"):
            await page.click(by_testid(one))
        await shows(page, "start-page")

    rooms = [new_room() for _ in range(3)]
    await visit(rooms[0])
    assert not await page.evaluate(f"document.body.textContent.includes({rooms[0]!r})")
    assert rooms[0] not in await page.evaluate("JSON.stringify(localStorage)")
    await page.click(by_testid("keep-recent"))
    await shows(page, "recent-empty")
    for room in rooms[1:]:
        await visit(room)
    links = f"[...document.querySelectorAll('{by_testid('recent')} a')]"
    assert await page.evaluate(f"{links}.map((one) => one.textContent)") == rooms[:0:-1]
    await page.evaluate(f"{links}[1].click()")
    await shows(page, "prejoin-page")
    assert await page.evaluate("location.pathname") == f"/{rooms[1]}"
    await page.evaluate("history.back()")
    await page.click(by_testid("forget-all"))
    await shows(page, "recent-empty")
    assert "room-" not in await page.evaluate("JSON.stringify(localStorage)")


@everywhere
async def test_language_and_theme_are_chosen(
    people: Browsers, service: Service, person: Person
) -> None:
    page = await start(people, service, person)
    for language, heading in (("de", "Raum öffnen. Reden."), ("ar", ""), ("", "")):
        await page.select(by_testid("start-language"), language)
        await page.wait_for(f"document.documentElement.lang === {language or 'en'!r}")
        if heading:
            assert await page.text("h1") == heading
        direction = "rtl" if language == "ar" else "ltr"
        assert await page.evaluate("document.documentElement.dir || 'ltr'") == direction
    await page.fill(by_testid("room-name"), new_room())
    for one in ("go", "join", "more", "open-settings"):
        await page.click(by_testid(one))
    background = "getComputedStyle(document.body).backgroundColor"
    seen = set()
    for theme in ("light", "dark"):
        await page.select(by_testid("theme"), theme)
        await page.wait_for(f"document.documentElement.dataset.theme === {theme!r}")
        seen.add(await page.evaluate(background))
    assert len(seen) == 2


#: Notes that the page plays.
NOTES = """
window.testNotes = [];
if (window.OscillatorNode) {
    const begin = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...when) {
        window.testNotes.push(this.frequency.value);
        return begin.apply(this, when);
    };
}
"""


async def test_sound_is_tried_both_ways(people: Browsers, service: Service) -> None:
    page = await people.page(ANN, more=NOTES)
    ann = Caller(ANN, page)
    await ann.open(service.url, new_room())
    level = f"Number(document.querySelector('{by_testid('mic-level')}').ariaValueNow)"
    await page.wait_for(f"{level} < 10", what="silence")
    await speak(page, True)
    await page.wait_for(f"{level} > 30", what="a voice")
    await speak(page, False)
    await page.wait_for(f"{level} < 10", what="silence again")
    await page.evaluate("testNotes.length = 0")
    await page.click(by_testid("test-speaker"))
    button = f"document.querySelector('{by_testid('test-speaker')}')"
    assert await page.evaluate("testNotes.length > 3 && Math.max(...testNotes) < 2000")
    await page.wait_for(f"!{button}.disabled", what="the end of it")


@everywhere
async def test_who_joins_muted_is_muted(
    people: Browsers, service: Service, person: Person
) -> None:
    room = new_room()
    ben = await enter(people, service, room, BEN)
    one = await sit_down(people, person)
    await one.open(service.url, room)
    await speak(one.page, True)
    for name in ("toggle-audio", "toggle-video"):
        await one.page.click(by_testid(name))
    await one.page.wait_for(f"!document.querySelector('{by_testid('preview')}')")
    live = "testCaptured.filter((one) => one.kind === 'video' && one.readyState === 'live')"
    assert await one.page.evaluate(f"{live}.length") == 0, "its light is out"
    await one.join()
    await ben.wait_for_tile(
        one, "tile?.dataset.audioMuted === 'true' && tile.dataset.video === 'off'"
    )
    await one.page.wait_for("xmppconf.media === 'connected'", seconds=20)
    await ben.hears([])
    for name in ("toggle-audio", "toggle-video"):
        await one.page.click(by_testid(name))
    await ben.sees([one])
    await ben.hears([person])
