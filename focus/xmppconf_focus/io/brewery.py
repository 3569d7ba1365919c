"""The room in which bridges announce themselves: being in it, and believing whom."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmppconf.jid import split
from xmppconf.xmpp.brewery import stats_from_presence
from xmppconf.xmpp.muc import (
    CREATED,
    OccupantPresence,
    configuration_to_xml,
    presence_to_xml,
)
from xmppconf.xmpp.stream import GuardedStream
from xmppconf_focus.brewery import BridgeStats
from xmppconf_focus.effects import BridgeJid
from xmppconf_focus.focus import Focus
from xmppconf_focus.occupant import FOCUS_NICK

REJOIN_DELAY = 5.0  # seconds between attempts to enter

log = logging.getLogger(__name__)


class BreweryRoom:
    """A bridge is an occupant whose real account is on the accounts' host."""

    def __init__(
        self,
        room: str,
        accounts_domain: str,
        jid: str,
        focus: Focus,
        stream: GuardedStream,
        tell: Callable[[str, Element], None],
    ) -> None:
        self.room = room
        self.joined = False
        self._accounts = accounts_domain
        self._jid = jid
        self._focus = focus
        self._stream = stream
        self._tell = tell
        self._timer: asyncio.TimerHandle | None = None

    def connected(self) -> None:
        self._enter()

    def disconnected(self) -> None:
        self.joined = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def presence(self, presence: OccupantPresence, element: Element, now: float) -> None:
        """Raises `PeerError` if a bridge's figures cannot be read."""
        if presence.nick == FOCUS_NICK:
            self._own(presence, now)
            return
        bridge = BridgeJid(f"{self.room}/{presence.nick}")
        if not presence.available:
            self._focus.bridge_left(bridge, now)
        elif split(presence.real_jid or "").domain == self._accounts:
            figures = stats_from_presence(element)
            stats = None if figures is None else BridgeStats.from_figures(figures)
            self._focus.bridge_announced(bridge, stats, now)

    def _own(self, presence: OccupantPresence, now: float) -> None:
        if presence.error is not None:
            log.warning("the brewery refuses the focus: %s", presence.error.condition)
        self.joined = presence.available
        if self.joined:
            self._focus.brewery_entered(now, created=CREATED in presence.status)
        if CREATED in presence.status:
            # A new room stays locked until its owner has configured it.
            form = configuration_to_xml({"muc#roomconfig_whois": "anyone"})
            self._tell(self.room, form)

    def _enter(self) -> None:
        """Join, and look again after a while, for as long as we are connected."""
        if not self.joined:
            address = f"{self.room}/{FOCUS_NICK}"
            self._stream.write(presence_to_xml(address, join=True, sender=self._jid))
        self._timer = asyncio.get_running_loop().call_later(REJOIN_DELAY, self._enter)
