"""B9: other people's clients in a room with ours, through our focus and bridge."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from tests.browser import people as folk
from tests.browser import stock_person
from tests.browser.call import Caller, by_testid, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, EVA, Person
from tests.browser.stock_person import Stock
from tests.support.peer import peers
from tests.support.rtc_peer import use_loopback
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN, EVA)
FIREFOX = None
PATIENCE = 30.0  # seconds


async def enter(
    people: Browsers,
    service: Service,
    stock_page: str,
    room: str,
    person: Person,
    codec: str,
) -> Stock:
    domain = service.settings.domain
    return await stock_person.enter(
        people, service.url, domain, stock_page, room, person, codec
    )


async def enter_ours(
    people: Browsers, service: Service, room: str, person: Person
) -> Caller:
    caller = Caller(person, await people.page(person))
    await caller.open(service.url, room)
    await caller.join()
    await folk.speak(caller.page, True)
    return caller


def as_caller(stock: Stock) -> Caller:
    """For what our client shows of the person."""
    return Caller(stock.person, stock.page, stock.id)


@pytest.mark.parametrize("codec", ["VP8", "VP9", "H264", ""], ids=lambda c: c or "own")
async def test_a_stock_client_and_ours_see_and_hear_each_other(
    people: Browsers, service: Service, stock_page: str, codec: str
) -> None:
    room = new_room()
    ann = await enter_ours(people, service, room, ANN)
    ben = await enter(people, service, stock_page, room, BEN, codec)
    await ann.sees([as_caller(ben)])
    await ben.sees_and_hears(ANN)
    await ann.hears([BEN])
    assert await ben.page.evaluate("stock.names") == [ANN.name]
    assert await ben.page.evaluate("stock.error") == ""
    ours, theirs = await folk.codecs(ann.page), await folk.codecs(ben.page)
    print(f"asked for {codec or 'nothing'}: ours {ours}, theirs {theirs}")
    # Each decodes what the other encodes, and the asked one is what the asker sends.
    assert (ours["in"], theirs["in"]) == (theirs["out"], ours["out"])
    assert len(theirs["out"]) == 1
    if codec:
        assert theirs["out"] == [codec]


async def test_what_people_do_is_seen_by_the_other_kind(
    people: Browsers, service: Service, stock_page: str
) -> None:
    room = new_room()
    ann = await enter_ours(people, service, room, ANN)
    ben = await enter(people, service, stock_page, room, BEN, "VP8")
    await ann.sees([as_caller(ben)])
    await ben.sees_and_hears(ANN)

    for kind, shown in (
        ("audio", "tile.dataset.audioMuted === '{}'"),
        ("video", "tile.dataset.video === '{}'"),
    ):
        on, off = ("false", "true") if kind == "audio" else ("on", "off")
        key = f"stock.muted['{ann.id} {kind}']"
        await ann.page.click(by_testid(f"toggle-{kind}"))
        await ben.wait_for(f"{key} === true", f"Ann's {kind} muted")
        await ann.page.click(by_testid(f"toggle-{kind}"))
        await ben.wait_for(f"{key} === false", f"Ann's {kind} unmuted")
        await ben.page.call("mute", kind, True)
        await ann.wait_for_tile(as_caller(ben), shown.format(off))
        await ben.page.call("mute", kind, False)
        await ann.wait_for_tile(as_caller(ben), shown.format(on))
    await ann.sees([as_caller(ben)])
    await ben.sees_and_hears(ANN)
    await ann.hears([BEN])

    words = f"to <i>Ben</i> & all {secrets.token_hex(4)}"
    await ann.say(words)
    await ben.wait_for(
        f"stock.messages.some(([id, text]) => id === {ann.id!r} && text === {words!r})",
        "Ann's words",
    )
    answer = f"to Ann {secrets.token_hex(4)}"
    await ben.page.call("(text) => conference.sendTextMessage(text)", answer)
    message = (
        f"[...document.querySelectorAll('{by_testid('chat-message')}')]"
        f".find((one) => one.textContent.includes({answer!r}))"
    )
    await ann.page.wait_for(f"!!{message}", what="Ben's words")
    assert await ann.page.evaluate(f"{message}.dataset.from") == ben.id

    await folk.speak(ann.page, False)
    await folk.speak(ben.page, False)
    for page, id_ in ((ann.page, ann.id), (ben.page, ben.id)):
        await folk.pause(2)
        await folk.speak(page, True)
        await ann.page.wait_for(f"xmppconf.dominantSpeaker === {id_!r}", what="who speaks")
        await ben.wait_for(f"stock.speaker === {id_!r}", "who speaks")
        await folk.speak(page, False)

    await ben.page.evaluate("leave()")
    await ann.wait_for_tile(as_caller(ben), "tile === null")
    ben = await enter(people, service, stock_page, room, BEN, "VP8")
    await ann.sees([as_caller(ben)])
    await ann.leave()
    await ben.wait_for(f"stock.gone.includes({ann.id!r})", "Ann gone")


async def test_two_stock_clients_and_ours(
    people: Browsers, service: Service, stock_page: str
) -> None:
    room = new_room()
    ben = await enter(people, service, stock_page, room, BEN, "VP8")
    ann = await enter_ours(people, service, room, ANN)
    eva = await enter(people, service, stock_page, room, EVA, "VP8")
    await ann.sees([as_caller(ben), as_caller(eva)])
    await ann.hears([BEN, EVA])
    await ben.sees_and_hears(ANN, EVA)
    await eva.sees_and_hears(ANN, BEN)
    assert sorted(await ben.page.evaluate("stock.names")) == [ANN.name, EVA.name]
    payload = secrets.token_hex(4)
    await ben.page.call(
        "(to, text) => conference.sendEndpointMessage(to, { text })", eva.id, payload
    )
    await eva.wait_for(
        f"stock.payloads.some(([id, text]) => id === {ben.id!r} && text === {payload!r})",
        "Ben's message over the bridge channel",
    )
    await ben.page.evaluate("leave()")
    await eva.wait_for(f"stock.gone.includes({ben.id!r})", "Ben gone")
    await ann.wait_for_tile(as_caller(ben), "tile === null")
    await eva.sees_and_hears(ANN)
    await ann.sees([as_caller(eva)])


async def test_a_third_implementation_joins_both(
    people: Browsers,
    service: Service,
    stock_page: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ours, a stock client and a peer that is no browser see and hear each other."""
    use_loopback(monkeypatch)
    room = new_room()
    ben = await enter(people, service, stock_page, room, BEN, "VP8")
    third = (secrets.token_hex(4), EVA.colour, float(EVA.tone))
    async with peers(service.settings, room, third) as (eva,):
        async with asyncio.timeout(PATIENCE):
            # Its one decoder is for one sender, so it looks before the third person comes.
            await eva.media.see(BEN.colour, tolerance=60)
            await eva.media.listen(BEN.tone)
        ann = await enter_ours(people, service, room, ANN)
        await ann.sees([as_caller(ben)])
        await ann.hears([BEN, EVA])
        await ben.wait_for(
            f"testHeard([{EVA.tone}]).then((all) => all.flat().length)", "it"
        )
        tile = f"[data-testid=tile][data-id='{eva.id}'] video"
        for page, selector in ((ann.page, tile), (ben.page, f"video[data-id='{eva.id}']")):
            await page.wait_for(
                f"testColour({selector!r})?.every((seen, index) =>"
                f" Math.abs(seen - {list(EVA.colour)}[index]) < 50)",
                what=f"{eva.id}'s picture",
            )
