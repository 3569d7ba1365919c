"""A person before the stock client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.browser import people as folk
from tests.browser.conftest import Browsers
from tests.browser.page import Page
from tests.browser.people import Person


@dataclass(slots=True)
class Stock:
    """A person before the stock client."""

    person: Person
    page: Page
    id: str

    async def wait_for(self, condition: str, what: str) -> None:
        """Wait until a condition on `stock` holds."""
        await self.page.wait_for(condition, what=f"{self.person.name}: {what}")

    async def sees_and_hears(self, *others: Person) -> None:
        """Wait until the pictures and tones of all the others, and no more, come in."""
        numbers = sorted(other.number for other in others)
        await self.wait_for(
            "JSON.stringify(testSeen().map(({ number }) => number).sort())"
            f" === '{str(numbers).replace(' ', '')}'",
            f"pictures {numbers}",
        )
        tones = sorted(other.tone for other in others)
        heard = f"testHeard({tones}).then((all) => [...new Set(all.flat())].length)"
        await self.wait_for(f"{heard}.then((count) => count === {len(tones)})", "tones")


async def enter(
    people: Browsers,
    url: str,
    domain: str,
    stock_page: str,
    room: str,
    person: Person,
    codec: str,
    focus: str | None = None,
    *,
    direct: bool = False,
    forgiven: Sequence[str] = (),
) -> Stock:
    """Bring somebody in; `forgiven` errors of the library are no fault of the test."""
    page = await people.page(person)
    page.observed.forgiven.extend(forgiven)
    # Its own words about a track that ends together with its owner.
    page.observed.forgiven.append("onTrackRtcMuted>:  No participant for id")
    await page.go(stock_page)
    await page.call(
        "start",
        {
            "websocket": f"{url.replace('http', 'ws')}xmpp-websocket",
            "domain": domain,
            "room": room,
            "name": person.name,
            "codec": codec,
            "focus": focus,
            "direct": direct,
        },
    )
    await page.wait_for("stock.state === 'joined'", what="the stock client in the room")
    await folk.speak(page, True)
    return Stock(person, page, await page.evaluate("stock.id"))
