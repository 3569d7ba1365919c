"""What counts as an event loop that stands still."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable

import pytest

from tests.support import slow_callbacks
from tests.support.slow_callbacks import watched

LIMIT = 0.05  # seconds


def found_in(step: Callable[[], object]) -> list[str]:
    async def main() -> None:
        step()

    found: list[str] = []
    with watched(found):
        asyncio.run(main())
    return found


def spin() -> None:
    end = time.thread_time() + 2 * LIMIT
    while time.thread_time() < end:
        pass


@pytest.fixture(autouse=True)
def does_not_block_the_loop() -> None:
    """It is blocked on purpose here."""


@pytest.fixture(autouse=True)
def low_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_callbacks, "MAX_CPU", LIMIT)


def test_work_counts_and_sleep_does_not_belong_there() -> None:
    [told] = found_in(spin)
    assert "of processor" in told
    [told] = found_in(lambda: time.sleep(0.001))
    assert "a sleep of" in told


def test_what_the_collector_of_garbage_takes_does_not_count() -> None:
    objects: list[list[int]] = []
    took = 0.0
    while took < 2 * LIMIT:
        objects += [[number] for number in range(500_000)]
        before = time.thread_time()
        gc.collect()
        took = time.thread_time() - before
    assert found_in(gc.collect) == []
