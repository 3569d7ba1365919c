"""A focus with an account and no component: our client, and a stock one by /config.js."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser import stock_person
from tests.browser import test_stock_rooms as checks
from tests.browser.call import Caller, by_testid, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, speak
from tests.support.service import Service, running_service
from xmppconf.names import Names

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN)
FIREFOX = None

pages = checks.pages


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory,
    pages: tuple[str, list[str]],
    stock_page: str,
) -> Iterator[Service]:
    """A service whose Prosody has our lobby module, which is of no use here."""
    url, service_url = pages
    origins = [one.rstrip("/") for one in (url, stock_page)]
    settings = (
        f"[web]\norigins = {origins}\nmax_requests_per_minute = 100000\n"
        '[rooms]\nlobby_module = true\n[focus]\naccount = "focus@auth.localhost"\n'
    )
    folder = tmp_path_factory.mktemp("account")
    with running_service(folder, settings=settings) as service:
        service_url.append(service.url)
        yield service


async def test_a_stock_client_finds_all_but_the_lobby(
    people: Browsers, house: Service, pages: tuple[str, list[str]]
) -> None:
    cast, table = checks.Cast(people, pages[0]), checks.Table(recorded=False)
    ann = await cast.joined("Ann", media=True)
    await ann.holds("conference.isModerator()")
    ben = await cast.joined("Ben", media=True)
    await ann.saw("USER_JOINED", await ben.id)
    for check in (
        checks.moderation,
        checks.muting,
        checks.roles,
        checks.subject_and_hand,
        checks.statistics_and_newer,
        checks.breakout,
    ):
        await check(ann, ben, table)
    assert await ann.ask("isLobbySupported") is False
    ben = await checks.password(cast, ann, ben, table)
    await checks.removal(cast, ann, ben, table)
    await checks.end(cast, ann, table)
    print(f"{table.rows} checks")
    assert table.rows >= 40


async def test_ours_and_a_stock_client_talk(
    people: Browsers, house: Service, stock_page: str
) -> None:
    room = new_room()
    ann = Caller(ANN, await people.page(ANN))
    await ann.open(house.url, room)
    await ann.join()
    await speak(ann.page, True)
    ben = await stock_person.enter(
        people,
        house.url,
        house.settings.domain,
        stock_page,
        room,
        BEN,
        "VP8",
        Names.of(house.settings).focus,
    )
    await ann.sees([Caller(BEN, ben.page, ben.id)])
    await ben.sees_and_hears(ANN)
    await ann.hears([BEN])


async def test_our_client_offers_no_lobby(people: Browsers, house: Service) -> None:
    room = new_room()
    ann = Caller(ANN, await people.page(ANN))
    await ann.open(house.url, room)
    await ann.join()
    await ann.page.click(by_testid("more"))
    await ann.page.click(by_testid("open-security-menu"))
    choices = (
        "[...document.querySelectorAll('[name=access]')].map((one) => one.dataset.testid)"
    )
    await ann.page.wait_for(f"{choices}.length > 0", what="choices of access")
    assert await ann.page.evaluate(choices) == [
        *("access-open", "access-members", "access-locked")
    ]
    await ann.page.click(by_testid("access-members"))
    # A stranger is told that the room is for members, and nothing is said to a lobby.
    ben = Caller(BEN, await people.page(BEN))
    await ben.open(house.url, room)
    await ben.page.fill(by_testid("display-name"), "Ben")
    await ben.page.click(by_testid("join"))
    await ben.page.wait_for(
        f"document.querySelector('{by_testid('left-page')}')?.dataset.reason"
        " === 'members-only'",
        what="told that the room is for members",
    )
