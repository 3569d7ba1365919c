"""People in a call, as they act and as they see each other, through our browser client."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.browser import people as folk
from tests.browser.page import Page
from tests.browser.people import KIM, PEOPLE, Person
from tests.support.service import Service

if TYPE_CHECKING:
    from tests.browser.conftest import Browsers

#: How far a mean colour may be from what was sent, after conversion and coding.
COLOUR_TOLERANCE = 50


def by_testid(name: str) -> str:
    return f"[data-testid={name}]"


def new_room() -> str:
    return f"room-{secrets.token_hex(4)}"


@dataclass(slots=True)
class Caller:
    """A person before a page."""

    person: Person
    page: Page
    id: str = ""
    """The endpoint id, once joined."""

    async def open(self, url: str, room: str) -> None:
        """Open the room's URL and wait for the pre-join page with its picture."""
        await self.page.go(f"{url}{room}")
        await self.page.wait_for(f"!!document.querySelector('{by_testid('preview')}')")

    async def join(self) -> None:
        """Say one's name and go in."""
        await self.page.fill(by_testid("display-name"), self.person.name)
        await self.page.click(by_testid("join"))
        try:
            await self.page.wait_for("xmppconf.state === 'joined'", what="joined")
        except AssertionError as error:
            raise AssertionError(f"{error}; {await self.state()}") from error
        self.id = await self.page.evaluate("xmppconf.endpointId")

    async def sees(self, others: list[Caller], *, seconds: float = 20.0) -> None:
        """Wait until everyone's own picture is on their tile, and frames keep coming."""
        wanted = {other.id: other.person for other in others}
        deadline = time.monotonic() + seconds
        missing: dict[str, str] = {}
        while True:
            shown = {sight["id"]: sight for sight in await folk.seen(self.page)}
            missing = {
                person.name: str(shown.get(id_))
                for id_, person in wanted.items()
                if not looks_like(shown.get(id_), person)
            }
            if not missing:
                break
            assert time.monotonic() < deadline, (
                f"{self.person.name} does not see {missing}; {await self.state()}"
            )
            await folk.pause(0.1)
        await self.page.evaluate("testGrown(null)")
        await self.page.wait_for(
            f"testGrown(5).then((number) => number >= {len(wanted)})",
            what=f"frames of {len(wanted)} coming",
        )

    async def hears(self, speakers: list[Person], *, seconds: float = 15.0) -> None:
        """Wait until these tones and no others come in, one in a track at most."""
        wanted = sorted(speaker.tone for speaker in speakers)
        deadline = time.monotonic() + seconds
        while True:
            tracks = await folk.heard(self.page)
            if sorted(tone for track in tracks for tone in track) == wanted:
                return
            assert time.monotonic() < deadline, (
                f"{self.person.name} hears {tracks} and not {wanted}; {await self.state()}"
            )

    async def wait_for_tile(
        self, other: Caller, condition: str, *, seconds: float = 10.0
    ) -> None:
        """Wait until a condition on `tile` (null when absent) holds."""
        await self.page.wait_for(
            f"(() => {{ const tile = {_tile(other)}; return {condition}; }})()",
            seconds=seconds,
            what=f"{self.person.name}: {condition} of {other.person.name}",
        )

    async def say(self, text: str) -> None:
        """Write into the chat."""
        if not await self.page.evaluate(f"!!document.querySelector('{by_testid('chat')}')"):
            await self.page.click(by_testid("toggle-chat"))
        await self.page.fill(by_testid("chat-input"), text)
        await self.page.click(by_testid("chat-send"))

    async def leave(self) -> None:
        await self.page.click(by_testid("leave"))
        await self.page.wait_for(f"!!document.querySelector('{by_testid('left-page')}')")

    async def state(self) -> Any:
        """What the client says of itself, for messages about failures."""
        return await self.page.evaluate(
            "JSON.stringify({state: xmppconf.state, media: xmppconf.media,"
            " connection: xmppconf.connection, timings: xmppconf.timings,"
            " participants: xmppconf.participants})"
        )


async def sit_down(people: Browsers, person: Person) -> Caller:
    """The person before an empty page; Kim has Firefox."""
    return Caller(person, await people.page(person, firefox=person is KIM))


async def enter(
    people: Browsers,
    service: Service,
    room: str,
    person: Person,
    *,
    speaking: bool = False,
) -> Caller:
    """The person in the call."""
    caller = await sit_down(people, person)
    await caller.open(service.url, room)
    await caller.join()
    await folk.speak(caller.page, speaking)
    return caller


def looks_like(sight: dict[str, Any] | None, person: Person) -> bool:
    """Whether a picture has the person's number and colour."""
    return (
        sight is not None
        and sight["number"] == person.number
        and all(
            abs(got - sent) <= COLOUR_TOLERANCE
            for got, sent in zip(sight["colour"], person.colour, strict=True)
        )
        and person in PEOPLE
    )


def _tile(other: Caller) -> str:
    return f"document.querySelector('[data-testid=tile][data-id=\"{other.id}\"]')"
