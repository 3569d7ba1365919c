"""The rooms in which bridges and other services announce themselves: being in them, and
believing whom."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol
from xml.etree.ElementTree import Element

from xmppconf.jid import split
from xmppconf.xmpp.brewery import recorder_status, stats_from_presence
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
from xmppconf_focus.service_pool import ServiceKind, ServicePool, ServiceStatus

REJOIN_DELAY = 5.0  # seconds between attempts to enter

log = logging.getLogger(__name__)


class Announcements(Protocol):
    """Who is told of what is said in a brewery; `jid` is an occupant's address."""

    def announced(self, jid: str, presence: Element, now: float) -> None:
        """Raises `PeerError` if it cannot be read."""

    def left(self, jid: str, now: float) -> None: ...

    def entered(self, now: float, *, created: bool) -> None:
        """We are in the room and have seen who is."""

    def lost(self) -> None:
        """Our connection is gone."""


class BridgeAnnouncements:
    def __init__(self, focus: Focus) -> None:
        self._focus = focus
        self._full = False

    def announced(self, jid: str, presence: Element, now: float) -> None:
        figures = stats_from_presence(presence)
        stats = None if figures is None else BridgeStats.from_figures(figures)
        self._focus.bridge_announced(BridgeJid(jid), stats, now)
        self._tell_fullness(now)

    def left(self, jid: str, now: float) -> None:
        self._focus.bridge_left(BridgeJid(jid), now)

    def _tell_fullness(self, now: float) -> None:
        before, self._full = self._full, self._focus.brewery.is_full(now)
        if self._full and not before:
            log.warning("all bridges have too much to do: no new conferences")
        elif before and not self._full:
            log.info("bridges have room again")

    def entered(self, now: float, *, created: bool) -> None:
        self._focus.brewery_entered(now, created=created)

    def lost(self) -> None:
        """The focus knows by itself."""


class ServiceAnnouncements:
    def __init__(self, kind: ServiceKind, pool: ServicePool) -> None:
        self._kind = kind
        self._pool = pool

    def announced(self, jid: str, presence: Element, now: float) -> None:
        self._pool.announced(jid, self._status(presence))

    def _status(self, presence: Element) -> ServiceStatus:
        if self._kind is ServiceKind.RECORDER:
            status = recorder_status(presence)
            return ServiceStatus() if status is None else ServiceStatus.of_recorder(*status)
        figures = stats_from_presence(presence)
        return ServiceStatus() if figures is None else ServiceStatus.of_phone(figures)

    def left(self, jid: str, now: float) -> None:
        self._pool.left(jid)

    def entered(self, now: float, *, created: bool) -> None:
        """Who was in it before us has shown itself."""

    def lost(self) -> None:
        self._pool.all_left()


class BreweryRoom:
    """Believed are occupants whose real account is on the accounts' host."""

    def __init__(
        self,
        room: str,
        accounts_domain: str,
        jid: str,
        announcements: Announcements,
        stream: GuardedStream,
        tell: Callable[[str, Element], None],
    ) -> None:
        self.room = room
        self.joined = False
        self._accounts = accounts_domain
        self._jid = jid
        self._announcements = announcements
        self._stream = stream
        self._tell = tell
        self._timer: asyncio.TimerHandle | None = None

    def connected(self) -> None:
        self._enter()

    def disconnected(self) -> None:
        self.joined = False
        self._announcements.lost()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def presence(self, presence: OccupantPresence, element: Element, now: float) -> None:
        """Raises `PeerError` if what is announced cannot be read."""
        if presence.nick == FOCUS_NICK:
            self._own(presence, now)
            return
        jid = f"{self.room}/{presence.nick}"
        if not presence.available:
            self._announcements.left(jid, now)
        elif split(presence.real_jid or "").domain == self._accounts:
            self._announcements.announced(jid, element, now)

    def _own(self, presence: OccupantPresence, now: float) -> None:
        if presence.error is not None:
            log.warning("the brewery refuses the focus: %s", presence.error.condition)
        self.joined = presence.available
        if self.joined:
            self._announcements.entered(now, created=CREATED in presence.status)
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
