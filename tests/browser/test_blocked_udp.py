"""Browsers whose UDP does not get through talk over the gateway's own TCP port."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.call import Caller, new_room
from tests.browser.chromium import Chromium
from tests.browser.conftest import Browsers
from tests.browser.firefox import Firefox
from tests.browser.namespace import add_interface, own_network, run
from tests.browser.page import Browser
from tests.browser.people import ANN, BEN, EVA, Person, preload, write_video
from tests.support.figures import Figure, record
from tests.support.service import Service, running_service

CAST = (BEN,)
FIREFOX = None

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="session"),
]

TIMES = 20 if "FULL_COUNTS" in os.environ else 1
SOONEST = 6.0  # seconds from joining to the first picture
NOBODY = 65534

#: How the browser speaks to the relay through which media goes to the bridge.
PATH = """(async () => {
    for (const peer of testPeers) {
        const stats = await peer.getStats();
        for (const pair of stats.values()) {
            if (pair.type !== "candidate-pair" || !pair.nominated) continue;
            const local = stats.get(pair.localCandidateId);
            if (local) return local.relayProtocol ?? "no relay";
        }
    }
    return "no path";
})()"""


@pytest.fixture(scope="module")
def video() -> Iterator[Path]:
    """Ann's film, where another user can read it."""
    folder = Path(tempfile.mkdtemp(prefix="xmppconf-video-"))
    folder.chmod(0o755)
    write_video(ANN, folder / "ann.y4m")
    yield folder / "ann.y4m"
    shutil.rmtree(folder)


async def call(url: str, browser: Browser, person: Person, people: Browsers) -> float:
    """Somebody meets Ben over the relay; seconds until the first picture."""
    firefox = isinstance(browser, Firefox)
    page = await browser.new_page(preload=preload(person, firefox=firefox))
    # To Ben himself there is no way: the two do not become a direct call.
    page.observed.forgiven.append("WebRTC: ICE failed")
    blocked, other = Caller(person, page), Caller(BEN, await people.page(BEN))
    room = new_room()
    for caller in (other, blocked):
        await caller.open(url, room)
    await other.join()
    began = time.monotonic()
    await blocked.join()
    await page.wait_for("xmppconf.timings.firstRemoteFrame !== undefined")
    took = time.monotonic() - began
    await blocked.sees([other])
    await other.sees([blocked])
    assert await page.evaluate(PATH) == "tcp"
    for caller in (blocked, other):
        observed = caller.page.observed
        assert [*observed.errors, *observed.outside] == []
        await caller.page.close()
    people.pages.clear()
    return took


async def judge(
    url: str, browser: Browser, person: Person, people: Browsers, how: str
) -> None:
    """So many calls; the slowest is recorded."""
    slowest = max([await call(url, browser, person, people) for _ in range(TIMES)])
    name = f"{type(browser).__name__}, {how}"
    what = f"{name}: from joining to the first picture, slowest of {TIMES}"
    record(Figure("browser", f"B7 {name}", what, slowest, "s", f"≤ {SOONEST:.0f}"))
    assert slowest <= 3 * SOONEST, "also on a busy machine"


async def test_a_chromium_that_may_not_use_udp(
    service: Service, people: Browsers, video: Path
) -> None:
    policy = "--webrtc-ip-handling-policy=disable_non_proxied_udp"
    browser = await Chromium.start(video=str(video), flags=(policy,))
    try:
        await judge(service.url, browser, ANN, people, "no UDP")
    finally:
        await browser.close()


async def test_a_firefox_that_uses_relays_only(service: Service, people: Browsers) -> None:
    only = {"media.peerconnection.ice.relay_only": True}
    browser = await Firefox.start(tone=EVA.tone, more=only)
    try:
        await judge(service.url, browser, EVA, people, "no UDP")
    finally:
        await browser.close()


def lose_udp_of(user: int) -> None:
    """Send the datagrams of a user where nobody is; everything else stays as it is."""
    add_interface()
    # An address besides loopback's, to which sending itself would fail.
    run("ip address add 198.18.0.1/32 dev lo")
    for family in ("-4", "-6"):
        for command in (
            "route add default dev nowhere table 100",
            f"rule add pref 1 uidrange {user}-{user} ipproto udp lookup 100",
            # What is on this machine comes first otherwise.
            "rule add pref 2 lookup local",
            "rule del pref 0",
        ):
            run(f"ip {family} {command}")


@own_network
async def test_browsers_behind_a_firewall(
    people: Browsers, video: Path, tmp_path: Path
) -> None:
    lose_udp_of(NOBODY)
    with running_service(tmp_path) as service:
        browsers: list[tuple[Browser, Person]] = [
            (await Chromium.start(video=str(video), user=NOBODY), ANN),
            (await Firefox.start(tone=EVA.tone, user=NOBODY), EVA),
        ]
        try:
            for browser, person in browsers:
                await judge(service.url, browser, person, people, "UDP lost")
        finally:
            for browser, _ in browsers:
                await browser.close()
