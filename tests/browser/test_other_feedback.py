"""Receivers that do not report of each packet when it came get pictures all the same."""

from __future__ import annotations

import pytest

from tests.browser.call import Caller, enter, new_room
from tests.browser.conftest import Browsers
from tests.browser.feedback import KINDS, NEGOTIATED
from tests.browser.people import ANN, BEN, EVA, pause
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN, EVA)
FIREFOX = None

#: Longer than anything waits for a first report, and than what is allocated stays unasked.
WHILE = 8.0  # seconds


@pytest.mark.parametrize("kind", KINDS)
async def test_pictures_come_and_stay_without_transport_wide_feedback(
    people: Browsers, service: Service, kind: str
) -> None:
    room = new_room()
    others = [await enter(people, service, room, person) for person in (ANN, EVA)]
    ben = Caller(BEN, await people.page(BEN, more=KINDS[kind].script))
    await ben.open(service.url, room)
    await ben.join()
    await ben.sees(others)
    assert await ben.page.evaluate(NEGOTIATED) == KINDS[kind].feedback
    await pause(WHILE)
    await ben.sees(others)
    for other in others:
        await other.sees([ben])
