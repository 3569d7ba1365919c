"""Ways to invite: the bare link, a text, a calendar's file, links that make a moderator."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from tests.browser.call import Caller, by_testid, enter, new_room, sit_down
from tests.browser.conftest import Browsers
from tests.browser.house import checked, menu
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

#: What is copied goes here: in a test nobody is asked whether a page may read it again.
CLIPBOARD = "navigator.clipboard.writeText = async (text) => { testCopied = text; }"


async def invite(people: Browsers, service: Service) -> Caller:
    """Ann, who has opened a room and its invitations."""
    ann = await enter(people, service, new_room(), ANN)
    await ann.page.evaluate(f"void ({CLIPBOARD})")
    await menu(ann, "more", "copy-link")
    return ann


async def copied(caller: Caller, button: str) -> str:
    await caller.page.evaluate("void (window.testCopied = undefined)")
    await caller.page.click(by_testid(button))
    return str(await caller.page.wait_for("window.testCopied", what=button))


async def test_the_invitation_is_the_bare_link(people: Browsers, service: Service) -> None:
    ann = await invite(people, service)
    link = await ann.page.evaluate("location.href")
    assert "?" not in link
    assert await copied(ann, "invite-copy") == link
    assert link in await copied(ann, "invite-text")
    mail = await ann.page.evaluate(
        f"decodeURIComponent(document.querySelector('{by_testid('invite-mail')}').href)"
    )
    assert mail.startswith("mailto:?subject=")
    assert link in mail
    assert await ann.page.evaluate(f"!!document.querySelector('{by_testid('qr')} path')")


async def test_a_calendar_takes_the_appointment(people: Browsers, service: Service) -> None:
    ann = await invite(people, service)
    link = await ann.page.evaluate("location.href")
    await ann.page.fill(by_testid("ics-start"), "2030-05-17T14:30")
    begin = await ann.page.evaluate("new Date('2030-05-17T14:30').toISOString()")
    name, text = await ann.page.saved(by_testid("ics"))
    assert name == f"{link.rsplit('/', 1)[1]}.ics"
    lines = re.sub(r"\r\n[ \t]", "", text).split("\r\n")  # RFC 5545, 3.1
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    start = datetime.strptime(found["DTSTART"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert start == datetime.fromisoformat(begin)
    assert link in (found.get("URL"), found.get("LOCATION"))
    assert lines[0] == "BEGIN:VCALENDAR"
    assert lines[-2:] == ["END:VCALENDAR", ""]


async def test_a_link_makes_one_moderator_once(people: Browsers, service: Service) -> None:
    ann = await invite(people, service)
    # Before, so that the room is one that a link gets into.
    select = f"{by_testid('special-links')} select"
    await ann.page.select(select, "moderator")
    link = await copied(ann, "make-invite")
    await ann.page.click(by_testid("close-dialog"))
    await menu(ann, "more", "open-security-menu", "access-lobby")
    await checked(ann, "access-lobby")
    ben, kim = await sit_down(people, BEN), await sit_down(people, KIM)
    for caller in (ben, kim):
        await caller.page.go(link)
        await caller.page.wait_for(f"!!document.querySelector('{by_testid('preview')}')")
        assert await caller.page.evaluate("location.search") == ""
    await ben.join()
    row = f"document.querySelector('{by_testid('person')}[data-id=local]')"
    await ben.page.click(by_testid("toggle-people"))
    await ben.page.wait_for(f"{row}?.dataset.moderator === 'true'", what="a moderator")
    # It was for one.
    await kim.page.fill(by_testid("display-name"), KIM.name)
    await kim.page.click(by_testid("join"))
    waiting = f"document.querySelector('{by_testid('waiting-page')}')"
    await kim.page.wait_for(f"{waiting}?.dataset.for === 'lobby'", what="the lobby")
