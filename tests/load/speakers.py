"""L5: a large meeting of which everybody sees who spoke last, and who speaks changes.

Thirty have camera and microphone, seventy listen, each is shown eight pictures.  One after
the other speaks; by the levels of sound the bridge finds out who, names that one, and
shows the picture, which begins with a keyframe that it asks for.  How long it listens until
it is sure is that of stock bridges and counted apart.  Start it with
`script/soak speakers`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import uvloop
from xmppconf_bridge.generator import plan
from xmppconf_bridge.generator.app import beside
from xmppconf_bridge.generator.io.participant import Participant
from xmppconf_bridge.generator.io.peers import Peers
from xmppconf_bridge.generator.io.process import usage

from tests.load.rooms import WARM_UP, end_cleanly, pinned_service, room_of
from tests.support.figures import Figure, record
from tests.support.service import Service
from xmppconf import clock

SETTINGS = "[bridge]\ntrust_bandwidth = false\nworkers = 1\n"
LEAD_IN = 2.5  # seconds of a turn until those who are shown are those who spoke


@dataclass(frozen=True, slots=True)
class Turn:
    """One who begins to speak, as the others see it."""

    named: float | None
    """Seconds from the first word until the bridge says who speaks; None: it did not."""
    shown: tuple[float, ...]
    """Seconds from there until the picture can be shown, of each other that got it."""
    others: int


@dataclass(frozen=True, slots=True)
class Meeting:
    """What all turns together were."""

    turns: tuple[Turn, ...]
    at_once: float
    """Pictures that each had at a time."""
    freezes: int
    """Pictures that stood still for more than 200 ms."""
    loss: float
    cpu: float
    """Of the bridge, in shares of one core."""

    @property
    def pictures(self) -> tuple[int, int]:
        """Of speakers, that came and that should have."""
        return (
            sum(len(turn.shown) for turn in self.turns),
            sum(turn.others for turn in self.turns),
        )


async def speak(
    people: Sequence[Participant], peers: Peers, before: int, now: int, seconds: float
) -> Turn:
    """Let another one speak for some seconds, and look who sees that."""
    native, speaker = peers.native, people[now]
    native.await_picture(speaker.picture_ssrc)
    began = clock.wall()
    native.set_level(people[before].voice_ssrc, plan.OPEN)
    native.set_level(speaker.voice_ssrc, plan.SPEAKING)
    await asyncio.sleep(seconds)
    told = [one.named for one in people if one.named is not None]
    named = [at for nick, at in told if nick == speaker.nick and at >= began]
    if not named:
        return Turn(None, (), len(people) - 1)
    at = [one.picture for one in native.figures()]
    # Nobody is shown the own picture, and figures have the order of the peers.
    del at[sorted(one.peer or 0 for one in people).index(speaker.peer or 0)]
    first = min(named)
    shown = tuple(max(one - first, 0.0) for one in at if one is not None)
    return Turn(first - began, shown, len(at))


async def meet(
    service: Service, scenario: plan.Scenario, turns: int, seconds: float
) -> Meeting:
    """Hold a meeting in which each of so many turns takes so long."""
    bridge, peers = service.children()["bridge"], Peers()
    cameras = sum(bool(one.video) for one in scenario.people)
    shown = max(one.watches for one in scenario.people)
    order = itertools.pairwise(number % cameras for number in itertools.count())
    async with AsyncExitStack() as stack:
        beside(stack, peers.pump())
        people = await stack.enter_async_context(room_of(service, scenario.people, peers))
        peers.native.set_sending(True)
        await asyncio.sleep(WARM_UP)
        for before, now in itertools.islice(order, shown + 1):
            await speak(people, peers, before, now, LEAD_IN)
        peers.native.reset()
        began, start = clock.monotonic(), usage(bridge)
        seen = [
            await speak(people, peers, before, now, seconds)
            for before, now in itertools.islice(order, turns)
        ]
        cpu = (usage(bridge).cpu - start.cpu) / (clock.monotonic() - began)
        figures, sent = peers.native.figures(), peers.native.sent()
    [picture_type] = {one.picture_type for one in people}
    tracks = [track for figure in figures for track in figure.tracks.values()]
    received = sum(track.received for track in tracks)
    lost = sum(max(track.expected - track.received, 0) for track in tracks)
    pictures = [track for track in tracks if track.payload_type == picture_type]
    came = sum(track.received for track in pictures)
    ssrcs = {one.picture_ssrc for one in people if one.person.video}
    of_each = sum(packets for _, ssrc, packets in sent if ssrc in ssrcs) / cameras
    return Meeting(
        tuple(seen),
        came / of_each / len(people),
        sum(track.freezes for track in pictures),
        lost / max(received + lost, 1),
        cpu,
    )


def tell(scenario: plan.Scenario, meeting: Meeting, seconds: float) -> None:
    def keep(row: str, name: str, value: float, unit: str, mark: str = "") -> None:
        record(Figure("carried", f"L5 {row}", f"{what}: {name}", value, unit, mark))

    what = f"{scenario.name}, {len(meeting.turns)} speakers of {seconds:g} s"
    expected = statistics.mean(one.videos_expected for one in scenario.people)
    share = 100 * meeting.at_once / expected
    keep("tracks", "pictures received of those expected", share, "%", "100")
    came, others = meeting.pictures
    keep("speakers", "who saw who spoke", 100 * came / others, "%", "100")
    shown = [one for turn in meeting.turns for one in turn.shown]
    named = [turn.named for turn in meeting.turns if turn.named is not None]
    late = 1000 * statistics.quantiles(shown, n=20, method="inclusive")[18]
    keep("switch p95", "from naming the speaker to the picture, 95 %", late, "ms", "≤ 400")
    half = 1000 * statistics.median(shown)
    keep("switch p50", "from naming the speaker to the picture, half", half, "ms")
    sure = statistics.median(named)
    keep("named", "from the first word to naming the speaker, half", sure, "s")
    keep("freezes", "pictures that stood still over 200 ms", meeting.freezes, "")
    keep("loss", "packets lost", 100 * meeting.loss, "%")
    keep("CPU", "bridge", 100 * meeting.cpu, "% of a core", "≤ 80")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--senders", type=int, default=30)
    parser.add_argument("--listeners", type=int, default=70)
    parser.add_argument("--turns", type=int, default=120, help="speakers that are measured")
    parser.add_argument("--seconds", type=float, default=5, help="that each speaks")
    options = parser.parse_args()
    end_cleanly()
    scenario = plan.speakers(options.senders, options.listeners)
    with pinned_service(SETTINGS) as service:
        meeting = uvloop.run(meet(service, scenario, options.turns, options.seconds))
    tell(scenario, meeting, options.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
