"""Runs one child machine: forks, waits, signals, and asks whether it answers."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from xmppconf.driver import Driver
from xmppconf.serve import child
from xmppconf.serve.child import Child
from xmppconf.serve.probe import INTERVAL

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the service: how to run it and how to see that it answers."""

    name: str
    command: list[str]
    answers: Callable[[], Awaitable[bool]]
    #: Turns a line of its output into one of ours; None: it writes to our own stderr.
    rewrite: Callable[[str], str | None] | None = None
    #: Open descriptors that each life of it inherits, and what tells it which.
    inherited: tuple[int, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    #: What asks it to end for good.
    end_signal: signal.Signals = signal.SIGTERM


def say(text: str) -> None:
    """One line about what the service does, for the person at the terminal."""
    print(f"xmppconf: {text}", file=sys.stderr, flush=True)


class Process:
    """`changed` is called after each effect, with this object."""

    def __init__(
        self, part: Part, changed: Callable[[Process, child.Effect], None]
    ) -> None:
        self.part = part
        self.machine = Child()
        self._changed = changed
        self._driver = Driver(self.machine, self._perform)
        self._life: asyncio.Task[None] | None = None
        self._pid: int | None = None

    def start(self) -> None:
        self.machine.start(self._driver.now())
        self._driver.pump()

    def stop(self) -> None:
        self.machine.stop(self._driver.now())
        self._driver.pump()

    async def close(self) -> None:
        """Wait for the last process; call after `Ended`."""
        if self._life is not None:
            await self._life
        self._driver.close()

    def _perform(self, effect: child.Effect) -> None:
        match effect:
            case child.Spawn():
                self._life = asyncio.create_task(self._live())
            case child.Terminate():
                self._signal(self.part.end_signal)
            case child.Kill():
                self._signal(signal.SIGKILL)
        self._changed(self, effect)

    def _signal(self, number: signal.Signals) -> None:
        if self._pid is not None:
            _signal_group(self._pid, number)

    async def _live(self) -> None:
        """One life of the process, from fork to wait."""
        rewrite = self.part.rewrite
        try:
            process = await asyncio.create_subprocess_exec(
                *self.part.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if rewrite else sys.stderr.fileno(),
                stderr=asyncio.subprocess.STDOUT if rewrite else None,
                process_group=0,
                pass_fds=self.part.inherited,
                env={**os.environ, **self.part.environment},
                preexec_fn=_die_with(os.getpid()),
            )
        except OSError as exc:
            say(f"{self.part.name} cannot be run: {exc.strerror}")
            self.machine.exited(self._driver.now(), child.BAD_SETTINGS)
            self._driver.pump()
            return
        self._pid = process.pid
        if self.machine.state is child.State.ENDING:
            self._signal(self.part.end_signal)  # asked to end while it was being forked
        asking = asyncio.create_task(self._ask())
        if rewrite and process.stdout:
            await _relay(process.stdout, rewrite)
        code = await process.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        # What it started itself goes with it.
        _signal_group(process.pid, signal.SIGKILL)
        self._pid = None
        self.machine.exited(self._driver.now(), code)
        self._driver.pump()

    async def _ask(self) -> None:
        while not await self.part.answers():  # noqa: ASYNC110  (a process sets no event)
            await asyncio.sleep(INTERVAL)
        self.machine.ready(self._driver.now())
        self._driver.pump()


async def _relay(
    stream: asyncio.StreamReader, rewrite: Callable[[str], str | None]
) -> None:
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            continue  # longer than the reader's limit; it has been dropped
        if not line:
            return
        if text := rewrite(line.decode(errors="replace")):
            say(text)


def _die_with(parent: int) -> Callable[[], None]:
    """For the child between fork and exec: be killed when the supervisor dies, however."""

    def prepare() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)  # it died in between

    return prepare


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return
