"""The service part by part, as it runs beside somebody's own server, and lines between."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.serve.existing import Prepared, spawn

PATIENCE = 60.0  # seconds, on a machine that is busy with builds


class Parts:
    """Starts and ends processes; whoever is left ends with `close`."""

    def __init__(self, prepared: Prepared, folder: Path) -> None:
        self.prepared = prepared
        self._folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> None:
        """`command` if it is none of the four parts."""
        log = self._folder / f"{name}.log"
        self.running[name] = spawn(log, *(command or self.prepared.commands[name]))

    def log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.kill()
        process.wait()

    async def end(self, name: str) -> tuple[int, float]:
        """Ask one to end, as a deploy does: its exit code, and how long it took."""
        process, began = self.running.pop(name), time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait, 30)
        return code, time.monotonic() - began

    async def whole(self) -> float:
        """Seconds until every part is well."""
        began = time.monotonic()
        while not await asyncio.to_thread(self.prepared.is_whole):
            assert time.monotonic() - began < PATIENCE
            await asyncio.sleep(0.05)
        return time.monotonic() - began

    def close(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Line:
    """A TCP port that leads to another; cut, it carries nothing, and nobody is told."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._target = 0
        self.port = 0
        """Where it begins."""

    async def listen(self) -> int:
        """Returns the port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    def lead_to(self, port: int) -> None:
        self._target = port

    def cut(self) -> None:
        self._open.clear()

    def mend(self) -> None:
        self._open.set()

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        writers = [writer]
        try:
            await self._open.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            writers.append(back)
            await asyncio.gather(self._carry(reader, back), self._carry(there, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            for one in writers:
                one.close()
                with suppress(OSError):
                    await one.wait_closed()

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        while data := await source.read(65536):
            await self._open.wait()
            sink.write(data)
            await sink.drain()
        await self._open.wait()
        # The other way ends with it.
        raise ConnectionResetError

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
