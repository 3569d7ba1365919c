"""Many tiles: what they cost the page's main thread, and that nothing grows with time."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser.call import Caller, by_testid, new_room
from tests.browser.chromium import Chromium, ChromiumPage
from tests.browser.people import ANN, EVA, pause, preload
from tests.support.figures import Figure, count, record
from tests.support.service import Service

#: Minutes of the call in which memory is watched; an hour was asked for once.
MINUTES = float(os.environ.get("CROWD_MINUTES", "0.5"))

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(300 + int(60 * MINUTES)),
    pytest.mark.asyncio(loop_scope="session"),
]

TILES = count(6, 25)
WATCHED = count(6, 10)  # tiles
SECONDS = count(10, 30)


#: All of them are on the machine that is measured.
THRIFTY = "Object.assign(PERSON, { width: 160, height: 120, rate: 8 });"


@dataclass(frozen=True, slots=True)
class Weight:
    heap: float
    """MiB that JavaScript holds after collection."""
    nodes: int
    listeners: int
    resident: float
    """MiB of the page's process."""


async def page_process(browser: Chromium) -> int:
    """The process of the only page: of all that draw, the one that has worked most."""
    assert browser.wire is not None
    answer = await browser.wire.command("SystemInfo.getProcessInfo")
    drawing = [one for one in answer["processInfo"] if one["type"] == "renderer"]
    return int(max(drawing, key=lambda one: one["cpuTime"])["id"])


def main_thread(pid: int) -> float:
    """Seconds of processor that the main thread of a process has had."""
    stat = Path(f"/proc/{pid}/task/{pid}/stat").read_text()
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def weigh(page: ChromiumPage, pid: int) -> Weight:
    await page.command("HeapProfiler.collectGarbage")
    heap = await page.command("Runtime.getHeapUsage")
    counters = await page.command("Memory.getDOMCounters")
    resident = pages(pid)
    return Weight(
        heap["usedSize"] / 2**20,
        counters["nodes"],
        counters["jsEventListeners"],
        resident * os.sysconf("SC_PAGE_SIZE") / 2**20,
    )


def pages(pid: int) -> int:
    """Of memory, that the process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1])


@asynccontextmanager
async def crowd(service: Service, tiles: int) -> AsyncIterator[tuple[Chromium, Caller]]:
    """Eva among so many tiles, her own included; everybody else sends and sees nobody."""
    room = new_room()
    many, browser = await Chromium.start(), await Chromium.start()
    try:
        for _ in range(tiles - 1):
            page = await many.new_page(preload=preload(ANN, firefox=True) + THRIFTY)
            one = Caller(ANN, page)
            await one.open(service.url, room)
            await one.join()
            await page.click(by_testid("toggle-audio"))
            await page.click(by_testid("more"))
            await page.click(by_testid("audio-only"))
        viewer = Caller(EVA, await browser.new_page(preload=preload(EVA, firefox=True)))
        await viewer.open(service.url, room)
        await viewer.join()
        moving = "xmppconf.participants.filter((one) => one.framesDecoded > 5).length"
        await viewer.page.wait_for(f"{moving} === {tiles - 1}", seconds=60)
        yield browser, viewer
        assert viewer.page.observed.errors == []
    finally:
        await many.close()
        await browser.close()


async def test_many_tiles_leave_the_main_thread_free(service: Service) -> None:
    async with crowd(service, TILES) as (browser, viewer):
        await pause(5)
        pid = await page_process(browser)
        began, before = time.monotonic(), main_thread(pid)
        await pause(SECONDS)
        share = 100 * (main_thread(pid) - before) / (time.monotonic() - began)
        shown = await viewer.page.evaluate(
            "[...document.querySelectorAll('[data-testid=tile]')]"
            ".filter((one) => one.getBoundingClientRect().bottom <= innerHeight).length"
        )
        what = f"Chromium, {TILES} tiles: main thread of the page, share of a core"
        record(Figure("browser", f"B10 {TILES} tiles", what, share, "%", "≤ 25"))
        assert shown == TILES
        assert share < 25


async def test_nothing_grows_with_time(service: Service) -> None:
    async with crowd(service, WATCHED) as (browser, viewer):
        assert isinstance(viewer.page, ChromiumPage)
        pid = await page_process(browser)
        # What is loaded late is there after a tenth of the time.
        await asyncio.sleep(6 * MINUTES)
        first = await weigh(viewer.page, pid)
        await asyncio.sleep(54 * MINUTES)
        last = await weigh(viewer.page, pid)
    where = f"{WATCHED} tiles for {MINUTES:g} min: from a tenth of it until the end"
    for name, grown, unit in (
        ("heap", last.heap - first.heap, "MiB"),
        ("resident", last.resident - first.resident, "MiB"),
        ("nodes", last.nodes - first.nodes, ""),
        ("listeners", last.listeners - first.listeners, ""),
    ):
        what = f"{where}: {name} grew by"
        record(Figure("browser", f"memory {name}", what, grown, unit))
    what = f"{WATCHED} tiles: the page's process at the end"
    record(Figure("browser", "memory at the end", what, last.resident, "MiB"))
    assert last.heap < first.heap + 4
    assert last.nodes < first.nodes + 500
    assert last.listeners < first.listeners + 200
