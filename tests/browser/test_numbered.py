"""Every picture has a number and some come with a beep: what is lost, what stands still,
and whether sound and picture are together."""

from __future__ import annotations

import itertools
import json
import statistics
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser.call import Caller, by_testid, enter, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, EVA, KIM, Person, pause, preload
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
RATE = 15
SECONDS = count(10, 60)
TIMES = count(1, 10)
#: A lip is off the sound by so much at most, ms.
TOGETHER = 80


@dataclass(frozen=True, slots=True)
class Followed:
    """What arrived: times in ms of the clock."""

    pictures: list[tuple[float, int, bool, int]]
    """When, number, whether it flashes, width."""
    beeps: list[float]

    @property
    def lost(self) -> float:
        """Share of the pictures between the first and the last that was not shown."""
        numbers = [number for _, number, _, _ in self.pictures]
        shown = len(set(numbers))
        return 1 - shown / ((numbers[-1] - numbers[0]) % 2**16 + 1)

    @property
    def is_in_order(self) -> bool:
        numbers = [number for _, number, _, _ in self.pictures]
        steps = [(b - a) % 2**16 for a, b in itertools.pairwise(numbers)]
        return max(steps) < 2**15

    @property
    def lips(self) -> list[float]:
        """For each beep how much later its flash was seen, ms."""
        flashes = [
            now
            for (now, _, on, _), (_, _, before, _) in zip(
                self.pictures[1:], self.pictures, strict=False
            )
            if on and not before
        ]
        off = [min((flash - beep for flash in flashes), key=abs) for beep in self.beeps]
        return [one for one in off if abs(one) < 1000]

    def longest_pause(self) -> float:
        """Ms without a new picture."""
        times = [at for at, _, _, _ in self.pictures]
        return max(b - a for a, b in itertools.pairwise(times))


async def numbered(
    people: Browsers, service: Service, room: str, *, width: int, height: int
) -> Caller:
    """Ann with such a camera."""
    settings = {"width": width, "height": height, "rate": RATE}
    script = (Path(__file__).parent / "numbered.js").read_text()
    browser = people.chromium(ANN)
    page = await browser.new_page(
        preload=preload(ANN, firefox=False)
        + f"\nconst NUMBERED = {json.dumps(settings)};\n{script}"
    )
    people.pages.append(page)
    ann = Caller(ANN, page)
    await ann.open(service.url, room)
    await ann.join()
    return ann


async def follow(viewer: Caller, ann: Caller) -> None:
    script = (Path(__file__).parent / "numbered.js").read_text()
    settings = "const NUMBERED = {width: 16, height: 16, rate: 1};"
    await viewer.page.evaluate(f"(() => {{ {settings}\n{script} }})()")
    await viewer.page.wait_for(f"{video_of(ann)}?.readyState >= 2", what="Ann's picture")
    await viewer.page.evaluate(f"testFollow({ann.id!r})")


def video_of(ann: Caller) -> str:
    return f"document.querySelector('[data-testid=tile][data-id=\"{ann.id}\"] video')"


async def followed(viewer: Caller) -> Followed:
    seen = await viewer.page.evaluate("testSeenSoFar()")
    return Followed([tuple(one) for one in seen["pictures"]], seen["beeps"])


@pytest.mark.parametrize("path", ["direct", "bridge"])
async def test_pictures_come_whole_in_order_and_with_their_sound(
    people: Browsers, service: Service, path: str
) -> None:
    room = new_room()
    ann = await numbered(people, service, room, width=320, height=180)
    ben = await enter(people, service, room, BEN)
    if path == "bridge":
        await enter(people, service, room, EVA)
    await ben.page.wait_for(f"xmppconf.path === {path!r}", seconds=30)
    await pause(3)
    await follow(ben, ann)
    await pause(SECONDS)
    seen = await followed(ben)
    where = f"{path}, {SECONDS} s of {RATE} pictures a second"
    lips = [abs(one) for one in seen.lips]
    for row, what, value, unit, mark in (
        ("lost", "pictures not shown", 100 * seen.lost, "%", "≤ 0.5 on a quiet machine"),
        ("lips", "sound and picture apart, median", statistics.median(lips), "ms", "≤ 80"),
        ("pause", "longest time without a picture", seen.longest_pause(), "ms", ""),
    ):
        record(Figure("browser", f"B2 {path} {row}", f"{where}: {what}", value, unit, mark))
    assert seen.is_in_order
    # A machine that is busy with other tests draws less than it decodes.
    assert seen.lost < 0.1
    assert len(lips) >= SECONDS // 2 - 2
    assert statistics.median(lips) <= 3 * TOGETHER


#: Keyframes sent and asked for, of all encodings of the camera, not of the screen.
KEYFRAMES = """(async () => {
    const sum = { sent: 0, asked: 0 };
    for (const peer of testPeers) {
        if (peer.connectionState === "closed") continue;
        for (const one of (await peer.getStats()).values()) {
            if (one.type !== "outbound-rtp" || one.kind !== "video") continue;
            if (one.contentType === "screenshare") continue;
            sum.sent += one.keyFramesEncoded ?? 0;
            sum.asked += (one.pliCount ?? 0) + (one.firCount ?? 0);
        }
    }
    return sum;
})()"""
#: A sender is asked for no more than one keyframe in it.
KEYFRAME_INTERVAL = 0.3  # seconds
#: Enough for a switch to have happened.
SETTLED = 3.0  # seconds


async def pin(viewer: Caller, who: Caller) -> None:
    tile = f"[data-testid=tile][data-id='{who.id}']"
    await viewer.page.click(f"{tile} {by_testid('pin')}")


@pytest.mark.parametrize("person", [BEN, KIM], ids=["chromium", "firefox"])
async def test_pictures_go_on_through_every_change(
    people: Browsers, service: Service, person: Person
) -> None:
    room = new_room()
    ann = await numbered(people, service, room, width=640, height=360)
    ben = await enter(people, service, room, person)
    eva = await enter(people, service, room, EVA)
    await ben.sees([eva])
    await pause(SETTLED)
    await follow(ben, ann)
    await pin(ben, ann)
    await pause(SETTLED)

    async def large() -> None:
        await pin(ben, ann)
        await pin(ben, eva)

    async def small() -> None:
        await pin(ben, eva)
        await pin(ben, ann)

    async def share() -> None:
        await ann.page.click(by_testid("share"))

    async def camera() -> None:
        await ann.page.click(by_testid("more"))
        await ann.page.click(by_testid("open-settings"))
        select = by_testid("select-video")
        await ann.page.wait_for(f"document.querySelector('{select}')?.options.length > 1")
        await ann.page.call(
            """(selector) => {
                const select = document.querySelector(selector);
                const other = [...select.options].find((one) => !one.selected && one.value);
                select.value = other.value;
                select.dispatchEvent(new Event("change", { bubbles: true }));
            }""",
            select,
        )
        await ann.page.click(by_testid("close-dialog"))

    for what, most, changes in (
        ("layer", 250, (large, small)),
        ("screen share", 400, (share, share)),
        ("camera", 1000, (camera, camera)),
    ):
        longest, asked, widths = 0.0, 0, set[int]()
        for _ in range(TIMES):
            for change in changes:
                before = await ann.page.evaluate(KEYFRAMES)
                begun = len((await followed(ben)).pictures)
                await change()
                await pause(SETTLED)
                after = await ann.page.evaluate(KEYFRAMES)
                seen = Followed((await followed(ben)).pictures[begun - 1 :], [])
                longest = max(longest, seen.longest_pause())
                asked = max(asked, after["asked"] - before["asked"])
                widths |= {width for _, _, _, width in seen.pictures}
        where = f"{what} changed {2 * TIMES} times, seen by {person.name}"
        row = f"B5 {what} {person.name}"
        mark = f"≤ {most} on a quiet machine"
        name = f"{where}: longest time without a picture"
        record(Figure("browser", f"{row} pause", name, longest, "ms", mark))
        name = f"{where}: keyframes asked for at a change, at most"
        record(Figure("browser", f"{row} keyframes", name, asked, "", ""))
        print(what, widths)
        assert longest < 3 * most
        assert asked <= SETTLED / KEYFRAME_INTERVAL + 1
        if what == "layer":
            assert len(widths) > 1, "no other layer was ever seen"
