"""A room that takes so many open microphones, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.call import by_testid, enter, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, KIM
from tests.support.service import running_service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN)
FIREFOX = KIM

SETTINGS = "[focus]\nmax_audio_senders = 1\n"
MUTED = "xmppconf.local.audioMuted"
TOO_MANY = f"""[...document.querySelectorAll('{by_testid("toast")}')]
    .some((one) => one.textContent.startsWith('So many microphones are open'))"""


async def test_another_microphone_waits_until_one_is_closed(
    people: Browsers, tmp_path: Path
) -> None:
    room = new_room()
    with running_service(tmp_path, settings=SETTINGS) as service:
        ann = await enter(people, service, room, ANN, speaking=True)
        others = [await enter(people, service, room, person) for person in (BEN, KIM)]
        await ann.wait_for_tile(others[0], "tile?.dataset.audioMuted === 'true'")
        for other in others:
            await other.page.wait_for(MUTED, what="muted at first")
            await other.hears([ANN])
            await other.page.click(by_testid("toggle-audio"))
            await other.page.wait_for(TOO_MANY, what="why it stays closed")
            assert await other.page.evaluate(MUTED)
        await ann.page.click(by_testid("toggle-audio"))
        for other in others:
            await other.wait_for_tile(ann, "tile?.dataset.audioMuted === 'true'")
        await others[0].page.click(by_testid("toggle-audio"))
        await ann.wait_for_tile(others[0], "tile?.dataset.audioMuted === 'false'")
        await ann.page.click(by_testid("toggle-audio"))
        await ann.page.wait_for(TOO_MANY, what="why it stays closed")
        assert await ann.page.evaluate(MUTED)
        for one in (ann, *others):
            await one.page.close()
        people.pages.clear()
