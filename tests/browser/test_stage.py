"""The stage: what is large, what is asked for, and what a person chooses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser import people as folk
from tests.browser.call import Caller, by_testid, enter, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, EVA, KIM, Person
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN, EVA)
FIREFOX = KIM


async def choose(caller: Caller, entry: str) -> None:
    await caller.page.click(by_testid("more"))
    await caller.page.click(by_testid(entry))


def large(viewer: Caller) -> str:
    return (
        "JSON.stringify([...document.querySelectorAll('[data-testid=tile]"
        "[data-large=true]')].map((one) => one.dataset.key))"
    )


async def shows_large(viewer: Caller, *keys: str) -> None:
    wanted = str(list(keys)).replace("'", '"').replace(" ", "")
    await viewer.page.wait_for(f"{large(viewer)} === {wanted!r}", what=f"large: {keys}")


@pytest.mark.parametrize("viewer", [EVA, KIM], ids=["chromium", "firefox"])
async def test_who_speaks_and_who_is_pinned_is_large(
    people: Browsers, service: Service, viewer: Person
) -> None:
    room = new_room()
    ann = await enter(people, service, room, ANN)
    ben = await enter(people, service, room, BEN)
    eva = await enter(people, service, room, viewer)
    await eva.sees([ann, ben])
    await shows_large(eva)
    await choose(eva, "layout")
    for speaker, other in ((ben, ann), (ann, ben)):
        await folk.speak(other.page, False)
        await folk.speak(speaker.page, True)
        await shows_large(eva, speaker.id)
    pin = f"[data-testid=tile][data-id='{ben.id}'] [data-testid=pin]"
    await eva.page.click(pin)
    await shows_large(eva, ben.id)
    await eva.page.click("[data-testid=tile][data-local] [data-testid=pin]")
    await shows_large(eva, ben.id, "self")
    await eva.sees([ann, ben])
    await ben.leave()
    await shows_large(eva, "self")


async def test_videos_that_nobody_wants_are_not_sent(
    people: Browsers, service: Service
) -> None:
    room = new_room()
    ann = await enter(people, service, room, ANN)
    ben = await enter(people, service, room, BEN)
    eva = await enter(people, service, room, EVA)
    await eva.sees([ann, ben])
    await choose(eva, "audio-only")
    frames = "xmppconf.participants.map((one) => one.framesDecoded).join()"
    await eva.page.wait_for(
        f"(async () => {{ const before = {frames};"
        " await new Promise((resolve) => setTimeout(resolve, 2500));"
        f" return before === {frames}; }})()",
        what="no more frames",
    )
    banner = f"document.querySelector({by_testid('audio-only-banner')!r})"
    assert await eva.page.evaluate(f"{banner} !== null")
    await ann.sees([ben, eva])
    await eva.page.evaluate(f"{banner}.querySelector('button').click()")
    await eva.sees([ann, ben])


async def test_a_voice_is_made_quieter_and_its_quality_told(
    people: Browsers, service: Service
) -> None:
    room = new_room()
    ann = await enter(people, service, room, ANN)
    ben = await enter(people, service, room, BEN)
    await ann.sees([ben])
    await ann.page.click(f"[data-testid=tile][data-id='{ben.id}'] [data-testid=inspect]")
    await ann.page.fill(by_testid("volume"), "25")
    voices = f"[...document.querySelectorAll('audio[data-id=\"{ben.id}\"]')]"
    await ann.page.wait_for(f"{voices}.every((one) => one.volume === 0.25)")
    quality = f"document.querySelector({by_testid('quality')!r})"
    await ann.page.wait_for(f"{quality}?.textContent.includes('320')", what="a size")


async def test_pictures_of_the_stage(
    people: Browsers, service: Service, screenshots: Path
) -> None:
    room = "tea-at-five"
    ann = await enter(people, service, room, ANN)
    await ann.page.set_viewport(1280, 720)
    ben = await enter(people, service, room, BEN)
    await ann.page.wait_for("xmppconf.path === 'direct'", what="a direct session")
    await ann.sees([ben])
    await folk.pause(4)  # The news that Ben came is gone.
    (screenshots / "direct.png").write_bytes(await ann.page.screenshot())
    eva = await enter(people, service, room, EVA)
    await ann.sees([ben, eva])
    await choose(ann, "layout")
    await folk.speak(eva.page, True)
    await shows_large(ann, eva.id)
    await folk.pause(4)
    (screenshots / "speaker.png").write_bytes(await ann.page.screenshot())
    await ben.page.click(by_testid("share"))
    await ann.page.wait_for("!!document.querySelector('[data-screen] video')")
    await folk.pause(2)
    (screenshots / "share.png").write_bytes(await ann.page.screenshot())
