"""What only newer builds of the stock client can do, by their own methods.

Skipped with the build that is on npm; see `stock.py` for how to name another.
"""

from __future__ import annotations

import pytest

from tests.browser import stock
from tests.browser import test_stock_rooms as checks
from tests.browser.conftest import Browsers
from tests.browser.people import ANN
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(not stock.other_build(), reason="the build on npm is older"),
]

CAST = (ANN,)
FIREFOX = None

pages, house = checks.pages, checks.house


async def test_moderation_of_screens_reactions_and_beginning_muted(
    people: Browsers, house: Service, pages: tuple[str, list[str]]
) -> None:
    cast = checks.Cast(people, pages[0])
    ann = await cast.joined("Ann", media=True)
    await ann.holds("conference.isModerator()")
    ben = await cast.joined("Ben", media=True)
    await ann.saw("USER_JOINED", await ben.id)
    for media in ("audio", "video", "desktop"):
        assert await ann.page.evaluate("conference.isAVModerationSupported()")
        await ann.do("enableAVModeration", media)
        await ben.saw("AV_MODERATION_CHANGED", {"enabled": True, "mediaType": media})
    await ann.do("avModerationApprove", "desktop", await ben.id)
    await ben.saw("AV_MODERATION_APPROVED", {"mediaType": "desktop"})
    for media in ("audio", "video", "desktop"):
        await ann.do("disableAVModeration", media)
        await ben.saw("AV_MODERATION_CHANGED", {"enabled": False, "mediaType": media})

    await ben.do("sendTextMessage", "hello")
    said = await ann.saw("MESSAGE_RECEIVED", await ben.id, "hello")
    number = said[6]
    await ann.do("sendReaction", "\N{THUMBS UP SIGN}", number, "")
    await ben.saw("REACTION_RECEIVED", await ann.id, ["\N{THUMBS UP SIGN}"], number)

    policy = {"audio": True, "video": False}
    await ann.do("setStartMutedPolicy", policy)
    await ben.saw("METADATA_UPDATED", {"startMuted": policy})
    # Only newcomers heed it; to mute is up to the application.
    eva = await cast.joined("Eva")
    await eva.saw("START_MUTED_POLICY_CHANGED", policy)
