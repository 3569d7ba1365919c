"""The pictures in docs/images, taken from the running service (`script/screenshots`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from tests.browser.call import by_testid
from tests.browser.chromium import Chromium, ChromiumPage
from tests.support.service import Service, running_service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]

ROOM = "tea-at-four"
WIDE, PHONE = (1280, 720), (390, 844)
#: Names, and the hue of each one's wall in degrees.
SITTERS = {"Ada": 212, "Björk": 32, "Chinua": 150, "Elif": 280}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def loop() -> None:
    """The module's loop is there before it is counted what a test leaves behind."""


def portrait(hue: int, frame: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Somebody before a wall, as planes of luma and of two chroma in 0 to 255."""
    height, width = 360, 640
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    planes = np.empty((3, height, width), np.float32)
    angle = np.radians(hue)
    planes[0] = 150 - 70 * (x / width * 0.6 + y / height * 0.4)
    planes[1], planes[2] = 128 + 26 * np.cos(angle), 128 + 26 * np.sin(angle)
    sway = 4 * np.sin(frame / 5)
    body = ((x - 320 - sway / 2) / 175) ** 2 + ((y - 400) / 150) ** 2 < 1
    hair = (((x - 320 - sway) / 86) ** 2 + ((y - 150) / 98) ** 2 < 1) & (y < 215)
    head = ((x - 320 - sway) / 68) ** 2 + ((y - 182) / 82) ** 2 < 1
    for shape, (luma, blue, red) in (
        (body, (70 + hue % 60, 128 + 30 * np.sin(angle), 128 - 20 * np.cos(angle))),
        (hair, (40 + hue % 40, 126, 134)),
        (head, (150 + hue % 50, 112, 148)),
    ):
        for plane, value in zip(planes, (luma, blue, red), strict=True):
            plane[shape] = value
    return planes


def write_portrait(hue: int, path: Path) -> None:
    """A y4m file for Chromium's fake camera."""
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H360 F15:1 Ip A1:1 C420jpeg\n")
        for frame in range(32):
            luma, blue, red = portrait(hue, frame)
            file.write(b"FRAME\n")
            for plane in (luma, blue[::2, ::2], red[::2, ::2]):
                file.write(np.clip(plane, 0, 255).astype(np.uint8).tobytes())


#: Somebody's slide instead of the screen, which is empty where tests run.
SLIDE = """void (() => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [1280, 720];
    const brush = canvas.getContext("2d");
    const draw = () => {
        brush.fillStyle = "#fdfcf8";
        brush.fillRect(0, 0, 1280, 720);
        brush.fillStyle = "#1d3557";
        brush.font = "bold 56px sans-serif";
        brush.fillText("Members at the end of each year", 80, 120);
        brush.font = "28px sans-serif";
        [310, 420, 380, 560, 690].forEach((members, year) => {
            const [x, height] = [120 + year * 220, members * 0.6];
            brush.fillStyle = year === 4 ? "#e76f51" : "#2a9d8f";
            brush.fillRect(x, 620 - height, 140, height);
            brush.fillStyle = "#1d3557";
            brush.fillText(String(2022 + year), x + 36, 665);
            brush.fillText(String(members), x + 44, 605 - height);
        });
    };
    draw();
    setInterval(draw, 200);
    navigator.mediaDevices.getDisplayMedia = async () => canvas.captureStream(5);
})()"""


@pytest_asyncio.fixture(loop_scope="module")
async def pages(tmp_path: Path) -> AsyncIterator[dict[str, ChromiumPage]]:
    """A page for each sitter, each in a browser with a camera of its own."""
    async with AsyncExitStack() as stack:
        made = {}
        for name, hue in SITTERS.items():
            video = tmp_path / f"{hue}.y4m"
            write_portrait(hue, video)
            browser = await Chromium.start(video=str(video))
            stack.push_async_callback(browser.close)
            made[name] = await browser.new_page()
        yield made


async def dress(page: ChromiumPage, *, dark: bool) -> None:
    scheme = "dark" if dark else "light"
    await page.command(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )


async def enter(page: ChromiumPage, service: Service, name: str) -> None:
    await page.go(f"{service.url}{ROOM}")
    await page.wait_for(f"document.querySelector('{by_testid('preview')}')?.videoWidth > 0")
    await page.fill(by_testid("display-name"), name)
    await page.click(by_testid("join"))


async def in_the_call(page: ChromiumPage, others: int) -> None:
    await page.wait_for(
        f"xmppconf.participants.filter((one) => one.framesDecoded > 5).length === {others}",
        seconds=40,
        what=f"pictures of {others} others",
    )


async def test_pictures(
    pages: dict[str, ChromiumPage], service: Service, screenshots: Path
) -> None:
    async def shoot(page: ChromiumPage, name: str) -> None:
        # What moves comes to rest, and no news stands before the picture.
        await page.wait_for(f"!document.querySelector('{by_testid('toast')}')")
        await asyncio.sleep(0.6)
        (screenshots / f"{name}.png").write_bytes(await page.screenshot())

    ada, bjork, chinua, elif_ = pages.values()
    for page in pages.values():
        await page.set_viewport(*WIDE)
        await dress(page, dark=False)
    await ada.go(service.url)
    await ada.wait_for(f"!!document.querySelector('{by_testid('start-page')}')")
    await shoot(ada, "start")
    await enter(ada, service, "Ada")
    await ada.wait_for("xmppconf.state === 'joined'")
    for page, name in ((bjork, "Björk"), (chinua, "Chinua")):
        await enter(page, service, name)
    for page in (ada, bjork, chinua):
        await in_the_call(page, 2)
    scrolls = "document.documentElement.scrollHeight > innerHeight"
    assert not await ada.evaluate(scrolls), "a call fits its window"
    await shoot(ada, "tiles-light")
    await dress(ada, dark=True)
    await shoot(ada, "tiles-dark")
    await dress(ada, dark=False)
    # A lobby from now on, and somebody who waits in it.
    await ada.click(by_testid("more"))
    await ada.click(by_testid("open-security-menu"))
    await ada.click(by_testid("access-lobby"))
    await ada.wait_for(f"document.querySelector('{by_testid('access-lobby')}')?.checked")
    await shoot(ada, "security")
    await ada.click(by_testid("close-dialog"))
    await dress(elif_, dark=True)
    await elif_.go(f"{service.url}{ROOM}")
    await elif_.wait_for(
        f"document.querySelector('{by_testid('preview')}')?.videoWidth > 0"
    )
    await elif_.fill(by_testid("display-name"), "Elif")
    # The fake one is called after its file.
    await elif_.evaluate(
        f"document.querySelector('{by_testid('select-video')} option').text = 'Camera'"
    )
    await shoot(elif_, "prejoin")
    await elif_.click(by_testid("join"))
    await elif_.wait_for(f"!!document.querySelector('{by_testid('waiting-page')}')")
    await shoot(elif_, "waiting")
    await bjork.click(by_testid("toggle-hand"))
    await ada.click(by_testid("toggle-people"))
    await ada.wait_for(f"!!document.querySelector('{by_testid('visitor')}')")
    await shoot(ada, "lobby")
    await ada.click(by_testid("admit"))
    for page in pages.values():
        await in_the_call(page, 3)
    await bjork.click(by_testid("toggle-hand"))
    await chinua.click(by_testid("toggle-chat"))
    await chinua.fill(by_testid("chat-input"), "The agenda: https://example.org/agenda")
    await chinua.click(by_testid("chat-send"))
    await ada.click(by_testid("toggle-chat"))
    await ada.fill(by_testid("chat-input"), "Thank you! Shall we begin?")
    await ada.click(by_testid("chat-send"))
    await ada.evaluate("document.activeElement.blur()")
    await dress(ada, dark=True)
    await shoot(ada, "call")
    await ada.click(by_testid("toggle-chat"))
    await chinua.click(by_testid("toggle-chat"))
    await chinua.evaluate(SLIDE)
    await chinua.click(by_testid("share"))
    screen = "document.querySelector('[data-screen][data-large=true] video')"
    await ada.wait_for(f"{screen}?.videoWidth >= 960", what="a sharp slide", seconds=30)
    await asyncio.sleep(2)
    await shoot(ada, "share")
    await chinua.click(by_testid("share"))
    await ada.wait_for("!document.querySelector('[data-screen]')")
    await ada.click(by_testid("more"))
    await ada.click(by_testid("layout"))
    await asyncio.sleep(1)
    await shoot(ada, "speaker")
    await ada.click(by_testid("more"))
    await ada.click(by_testid("layout"))
    await dress(ada, dark=False)
    await ada.click(by_testid("more"))
    await ada.click(by_testid("toggle-breakout"))
    for name in ("Kitchen", "Garden"):
        await ada.fill(by_testid("breakout-name"), name)
        await ada.click(by_testid("breakout-add"))
        made = f"[...document.querySelectorAll('{by_testid('breakout')}')]"
        await ada.wait_for(f"{made}.some((one) => one.textContent.includes({name!r}))")
    await ada.evaluate("document.activeElement.blur()")
    await shoot(ada, "breakout")
    await elif_.set_viewport(*PHONE)
    await in_the_call(elif_, 3)
    assert not await elif_.evaluate(scrolls), "on a phone, too"
    await shoot(elif_, "phone")
