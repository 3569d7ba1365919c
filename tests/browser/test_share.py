"""Screens are shared beside cameras, with their sound, by several at once."""

from __future__ import annotations

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


def screen_of(sharer: Caller) -> str:
    return f"[data-testid=tile][data-screen={sharer.id!r}]"


async def watches(viewer: Caller, sharer: Caller) -> None:
    """The screen's picture is large, and frames of it keep coming."""
    video = f"document.querySelector({(screen_of(sharer) + '[data-large=true] video')!r})"
    await viewer.page.wait_for(
        f"{video}?.videoWidth >= 400", what=f"{sharer.person.name}'s screen", seconds=20
    )
    frames = (
        f"(xmppconf.participants.find((one) => one.id === {sharer.id!r})"
        "?.screens[0]?.framesDecoded ?? 0)"
    )
    before = await viewer.page.evaluate(frames)
    await viewer.page.wait_for(f"{frames} > {before} + 3", what="frames of the screen")


@pytest.mark.parametrize("viewer", [EVA, KIM], ids=["chromium", "firefox"])
async def test_screens_come_and_go_beside_the_cameras(
    people: Browsers, service: Service, viewer: Person
) -> None:
    room = new_room()
    ann = await enter(people, service, room, ANN)
    ben = await enter(people, service, room, BEN)
    eva = await enter(people, service, room, viewer)
    await eva.sees([ann, ben])
    await ann.page.click(by_testid("share"))
    for other in (ben, eva):
        await watches(other, ann)
    # The sound of what is shared comes on a track of its own.
    sounds = f"document.querySelectorAll('audio[data-id=\"{ann.id}\"]').length"
    await eva.page.wait_for(f"{sounds} === 2", what="the screen's sound")
    await ben.page.click(by_testid("share"))
    await watches(eva, ben)
    await watches(eva, ann)
    await eva.sees([ann, ben])
    # Ended with the browser's own button.
    await ann.page.evaluate(
        "testDisplays.flatMap((one) => one.getVideoTracks()).forEach((one) => {"
        " one.stop(); one.dispatchEvent(new Event('ended')); })"
    )
    gone = f"document.querySelector({screen_of(ann)!r}) === null"
    for other in (ben, eva):
        await other.page.wait_for(gone, what="Ann's screen gone")
    await watches(eva, ben)
    await ann.page.click(by_testid("share"))
    await watches(eva, ann)
    await ben.page.click(by_testid("share"))
    gone = f"document.querySelector({screen_of(ben)!r}) === null"
    await eva.page.wait_for(gone, what="Ben's screen gone")
    await watches(eva, ann)


async def test_a_screen_goes_with_the_call_from_path_to_path(
    people: Browsers, service: Service
) -> None:
    room = new_room()
    ann = await enter(people, service, room, ANN)
    ben = await enter(people, service, room, BEN)
    for caller in (ann, ben):
        await caller.page.wait_for("xmppconf.path === 'direct'", what="a direct session")
    await ann.page.click(by_testid("share"))
    await watches(ben, ann)
    eva = await enter(people, service, room, EVA)
    await ben.page.wait_for("xmppconf.path === 'bridge'", what="the bridge")
    await watches(eva, ann)
    await watches(ben, ann)
    await eva.sees([ann, ben])
    await eva.leave()
    for caller in (ann, ben):
        await caller.page.wait_for(
            "xmppconf.path === 'direct'", what="direct again", seconds=30
        )
    await folk.pause(1)
    await watches(ben, ann)
