"""When running conferences are written down, for the focus after this one to go on with.

What happens together is recorded once, and what is large not so often that calls wait.
"""

from __future__ import annotations

import asyncio
import logging
import time

from xmppconf_focus.focus import Focus
from xmppconf_focus.io.records import RecordStore
from xmppconf_focus.rate import Pace

SAVE_DELAY, LONGEST_SAVE_DELAY = 0.02, 2.0  # seconds from a change to its record
SAVE_SHARE = 0.05  # of the time

log = logging.getLogger(__name__)


class RecordKeeping:
    """Goes on with what is in `store`; with none, nothing is kept."""

    def __init__(self, focus: Focus, store: RecordStore | None) -> None:
        self._focus = focus
        self._store = store
        self._timer: asyncio.TimerHandle | None = None
        self._fails = False
        self._pace = Pace(SAVE_SHARE, SAVE_DELAY, LONGEST_SAVE_DELAY)
        if store is not None:
            focus.recording = True
            bad = focus.restore(store.load())
            log.info("conferences found running: %d", len(focus.conferences))
            if bad:
                log.warning("conferences whose record contradicts itself: %d", bad)

    @property
    def active(self) -> bool:
        return self._store is not None

    def changed(self) -> None:
        """The machine did something."""
        if self._store is not None and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._pace.pause, self.save)

    def save(self) -> None:
        """Write down now what has changed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._store is None:
            return
        began = time.perf_counter()
        try:
            self._store.save(self._focus.take_changed())
        except OSError as exc:
            # Calls go on all the same; only a restart of ours would end them.
            if not self._fails:
                log.warning("running calls cannot be recorded: %s", exc.strerror)
            self._fails = True
        else:
            self._fails = False
        self._pace.took(time.perf_counter() - began)
