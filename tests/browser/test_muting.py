"""Who is muted is silent: at the others at once, and in what is sent."""

from __future__ import annotations

import pytest

from tests.browser.call import Caller, by_testid, enter, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, EVA, KIM, Person, pause
from tests.support.figures import Figure, count, record
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(count(120, 600)),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN, EVA)
FIREFOX = KIM
TIMES = count(2, 20)
SOON = 200  # ms
#: On a machine that is busy with other tests a sound may wait for its turn.
SOON_WHEN_BUSY = 600

#: What the page has got of everybody's sound: energy (seconds of full volume) and octets.
SOUND = """(async () => {
    const sum = { energy: 0, bytes: 0 };
    for (const peer of testPeers) {
        if (peer.connectionState === "closed") continue;
        for (const one of (await peer.getStats()).values()) {
            if (one.type !== "inbound-rtp" || one.kind !== "audio") continue;
            sum.energy += one.totalAudioEnergy ?? 0;
            sum.bytes += one.bytesReceived;
        }
    }
    return sum;
})()"""


async def click_now(caller: Caller, testid: str) -> float:
    """Click and say when that was, in ms of the machine's clock."""
    selector = by_testid(testid)
    await caller.page.wait_for(f"!!document.querySelector('{selector}')")
    at: float = await caller.page.evaluate(
        f"(document.querySelector('{selector}').click(), Date.now())"
    )
    return at


@pytest.mark.parametrize("person", [ANN, KIM], ids=["chromium", "firefox"])
@pytest.mark.parametrize("path", ["direct", "bridge"])
async def test_nothing_is_heard_of_who_is_muted(
    people: Browsers, service: Service, person: Person, path: str
) -> None:
    room = new_room()
    ann = await enter(people, service, room, person, speaking=True)
    ben = await enter(people, service, room, BEN)
    if path == "bridge":
        eva = await enter(people, service, room, EVA)
        await eva.page.click(by_testid("toggle-audio"))
    await ben.page.wait_for(f"xmppconf.path === {path!r}", seconds=30)
    await ben.hears([person])
    await ben.page.evaluate(f"testListen({ann.id!r})")
    slowest, loudest, most = 0.0, 0.0, 0.0
    for _ in range(TIMES):
        await ben.page.wait_for("Date.now() - testAudible() < 50", what="sound")
        muted = await click_now(ann, "toggle-audio")
        await pause(1)
        before = await ben.page.evaluate(SOUND)
        await pause(1)
        after = await ben.page.evaluate(SOUND)
        slowest = max(slowest, await ben.page.evaluate("testAudible()") - muted)
        loudest = max(loudest, after["energy"] - before["energy"])
        most = max(most, after["bytes"] - before["bytes"])
        await click_now(ann, "toggle-audio")
    where = f"{person.name} muted, {path}, {TIMES} times"
    marks = ("ms", "≤ 200 on a quiet machine"), ("", "= 0"), ("bytes/s", "")
    for what, value, (unit, mark) in zip(
        (
            "last sound after the click, at another",
            "energy of the sound in the second after the first",
            "sent for it in that second, at most",
        ),
        (slowest, loudest, most),
        marks,
        strict=True,
    ):
        row = f"B4 {person.name} {path} {what.split()[0]}"
        record(Figure("browser", row, f"{where}: {what}", value, unit, mark))
    assert slowest <= SOON_WHEN_BUSY
    # Comfort noise is some millionth of a voice.
    assert loudest < 1e-6
    # A voice takes at least two thousand.
    assert most < 1_500
