from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

from xmppconf.driver import Driver


class Alarm:
    """Rings once at its due time."""

    def __init__(self, due: float | None) -> None:
        self.due = due
        self.queue: deque[str] = deque()

    def next_timeout(self) -> float | None:
        return self.due

    def timeout(self, now: float) -> None:
        if self.due is not None and now >= self.due:
            self.due = None
            self.queue.append("rang")

    def effects(self) -> Iterator[str]:
        while self.queue:
            yield self.queue.popleft()


async def test_the_timer_fires_once_at_its_due_time() -> None:
    rang: list[str] = []
    alarm = Alarm(None)
    driver = Driver(alarm, rang.append)
    alarm.due = driver.now() + 0.02
    driver.pump()
    assert rang == []
    await asyncio.sleep(0.05)
    assert rang == ["rang"]
    driver.close()


async def test_an_effect_may_feed_the_machine() -> None:
    done: list[str] = []
    alarm = Alarm(None)

    def perform(effect: str) -> None:
        done.append(effect)
        if effect == "one":
            alarm.queue.append("two")
            driver.pump()
            done.append("back")

    driver = Driver(alarm, perform)
    alarm.queue.append("one")
    driver.pump()
    assert done == ["one", "back", "two"]
    driver.close()


async def test_nothing_happens_after_close() -> None:
    rang: list[str] = []
    alarm = Alarm(0.0)
    driver = Driver(alarm, rang.append)
    driver.pump()
    driver.close()
    await asyncio.sleep(0.01)
    alarm.queue.append("late")
    driver.pump()
    assert rang == []
