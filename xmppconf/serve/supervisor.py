"""Keeps the parts running, and ends them all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from xmppconf.serve import child
from xmppconf.serve.process import Part, Process, say

PATIENCE = 10.0  # seconds after which we name who does not answer yet


class Supervisor:
    """Runs `first` (the XMPP server), then the `others`, and ends them the other way round.

    `on_ready` is called once, when every part has answered.
    """

    def __init__(
        self,
        first: Sequence[Part],
        others: Sequence[Part],
        on_ready: Callable[[], None],
    ) -> None:
        self._first = [Process(part, self._changed) for part in first]
        self._others = [Process(part, self._changed) for part in others]
        self._on_ready = on_ready
        self._announced = False
        self._stopping = False
        self._failed = False
        self._over = asyncio.Event()

    async def run(self) -> int:
        """Until all have ended; the exit code is 1 if a part cannot work at all."""
        for process in self._first or self._others:
            process.start()
        impatience = asyncio.create_task(self._name_the_late())
        await self._over.wait()
        impatience.cancel()
        for process in self._all():
            await process.close()
        return 1 if self._failed else 0

    def stop(self) -> None:
        """End everything; said twice: kill everything."""
        again, self._stopping = self._stopping, True
        for process in self._all() if again else self._others:
            process.stop()
        self._end_the_rest()

    def _all(self) -> list[Process]:
        return [*self._first, *self._others]

    def _changed(self, process: Process, effect: child.Effect) -> None:
        name = process.part.name
        match effect:
            case child.Spawn():
                say(f"starting {name}")
            case child.BecameReady():
                self._one_is_ready()
            case child.Died(code, delay):
                say(f"{name} ended ({_cause(code)}), starting it again in {delay:g} s")
            case child.GaveUp():
                say(f"{name} cannot work with these settings, so everything ends")
                self._failed = True
                asyncio.get_running_loop().call_soon(self._stop_once)
            case child.Ended():
                self._end_the_rest()

    def _one_is_ready(self) -> None:
        if self._stopping:
            return
        if all(process.machine.state is child.State.READY for process in self._first):
            for process in self._others:
                if process.machine.state is child.State.IDLE:
                    process.start()
        everybody = all(
            process.machine.state is child.State.READY for process in self._all()
        )
        if everybody and not self._announced:
            self._announced = True
            self._on_ready()

    def _stop_once(self) -> None:
        if not self._stopping:
            self.stop()

    def _end_the_rest(self) -> None:
        if not self._stopping:
            return
        if all(process.machine.state is child.State.ENDED for process in self._others):
            # The others take leave of the server first.
            for process in self._first:
                if process.machine.state not in (child.State.ENDING, child.State.ENDED):
                    process.stop()
        if all(process.machine.state is child.State.ENDED for process in self._all()):
            self._over.set()

    async def _name_the_late(self) -> None:
        while not self._announced:
            await asyncio.sleep(PATIENCE)
            late = [
                process.part.name
                for process in self._all()
                if process.machine.state is not child.State.READY
            ]
            if late and not self._announced and not self._stopping:
                say(f"still waiting for {', '.join(late)}")


def _cause(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
