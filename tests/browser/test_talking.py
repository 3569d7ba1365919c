"""Held to talk or to be silent: a key or a button, and a moderator who is stronger."""

from __future__ import annotations

import pytest

from tests.browser.call import Caller, by_testid, enter, new_room
from tests.browser.chromium import ChromiumPage
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, pause
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN)
FIREFOX = None


async def two(people: Browsers, service: Service) -> tuple[Caller, Caller, ChromiumPage]:
    """Ann, who moderates, Ben, and Ben's page."""
    room = new_room()
    ann = await enter(people, service, room, ANN)
    ben = await enter(people, service, room, BEN)
    assert isinstance(ben.page, ChromiumPage)
    await ann.sees([ben])
    return ann, ben, ben.page


async def set_up(caller: Caller, *switches: str) -> None:
    """Press these in the settings."""
    for one in ("more", "open-settings", *switches, "close-dialog"):
        await caller.page.click(by_testid(one))
    await caller.page.evaluate("document.activeElement.blur()")


async def heard_by(ann: Caller, ben: Caller, *, talks: bool) -> None:
    muted = str(not talks).lower()
    await ann.wait_for_tile(ben, f"tile.dataset.audioMuted === {muted!r}")


async def test_the_space_bar_is_held_to_talk(people: Browsers, service: Service) -> None:
    ann, ben, page = await two(people, service)
    await page.click(by_testid("toggle-audio"))
    await page.evaluate("document.activeElement.blur()")
    await heard_by(ann, ben, talks=False)
    for talks in (True, False, True, False):
        await page.key("Space", " ", down=talks)
        await heard_by(ann, ben, talks=talks)
    # A key that is let go in another window is never seen to be.
    await page.key("Space", " ", down=True)
    await heard_by(ann, ben, talks=True)
    await page.evaluate("dispatchEvent(new Event('blur'))")
    await heard_by(ann, ben, talks=False)


async def test_a_key_of_ones_choice_is_held(people: Browsers, service: Service) -> None:
    ann, ben, page = await two(people, service)
    for one in ("more", "open-settings", "push-to-mute"):
        await page.click(by_testid(one))
    shown = f"document.querySelector('{by_testid('talk-key')}').textContent"
    # The letter of another shortcut is not taken.
    for code, key, name in (("KeyM", "m", "Space"), ("KeyT", "t", "T")):
        await page.click(by_testid("talk-key"))
        await page.key(code, key, down=True)
        await page.key(code, key, down=False)
        await page.wait_for(f"{shown} === {name!r}")
    await page.click(by_testid("close-dialog"))
    await page.evaluate("document.activeElement.blur()")
    await heard_by(ann, ben, talks=True)
    for silent in (True, False):
        await page.key("KeyT", "t", down=silent)
        await heard_by(ann, ben, talks=not silent)
    await page.click(by_testid("toggle-audio"))
    await heard_by(ann, ben, talks=False)
    for talks in (True, False):
        await page.key("KeyT", "t", down=talks)
        await heard_by(ann, ben, talks=talks)
    # In a text it is a letter.
    await page.click(by_testid("toggle-chat"))
    field = f"document.querySelector('{by_testid('chat-input')}')"
    await page.wait_for(f"{field} && ({field}.focus(), document.activeElement === {field})")
    await page.key("KeyT", "t", down=True)
    await pause(0.5)
    await heard_by(ann, ben, talks=False)
    await page.key("KeyT", "t", down=False)


async def test_a_finger_talks_until_a_moderator_mutes(
    people: Browsers, service: Service
) -> None:
    ann, ben, page = await two(people, service)
    await set_up(ben, "talk-button-on")
    await page.click(by_testid("toggle-audio"))
    await heard_by(ann, ben, talks=False)
    button = by_testid("talk-button")
    for talks in (True, False):
        await page.finger(button, down=talks)
        await heard_by(ann, ben, talks=talks)
    await page.finger(button, down=True)
    await heard_by(ann, ben, talks=True)
    row = f"{by_testid('person')}[data-id='{ben.id}']"
    await ann.page.click(by_testid("toggle-people"))
    await ann.page.click(f"{row} {by_testid('person-menu')}")
    await ann.page.click(by_testid("mute-audio"))
    await heard_by(ann, ben, talks=False)
    await page.finger(button, down=False)
    await pause(0.5)
    await heard_by(ann, ben, talks=False)
    # Who may not speak does not by holding it, either.
    await ann.page.click(by_testid("more"))
    await ann.page.click(by_testid("open-security-menu"))
    await ann.page.click(by_testid("may-audio"))
    said = f"document.querySelector('{by_testid('live')}').textContent"
    await page.wait_for("xmppconf.local.audioMuted")
    for _ in range(20):
        await page.finger(button, down=True)
        await pause(0.2)
        refused = await page.evaluate(f"{said}.startsWith('A moderator has to allow')")
        await page.finger(button, down=False)
        if refused:
            break
    assert refused
    await heard_by(ann, ben, talks=False)
