"""Presence that flickers takes nobody's picture away: media goes on meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser import people as folk
from tests.browser.call import Caller, enter, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, EVA, KIM, Person
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN, EVA)
FIREFOX = KIM
SCRIPT = (Path(__file__).parent / "flicker.js").read_text()


@pytest.mark.parametrize("viewer", [EVA, KIM], ids=["chromium", "firefox"])
async def test_who_goes_and_returns_in_the_room_is_seen_and_heard_again(
    people: Browsers, service: Service, viewer: Person
) -> None:
    room = new_room()
    ann = await enter(people, service, room, ANN)
    ben = await enter(people, service, room, BEN)
    page = await people.page(viewer, firefox=viewer is FIREFOX, more="\n" + SCRIPT)
    watching = Caller(viewer, page)
    await watching.open(service.url, room)
    await watching.join()
    await watching.sees([ann, ben])
    # Only the viewer hears of it, as if it had been long under way: nothing is sent anew.
    for _ in range(2):
        await page.evaluate(f"testFlicker({ann.id!r})")
        await watching.sees([ann, ben])
    await folk.speak(ann.page, True)
    await watching.hears([ANN])
