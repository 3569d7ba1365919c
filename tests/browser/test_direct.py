"""Two people are connected directly, a third brings all to the bridge, and back."""

from __future__ import annotations

import pytest

from tests.browser import people as folk
from tests.browser import stock_person
from tests.browser.call import Caller, by_testid, enter, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, EVA, KIM, Person
from tests.support import figures
from tests.support.figures import Figure
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN, EVA)
FIREFOX = KIM


async def on_path(path: str, *callers: Caller) -> None:
    for caller in callers:
        await caller.page.wait_for(
            f"xmppconf.path === {path!r}", seconds=30, what=f"{caller.person.name}: {path}"
        )


async def silences(*callers: Caller) -> list[int]:
    """Of each the longest time for which nothing of the other one was heard, in ms."""
    return [await caller.page.evaluate("testSilence()") for caller in callers]


async def listen(one: Caller, other: Caller) -> None:
    for caller, heard in ((one, other), (other, one)):
        await caller.page.evaluate(f"testWatchSound({heard.id!r})")


@pytest.mark.timeout(figures.count(180, 1800))
@pytest.mark.parametrize("second", [BEN, KIM], ids=["chromium", "firefox"])
async def test_a_third_one_comes_and_goes_and_no_sound_is_lost(
    people: Browsers, service: Service, second: Person
) -> None:
    room = new_room()
    ann = await enter(people, service, room, ANN, speaking=True)
    ben = await enter(people, service, room, second, speaking=True)
    await on_path("direct", ann, ben)
    await ann.sees([ben])
    await ben.sees([ann])
    await listen(ann, ben)
    rounds = figures.count(1, 20)
    for number in range(rounds):
        eva = await enter(people, service, room, EVA, speaking=True)
        await on_path("bridge", ann, ben)
        await ann.sees([ben, eva])
        if number == 0:
            await ben.sees([ann, eva])
            await eva.sees([ann, ben])
            await ann.hears([second, EVA])
        await eva.leave()
        await on_path("direct", ann, ben)
    await folk.pause(2)
    longest = await silences(ann, ben)
    # How much of it is the machine's, for which a browser that starts a call is work.
    control = figures.count(0, rounds)
    if control:
        await ben.page.click(by_testid("path"))
        await ben.page.click(by_testid("allow-direct"))
        await ben.page.click(by_testid("close-dialog"))
        await on_path("bridge", ann, ben)
        await folk.pause(5)
        await listen(ann, ben)
        for _ in range(control):
            eva = await enter(people, service, room, EVA, speaking=True)
            await folk.pause(1)
            await eva.leave()
            await folk.pause(9)
    usual = await silences(ann, ben) if control else [0, 0]
    for caller, silence, without in zip((ann, ben), longest, usual, strict=True):
        row = f"1:1 to 3 and back, {caller.person.name} with {second.name}"
        what = f"longest silence of the other one in {2 * rounds} changes of path"
        figures.record(
            Figure("browser", row, what, silence, "ms", "≤ 300 on a quiet machine")
        )
        if control:
            what = f"the same third one {control} times, and no change of path"
            figures.record(Figure("browser", f"{row}, control", what, without, "ms"))
        # A busy machine stutters; a change without overlap is silent for seconds.
        assert silence < 2_000
    await ann.hears([second])
    await ben.hears([ANN])
    await ann.sees([ben])


async def test_both_compare_the_same_signs_until_a_third_one_comes(
    people: Browsers, service: Service
) -> None:
    room = new_room()
    ann = await enter(people, service, room, ANN, speaking=True)
    ben = await enter(people, service, room, BEN, speaking=True)
    signs = []
    for caller in (ann, ben):
        await on_path("direct", caller)
        chip = f"document.querySelector({by_testid('path')!r})"
        assert await caller.page.evaluate(f"{chip}.dataset.path") == "direct"
        await caller.page.click(by_testid("path"))
        shown = f"document.querySelector({by_testid('signs')!r})"
        await caller.page.wait_for(f"!!{shown}", what="signs")
        signs.append(await caller.page.evaluate(f"{shown}.textContent"))
    assert signs[0] == signs[1] != ""
    await enter(people, service, room, EVA, speaking=True)
    for caller in (ann, ben):
        await caller.page.wait_for(f"{chip}.dataset.path === 'bridge'", what="the bridge")
        assert await caller.page.evaluate(f"{shown} === null")


async def test_who_wants_the_bridge_only_gets_it(
    people: Browsers, service: Service
) -> None:
    room = new_room()
    ann = await enter(people, service, room, ANN, speaking=True)
    ben = await enter(people, service, room, BEN, speaking=True)
    await on_path("direct", ann, ben)
    await ben.page.click(by_testid("path"))
    await ben.page.click(by_testid("allow-direct"))
    await on_path("bridge", ann, ben)
    await ann.hears([BEN])
    await ben.hears([ANN])
    await ann.sees([ben])


@pytest.mark.parametrize("first", ["ours", "stock"])
async def test_a_stock_client_and_ours_are_connected_directly(
    people: Browsers, service: Service, stock_page: str, first: str
) -> None:
    room = new_room()
    domain = service.settings.domain

    async def enter_stock() -> stock_person.Stock:
        return await stock_person.enter(
            people, service.url, domain, stock_page, room, BEN, "VP8", direct=True
        )

    if first == "stock":
        ben = await enter_stock()
        ann = await enter(people, service, room, ANN, speaking=True)
    else:
        ann = await enter(people, service, room, ANN, speaking=True)
        ben = await enter_stock()
    await on_path("direct", ann)
    await ben.wait_for("stock.direct", "a direct session")
    print("initiator:", "ours" if ann.id < ben.id else "stock")
    await ann.sees([Caller(BEN, ben.page, ben.id)])
    await ann.hears([BEN])
    await ben.sees_and_hears(ANN)
    for kind in ("audio", "video"):
        key = f"stock.muted['{ann.id} {kind}']"
        await ann.page.click(by_testid(f"toggle-{kind}"))
        await ben.wait_for(f"{key} === true", f"Ann's {kind} muted")
        await ann.page.click(by_testid(f"toggle-{kind}"))
        await ben.wait_for(f"{key} === false", f"Ann's {kind} unmuted")
    await ben.sees_and_hears(ANN)
    eva = await enter(people, service, room, EVA, speaking=True)
    await on_path("bridge", ann)
    await ben.wait_for("!stock.direct", "the bridge")
    await ben.sees_and_hears(ANN, EVA)
    await ann.hears([BEN, EVA])
    await eva.leave()
    await on_path("direct", ann)
    await ben.sees_and_hears(ANN)
