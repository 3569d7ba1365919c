"""What one person chooses to see: a place for oneself, the whole screen, a small window."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.call import Caller, by_testid, enter, new_room
from tests.browser.chromium import ChromiumPage
from tests.browser.conftest import Browsers
from tests.browser.house import menu
from tests.browser.people import ANN, BEN, EVA, speak
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN, EVA)
FIREFOX = None

SELF = "document.querySelector('[data-testid=tile][data-local]')"


async def two(people: Browsers, service: Service) -> tuple[Caller, Caller, ChromiumPage]:
    """Ann, Ben, and Ann's page."""
    room = new_room()
    ann = await enter(people, service, room, ANN)
    ben = await enter(people, service, room, BEN)
    assert isinstance(ann.page, ChromiumPage)
    await ann.sees([ben])
    return ann, ben, ann.page


async def middle(page: ChromiumPage) -> tuple[float, float]:
    """Of our own picture, as parts of the window's size."""
    x, y = await page.evaluate(
        f"(() => {{ const box = {SELF}.getBoundingClientRect();"
        " return [(box.left + box.right) / 2 / innerWidth,"
        " (box.top + box.bottom) / 2 / innerHeight]; })()"
    )
    return x, y


async def drag(page: ChromiumPage, x: float, y: float) -> None:
    """Take our own picture to a place in the window with the mouse."""
    from_x, from_y = await middle(page)
    size = await page.evaluate("[innerWidth, innerHeight]")
    places = [(from_x, from_y), (from_x, from_y), ((from_x + x) / 2, y), (x, y), (x, y)]
    kinds = ["mouseMoved", "mousePressed", "mouseMoved", "mouseMoved", "mouseReleased"]
    for kind, (left, top) in zip(kinds, places, strict=True):
        at: dict[str, Any] = {"x": left * size[0], "y": top * size[1]}
        held = {"button": "left", "buttons": 1, "clickCount": 1}
        more = held if kind != "mouseMoved" or (left, top) != places[0] else {}
        await page.command("Input.dispatchMouseEvent", type=kind, **at, **more)


async def test_our_own_picture_is_moved_and_hidden(
    people: Browsers, service: Service
) -> None:
    ann, ben, page = await two(people, service)
    await page.wait_for(f"{SELF}?.matches('.cornered')", what="a corner")
    x, y = await middle(page)
    assert (x > 0.5, y > 0.5) == (True, True)
    await drag(page, 0.2, 0.2)
    box = f"{SELF}.getBoundingClientRect()"
    await page.wait_for(f"{box}.right < innerWidth / 2 && {box}.bottom < innerHeight / 2")
    await page.click(by_testid("move-self"))
    await page.wait_for(f"{box}.left > innerWidth / 2 || {box}.top > innerHeight / 2")
    await page.click(by_testid("hide-self"))
    await page.wait_for(f"{SELF} === null", what="hidden")
    await ben.sees([ann])
    await menu(ann, "more", "self-view")
    await page.wait_for(f"{SELF}?.matches('.cornered')", what="there again")


async def test_the_call_fills_the_screen(people: Browsers, service: Service) -> None:
    ann, _, page = await two(people, service)
    await menu(ann, "more", "fullscreen")
    await page.wait_for("document.fullscreenElement === document.documentElement")
    await page.evaluate("document.activeElement.blur()")
    await page.key("KeyF", "f", down=True)
    await page.key("KeyF", "f", down=False)
    await page.wait_for("document.fullscreenElement === null")


async def test_a_small_window_stays_above_others(
    people: Browsers, service: Service
) -> None:
    ann, ben, page = await two(people, service)
    await menu(ann, "more", "pip")
    small = "documentPictureInPicture.window?.document"
    picture = f"{small}?.querySelector('video')"
    await page.wait_for(f"{picture}?.videoWidth > 0", what="Ben's picture in it")
    assert await page.evaluate(f"{small}.querySelector('.name').textContent") == "Ben"
    await speak(page, True)
    await ben.hears([ANN])
    await page.evaluate(f"{small}.querySelector('{by_testid('toggle-audio')}').click()")
    await ben.wait_for_tile(ann, "tile.dataset.audioMuted === 'true'")
    await menu(ann, "more", "pip")
    await page.wait_for("documentPictureInPicture.window === null")
    await menu(ann, "more", "pip")
    await page.wait_for(f"!!{picture}")
    await page.evaluate(f"{small}.querySelector('{by_testid('leave')}').click()")
    await page.wait_for(
        f"!!document.querySelector('{by_testid('left-page')}')"
        " && documentPictureInPicture.window === null"
    )
    await ben.wait_for_tile(ann, "tile === null")


#: What comes is said to have been lost in part, from `testLose(0.2)` on.
LOSSES = """
if (window.RTCRtpReceiver) {
    let share = 0;
    window.testLose = (now) => (share = now);
    for (const kind of [RTCPeerConnection, RTCRtpReceiver]) {
        const real = kind.prototype.getStats;
        const lost = new Map();
        kind.prototype.getStats = async function (...rest) {
            const stats = await real.apply(this, rest);
            const changed = new Map();
            for (const [id, report] of stats) {
                if (report.type !== "inbound-rtp") changed.set(id, report);
                else {
                    const before = lost.get(id) ?? { at: 0, lost: 0 };
                    before.lost += share * (report.packetsReceived - before.at);
                    before.at = report.packetsReceived;
                    lost.set(id, before);
                    changed.set(id, { ...report, packetsLost: Math.round(before.lost) });
                }
            }
            return changed;
        };
    }
}
"""


async def test_over_a_weak_link_doing_without_videos_is_offered(
    people: Browsers, service: Service
) -> None:
    room = new_room()
    ben = await enter(people, service, room, BEN)
    page = await people.page(ANN, more=LOSSES)
    ann = Caller(ANN, page)
    await ann.open(service.url, room)
    await ann.join()
    await ann.sees([ben])
    assert not await page.evaluate(f"!!document.querySelector('{by_testid('link-offer')}')")
    await page.evaluate("testLose(0.2)")
    await page.click(by_testid("go-audio-only"))
    banner = by_testid("audio-only-banner")
    await page.wait_for(f"!!document.querySelector('{banner}')")
    await ann.wait_for_tile(ben, "!tile.querySelector('video')")
    await page.evaluate("testLose(0)")
    await page.click(f"{banner} button")
    await ann.sees([ben])


#: `testTell` lets the bridge say something to this page.
BRIDGE_SAYS = """
{
    const channels = [];
    const create = RTCPeerConnection.prototype.createDataChannel;
    RTCPeerConnection.prototype.createDataChannel = function (...rest) {
        const channel = create.apply(this, rest);
        channels.push(channel);
        return channel;
    };
    window.testTell = (message) => {
        const [open] = channels.filter((one) => one.readyState === "open").slice(-1);
        open.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) }));
    };
}
"""


async def test_a_picture_for_which_there_is_no_bandwidth_is_said_to_be_paused(
    people: Browsers, service: Service
) -> None:
    room = new_room()
    ben = await enter(people, service, room, BEN)
    eva = await enter(people, service, room, EVA)
    page = await people.page(ANN, more=BRIDGE_SAYS)
    ann = Caller(ANN, page)
    await ann.open(service.url, room)
    await ann.join()
    await ann.sees([ben, eva])
    covered = "!!tile.querySelector('.paused')"
    await ann.wait_for_tile(ben, f"!({covered})")
    left = {"colibriClass": "ForwardedSources", "forwardedSources": [f"{eva.id}-v0"]}
    await page.evaluate(f"testTell({json.dumps(left)})")
    await ann.wait_for_tile(ben, covered)
    assert "paused" in await page.text(f"[data-testid=tile][data-id='{ben.id}'] .paused")
    await ann.wait_for_tile(eva, f"!({covered})")
    back = left | {"forwardedSources": [f"{eva.id}-v0", f"{ben.id}-v0"]}
    await page.evaluate(f"testTell({json.dumps(back)})")
    await ann.wait_for_tile(ben, f"!({covered})")
