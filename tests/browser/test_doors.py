"""Who comes in: by a password, through the lobby, as a member, or not any more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.browser.call import Caller, by_testid
from tests.browser.conftest import Browsers
from tests.browser.house import House, act, checked, ended, inside, menu, moderates, waits
from tests.browser.people import ANN, BEN, KIM
from tests.serve.test_sign_in import Socket, http_session
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


async def with_access(house: House, access: str) -> Caller:
    """Ann in her room, which only so many may enter from now on."""
    ann = await house.enter(ANN)
    await moderates(ann)
    await ann.page.click(by_testid("close-people"))
    choice = f"access-{access}"
    await menu(ann, "more", "open-security-menu", choice)
    await checked(ann, choice)
    await ann.page.click(by_testid("close-dialog"))
    return ann


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
    ann = await with_access(house, "lobby")
    ben = await house.knock(BEN)
    await waits(ben, "lobby")
    await menu(ann, "open-lobby", "admit")
    await inside(ben)
    kim = await house.knock(KIM)
    await waits(kim, "lobby")
    await ann.page.click(by_testid("deny"))
    await ended(kim, "denied")
    await ann.page.wait_for(f"!document.querySelector('{by_testid('visitor')}')")


async def test_all_who_wait_are_let_in_at_once(house: House) -> None:
    ann = await with_access(house, "lobby")
    ben, kim = [await house.knock(person) for person in (BEN, KIM)]
    for caller in (ben, kim):
        await waits(caller, "lobby")
    await menu(ann, "toggle-people", "admit-all")
    for caller in (ben, kim):
        await inside(caller)
    await ann.sees([ben, kim])


async def test_who_knows_the_password_need_not_wait(house: House) -> None:
    ann = await with_access(house, "lobby")
    await menu(ann, "more", "open-security-menu")
    await ann.page.fill(by_testid("set-password"), "open sesame")
    await ann.page.click(by_testid("save-password"))
    await ann.page.wait_for(f"!!document.querySelector('{by_testid('clear-password')}')")
    ben = await house.knock(BEN)
    await waits(ben, "lobby")
    await ben.page.click(by_testid("know-password"))
    await ben.page.fill(by_testid("room-password"), "open sesame")
    await ben.page.click(by_testid("give-password"))
    await inside(ben)


@pytest.mark.parametrize(
    ("access", "reason"), [("members", "members-only"), ("locked", "members-only")]
)
async def test_a_closed_room_says_why(house: House, access: str, reason: str) -> None:
    ann = await with_access(house, access)
    ben = await house.knock(BEN)
    await ended(ben, reason)
    await menu(ann, "more", "open-security-menu", "access-open")
    await checked(ann, "access-open")
    await menu(ben, "return", "join")
    await inside(ben)


async def test_who_is_banned_stays_out(house: House) -> None:
    ann = await house.enter(ANN)
    ben = await house.enter(BEN)
    await moderates(ann)
    await act(ann, ben, "ban")
    await ended(ben, "kicked")
    await menu(ben, "return", "join")
    await ended(ben, "removed")
    assert not await ben.page.evaluate(f"!!document.querySelector('{by_testid('return')}')")
    assert await ann.page.evaluate("xmppconf.participants.length") == 0


#: So many the focus lets wait before one room.
LOBBY = 100


async def test_a_lobby_is_full(house: House, service: Service) -> None:
    ann = await with_access(house, "lobby")
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(http_session())
        for number in range(LOBBY):
            socket = await stack.enter_async_context(Socket(http, service.url, ""))
            await socket.ask(house.room)
            await socket.knock(house.room, f"waiting{number}")
        ben = await house.knock(BEN)
        await ended(ben, "lobby-full")
        await ann.page.click(by_testid("open-lobby"))
        count = f"document.querySelectorAll('{by_testid('visitor')}').length"
        assert await ann.page.evaluate(count) == LOBBY
        await ann.page.click(by_testid("deny"))
        await ann.page.wait_for(f"{count} < {LOBBY}")
        await menu(ben, "return", "join")
        await waits(ben, "lobby")
