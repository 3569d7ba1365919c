"""What a moderator sets for the meeting, and what participants may say of each other."""

from __future__ import annotations

import pytest

from tests.browser.call import Caller, by_testid, enter, new_room, sit_down
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, KIM
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN)
FIREFOX = KIM


LINE = f"document.querySelector('{by_testid('meeting-line')}')"


async def open_security(who: Caller) -> None:
    await who.page.click(by_testid("more"))
    await who.page.click(by_testid("open-security-menu"))


def toast(text: str) -> str:
    return (
        f"[...document.querySelectorAll('{by_testid('toast')}')]"
        f".some((one) => one.textContent === {text!r})"
    )


async def test_topic_newcomers_and_a_full_room(people: Browsers, service: Service) -> None:
    room = new_room()
    ann, ben = [await enter(people, service, room, person) for person in (ANN, BEN)]
    kim = await sit_down(people, KIM)
    await open_security(ann)
    await ann.page.fill(by_testid("set-topic"), "Budget")
    await ann.page.click(by_testid("save-topic"))
    await ben.page.wait_for(f"{LINE}?.querySelector('.topic')?.textContent === 'Budget'")
    assert await ben.page.evaluate(f"/^Budget[0-9]+:[0-9]{{2}}$/.test({LINE}.textContent)")
    await ann.page.click(by_testid("newcomers-audio"))
    await ann.page.fill(by_testid("max-participants"), "2")
    await open_security(ben)
    limit = f"document.querySelector('{by_testid('max-participants')}')"
    await ben.page.wait_for(f"{limit}?.value === '2' && {limit}.matches(':disabled')")
    await kim.open(service.url, room)
    await kim.page.fill(by_testid("display-name"), KIM.name)
    await kim.page.click(by_testid("join"))
    await kim.page.wait_for("document.body.textContent.includes('The room is full')")
    await ann.page.fill(by_testid("max-participants"), "3")
    await ben.page.wait_for(f"{limit}.value === '3'")
    await kim.page.click(by_testid("return"))
    await kim.join()
    await ann.wait_for_tile(kim, "tile?.dataset.audioMuted === 'true'")


async def test_a_report_reaches_the_moderator_and_is_counted(
    people: Browsers, service: Service
) -> None:
    room = new_room()
    cast = (ANN, BEN, KIM)
    ann, ben, kim = [await enter(people, service, room, person) for person in cast]
    counted = 'abuse_reports_total{kind="harassment"} '
    before = next(
        line for line in service.page("focus", "/metrics").splitlines() if counted in line
    )
    await ben.page.click(by_testid("toggle-people"))
    row = f'{by_testid("person")}[data-id="{kim.id}"]'
    await ben.page.click(f"{row} {by_testid('person-menu')}")
    await ben.page.click(by_testid("report-person"))
    await ben.page.click(by_testid("report-harassment"))
    await ben.page.click(by_testid("send-report"))
    await ann.page.wait_for(toast("Kim was reported: Insults or harassment"))
    await ben.page.wait_for(toast("The moderators have been told."))
    assert not await kim.page.evaluate("document.body.textContent.includes('reported')")
    after = next(
        line for line in service.page("focus", "/metrics").splitlines() if counted in line
    )
    assert float(after.split()[-1]) == float(before.split()[-1]) + 1
