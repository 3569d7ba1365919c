"""The client's pages with made-up people: rules of accessibility, sizes, and what fits."""

from __future__ import annotations

import functools
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.browser.chromium import Chromium, ChromiumPage

CLIENT = Path(__file__).parent.parent.parent / "web" / "client"
AXE = CLIENT / "node_modules" / "axe-core" / "axe.min.js"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
]

WIDE, PHONE, PHONE_LYING = (1280, 720), (360, 640), (640, 360)
#: As narrow as WCAG 2.2, 1.4.10 asks for: a laptop at 400 %.
NARROW = (320, 640)

PAGES = {
    "start": "page=start&recent=1",
    "start, for the first time": "page=start",
    "before": "page=prejoin",
    "before, denied": "page=prejoin&problem=denied",
    "alone": "n=1",
    "two": "n=2&names=odd",
    "four, upright phones": "n=4&upright=1",
    "a screen, and more people than there is room for": "n=12&shares=1&hands=1",
    "nine with chat": "n=9&panel=chat&names=odd",
    "people": "n=9&panel=people&moderator=1&hands=1&lobby=2",
    "a knock": "n=3&moderator=1&lobby=1",
    "polls": "n=3&panel=polls",
    "invite": "n=3&dialog=invite&moderator=1",
    "security": "n=3&dialog=security&moderator=1",
    "security, to a guest": "n=3&dialog=security",
    "breakout rooms": "n=3&panel=breakout&breakouts=1&moderator=1",
    "in a breakout room": "n=2&breakouts=in",
    "report": "n=3&report=1&topic=Budget",
    "speakers": "n=3&dialog=speakers",
    "for the host": "page=waiting&waiting=host",
    "in the lobby": "page=waiting&waiting=lobby",
    "wrong password": "page=waiting&waiting=wrong-password",
    "settings": "n=3&dialog=settings",
    "help": "n=3&dialog=help",
    "reconnecting": "n=3&state=reconnecting",
    "left": "page=left",
    "refused": "page=left&state=failed&failure=room-full",
}


class Quiet(SimpleHTTPRequestHandler):
    # A browser opens connections on a guess; a thread must not wait on one for ever.
    timeout = 1.0

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the pages with made-up people."""
    folder = tmp_path_factory.mktemp("harness") / "pages"
    node = shutil.which("node")
    assert node is not None
    subprocess.run(  # noqa: S603
        [node, "build.mjs", "--harness", "--out", str(folder)],
        cwd=CLIENT,
        check=True,
        timeout=60,
        stdout=subprocess.DEVNULL,
    )
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Chromium]:
    browser = await Chromium.start()
    try:
        yield browser
    finally:
        await browser.close()


async def show(
    chromium: Chromium, url: str, size: tuple[int, int], *, dark: bool = False
) -> ChromiumPage:
    page = await chromium.new_page()
    scheme = "dark" if dark else "light"
    await page.command(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )
    await page.set_viewport(*size)
    await page.go(url)
    await page.wait_for("!!document.querySelector('main')")
    return page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("query", PAGES.values(), ids=PAGES.keys())
async def test_no_rule_of_accessibility_is_broken(
    harness: str, chromium: Chromium, query: str, dark: bool
) -> None:
    page = await show(chromium, f"{harness}?{query}", WIDE, dark=dark)
    await page.evaluate(f"(() => {{ {AXE.read_text()} }})()")
    broken: list[Any] = await page.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then((result) =>"
        " result.violations.map((one) => one.id + ': ' +"
        " one.nodes.map((node) => node.target + ' ' + node.failureSummary).join('; ')))"
    )
    await page.close()
    assert broken == []


@pytest.mark.parametrize(
    "size", [WIDE, PHONE, PHONE_LYING, NARROW], ids=["wide", "phone", "lying", "narrow"]
)
async def test_nothing_is_too_small_to_touch_or_beside_the_window(
    harness: str, chromium: Chromium, size: tuple[int, int]
) -> None:
    least = 24 if size is WIDE else 44
    for name, query in PAGES.items():
        page = await show(chromium, f"{harness}?{query}", size)
        await page.wait_for(
            "document.querySelector('.tiles') === null"
            " || document.querySelector('.tile')?.clientWidth > 0"
        )
        found = await page.call(
            """(least) => {
                const wrong = [];
                const { scrollWidth } = document.documentElement;
                if (scrollWidth > innerWidth) wrong.push("scrolls");
                for (const button of document.querySelectorAll("button, select, input")) {
                    const { width, height, left, right } = button.getBoundingClientRect();
                    const text = button.closest("label, p") !== null;
                    const small = Math.min(width, height) < least && !text;
                    const what = button.dataset.testid ?? button.className;
                    if (width && small) wrong.push(`${what} ${width}x${height}`);
                    const outside = left < 0 || right > innerWidth;
                    if (width && outside) wrong.push(`${what} outside`);
                }
                return wrong;
            }""",
            least,
        )
        await page.close()
        assert found == [], name


@pytest.mark.parametrize(
    "size", [WIDE, PHONE, PHONE_LYING, NARROW], ids=["wide", "phone", "lying", "narrow"]
)
async def test_no_name_on_a_tile_is_covered(
    harness: str, chromium: Chromium, size: tuple[int, int]
) -> None:
    page = await show(chromium, f"{harness}?n=12&shares=1&topic=Budget", size)
    await page.wait_for("!!document.querySelector('[data-testid=more-people]')")
    covering = await page.evaluate(
        """(() => {
            const above = [...document.querySelectorAll(".more-people, .facts > *")];
            const below = [...document.querySelectorAll(".tile .label")];
            const all = [...above, ...below]
                .map((one) => [one, one.getBoundingClientRect()]);
            return all.flatMap(([one, a], index) => all.slice(index + 1).filter(([, b]) =>
                a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
            ).map(([other]) => `${one.textContent} over ${other.textContent}`));
        })()"""
    )
    await page.close()
    assert covering == []


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_the_menu_has_each_entry_once_and_all_of_it_in_sight(
    harness: str, chromium: Chromium, size: tuple[int, int]
) -> None:
    page = await show(chromium, f"{harness}?n=3", size)
    await page.click("[data-testid=more]")
    await page.wait_for("document.querySelector('.menu') !== null")
    menu = "document.querySelector('.menu')"
    texts: list[str] = await page.evaluate(
        f"[...{menu}.querySelectorAll('[role^=menuitem]')]"
        ".filter((one) => one.offsetParent).map((one) => one.textContent)"
    )
    assert len(texts) == len(set(texts)) > 5
    assert not await page.evaluate(f"{menu}.scrollWidth > {menu}.clientWidth")
    await page.close()


async def test_a_dialog_takes_the_focus_and_gives_it_back(
    harness: str, chromium: Chromium
) -> None:
    page = await show(chromium, f"{harness}?n=3", WIDE)
    await page.click("[data-testid=more]")
    await page.click("[data-testid=open-settings]")
    await page.wait_for("document.activeElement.closest('dialog') !== null")
    await key(page, "Escape")
    await page.wait_for("document.querySelector('dialog') === null")
    assert await page.evaluate("document.activeElement.dataset.testid") == "more"
    await page.close()


async def test_a_menu_is_walked_by_keys(harness: str, chromium: Chromium) -> None:
    page = await show(chromium, f"{harness}?n=3", WIDE)
    focused = "document.activeElement.dataset.testid"
    await page.click("[data-testid=more]")
    await page.wait_for("document.activeElement.role === 'menuitem'")
    first = await page.evaluate(focused)
    await key(page, "ArrowUp")
    assert await page.evaluate(focused) == "open-settings"
    await key(page, "ArrowDown")
    assert await page.evaluate(focused) == first
    await key(page, "Escape")
    await page.wait_for("document.querySelector('[role=menu]') === null")
    assert await page.evaluate(focused) == "more"
    await page.close()


async def test_arabic_runs_from_right_to_left(harness: str, chromium: Chromium) -> None:
    page = await show(chromium, f"{harness}?n=3&panel=people&lang=ar", WIDE)
    assert await page.evaluate("document.documentElement.dir") == "rtl"
    await page.wait_for("document.querySelector('[data-testid=people]') !== null")
    left = "document.querySelector('[data-testid=people]').getBoundingClientRect().left"
    assert await page.evaluate(left) < 100
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    await page.close()


async def test_keys_work_in_the_call_and_are_letters_in_a_field(
    harness: str, chromium: Chromium
) -> None:
    page = await show(chromium, f"{harness}?n=3", WIDE)
    await key(page, "c")
    await page.wait_for("document.activeElement.dataset.testid === 'chat-input'")
    await key(page, "c")
    await key(page, "?")
    assert await page.evaluate("document.activeElement.value") == "c?"
    assert await page.evaluate("document.querySelector('dialog') === null")
    await key(page, "Escape")
    await page.wait_for("document.querySelector('[data-testid=chat]') === null")
    await key(page, "?")
    await page.wait_for("document.querySelector('[data-testid=help]') !== null")
    await page.close()


async def key(page: ChromiumPage, key: str) -> None:
    """Press and release a letter or a named key, as a keyboard would."""
    codes = {"Escape": 27, "ArrowUp": 38, "ArrowDown": 40}
    more = {"text": key} if len(key) == 1 else {"windowsVirtualKeyCode": codes[key]}
    await page.command("Input.dispatchKeyEvent", type="keyDown", key=key, **more)
    await page.command("Input.dispatchKeyEvent", type="keyUp", key=key)
