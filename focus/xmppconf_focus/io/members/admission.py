"""Finds out who asks for a room, asking the sources of members where that takes long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from xmppconf import clock
from xmppconf.jid import Jid
from xmppconf.xmpp.conference_request import ConferenceRequest
from xmppconf_focus.membership import Admission, Asked, Membership

SWEEP = 5.0  # seconds between looks at who has expired

log = logging.getLogger(__name__)


class Members:
    """`changed` gets the bare addresses of people who became or ceased to be members."""

    def __init__(self, membership: Membership) -> None:
        self.membership = membership
        self._changed: Callable[[str], None] = lambda _: None
        self._sweeping: asyncio.Task[None] | None = None

    def start(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._sweeping = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)

    async def admit(self, asked: ConferenceRequest, sender: Jid) -> Admission:
        """Who asks; raises `PeerError`."""
        request = Asked(sender, asked.machine_uid, asked.session_id)
        admission = self.membership.admit(request, clock.wall())
        self._tell()
        return admission

    def _tell(self) -> None:
        for effect in self.membership.effects():
            self._changed(effect.jid)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self.membership.timeout(clock.wall())
            self._tell()
