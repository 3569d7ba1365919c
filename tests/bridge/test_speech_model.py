"""The dominant speaker against a plain model of the same rules, over made-up meetings.

The levels that stock bridges are tested with are not to be had, so this is no proof that
the same people are shown; but that nothing is lost by what is computed only when needed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pytest
from xmppconf_bridge import speech
from xmppconf_bridge.speech import DominantSpeakerIdentification

from tests.support.figures import count
from xmppconf.ids import EndpointId

NAMES = ("ann", "bob", "cat", "dan")
STEP = 20  # milliseconds between two levels of one speaker
Level = tuple[int, str, int]
Change = tuple[int, str]


def meeting(seed: int, minutes: float) -> Iterator[Level]:
    """Who is heard when (ms), how loud (0 to 127): people take turns, and talk at once.

    Each has a room of some loudness, syllables and pauses; a silent one may send nothing.
    """
    chance = random.Random(seed)
    rooms = {name: chance.randrange(0, 40) for name in NAMES}
    until = dict.fromkeys(NAMES, 0)
    talks = dict.fromkeys(NAMES, False)
    sends = dict.fromkeys(NAMES, True)
    for now in range(0, int(minutes * 60_000), STEP):
        for name in NAMES:
            if now >= until[name]:
                others = sum(talks[other] for other in NAMES if other != name)
                talks[name] = chance.random() < (0.5, 0.1, 0.03, 0.01)[others]
                sends[name] = talks[name] or chance.random() < 0.7
                until[name] = now + int(chance.expovariate(1 / 3000)) + 100
            if not sends[name] or chance.random() < 0.01:
                continue  # silent, or lost on the way
            level = rooms[name] + chance.randrange(-3, 4)
            if talks[name] and chance.random() < 0.8:
                level = chance.randrange(60, 115)
            yield now, name, max(0, min(127, level))


class Speaker:
    """All levels that there ever were, newest last; everything is worked out from them."""

    def __init__(self) -> None:
        self.levels: list[int] = [0] * 50
        self.at = 0

    def floor(self) -> int:
        """How quiet the room is, told from the beginning each time."""
        lowest = window = length = 0
        for level in self.levels:
            if level == 0:
                continue
            if lowest == 0 or level < lowest:
                lowest, window, length = level, 0, 0
            elif window == 0:
                window, length = level, 1
            else:
                window, length = min(window, level), length + 1
                if length == 750:
                    lowest, window, length = int(math.sqrt(lowest * window)), 0, 0
        return lowest

    def scores(self) -> list[float]:
        floor = self.floor() + 10
        newest = self.levels[:-51:-1]
        immediates = [0 if level < floor else level // 10 for level in newest]
        blocks = [immediates[at : at + 5] for at in range(0, 50, 5)]
        mediums = [sum(one > 7 for one in block) for block in blocks]
        long = sum(one > 4 for one in mediums)
        return [
            odds(immediates[0], 13, 0.78),
            odds(mediums[0], 5, 24.0),
            odds(long, 10, 47.0),
        ]


def odds(active: int, steps: int, rate: float) -> float:
    """How much better speech explains it than chance does."""
    ways = math.log(math.factorial(steps))
    ways -= math.log(math.factorial(active)) + math.log(math.factorial(steps - active))
    chance = active * math.log(0.5) + (steps - active) * math.log(0.5)
    return max(ways + chance - math.log(rate) + rate * active, 1e-10)


class Model:
    def __init__(self) -> None:
        self.speakers: dict[str, Speaker] = {}
        self.dominant: str | None = None
        self.changes: list[Change] = []

    def level(self, now: int, name: str, level: int) -> None:
        speaker = self.speakers.setdefault(name, Speaker())
        speaker.levels.append(level)
        speaker.at = now

    def tick(self, now: int) -> None:
        for speaker in self.speakers.values():
            if now - speaker.at > 40:
                speaker.levels.append(0)

    def decide(self, now: int) -> None:
        incumbent = self.dominant or next(iter(self.speakers))
        own = self.speakers[incumbent].scores()
        rivals = []
        for name, speaker in self.speakers.items():
            better = [
                math.log(one / mine)
                for one, mine in zip(speaker.scores(), own, strict=True)
            ]
            if name != incumbent and better[0] > 3 and better[1] > 2 and better[2] > 0:
                rivals.append((better[1], name))
        best = max(rivals, key=lambda one: one[0], default=(0.0, incumbent))[1]
        if best != self.dominant:
            self.dominant = best
            self.changes.append((now, best))


def changes_of(seed: int, minutes: float) -> tuple[list[Change], list[Change]]:
    """Those that the machine tells, and those of the model."""
    machine, model = DominantSpeakerIdentification(), Model()
    told: list[Change] = []
    tick_at = decide_at = 0
    for now, name, level in meeting(seed, minutes):
        while tick_at and min(tick_at, decide_at) <= now:
            due = min(tick_at, decide_at)
            machine.timeout(due)
            if due == tick_at:
                model.tick(due)
                tick_at += 40
            if due == decide_at:
                model.decide(due)
                decide_at += 300
            told += [(due, str(change.speaker)) for change in machine.effects()]
        if not tick_at:
            tick_at, decide_at = now + 40, now + 300
        machine.level(EndpointId(name), 127 - level, now)
        model.level(now, name, level)
    return told, model.changes


@pytest.fixture(autouse=True)
def _milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of them are exact, so that what is due together is so for both."""
    for name in ("DECISION_INTERVAL", "LEVEL_INTERVAL", "IDLE_TIMEOUT", "FORGET_TIMEOUT"):
        monkeypatch.setattr(speech, name, round(1000 * getattr(speech, name)))


@pytest.mark.parametrize("seed", range(count(5, 200)))
def test_the_changes_are_those_of_the_model(seed: int) -> None:
    told, expected = changes_of(seed, 1.0)
    assert told == expected


def test_meetings_are_such_that_something_is_decided() -> None:
    told = [changes_of(seed, 1.0)[0] for seed in range(5)]
    assert 15 < sum(map(len, told)) < 150
    assert all(len({name for _, name in changes}) > 1 for changes in told)
