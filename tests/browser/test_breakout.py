"""Rooms beside the main one: made, gone to, called back from, closed."""

from __future__ import annotations

import pytest

from tests.browser.call import Caller, by_testid, enter, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, KIM
from tests.support.service import Service

CAST = (ANN, BEN)
FIREFOX = KIM

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]


async def open_panel(who: Caller) -> None:
    await who.page.click(by_testid("more"))
    await who.page.click(by_testid("toggle-breakout"))


async def again(who: Caller) -> None:
    """In another room one is somebody else."""
    await who.page.wait_for("xmppconf.state === 'joined'", what="joined")
    who.id = await who.page.evaluate("xmppconf.endpointId")


async def test_people_go_to_a_room_of_their_own_and_come_back(
    people: Browsers, service: Service
) -> None:
    room = new_room()
    cast = (ANN, BEN, KIM)
    ann, ben, kim = [await enter(people, service, room, person) for person in cast]
    await open_panel(ann)
    await ann.page.fill(by_testid("breakout-name"), "Kitchen")
    await ann.page.click(by_testid("breakout-add"))
    other = f"{by_testid('breakout')}[data-main=false]"
    await ann.page.wait_for(f"!!document.querySelector('{other}')")
    # Ben and Kim go by themselves, and are alone there.
    for caller in (ben, kim):
        await open_panel(caller)
        await caller.page.click(f"{other} {by_testid('breakout-join')}")
        await caller.page.wait_for(
            f"!!document.querySelector('{by_testid('breakout-bar')}')"
        )
        await again(caller)
    await ben.sees([kim])
    await ben.hears([KIM])
    assert await ben.page.evaluate("xmppconf.participants.length") == 1
    where = f"document.querySelector('{other}').textContent"
    await ann.page.wait_for(f"{where}.includes('Ben') && {where}.includes('Kim')")
    await ann.page.wait_for("xmppconf.participants.length === 0")
    # What goes wrong in there is known to the moderator who is not there.
    await ben.page.click(by_testid("toggle-people"))
    await ben.page.click(f'[data-id="{kim.id}"] {by_testid("person-menu")}')
    await ben.page.click(by_testid("report-person"))
    await ben.page.click(by_testid("report-spam"))
    await ben.page.click(by_testid("send-report"))
    news = "document.body.textContent.includes('Kim, in \u201cKitchen\u201d, was reported')"
    await ann.page.wait_for(news, what="the report")
    # Ben comes back by himself, Kim is called back, then the room is closed.
    await ben.page.click(by_testid("breakout-back"))
    await ben.page.wait_for(f"!document.querySelector('{by_testid('breakout-bar')}')")
    await again(ben)
    await ann.sees([ben])
    await ann.page.click(by_testid("breakout-call"))
    await kim.page.wait_for(f"!document.querySelector('{by_testid('breakout-bar')}')")
    await again(kim)
    await ann.sees([ben, kim])
    await ann.page.click(by_testid("breakout-remove"))
    await ann.page.wait_for(f"!document.querySelector('{other}')")


async def test_people_are_spread_by_chance(people: Browsers, service: Service) -> None:
    room = new_room()
    cast = (ANN, BEN, KIM)
    ann, *others = [await enter(people, service, room, person) for person in cast]
    await open_panel(ann)
    made = f"document.querySelectorAll('{by_testid('breakout')}[data-main=false]').length"
    for number, name in enumerate(("Kitchen", "Garden", "Attic"), 1):
        await ann.page.fill(by_testid("breakout-name"), name)
        await ann.page.click(by_testid("breakout-add"))
        await ann.page.wait_for(f"{made} === {number}")
    await ann.page.click(by_testid("breakout-deal"))
    bar = f"document.querySelector('{by_testid('breakout-bar')}')?.textContent"
    where = set()
    for caller in (ann, *others):
        await again(caller)
        where.add(await caller.page.wait_for(bar, what="a room of one's own"))
    assert len(where) == 3
