"""Who is speaking: dominant speaker identification at three time scales.

After Volfin and Cohen, "Dominant Speaker Identification for Multipoint Videoconferencing"
(2012), with the constants that stock bridges use, so that clients see the same changes.
Levels come from RFC 6464 header extensions; no audio is decoded.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from xmppconf.ids import EndpointId

DECISION_INTERVAL = 0.3  # seconds
LEVEL_INTERVAL = 0.04  # seconds; a speaker silent for longer counts as level 0
IDLE_TIMEOUT = 15.0  # seconds without any level until decisions stop
FORGET_TIMEOUT = 3600.0  # seconds without a level until a speaker is forgotten
RECENT_SPEAKERS = 10
MAX_SPEAKERS = 1000

MIN_LEVEL = 0
MAX_LEVEL = 127
MIN_LEVEL_WINDOW = 750  # levels; 15 s at 20 ms

SUBUNIT = 10  # levels of one immediate step: (127 - 0 + 13 - 1) // 13
IMMEDIATES, MEDIUMS, LONGS = 50, 10, 1
PER_MEDIUM, PER_LONG = 5, 10  # immediates of a medium, mediums of a long
MEDIUM_THRESHOLD, LONG_THRESHOLD = 7, 4
MIN_SCORE = 1e-10

#: For immediate, medium and long: steps n, exponent lambda, what a challenger must exceed.
STEPS = (13, 5, 10)
LAMBDAS = (0.78, 24.0, 47.0)
CHALLENGE = (3.0, 2.0, 0.0)


def score(value: int, steps: int, rate: float) -> float:
    """How likely speech explains `value` of `steps` active units (paper, eq. 3 to 5)."""
    log_odds = math.log(math.comb(steps, value)) + steps * math.log(0.5)
    return max(log_odds - math.log(rate) + rate * value, MIN_SCORE)


_SCORES = tuple(
    tuple(score(value, steps, rate) for value in range(steps + 1))
    for steps, rate in zip(STEPS, LAMBDAS, strict=True)
)


@dataclass(frozen=True, slots=True)
class DominantSpeakerChanged:
    speaker: EndpointId | None
    previous: tuple[EndpointId, ...]
    """Dominant speakers before, latest first, at most `RECENT_SPEAKERS`."""


class _Speaker:
    """Level history of one endpoint, newest first."""

    def __init__(self, now: float) -> None:
        self.heard_at = now
        self.level_at = now
        self._levels: deque[int] = deque([0] * IMMEDIATES, maxlen=IMMEDIATES)
        self._min_level = MIN_LEVEL
        self._window_min = MIN_LEVEL
        self._window_length = 0
        self._scores: tuple[float, float, float] | None = None

    def level(self, level: int, now: float) -> None:
        """Take a level of 0 (silent) to 127 (loud)."""
        self.level_at = now
        self._push(level)

    def idle(self) -> None:
        """Nothing came for a while: that is silence, but not news of it."""
        self._push(MIN_LEVEL)

    def _push(self, level: int) -> None:
        self._levels.appendleft(level)
        self._scores = None
        self._update_minimum(level)

    def scores(self) -> tuple[float, float, float]:
        if self._scores is None:
            floor = self._min_level + SUBUNIT
            immediates = [(0 if lv < floor else lv) // SUBUNIT for lv in self._levels]
            mediums = [
                sum(i > MEDIUM_THRESHOLD for i in immediates[k : k + PER_MEDIUM])
                for k in range(0, IMMEDIATES, PER_MEDIUM)
            ]
            long = sum(m > LONG_THRESHOLD for m in mediums[:PER_LONG])
            self._scores = (
                _SCORES[0][min(immediates[0], STEPS[0])],
                _SCORES[1][mediums[0]],
                _SCORES[2][long],
            )
        return self._scores

    def _update_minimum(self, level: int) -> None:
        # Zero says that nothing came, not how quiet the room is.
        if level == MIN_LEVEL:
            return
        if self._min_level == MIN_LEVEL or self._min_level > level:
            self._min_level = level
            self._window_min = MIN_LEVEL
            self._window_length = 0
        elif self._window_min == MIN_LEVEL:
            self._window_min = level
            self._window_length = 1
        else:
            self._window_min = min(self._window_min, level)
            self._window_length += 1
            if self._window_length == MIN_LEVEL_WINDOW:
                mean = int(math.sqrt(self._min_level * self._window_min))
                self._min_level = max(MIN_LEVEL, min(mean, MAX_LEVEL))
                self._window_min = MIN_LEVEL
                self._window_length = 0


class DominantSpeakerIdentification:
    """Fed with levels, tells when the dominant speaker changes."""

    def __init__(self) -> None:
        self._speakers: dict[EndpointId, _Speaker] = {}
        self._dominant: EndpointId | None = None
        self._recent: deque[EndpointId] = deque(maxlen=RECENT_SPEAKERS + 1)
        self._decide_at: float | None = None
        self._tick_at: float | None = None
        self._heard_at = -math.inf
        self._effects: deque[DominantSpeakerChanged] = deque()

    @property
    def dominant(self) -> EndpointId | None:
        return self._dominant

    @property
    def recent(self) -> tuple[EndpointId, ...]:
        """Dominant speakers, the present one first."""
        return tuple(self._recent)

    def level(self, endpoint: EndpointId, level: int, now: float) -> None:
        """Take one RFC 6464 level: 0 is loudest, 127 silence (section 3)."""
        speaker = self._speakers.get(endpoint)
        if speaker is None:
            if len(self._speakers) >= MAX_SPEAKERS:
                return
            speaker = self._speakers[endpoint] = _Speaker(now)
        elif now < speaker.level_at:
            return
        speaker.heard_at = self._heard_at = now
        speaker.level(MAX_LEVEL - max(0, min(level, MAX_LEVEL)), now)
        if self._decide_at is None:
            self._decide_at = now + DECISION_INTERVAL
            self._tick_at = now + LEVEL_INTERVAL

    def endpoint_gone(self, endpoint: EndpointId) -> None:
        self._speakers.pop(endpoint, None)
        if endpoint in self._recent:
            self._recent.remove(endpoint)
        if self._dominant == endpoint:
            self._dominant = None

    def next_timeout(self) -> float | None:
        if self._decide_at is None or self._tick_at is None:
            return None
        return min(self._decide_at, self._tick_at)

    def timeout(self, now: float) -> None:
        if self._tick_at is not None and now >= self._tick_at:
            self._tick_at = now + LEVEL_INTERVAL
            for speaker in self._speakers.values():
                if now - speaker.level_at > LEVEL_INTERVAL:
                    speaker.idle()
        if self._decide_at is not None and now >= self._decide_at:
            self._decide_at = now + DECISION_INTERVAL
            self._forget(now)
            self._decide()
            if now - self._heard_at > IDLE_TIMEOUT:
                self._decide_at = self._tick_at = None

    def effects(self) -> Iterator[DominantSpeakerChanged]:
        while self._effects:
            yield self._effects.popleft()

    def _forget(self, now: float) -> None:
        for endpoint, speaker in list(self._speakers.items()):
            if endpoint != self._dominant and now - speaker.heard_at > FORGET_TIMEOUT:
                del self._speakers[endpoint]

    def _decide(self) -> None:
        if not self._speakers:
            return
        incumbent = self._dominant
        if incumbent is None or incumbent not in self._speakers:
            incumbent = next(iter(self._speakers))
        winner, best = incumbent, CHALLENGE[1]
        own = self._speakers[incumbent].scores()
        for endpoint, speaker in self._speakers.items():
            if endpoint == incumbent:
                continue
            ratios = [math.log(s / o) for s, o in zip(speaker.scores(), own, strict=True)]
            exceeds = all(r > c for r, c in zip(ratios, CHALLENGE, strict=True))
            if exceeds and ratios[1] > best:
                winner, best = endpoint, ratios[1]
        if winner != self._dominant:
            self._change(winner)

    def _change(self, speaker: EndpointId) -> None:
        self._dominant = speaker
        if speaker in self._recent:
            self._recent.remove(speaker)
        self._recent.appendleft(speaker)
        self._effects.append(DominantSpeakerChanged(speaker, tuple(self._recent)[1:]))
