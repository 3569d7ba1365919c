"""Moderators and the others: muting, roles, polls, the end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.browser.call import Caller, by_testid, new_room
from tests.browser.conftest import Browsers
from tests.browser.house import House, act, ended, menu, moderates
from tests.browser.people import ANN, BEN, KIM
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN)
FIREFOX = KIM


@pytest_asyncio.fixture(loop_scope="session")
async def house(people: Browsers, service: Service) -> AsyncIterator[House]:
    yield House(people, service)


async def test_muting_asking_and_the_right_to_speak(house: House) -> None:
    ann = await house.enter(ANN)
    ben, kim = await house.enter(BEN), await house.enter(KIM)
    await moderates(ann)
    await act(ann, ben, "mute-audio")
    await ben.page.wait_for("xmppconf.local.audioMuted")
    await act(ann, ben, "ask-audio")
    await ben.page.click(by_testid("asked-yes"))
    await ben.page.wait_for("!xmppconf.local.audioMuted")
    await menu(ann, "everybody-menu", "mute-everybody")
    for caller in (ben, kim):
        await caller.page.wait_for("xmppconf.local.audioMuted")
    assert not await ann.page.evaluate("xmppconf.local.audioMuted")
    await menu(ann, "everybody-menu", "open-security", "may-audio")
    await ann.page.wait_for(
        f"document.querySelector('{by_testid('may-audio')}')?.checked === false",
        what="restricted",
    )
    await ann.page.click(by_testid("close-dialog"))
    # The news of it travels by itself: until it is there, unmuting works.
    await kim.page.wait_for(
        f"document.querySelector('{by_testid('toggle-audio')}').click(),"
        f" document.querySelector('{by_testid('live')}').textContent"
        ".startsWith('A moderator has to allow')",
        every=0.5,
    )
    await kim.page.wait_for("xmppconf.local.audioMuted")
    await act(ann, kim, "allow-audio")
    await kim.page.wait_for(
        f"document.querySelector('{by_testid('toggle-audio')}').click(),"
        " !xmppconf.local.audioMuted",
        every=0.5,
    )


async def test_a_moderator_is_made_and_somebody_removed(house: House) -> None:
    ann = await house.enter(ANN)
    ben, kim = await house.enter(BEN), await house.enter(KIM)
    await moderates(ann)
    await act(ann, ben, "set-moderator")
    await moderates(ben)
    await act(ben, kim, "kick")
    await ended(kim, "kicked")
    await ann.wait_for_tile(kim, "tile === null")


async def test_who_is_removed_shares_their_screen_no_longer(house: House) -> None:
    ann, ben = await house.enter(ANN), await house.enter(BEN)
    await moderates(ann)
    await ben.page.click(by_testid("share"))
    states = "testDisplays.flatMap((one) => one.getTracks()).map((one) => one.readyState)"
    await ben.page.wait_for(f"{states}.includes('live')", what="a screen")
    screen = f'document.querySelector("[data-screen={ben.id!r}]")'
    await ann.page.wait_for(f"!!{screen}", what="Ben's screen")
    await act(ann, ben, "mute-desktop")
    await ann.page.wait_for(f"!{screen}", what="no screen")
    assert not await ben.page.evaluate(f"{states}.includes('live')")
    await ben.page.click(by_testid("share"))
    await ben.page.wait_for(f"{states}.includes('live')", what="another screen")
    await act(ann, ben, "kick")
    await ended(ben, "kicked")
    assert not await ben.page.evaluate(f"{states}.includes('live')")


async def test_of_a_room_left_with_the_back_button_nothing_shows_in_the_next(
    house: House,
) -> None:
    ann, ben = await house.enter(ANN), await house.enter(BEN)
    await ben.page.click(by_testid("share"))
    await ben.page.wait_for("xmppconf.participants.length === 1")
    await ben.page.call(
        "(room) => { history.pushState(null, '', room);"
        " dispatchEvent(new PopStateEvent('popstate')); }",
        f"/{new_room()}",
    )
    await ben.page.click(by_testid("join"))
    await ben.page.wait_for(
        f"xmppconf.state === 'joined' && !!document.querySelector('{by_testid('alone')}')",
        what="nobody else there",
    )
    share = f"document.querySelector('{by_testid('share')}').ariaPressed"
    assert await ben.page.evaluate(share) != "true"
    await ann.wait_for_tile(ben, "tile === null")


async def test_a_poll_is_asked_and_answered(house: House) -> None:
    ann, ben = await house.enter(ANN), await house.enter(BEN)
    await menu(ann, "more", "toggle-polls", "poll-new")
    await ann.page.fill(by_testid("poll-question"), "<b>Tea</b>?")
    await ann.page.call(
        """(selector) => document.querySelectorAll(selector).forEach((input, index) => {
            input.value = ["yes", "no"][index];
            input.dispatchEvent(new Event("input", { bubbles: true }));
        })""",
        by_testid("poll-option"),
    )
    await ann.page.click(by_testid("poll-ask"))
    await menu(ben, "more", "toggle-polls", "poll-choice", "poll-vote")
    for caller in (ann, ben):
        if caller is ann:
            await menu(ann, "poll-choice", "poll-vote")
        await caller.page.wait_for(
            f"document.querySelector('{by_testid('poll-result')}')?.dataset.votes === '2'"
        )
        heading = await caller.page.evaluate(
            f"document.querySelector('{by_testid('poll')} h3').textContent"
        )
        assert heading == "<b>Tea</b>?"


async def test_the_meeting_ends_for_all(house: House) -> None:
    ann, ben = await house.enter(ANN), await house.enter(BEN)
    await moderates(ann)
    await menu(ann, "more", "open-security-menu", "ask-end", "end-for-all")
    await ended(ben, "room-closed")


async def test_the_connection_is_tried_through_the_bridge(
    people: Browsers, service: Service
) -> None:
    for person in (ANN, KIM):
        page = await people.page(person, firefox=person is KIM)
        caller = Caller(person, page)
        await caller.open(service.url, new_room())
        await page.click(by_testid("test-connection"))
        await page.wait_for(
            f"document.querySelector('{by_testid('connection-result')}').dataset.kind",
            seconds=30,
        )
        kind = await page.evaluate(
            f"document.querySelector('{by_testid('connection-result')}').dataset.kind"
        )
        assert kind == "good"
