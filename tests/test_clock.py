from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.support.clock import Clock, run_virtual
from tests.support.hand_loop import HandLoop


class Beeper:
    """Beeps every `every` seconds."""

    def __init__(self, every: float) -> None:
        self.every = every
        self.due: float | None = every
        self.beeps = 0

    def next_timeout(self) -> float | None:
        return self.due

    def timeout(self, now: float) -> None:
        self.due = now + self.every
        self.beeps += 1

    def effects(self) -> Iterator[str]:
        while self.beeps:
            self.beeps -= 1
            yield "beep"


def test_a_machine_is_stepped_through_its_deadlines() -> None:
    clock = Clock()
    assert clock.run(Beeper(2.0), 5.0) == [(2.0, "beep"), (4.0, "beep")]
    assert clock.now == 5.0


def test_a_timer_that_never_moves_on_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="keeps being due"):
        Clock().run(Beeper(0.0), 1.0)


def test_an_hour_of_sleeping_takes_no_time() -> None:
    async def sleep_in_two_places() -> list[str]:
        order: list[str] = []

        async def note(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            order.append(name)

        await asyncio.gather(note("late", 3600), note("early", 60))
        return order

    clock, begun = Clock(100.0), time.monotonic()
    assert run_virtual(sleep_in_two_places(), clock=clock) == ["early", "late"]
    assert clock.now == pytest.approx(3700.0)
    assert time.monotonic() - begun < 5


def test_a_wait_for_nothing_is_called_a_deadlock() -> None:
    async def wait_for_ever() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="deadlock"):
        run_virtual(wait_for_ever())


def test_a_loop_by_hand_runs_what_is_due_and_no_more() -> None:
    loop = HandLoop()
    said: list[float] = []

    async def speak() -> None:
        for _ in range(3):
            await asyncio.sleep(2)
            said.append(asyncio.get_running_loop().time())

    with loop.in_use():
        task = asyncio.ensure_future(speak())
        loop.drain()
        loop.call_later(3, said.append, 3.0)
        loop.call_later(3, said.append, 0.0).cancel()
        loop.advance(4)
        assert said == [2.0, 3.0, 4.0]
        assert (loop.unfinished, loop.faults) == (2, [])
        loop.advance(2)
        assert task.done()
        assert said[3:] == [6.0]
        assert loop.unfinished == 0
    assert loop.is_closed()


def test_a_loop_by_hand_keeps_what_was_raised() -> None:
    loop = HandLoop()

    async def stumble() -> None:
        raise KeyError("task")

    def fall() -> None:
        raise ValueError("timer")

    with loop.in_use():
        task = asyncio.ensure_future(stumble())
        loop.call_later(1, fall)
        loop.advance(1)
        assert task.done()
        assert [type(fault) for fault in loop.faults] == [ValueError, KeyError]
