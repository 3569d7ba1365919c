"""What holds for every test: it leaves nothing behind and does not block the loop.

A fixture of wider scope (a server, a browser) is set up before the count begins and torn
down after it, so it may hold what it likes for its tests.
"""

from __future__ import annotations

import asyncio
import asyncio.runners
from collections.abc import Iterator

import hypothesis
import pytest

from tests.support.leaks import Census, wait_until_clean
from tests.support.slow_callbacks import watched

# On a busy machine an example takes as long as it takes.
hypothesis.settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("any machine")

#: Seconds that things about to end may take after a test.
GRACE = 3.0


@pytest.fixture(autouse=True)
def leaves_nothing_behind(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Fail the test that leaves a task, thread, child process or descriptor."""
    tasks: list[str] = []
    cancel_all = asyncio.runners._cancel_all_tasks  # type: ignore[attr-defined]

    def note_and_cancel(loop: asyncio.AbstractEventLoop) -> None:
        # The runner would end them in silence, and nobody would know.
        pending = asyncio.all_tasks(loop)
        if pending:
            _, pending = loop.run_until_complete(asyncio.wait(pending, timeout=GRACE))
        tasks.extend(f"task {task.get_coro()!r}" for task in pending)
        cancel_all(loop)

    monkeypatch.setattr(asyncio.runners, "_cancel_all_tasks", note_and_cancel)
    # A browser keeps its connections to a module's page server, and opens some on a guess.
    keeps_connections = request.node.get_closest_marker("browser") is not None
    before = Census.take()
    yield
    left = tasks + wait_until_clean(before, seconds=GRACE, sockets=not keeps_connections)
    if left:
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)


@pytest.fixture(autouse=True)
def does_not_block_the_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test whose event loop stood still, where the loop runs our own code only."""
    # Peers of other people's making encode video inside the loop.
    if request.node.get_closest_marker("stack"):
        yield
        return
    found: list[str] = []
    with watched(found):
        yield
    if found:
        pytest.fail("the event loop stood still: " + "; ".join(found), pytrace=False)
