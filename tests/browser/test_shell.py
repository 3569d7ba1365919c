"""The client as a program: installable, starts without a network, keeps nothing."""

from __future__ import annotations

import json

import pytest

from tests.browser.call import Caller, by_testid, new_room
from tests.browser.chromium import ChromiumPage
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN
from tests.support.service import ROOT, Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN)
FIREFOX = None

#: Names of what is kept, as far as a page can see it.
KEYS = """(async () => [
    ...Object.keys(localStorage), ...Object.keys(sessionStorage),
    ...(await caches.keys()).map((name) => name.replace(/-[0-9a-f]{12}$/, "-…")),
])()"""

#: Everything a page can find again later, as one text.
KEPT = """(async () => {
    const kept = [localStorage, sessionStorage].map((one) => JSON.stringify(one));
    kept.push(document.cookie);
    for (const name of await caches.keys()) {
        const requests = await (await caches.open(name)).keys();
        kept.push(...requests.map((one) => one.url));
    }
    kept.push(...(await indexedDB.databases?.() ?? []).map((one) => one.name));
    return kept.join("\\n");
})()"""


async def test_it_can_be_installed(people: Browsers, service: Service) -> None:
    page = await people.page(ANN)
    assert isinstance(page, ChromiumPage)
    await page.go(service.url)
    await page.wait_for("navigator.serviceWorker.ready.then(() => true)")
    manifest = await page.command("Page.getAppManifest")
    assert manifest["errors"] == []
    assert json.loads(manifest["data"])["display"] == "standalone"
    reasons = (await page.command("Page.getInstallabilityErrors"))["installabilityErrors"]
    # Only a window that is not private can install anything.
    assert [one for one in reasons if one["errorId"] != "in-incognito"] == []


async def test_nothing_of_a_call_is_found_in_the_browser_after_it(
    people: Browsers, service: Service
) -> None:
    room = new_room()
    ann, ben = Caller(ANN, await people.page(ANN)), Caller(BEN, await people.page(BEN))
    for caller in (ann, ben):
        await caller.open(service.url, room)
        await caller.page.wait_for("navigator.serviceWorker.ready.then(() => true)")
        await caller.join()
    await ann.say("canary-in-the-chat")
    await ben.page.click(by_testid("toggle-chat"))
    said = "document.body.textContent.includes('canary-in-the-chat')"
    await ben.page.wait_for(said)
    for caller in (ann, ben):
        await caller.leave()
        assert not await caller.page.evaluate(said)
    documented = (ROOT / "docs/reference/browser.md").read_text()
    for key in await ben.page.evaluate(KEYS):
        assert f"`{key}`" in documented
    kept = await ben.page.evaluate(KEPT)
    assert "canary" not in kept
    assert ANN.name not in kept
    urls = [line for line in kept.split("\n") if line.startswith("http")]
    assert len(urls) > 10
    assert not [url for url in urls if room in url]
    paths = {url.removeprefix(service.url) for url in urls}
    assert {path for path in paths if path and not path.startswith("assets/")} == set()
    # What stays, stays by choice: one's own name; rooms only if one wants that.
    assert room not in kept
    await ben.page.click(by_testid("home"))
    await ben.page.click(by_testid("keep-recent"))
    await ben.page.wait_for(f"!!document.querySelector('{by_testid('recent-empty')}')")
    await ben.page.fill(by_testid("room-name"), room)
    await ben.page.click(by_testid("go"))
    await ben.join()
    await ben.leave()
    await ben.page.click(by_testid("home"))
    await ben.page.wait_for(f"!!document.querySelector('{by_testid('recent')}')")
    assert room in await ben.page.evaluate(KEPT)
    await ben.page.click(by_testid("keep-recent"))
    await ben.page.wait_for(f"!document.querySelector('{by_testid('recent')}')")
    assert room not in await ben.page.evaluate(KEPT)


async def test_it_opens_without_a_network(people: Browsers, service: Service) -> None:
    page = await people.page(ANN)
    assert isinstance(page, ChromiumPage)
    await page.go(service.url)
    await page.wait_for("navigator.serviceWorker.ready.then(() => true)")
    await page.wait_for("navigator.serviceWorker.controller !== null")
    page.observed.forgiven += ["Failed to load resource", "ERR_INTERNET_DISCONNECTED"]
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    await page.command("Network.emulateNetworkConditions", offline=True, **offline)
    try:
        await page.go(f"{service.url}some-room")
        await page.wait_for(f"!!document.querySelector('{by_testid('prejoin-page')}')")
    finally:
        await page.command("Network.emulateNetworkConditions", offline=False, **offline)


async def test_markup_cannot_be_made(people: Browsers, service: Service) -> None:
    page = await people.page(ANN)
    await page.go(service.url)
    for attempt in (
        "document.body.innerHTML = '<b>x</b>'",
        "document.write('x')",
        "document.createElement('script').src = '/elsewhere.js'",
        "navigator.serviceWorker.register('/elsewhere.js')",
        "document.createElement('iframe').srcdoc = 'x'",
    ):
        outcome = await page.evaluate(
            f"(async () => {{ await ({attempt}); }})().then(() => 'done', (e) => e.name)"
        )
        assert outcome in {"TypeError", "EvalError"}, attempt
    # These were meant.
    await page.evaluate("(window.testViolations ?? []).splice(0)")
    page.observed.errors.clear()
