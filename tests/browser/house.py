"""A room and who stands before its door, for tests of what its moderator may."""

from __future__ import annotations

import json

from tests.browser.call import Caller, by_testid, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import KIM, Person
from tests.support.service import Service


class House:
    """A room, whose first visitor moderates it."""

    def __init__(self, people: Browsers, service: Service) -> None:
        self.people, self.service, self.room = people, service, new_room()

    async def knock(self, person: Person) -> Caller:
        """Bring somebody to the door; who may come in at once is in."""
        page = await self.people.page(person, firefox=person is KIM)
        caller = Caller(person, page)
        await caller.open(self.service.url, self.room)
        await page.fill(by_testid("display-name"), person.name)
        await page.click(by_testid("join"))
        return caller

    async def enter(self, person: Person) -> Caller:
        caller = await self.knock(person)
        await inside(caller)
        return caller


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


async def checked(caller: Caller, choice: str) -> None:
    found = f"document.querySelector('{by_testid(choice)}')"
    await caller.page.wait_for(f"{found}?.checked", what=choice)


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
