"""Moderators and the others: password, lobby, muting, roles, polls, the end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.browser.call import Caller, by_testid, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, KIM, Person
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN)
FIREFOX = KIM


class House:
    """A room, whose first visitor moderates it."""

    def __init__(self, people: Browsers, service: Service) -> None:
        self.people, self.service, self.room = people, service, new_room()

    async def knock(self, person: Person) -> Caller:
        """Bring somebody to the door; who may come in at once is in."""
        page = await self.people.page(person, firefox=person is FIREFOX)
        caller = Caller(person, page)
        await caller.open(self.service.url, self.room)
        await page.fill(by_testid("display-name"), person.name)
        await page.click(by_testid("join"))
        return caller

    async def enter(self, person: Person) -> Caller:
        caller = await self.knock(person)
        await inside(caller)
        return caller


@pytest_asyncio.fixture(loop_scope="session")
async def house(people: Browsers, service: Service) -> AsyncIterator[House]:
    yield House(people, service)


async def inside(caller: Caller) -> None:
    await caller.page.wait_for("xmppconf.state === 'joined'", what="joined")
    caller.id = await caller.page.evaluate("xmppconf.endpointId")


async def waits(caller: Caller, what: str) -> None:
    await caller.page.wait_for(
        f"document.querySelector('{by_testid('waiting-page')}')?.dataset.for === {what!r}"
    )


async def ended(caller: Caller, reason: str) -> None:
    await caller.page.wait_for(
        f"document.querySelector('{by_testid('left-page')}')?.dataset.reason === {reason!r}"
    )


async def menu(caller: Caller, *ids: str) -> None:
    for one in ids:
        await caller.page.click(by_testid(one))


async def act(caller: Caller, other: Caller, action: str) -> None:
    """Choose an action in another person's menu."""
    page = caller.page
    if not await page.evaluate(f"!!document.querySelector('{by_testid('people')}')"):
        await page.click(by_testid("toggle-people"))
    row = f"{by_testid('person')}[data-id='{other.id}']"
    await page.click(f"{row} {by_testid('person-menu')}")
    await page.click(f"{row} {by_testid(action)}")


async def moderates(caller: Caller) -> None:
    await caller.page.click(by_testid("toggle-people"))
    own = f"{by_testid('person')}[data-id=local]"
    await caller.page.wait_for(
        f"document.querySelector({json.dumps(own)})?.dataset.moderator === 'true'"
    )


async def test_a_password_is_asked_for_until_it_is_right(house: House) -> None:
    ann = await house.enter(ANN)
    await moderates(ann)
    await menu(ann, "more", "open-security-menu")
    await ann.page.fill(by_testid("set-password"), "open sesame")
    await ann.page.click(by_testid("save-password"))
    await ann.page.wait_for(f"!!document.querySelector('{by_testid('clear-password')}')")
    ben = await house.knock(BEN)
    await waits(ben, "password")
    await ben.page.fill(by_testid("room-password"), "open barley")
    await ben.page.click(by_testid("give-password"))
    await waits(ben, "wrong-password")
    await ben.page.fill(by_testid("room-password"), "open sesame")
    await ben.page.click(by_testid("give-password"))
    await inside(ben)


async def test_the_lobby_lets_in_and_refuses(house: House) -> None:
    ann = await house.enter(ANN)
    await moderates(ann)
    await ann.page.click(by_testid("close-people"))
    await menu(ann, "more", "open-security-menu", "access-lobby")
    await ann.page.wait_for(
        f"document.querySelector('{by_testid('access-lobby')}')?.checked", what="the lobby"
    )
    await ann.page.click(by_testid("close-dialog"))
    ben = await house.knock(BEN)
    await waits(ben, "lobby")
    await menu(ann, "open-lobby", "admit")
    await inside(ben)
    kim = await house.knock(KIM)
    await waits(kim, "lobby")
    await ann.page.click(by_testid("deny"))
    await ended(kim, "denied")
    await ann.page.wait_for(f"!document.querySelector('{by_testid('visitor')}')")


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
        page = await people.page(person, firefox=person is FIREFOX)
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
