"""Brings the engine's events to the bridge, in batches, on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn

from xmppconf.driver import Driver
from xmppconf_bridge.bridge import Bridge
from xmppconf_bridge.engine import EngineStopped, PacketEngine

FLUSH_DELAY = 0.002  # seconds until commands that found the queue full are tried again


class EngineLoop:
    def __init__(
        self,
        engine: PacketEngine,
        bridge: Bridge,
        driver: Driver[NoReturn],
        on_stopped: Callable[[], None],
    ) -> None:
        """`on_stopped` is called once if the engine's worker ends by itself."""
        self._engine = engine
        self._bridge = bridge
        self._driver = driver
        self._on_stopped = on_stopped
        self._loop = asyncio.get_running_loop()
        self._flush: asyncio.TimerHandle | None = None
        self._descriptor = engine.event_fd()
        self._loop.add_reader(self._descriptor, self._receive)
        engine.on_backlog = self._schedule_flush

    def close(self) -> None:
        """Stop reading; the engine itself is closed by its owner, afterwards."""
        self._loop.remove_reader(self._descriptor)
        self._engine.on_backlog = None
        if self._flush is not None:
            self._flush.cancel()

    def _receive(self) -> None:
        try:
            events = self._engine.take_events()
        except EngineStopped:
            self.close()
            self._on_stopped()
            return
        self._bridge.receive(events)
        self._driver.pump()

    def _schedule_flush(self) -> None:
        if self._flush is None:
            self._flush = self._loop.call_later(FLUSH_DELAY, self._flush_backlog)

    def _flush_backlog(self) -> None:
        self._flush = None
        if not self._engine.flush():
            self._schedule_flush()
