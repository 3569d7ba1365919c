"""What the client sends for the camera it has, and how it comes back when parts die."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from tests.browser.call import by_testid, new_room
from tests.browser.chromium import Chromium, ChromiumPage
from tests.support.service import Service, running_service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
]

#: Encodings sent for a camera of this size, low to high.
LAYERS = {
    (320, 240): [(320, 240)],
    (640, 360): [(320, 180), (640, 360)],
    (1280, 720): [(320, 180), (640, 360), (1280, 720)],
}

#: Keeps the page's peer connections within reach of the test, and two people on the bridge.
PRELOAD = """
    if (location.protocol === "http:") localStorage.xmppconf = '{"direct": false}';
    window.testPeers = [];
    window.RTCPeerConnection = new Proxy(RTCPeerConnection, {construct(target, args, made) {
        testPeers.push(Reflect.construct(target, args, made));
        return testPeers.at(-1);
    }});
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def loop() -> None:
    """The module's loop is there before it is counted what a test leaves behind."""


@pytest_asyncio.fixture(loop_scope="module")
async def two(
    request: pytest.FixtureRequest, service: Service, tmp_path: Path
) -> AsyncIterator[tuple[ChromiumPage, ChromiumPage]]:
    """Two people in a room, with cameras of the size that the test asks for."""
    size: tuple[int, int] = getattr(request, "param", (320, 240))
    video = tmp_path / "camera.y4m"
    write_pattern(video, *size)
    chromium = await Chromium.start(video=str(video))
    try:
        room = new_room()
        yield (await enter(chromium, service, room), await enter(chromium, service, room))
    finally:
        await chromium.close()


def write_pattern(path: Path, width: int, height: int) -> None:
    """A few frames of moving stripes for the fake camera."""
    slope = np.add.outer(np.arange(height), np.arange(width)) * 2
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F15:1 Ip A1:1 C420jpeg\n".encode())
        for frame in range(6):
            file.write(b"FRAME\n" + (slope + 16 * frame).astype(np.uint8).tobytes())
            file.write(bytes([128]) * (width // 2 * (height // 2) * 2))


async def enter(chromium: Chromium, service: Service, room: str) -> ChromiumPage:
    page = await chromium.new_page(preload=PRELOAD)
    await page.go(f"{service.url}{room}")
    await page.wait_for(f"!!document.querySelector('{by_testid('preview')}')")
    await page.click(by_testid("join"))
    await page.wait_for("xmppconf.state === 'joined'")
    return page


async def sent(page: ChromiumPage) -> list[tuple[int, int]]:
    """Sizes of the encodings that produce frames now, low to high."""
    sizes: list[list[Any]] = await page.evaluate(
        """(async () => {
            const peer = testPeers.find((one) => one.connectionState === 'connected');
            const read = async () => [...(await peer.getStats()).values()]
                .filter((one) => one.type === 'outbound-rtp' && one.kind === 'video');
            const frames = (one) => [one.id, one.framesEncoded];
            const before = new Map((await read()).map(frames));
            await new Promise((resolve) => setTimeout(resolve, 1500));
            return (await read())
                .filter((one) => one.framesEncoded > (before.get(one.id) ?? 0))
                .map((one) => [one.frameWidth, one.frameHeight]);
        })()"""
    )
    return sorted((width, height) for width, height in sizes)


@pytest.mark.parametrize(
    "two", LAYERS, indirect=True, ids=lambda size: f"{size[0]}x{size[1]}"
)
async def test_as_many_layers_as_the_camera_is_worth(
    two: tuple[ChromiumPage, ChromiumPage], request: pytest.FixtureRequest
) -> None:
    await decoding(*two)
    wanted = LAYERS[request.node.callspec.params["two"]]
    deadline = time.monotonic() + 30
    while (sizes := await sent(two[0])) != wanted:
        assert time.monotonic() < deadline, f"{sizes} instead of {wanted}"
    width, height = wanted[-1]
    # The other one's picture fills the window, so the largest is what arrives.
    await two[1].wait_for(
        f"xmppconf.participants[0].width === {width}"
        f" && xmppconf.participants[0].height === {height}",
        seconds=30,
    )


async def test_a_camera_that_nobody_watches_is_not_encoded(
    two: tuple[ChromiumPage, ChromiumPage],
) -> None:
    ann, ben = two
    await decoding(ann, ben)
    await ben.click(by_testid("leave"))
    await ann.wait_for("xmppconf.participants.length === 0")
    deadline = time.monotonic() + 20
    while await ann.evaluate(
        "testPeers.some((one) => one.connectionState === 'connected')"
    ) and await sent(ann):
        assert time.monotonic() < deadline


async def test_leaving_lets_go_of_everything(
    two: tuple[ChromiumPage, ChromiumPage],
) -> None:
    ann, ben = two
    await decoding(ann, ben)
    await ben.evaluate("window.testVideo = document.querySelector('[data-local] video')")
    await ben.evaluate("window.testTrack = testVideo.srcObject.getTracks()[0]")
    await ben.click(by_testid("leave"))
    await ben.wait_for(f"!!document.querySelector('{by_testid('left-page')}')")
    assert await ben.evaluate("testPeers.every((one) => one.signalingState === 'closed')")
    assert await ben.evaluate("testTrack.readyState") == "ended"
    assert await ben.evaluate("testVideo.srcObject") is None
    assert await ben.evaluate("document.querySelectorAll('audio, video').length") == 0


@pytest.mark.parametrize("part", ["bridge", "focus", "web", "prosody"])
async def test_the_call_goes_on_after_a_part_was_killed(
    two: tuple[ChromiumPage, ChromiumPage], service: Service, part: str
) -> None:
    await decoding(*two)
    who = "[xmppconf.endpointId, testPeers.length]"
    before = [await page.evaluate(who) for page in two]
    killed = time.monotonic()
    for pid in parts(service, part):
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(2)
    await decoding(*two, seconds=60)
    print(f"{part} killed: everybody decodes again after {time.monotonic() - killed:.1f} s")
    for page in two:
        await page.wait_for(f"!document.querySelector('{by_testid('banner')}')")
    after = [await page.evaluate(who) for page in two]
    assert [name for name, _ in after] == [name for name, _ in before]
    if part in ("focus", "prosody"):
        # Only signalling was away: the media sessions are the same.
        assert after == before
    # For the tests after this one: to these two the part may not have mattered.
    async with asyncio.timeout(60):
        while not service.is_whole():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def decoding(*pages: ChromiumPage, seconds: float = 30) -> None:
    """Wait until each sees exactly one other, whose frames keep coming."""
    for page in pages:
        await page.evaluate("window.testFrames = undefined")
        await page.wait_for(
            """(() => {
                const { state, media, participants } = xmppconf;
                const frames = participants[0]?.framesDecoded ?? 0;
                const well = state === 'joined' && media === 'connected';
                if (!well) window.testFrames = undefined;
                else if (participants.length === 1) window.testFrames ??= frames;
                return window.testFrames >= 0 && frames > window.testFrames + 10;
            })()""",
            seconds=seconds,
            every=0.3,
            what="one other whose frames keep coming",
        )


def parts(service: Service, name: str) -> list[int]:
    """Process ids of the service's children of this name."""
    listing = subprocess.run(  # noqa: S603
        ["ps", "--ppid", str(service.process.pid), "-o", "pid=,args="],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    wanted = name if name == "prosody" else f"xmppconf {name}"
    found = [int(row.split(None, 1)[0]) for row in listing.splitlines() if wanted in row]
    assert found, listing
    return found
