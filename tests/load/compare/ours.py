"""Our own service, with everything that `xmppconf serve` turns on."""

from __future__ import annotations

import asyncio
import os
import secrets
from contextlib import ExitStack
from typing import Any

from xmppconf_bridge.generator.io.participant import Participant, http_session
from xmppconf_bridge.generator.plan import Scenario

from tests.load.compare.target import SERVER_CORE, Target
from tests.support.service import running_service


class Ours(Target):
    """Participants come in by XMPP, as people do."""

    def __init__(self, *arguments: Any, settings: str = "", name: str = "xmppconf") -> None:
        super().__init__(*arguments)
        self.name = name
        self._settings = settings
        self._stack = ExitStack()

    @property
    def pids(self) -> tuple[int, ...]:
        return (self._bridge,)

    async def start(self) -> None:
        self._service = self._stack.enter_context(
            running_service(self.folder, settings=self._settings)
        )
        self._bridge = self._service.children()["bridge"]
        for task in os.listdir(f"/proc/{self._bridge}/task"):
            os.sched_setaffinity(int(task), {SERVER_CORE})

    async def connect(self, scenario: Scenario) -> None:
        self._http = http_session()
        room = f"load-{secrets.token_hex(4)}"
        self._people = [
            Participant(self._service.settings, room, number, person)
            for number, person in enumerate(scenario.people)
        ]
        turns = asyncio.Semaphore(10)

        async def join(one: Participant) -> None:
            async with turns:
                await one.enter()
                await one.accept(self.peers, 4, frozenset())
                await one.open_channel(self._http)

        await asyncio.gather(*(join(one) for one in self._people))
        self._readers = [asyncio.create_task(one.drain()) for one in self._people]
        for one in self._people:
            await one.watch(self._people)

    async def disconnect(self) -> None:
        for one in self._people:
            await one.close()
        for task in self._readers:
            task.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        await self._http.close()

    async def close(self) -> None:
        await asyncio.to_thread(self._stack.close)
