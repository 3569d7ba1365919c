"""People talk through our bridge while a stock Jicofo leads the conference."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.call import Caller, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, EVA, Person, speak
from tests.browser.stock_person import Stock, enter
from tests.interop import set_up
from xmppconf.names import Names

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN, EVA)
FIREFOX = None

#: Jicofo invites two at once, and the second now and then before it has read from the
#: bridge's first answer which streams of its own the bridge has; nobody misses those.
NO_FEEDBACK = "No SSRC lines found in remote SDP"


@pytest.fixture(scope="module")
def jicofo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[set_up.Running]:
    home = Path(os.environ["XMPPCONF_JICOFO"])
    folder = tmp_path_factory.mktemp("jicofo")
    with set_up.running(folder, jicofo=home) as running:
        yield running
    # What it thinks of our bridge's answers.
    complaints = [
        line
        for line in running.log("jicofo").splitlines()
        if "olibri" in line and any(word in line for word in ("SEVERE", "WARN", "rror"))
    ]
    assert complaints == []


async def enter_ours(
    people: Browsers, jicofo: set_up.Running, room: str, person: Person
) -> Caller:
    caller = Caller(person, await people.page(person))
    await caller.open(jicofo.url, room)
    await caller.join()
    await speak(caller.page, True)
    return caller


async def enter_stock(
    people: Browsers,
    jicofo: set_up.Running,
    page: str,
    room: str,
    person: Person,
    codec: str,
) -> Stock:
    focus = Names.of(jicofo.settings).focus
    domain = jicofo.settings.domain
    return await enter(
        *(people, jicofo.url, domain, page, room, person, codec, focus),
        forgiven=[NO_FEEDBACK],
    )


async def test_three_of_ours(people: Browsers, jicofo: set_up.Running) -> None:
    room = new_room()
    callers = [await enter_ours(people, jicofo, room, person) for person in CAST]
    for caller in callers:
        others = [other for other in callers if other is not caller]
        await caller.sees(others)
        await caller.hears([other.person for other in others])


@pytest.mark.parametrize("codec", ["VP8", "VP9", "H264", "AV1"])
async def test_a_stock_client_and_ours(
    people: Browsers, jicofo: set_up.Running, stock_page: str, codec: str
) -> None:
    room = new_room()
    ann = await enter_ours(people, jicofo, room, ANN)
    ben = await enter_stock(people, jicofo, stock_page, room, BEN, codec)
    await ann.sees([Caller(ben.person, ben.page, ben.id)])
    await ben.sees_and_hears(ANN)
    await ann.hears([BEN])
    assert await ben.page.evaluate("stock.error") == ""


async def test_three_stock_clients(
    people: Browsers, jicofo: set_up.Running, stock_page: str
) -> None:
    room = new_room()
    stocks = [
        await enter_stock(people, jicofo, stock_page, room, person, "") for person in CAST
    ]
    for one in stocks:
        await one.sees_and_hears(*(other.person for other in stocks if other is not one))
        assert await one.page.evaluate("stock.error") == ""
