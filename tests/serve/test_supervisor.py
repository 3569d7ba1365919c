"""The supervisor with small real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from xmppconf.serve.process import Part
from xmppconf.serve.supervisor import Supervisor


def part(name: str, code: str, answers: Callable[[], Awaitable[bool]]) -> Part:
    return Part(name, [sys.executable, "-c", code], answers)


def when(path: Path) -> Callable[[], Awaitable[bool]]:
    async def answers() -> bool:
        return os.access(path, os.F_OK)

    return answers


def obedient(path: Path) -> str:
    return (
        "import os, signal, pathlib\n"
        f"p = pathlib.Path({str(path)!r})\n"
        "p.write_text(str(os.getpid()))\n"
        "signal.pause()\n"
    )


def stubborn(path: Path) -> str:
    return "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + obedient(path)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_others_start_after_the_first_and_the_url_comes_once(tmp_path: Path) -> None:
    first, other, ready = tmp_path / "first", tmp_path / "other", asyncio.Event()
    code = f"import pathlib\nassert pathlib.Path({str(first)!r}).exists()\n" + obedient(
        other
    )
    supervisor = Supervisor(
        [part("first", obedient(first), when(first))],
        [part("other", code, when(other))],
        ready.set,
    )
    run = asyncio.create_task(supervisor.run())
    async with asyncio.timeout(10):
        await ready.wait()
    pids = [int(path.read_text()) for path in (first, other)]
    supervisor.stop()
    assert await run == 0
    assert not any(is_alive(pid) for pid in pids)


async def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    path, ready = tmp_path / "child", asyncio.Event()
    supervisor = Supervisor([part("child", obedient(path), when(path))], [], ready.set)
    run = asyncio.create_task(supervisor.run())
    await ready.wait()
    old = int(path.read_text())
    path.unlink()
    os.kill(old, signal.SIGKILL)
    await wait_for(lambda: path.exists() and path.read_text() not in ("", str(old)))
    supervisor.stop()
    assert await run == 0


@pytest.mark.slow
async def test_who_ignores_the_wish_is_killed_in_time(tmp_path: Path) -> None:
    paths = [tmp_path / "server", tmp_path / "other"]
    ready = asyncio.Event()
    supervisor = Supervisor(
        [part("server", stubborn(paths[0]), when(paths[0]))],
        [part("other", stubborn(paths[1]), when(paths[1]))],
        ready.set,
    )
    run = asyncio.create_task(supervisor.run())
    await ready.wait()
    began = time.monotonic()
    supervisor.stop()
    assert await run == 0
    assert time.monotonic() - began < 5.0
    assert not any(is_alive(int(path.read_text())) for path in paths)


async def test_a_second_wish_kills_at_once(tmp_path: Path) -> None:
    path, ready = tmp_path / "child", asyncio.Event()
    supervisor = Supervisor([], [part("child", stubborn(path), when(path))], ready.set)
    run = asyncio.create_task(supervisor.run())
    await ready.wait()
    began = time.monotonic()
    supervisor.stop()
    supervisor.stop()
    await run
    assert time.monotonic() - began < 1.5


async def test_one_that_cannot_work_ends_all(tmp_path: Path) -> None:
    path = tmp_path / "first"
    other = part("other", "raise SystemExit(2)", when(tmp_path / "never"))
    supervisor = Supervisor(
        [part("first", obedient(path), when(path))], [other], lambda: pytest.fail("ready")
    )
    assert await supervisor.run() == 1
    assert not is_alive(int(path.read_text()))


async def test_a_missing_program_ends_all() -> None:
    async def answers() -> bool:
        return False

    missing = Part("missing", ["/nonexistent/program"], answers)
    supervisor = Supervisor([missing], [], lambda: pytest.fail("ready"))
    assert await supervisor.run() == 1


async def test_grandchildren_go_too(tmp_path: Path) -> None:
    path, grandchild, ready = tmp_path / "child", tmp_path / "grandchild", asyncio.Event()
    code = (
        "import subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', {stubborn(grandchild)!r}])\n"
    ) + obedient(path)
    both = [part("child", code, when(grandchild))]
    supervisor = Supervisor([], both, ready.set)
    run = asyncio.create_task(supervisor.run())
    await ready.wait()
    await wait_for(lambda: grandchild.read_text() != "")
    supervisor.stop()
    await run
    # Its parent is gone, so whoever adopted it reaps it when it likes: a zombie is dead.
    pid = grandchild.read_text()
    await wait_for(lambda: _state(pid) in ("Z", ""))


def _state(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


async def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    path = tmp_path / "child"
    code = f"""
import asyncio, sys
from xmppconf.serve.process import Part
from xmppconf.serve.supervisor import Supervisor
async def never():
    return False
part = Part("child", [sys.executable, "-c", {stubborn(path)!r}], never)
async def main():
    await Supervisor([part], [], print).run()
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=Path(__file__).parents[2]
    )
    await wait_for(lambda: path.exists() and path.read_text() != "")
    process.kill()
    await process.wait()
    pid = path.read_text()
    await wait_for(lambda: _state(pid) in ("Z", ""))
