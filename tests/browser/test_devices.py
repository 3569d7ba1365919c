"""Cameras, microphones and speakers: chosen during a call, turned, or not to be had."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.browser.call import Caller, by_testid, enter, new_room
from tests.browser.chromium import Chromium, ChromiumPage
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, KIM, Person, preload, speak
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN)
FIREFOX = KIM

#: The device whose picture or sound goes out.
SENT = """(kind) => testPeers.filter((peer) => peer.connectionState === "connected")
    .flatMap((peer) => peer.getSenders()).map(({ track }) => track)
    .filter((track) => track?.kind === kind && track.readyState === "live")
    .map((track) => track.getSettings().deviceId)[0] ?? ''
"""
OPTIONS = """(selector) =>
    [...document.querySelectorAll(`${selector} option`)].map((one) => one.value)
"""

#: As after somebody has pressed "never", until `testAllow`.
DENIED = """
if (navigator.mediaDevices) {
    const real = navigator.mediaDevices.getUserMedia;
    let denied = true;
    window.testAllow = () => (denied = false);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
        if (denied) throw new DOMException("denied", "NotAllowedError");
        return await real(constraints);
    };
}
"""


@pytest_asyncio.fixture(loop_scope="session")
async def two_cameras() -> AsyncIterator[ChromiumPage]:
    """Before which Ben sits."""
    count = "--use-fake-device-for-media-stream=device-count=2"
    browser = await Chromium.start(flags=(count,))
    # Pictures of a fake camera opened later are older: encoders wait for its clock.
    script = preload(BEN, firefox=False) + "PERSON.camera = true;"
    try:
        yield await browser.new_page(preload=script)
    finally:
        await browser.close()


async def goes_on(viewer: Caller) -> None:
    """Pictures of the only other one keep coming."""
    await viewer.page.evaluate("testGrown(null)")
    await viewer.page.wait_for("testGrown(10).then((number) => number >= 1)")


async def test_devices_are_changed_during_the_call(
    people: Browsers, service: Service, two_cameras: ChromiumPage
) -> None:
    room = new_room()
    ann = await enter(people, service, room, ANN, speaking=True)
    ben = Caller(BEN, two_cameras)
    await ben.open(service.url, room)
    await ben.join()
    await speak(two_cameras, True)
    await goes_on(ann)
    await ann.hears([BEN])
    await two_cameras.click(by_testid("more"))
    await two_cameras.click(by_testid("open-settings"))
    for kind, name in (("video", "select-video"), ("audio", "select-audio")):
        before = await two_cameras.call(SENT, kind)
        await two_cameras.wait_for(f"({OPTIONS})({by_testid(name)!r}).length > 1")
        others = [
            one
            for one in await two_cameras.call(OPTIONS, by_testid(name))
            if one not in (before, "default")
        ]
        await two_cameras.select(by_testid(name), others[0])
        await two_cameras.wait_for(f"({SENT})({kind!r}) === {others[0]!r}", what=name)
    await goes_on(ann)
    await ann.hears([BEN])
    speaker = (await two_cameras.call(OPTIONS, by_testid("select-speaker")))[-1]
    await two_cameras.select(by_testid("select-speaker"), speaker)
    voices = f"[...document.querySelectorAll('audio[data-id=\"{ann.id}\"]')]"
    await two_cameras.wait_for(
        f"{voices}.length > 0 && {voices}.every((one) => one.sinkId === {speaker!r})",
        what="another speaker",
    )
    await two_cameras.click(by_testid("close-dialog"))


async def test_a_phone_turns_its_camera(
    people: Browsers, service: Service, two_cameras: ChromiumPage
) -> None:
    room = new_room()
    ann = await enter(people, service, room, ANN)
    ben = Caller(BEN, two_cameras)
    await two_cameras.set_viewport(390, 844)
    await two_cameras.command("Emulation.setTouchEmulationEnabled", enabled=True)
    await ben.open(service.url, room)
    await ben.join()
    await goes_on(ann)
    now = f"({SENT})('video')"
    await two_cameras.wait_for(now, what="a camera")
    seen = [await two_cameras.call(SENT, "video")]
    for _ in range(2):
        await two_cameras.click(by_testid("more"))
        await two_cameras.click(by_testid("flip-camera"))
        other = f"{now} && {now} !== {seen[-1]!r}"
        await two_cameras.wait_for(other, what="the other one")
        seen.append(await two_cameras.call(SENT, "video"))
        await goes_on(ann)
    assert seen[0] == seen[2]


@pytest.mark.parametrize("person", [ANN, KIM], ids=["chromium", "firefox"])
async def test_who_denied_everything_joins_and_allows_it_later(
    people: Browsers, service: Service, person: Person
) -> None:
    room = new_room()
    ben = await enter(people, service, room, BEN, speaking=True)
    page = await people.page(person, firefox=person is KIM, more=DENIED)
    shy = Caller(person, page)
    await page.go(f"{service.url}{room}")
    for kind in ("audio", "video"):
        await page.wait_for(f"!!document.querySelector('{by_testid(f'problem-{kind}')}')")
    await shy.join()
    await shy.sees([ben])
    await shy.hears([BEN])
    await ben.wait_for_tile(shy, "tile?.dataset.video === 'off'")
    await page.evaluate("testAllow()")
    await speak(page, True)
    for name in ("toggle-audio", "toggle-video"):
        await page.click(by_testid(name))
    await ben.sees([shy])
    await ben.hears([person])
