"""A real browser behind a line that becomes narrow and wide again: the picture steps down
and up without standing still.

Shapes the loopback interface, so it wants a network namespace of its own: `script/narrow`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from tests.browser.call import Caller, new_room
from tests.browser.chromium import Chromium
from tests.browser.conftest import Browsers
from tests.browser.feedback import KINDS, NEGOTIATED, Kind
from tests.browser.namespace import own_network, run
from tests.browser.page import Page
from tests.browser.people import ANN, BEN, EVA, preload
from tests.support.figures import Figure, record
from tests.support.service import running_service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="session"),
    own_network,
]

WIDTH, HEIGHT, RATE = 640, 360, 30
WIDE, NARROW = 3000, 500  # kbit/s
LONGEST_PAUSE = 1.0  # seconds without a new frame
#: The same, where nothing tells of a narrow line but what it has lost already.
LONGEST_BLIND_PAUSE = 8.0
SAMPLE = 0.1

#: Height and count of decoded frames of Ann's picture, and Ben's own UDP port.
STATISTICS = """(async () => {
    const found = {height: 0, frames: 0, port: 0};
    for (const peer of testPeers) {
        const stats = await peer.getStats();
        for (const one of stats.values()) {
            // Of all only Ann's picture is as wide.
            if (one.type === "inbound-rtp" && one.frameWidth > 1.6 * one.frameHeight)
                Object.assign(found, {height: one.frameHeight, frames: one.framesDecoded});
            if (one.type === "candidate-pair" && one.nominated)
                found.port = stats.get(one.localCandidateId)?.port ?? found.port;
        }
    }
    return found;
})()"""


@dataclass(frozen=True, slots=True)
class Sample:
    at: float
    height: int
    frames: int


def write_noise(path: Path) -> None:
    """A film that costs what its encoder may spend: every picture is new."""
    chance = np.random.default_rng(1)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{RATE}:1 Ip A1:1 C420jpeg\n".encode())
        for _ in range(2 * RATE):
            rough = chance.integers(0, 255, (HEIGHT // 8, WIDTH // 8), np.uint8)
            file.write(b"FRAME\n" + rough.repeat(8, 0).repeat(8, 1).tobytes())
            file.write(bytes([128]) * (WIDTH * HEIGHT // 2))


class Line:
    """What goes to one UDP port passes a bottleneck with 200 ms of buffer."""

    def __init__(self, port: int) -> None:
        run("tc qdisc add dev lo root handle 1: htb default 1")
        run("tc class add dev lo parent 1: classid 1:1 htb rate 10gbit quantum 60000")
        self.carry(WIDE, "add")
        match = f"match ip protocol 17 0xff match ip dport {port} 0xffff"
        run(f"tc filter add dev lo parent 1: protocol ip prio 1 u32 {match} flowid 1:2")

    def remove(self) -> None:
        run("tc qdisc del dev lo root")

    def carry(self, kbps: int, verb: str = "replace") -> None:
        """So much from now on."""
        rate = f"rate {kbps}kbit burst 3000 cburst 3000 quantum 3000"
        run(f"tc class {verb} dev lo parent 1: classid 1:2 htb {rate}")
        run(f"tc qdisc {verb} dev lo parent 1:2 handle 20: bfifo limit {kbps * 25}")


async def watch(page: Page, seconds: float) -> list[Sample]:
    end = time.monotonic() + seconds
    samples = []
    while (now := time.monotonic()) < end:
        stats = await page.evaluate(STATISTICS)
        samples.append(Sample(now, stats["height"], stats["frames"]))
        await asyncio.sleep(SAMPLE)
    return samples


def longest_pause(samples: list[Sample]) -> float:
    longest, since = 0.0, samples[0]
    for sample in samples:
        longest = max(longest, sample.at - since.at)
        if sample.frames > since.frames:
            since = sample
    return longest


def until(samples: list[Sample], height: int, *, below: bool) -> float:
    """Seconds until the picture is smaller, or not smaller, than `height`."""
    begin = samples[0].at
    return next(
        (one.at - begin for one in samples if (one.height < height) == below), float("inf")
    )


@pytest_asyncio.fixture(loop_scope="session")
async def ann(tmp_path: Path) -> AsyncIterator[Chromium]:
    film = tmp_path / "noise.y4m"
    write_noise(film)
    chromium = await Chromium.start(video=str(film))
    yield chromium
    await chromium.close()


@pytest_asyncio.fixture(loop_scope="session")
async def ben(all_browsers: Browsers) -> AsyncIterator[Chromium]:
    chromium = await all_browsers.new_chromium(BEN)
    yield chromium
    await chromium.close()


@dataclass(frozen=True, slots=True)
class Seen:
    """What Ben saw of Ann while his line was wide, narrow, and wide again."""

    wide: list[Sample]
    narrow: list[Sample]
    again: list[Sample]

    def judge(self, row: str, whose: str, longest: float) -> None:
        """No pause is longer than `longest` seconds, and the picture steps down and up."""
        where = f"{whose}, {WIDE} to {NARROW} kbit/s and back"
        down = until(self.narrow, HEIGHT, below=True)
        up = until(self.again, HEIGHT, below=False)
        parts = (("wide", self.wide), ("narrow", self.narrow), ("wide again", self.again))
        pauses = {name: longest_pause(part) for name, part in parts}
        mark = f"≤ {longest:g}"
        for name, pause in pauses.items():
            what = f"{where}: longest pause between pictures while {name}"
            record(Figure("bandwidth", f"{row} pause {name}", what, pause, "s", mark))
        assert down < 5
        assert up < len(self.again) * SAMPLE
        record(Figure("bandwidth", f"{row} down", f"{where}: until smaller", down, "s"))
        record(Figure("bandwidth", f"{row} up", f"{where}: until full size", up, "s"))
        assert max(pauses.values()) <= longest


async def test_the_picture_steps_down_and_up_without_standing_still(
    ann: Chromium, ben: Chromium, tmp_path: Path
) -> None:
    with running_service(tmp_path) as service:
        seen = await see(service.url, ann, ben)
    seen.judge("browser", "Chromium", LONGEST_PAUSE)


async def test_who_tells_no_more_than_what_was_lost_keeps_a_picture(
    ann: Chromium, ben: Chromium, tmp_path: Path
) -> None:
    kind = KINDS["nothing"]
    with running_service(tmp_path) as service:
        seen = await see(service.url, ann, ben, kind, narrow=30, again=30)
    seen.judge("browser, losses only,", "Chromium without REMB", LONGEST_BLIND_PAUSE)


async def see(
    url: str,
    ann: Chromium,
    ben: Chromium,
    kind: Kind | None = None,
    *,
    narrow: float = 15,
    again: float = 15,
) -> Seen:
    """`narrow` and `again`: seconds with a narrow line, and with a wide one after that."""
    room = new_room()
    # Two alone would be connected directly.
    for person, browser in ((ANN, ann), (EVA, ben), (BEN, ben)):
        more = kind.script if kind and person is BEN else ""
        page = await browser.new_page(preload=preload(person, firefox=False) + more)
        caller = Caller(person, page)
        await caller.open(url, room)
        await caller.join()
    await page.wait_for(f"{STATISTICS}.then((now) => now.height >= {HEIGHT})", seconds=30)
    if kind:
        assert await page.evaluate(NEGOTIATED) == kind.feedback
    line = Line((await page.evaluate(STATISTICS))["port"])
    try:
        wide = await watch(page, 8)
        line.carry(NARROW)
        seen = await watch(page, narrow)
        line.carry(WIDE)
        return Seen(wide, seen, await watch(page, again))
    finally:
        line.remove()
