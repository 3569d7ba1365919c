"""Fewer pictures for everybody while the bridge has more to do than it can.

What is too much would be lost otherwise, packet by packet, from the audio as well.
"""

from __future__ import annotations

from xmppconf_bridge.policy import UNLIMITED

#: Stress above which pictures are taken away, and below which they are given back.
TOO_MUCH, ENOUGH = 1.0, 0.8
#: Seconds from one step to the next down, when it shows in the load (`load.WINDOW`), and
#: to the next up: too much has to end soon, and nobody likes pictures that come and go.
DOWN_INTERVAL, UP_INTERVAL = 12.0, 60.0
REDUCTION, RECOVERY = 0.75, 1.25
LEAST = 1
#: A limit that nobody notices is none.
MOST = 40


class LastNReducer:
    def __init__(self) -> None:
        self.last_n = UNLIMITED
        """Sources that one receiver may get of any conference."""
        self._stepped_at: float | None = None

    def update(self, stress: float, most_forwarded: int, now: float) -> bool:
        """Take the stress of the media path; whether `last_n` has changed.

        `most_forwarded` is the greatest number of video sources that one receiver gets.
        """
        since = float("inf") if self._stepped_at is None else now - self._stepped_at
        before = self.last_n
        if stress > TOO_MUCH and since >= DOWN_INTERVAL:
            self.last_n = max(LEAST, int(REDUCTION * most_forwarded))
            if before != UNLIMITED:
                self.last_n = min(before, self.last_n)
        elif stress < ENOUGH and since >= UP_INTERVAL and before != UNLIMITED:
            self.last_n = max(before + 1, int(RECOVERY * before))
            if self.last_n > MOST:
                self.last_n = UNLIMITED
        if self.last_n == before:
            return False
        self._stepped_at = now
        return True
