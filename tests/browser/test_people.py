"""What people do beside talking: writing, replying, raising hands, reacting."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.browser.call import Caller, by_testid, enter, new_room
from tests.browser.conftest import Browsers
from tests.browser.house import act
from tests.browser.people import ANN, BEN, KIM, pause, speak
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
async def three(people: Browsers, service: Service) -> AsyncIterator[list[Caller]]:
    """Ann, Ben, and Kim with Firefox, in a room."""
    room = new_room()
    callers = [await enter(people, service, room, person) for person in (ANN, BEN, KIM)]
    for caller in callers:
        await caller.page.wait_for("xmppconf.participants.length === 2")
    yield callers


def shown(text: str, *, private: bool = False) -> str:
    """An expression for the chat message with this text."""
    mark = "[data-private=true]" if private else ":not([data-private])"
    return (
        f"[...document.querySelectorAll('{by_testid('chat-message')}{mark}')]"
        f".find((one) => one.querySelector('p').textContent === {text!r})"
    )


async def test_messages_replies_and_private_ones_reach_whom_they_are_for(
    three: list[Caller],
) -> None:
    ann, ben, kim = three
    await ann.say("shall we begin?")
    await ben.page.wait_for(
        f"document.querySelector('{by_testid('toggle-chat-badge')}')?.textContent === '1'"
    )
    for caller in (ben, kim):
        await caller.page.click(by_testid("toggle-chat"))
        await caller.page.wait_for(f"!!{shown('shall we begin?')}")
    assert await ben.page.evaluate(
        f"document.querySelector('{by_testid('toggle-chat-badge')}') === null"
    )
    await ben.page.evaluate(
        f"{shown('shall we begin?')}.querySelector('{by_testid('chat-reply')}').click()"
    )
    await ben.say("in a minute")
    for caller in (ann, kim):
        await caller.page.wait_for(
            f"{shown('in a minute')}?.querySelector('{by_testid('chat-quote')}')"
            "?.textContent.includes('shall we begin?')"
        )
    await kim.page.select(by_testid("chat-to"), ben.id)
    await kim.say("between us")
    await ben.page.wait_for(f"!!{shown('between us', private=True)}")
    await kim.page.wait_for(f"!!{shown('between us', private=True)}")
    await kim.page.select(by_testid("chat-to"), "")
    await kim.say("for all again")
    await ann.page.wait_for(f"!!{shown('for all again')}")
    assert "between us" not in await ann.page.evaluate("document.body.textContent")


async def test_the_chat_can_be_saved_and_is_gone_after_leaving(three: list[Caller]) -> None:
    ann, ben, _ = three
    await ann.say("first line\nsecond line")
    await ben.page.click(by_testid("toggle-chat"))
    await ben.page.wait_for(f"!!document.querySelector('{by_testid('chat-message')}')")
    name, saved = await ben.page.saved(by_testid("chat-export"))
    assert saved.endswith("] Ann: first line\n    second line\n")
    assert name.endswith(".txt")
    await ben.leave()
    assert "first line" not in await ben.page.evaluate("document.documentElement.outerHTML")


async def test_hands_are_seen_in_the_order_in_which_they_were_raised(
    three: list[Caller],
) -> None:
    ann, ben, kim = three
    order = (
        f"[...document.querySelectorAll('{by_testid('person')}[data-hand]')]"
        ".map((one) => one.dataset.id)"
    )
    await ann.page.click(by_testid("toggle-people"))
    for caller, count in ((kim, 1), (ben, 2)):
        await caller.page.click(by_testid("toggle-hand"))
        await ann.page.wait_for(f"{order}.length === {count}")
    assert await ann.page.evaluate(order) == [kim.id, ben.id]
    hand = "tile?.querySelector('[data-testid=tile-hand]')?.textContent"
    for place, caller in enumerate((kim, ben), start=1):
        await ann.wait_for_tile(caller, f"{hand} === '{place}'")
    await ben.wait_for_tile(ben, f"{hand} === ''")
    await ann.page.wait_for(
        f"document.querySelector('{by_testid('live')}').textContent"
        f" === {ben.person.name + ' raised a hand'!r}"
    )
    await kim.page.click(by_testid("toggle-hand"))
    await ann.page.wait_for(f"{order}.length === 1")
    await ann.wait_for_tile(kim, f"!({hand})")
    await ann.wait_for_tile(ben, f"{hand} === '1'")


async def test_a_reaction_floats_before_everybody(three: list[Caller]) -> None:
    ann, ben, kim = three
    for caller in three:
        await caller.page.wait_for("xmppconf.connection?.channel !== 'none'", seconds=30)
    await ann.page.click(by_testid("toggle-reactions"))
    await ann.page.click(by_testid("react-clap"))
    for caller in (ann, ben, kim):
        await caller.page.wait_for(f"!!document.querySelector('{by_testid('reaction')}')")


async def test_people_are_looked_for_by_name(people: Browsers, service: Service) -> None:
    room = new_room()
    ann = await enter(people, service, room, ANN)
    names = ("Zoë Ångström", "Li Wei", "Zora", "Ивана", "Bo", "Amina")
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(http_session())
        for number, name in enumerate(names):
            socket = await stack.enter_async_context(Socket(http, service.url, ""))
            await socket.join(room, f"person{number}", name)
        await ann.page.click(by_testid("toggle-people"))
        shown = (
            f"[...document.querySelectorAll('{by_testid('person')}:not([data-id=local])"
            " .name')].map((one) => one.textContent)"
        )
        await ann.page.wait_for(f"{shown}.length === {len(names)}")
        for wanted, found in (
            ("zo", ["Zoë Ångström", "Zora"]),
            ("ANGST", ["Zoë Ångström"]),
            ("иван", ["Ивана"]),
            ("nobody", []),
        ):
            await ann.page.fill(by_testid("people-search"), wanted)
            listed = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
            await ann.page.wait_for(f"JSON.stringify({shown}) === {listed!r}")
        assert await ann.page.text("[data-testid=people] .empty") != ""


async def test_it_is_counted_how_long_each_has_spoken(three: list[Caller]) -> None:
    ann, ben, kim = three
    for caller in (ann, ben):
        await caller.page.wait_for("xmppconf.connection?.channel !== 'none'", seconds=30)
    await speak(ben.page, True)
    await ann.page.wait_for(f"xmppconf.dominantSpeaker === {ben.id!r}", seconds=20)
    for one in ("more", "open-speakers"):
        await ann.page.click(by_testid(one))
    row = f"document.querySelector('{by_testid('speaker-time')}[data-id=\"{ben.id}\"]')"
    await ann.page.wait_for(f"/Ben.*0:0[2-9]/.test({row}?.textContent)", seconds=20)
    silent = f"document.querySelector('{by_testid('speaker-time')}[data-id=\"{kim.id}\"]')"
    assert await ann.page.evaluate(f"{silent} === null")


async def test_who_is_asked_to_speak_may_say_no(three: list[Caller]) -> None:
    ann, ben, _ = three
    await ben.page.click(by_testid("toggle-audio"))
    await ann.wait_for_tile(ben, "tile.dataset.audioMuted === 'true'")
    await act(ann, ben, "ask-audio")
    await ben.page.click(by_testid("asked-no"))
    await ben.page.wait_for(f"!document.querySelector('{by_testid('asked')}')")
    await pause(0.5)
    assert await ben.page.evaluate("xmppconf.local.audioMuted")
