"""Who comes late reads soon what is on the shared screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.call import Caller, by_testid, enter, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, EVA, KIM, Person
from tests.browser.test_share import watches
from tests.support.figures import Figure, count, record
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(count(120, 600)),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN, EVA)
FIREFOX = KIM
SCRIPT = (Path(__file__).parent / "legible.js").read_text()
#: Correlation with the original from which letters of seven dots can be told apart.
LEGIBLE = 0.85
TIMES = count(1, 10)
#: Seconds; the promise, of a quiet machine, is 2.
PATIENCE = 8.0


async def page_of(people: Browsers, person: Person) -> Caller:
    page = await people.page(person, firefox=person is FIREFOX, more="\n" + SCRIPT)
    return Caller(person, page)


@pytest.mark.parametrize("newcomer", [EVA, KIM], ids=["chromium", "firefox"])
@pytest.mark.parametrize("rate", [5, 30])
async def test_a_newcomer_reads_a_shared_screen(
    people: Browsers, service: Service, newcomer: Person, rate: int
) -> None:
    room = new_room()
    ann = await page_of(people, ANN)
    await ann.open(service.url, room)
    await ann.join()
    ben = await enter(people, service, room, BEN)
    # With three they are on the bridge before the newcomer comes.
    third = await enter(people, service, room, KIM if newcomer is EVA else EVA)
    await ann.page.evaluate(f"testPrint({rate})")
    await ann.page.click(by_testid("share"))
    for other in (ben, third):
        await watches(other, ann)
    slowest = 0.0
    for _ in range(TIMES):
        viewer = await page_of(people, newcomer)
        await viewer.open(service.url, room)
        await viewer.page.evaluate(f"testRead({LEGIBLE})")
        await viewer.join()
        await viewer.page.wait_for("!!testReading.legible", what="print", seconds=PATIENCE)
        reading = await viewer.page.evaluate("testReading")
        slowest = max(slowest, (reading["legible"] - reading["pressed"]) / 1000)
        await viewer.leave()
    name = "Firefox" if newcomer is KIM else "Chromium"
    what = f"{name} joins, a screen of {rate} pictures a second is shared"
    record(
        Figure(
            "browser",
            f"newcomer's screen {rate}, {name}",
            f"{what}: from pressing join until small print can be read, slowest of {TIMES}",
            slowest,
            "s",
            "≤ 2 on a quiet machine",
        )
    )
