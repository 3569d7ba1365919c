"""The bridge's XMPP account: in the brewery for all to see, taking orders from the focus.

Who may give orders is decided from the sender that the server stamped: the focus itself,
or its occupant in the brewery by the real address which that room shows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from xmppconf import __version__, jid
from xmppconf.colibri2 import (
    ColibriRefused,
    ConferenceModified,
    ConferenceModify,
    Reason,
)
from xmppconf.errors import NotAllowed, PeerError
from xmppconf.xmpp import healthcheck
from xmppconf.xmpp.brewery import stats_to_xml
from xmppconf.xmpp.colibri2 import (
    MODIFY,
    modified_to_xml,
    modify_from_xml,
    refused_to_error,
)
from xmppconf.xmpp.disco import DiscoInfo, Identity, serve_disco
from xmppconf.xmpp.muc import presence_from_xml, presence_to_xml
from xmppconf.xmpp.stanza import StanzaError
from xmppconf.xmpp.stream import GuardedClient, Request, iq_handler
from xmppconf.xmpp.xml import DTLS, ICE, build, tag
from xmppconf_bridge.stats import Statistics

PRESENCE_INTERVAL = 5.0  # seconds
MAX_OCCUPANTS = 1000

_NODE = "https://xmpp.org/uri/xmppconf-bridge"
_VERSION = "jabber:iq:version"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """Where the bridge logs in, what it joins, and whom it obeys."""

    address: str
    """Full address of the account."""
    password: str
    brewery: str
    """Bare address of the room."""
    nick: str
    focus_domain: str
    """Whoever has an address there is a focus."""
    focus_jids: frozenset[str]
    """Bare addresses of focuses elsewhere."""

    def is_focus(self, address: jid.Jid) -> bool:
        return address.domain == self.focus_domain or address.bare in self.focus_jids


class BridgeAccount:
    def __init__(
        self,
        account: Account,
        modify: Callable[[ConferenceModify], ConferenceModified],
        statistics: Callable[[], Statistics],
        is_healthy: Callable[[], bool],
        *,
        verify: bool,
    ) -> None:
        self._account = account
        self._modify = modify
        self._statistics = statistics
        self._is_healthy = is_healthy
        self._occupants: dict[str, jid.Jid] = {}  # nick to real address
        self._joined = False
        self._wake = asyncio.Event()
        self.stream = GuardedClient(account.address, account.password, verify=verify)
        self.stream.add_event_handler("session_start", self._session_started)
        self.stream.listen(presence=self._presence)
        features = frozenset({healthcheck.HEALTHCHECK, DTLS, ICE, _VERSION})
        info = DiscoInfo((Identity("component", "generic", "xmppconf bridge"),), features)
        serve_disco(self.stream, info, _NODE)
        iq_handler(self.stream, MODIFY, ("get", "set"), self._answer_modify)
        iq_handler(self.stream, healthcheck.NAME, ("get",), self._answer_health)
        iq_handler(self.stream, tag(_VERSION, "query"), ("get",), self._answer_version)

    @property
    def is_connected(self) -> bool:
        return self.stream.session.is_set()

    @property
    def is_joined(self) -> bool:
        return self._joined

    async def run(self, host: str, port: int) -> None:
        """Stay connected and announced until cancelled."""
        self.stream.open(host, port)
        try:
            while True:
                await self.stream.session.wait()
                self._wake.clear()
                self.announce()
                try:
                    await asyncio.wait_for(self._wake.wait(), PRESENCE_INTERVAL)
                except TimeoutError:
                    continue
        finally:
            self._tell(available=False)
            await self.stream.close()

    def announce_soon(self) -> None:
        """What we say of ourselves has changed."""
        self._wake.set()

    def announce(self) -> None:
        """Send presence to the brewery; enters it if we are not in."""
        self._tell(available=True)

    def _tell(self, *, available: bool) -> None:
        extensions = [stats_to_xml(self._statistics())] if available else []
        self.stream.write(
            presence_to_xml(
                f"{self._account.brewery}/{self._account.nick}",
                extensions,
                join=available and not self._joined,
                available=available,
            )
        )

    def _session_started(self, _: object) -> None:
        self._joined = False
        self._occupants.clear()
        self._wake.set()

    def _presence(self, element: Element) -> None:
        presence = presence_from_xml(element)
        if presence.room != self._account.brewery:
            return
        if presence.nick == self._account.nick:
            if presence.error is not None:
                log.warning("the brewery refuses the bridge: %s", presence.error.condition)
            elif presence.available and not self._joined:
                log.info("announced in the brewery")
            self._joined = presence.available
            if not self._joined:
                # From outside it is not seen who goes, and who takes that nick.
                self._occupants.clear()
        elif not presence.available:
            self._occupants.pop(presence.nick, None)
        elif presence.real_jid and len(self._occupants) < MAX_OCCUPANTS:
            self._occupants[presence.nick] = jid.split(presence.real_jid)

    def _authorise(self, sender: jid.Jid) -> None:
        real: jid.Jid | None = sender
        if sender.bare == self._account.brewery:
            real = self._occupants.get(sender.resource)
        if real is None or not self._account.is_focus(real):
            raise NotAllowed("not a focus")

    async def _answer_modify(self, request: Request) -> Element:
        self._authorise(request.sender)
        try:
            return modified_to_xml(self._modify(modify_from_xml(request.payload)))
        except ColibriRefused as refused:
            raise refused_to_error(refused) from None
        except PeerError as error:
            # Unreadable requests come from a focus too: it must know that a bridge spoke.
            raise refused_to_error(
                ColibriRefused(error.condition, Reason.UNSPECIFIED)
            ) from None

    async def _answer_health(self, request: Request) -> Element | None:
        self._authorise(request.sender)
        if not self._is_healthy():
            raise StanzaError("internal-server-error")
        return None

    async def _answer_version(self, _: Request) -> Element:
        return build(
            _VERSION,
            "query",
            None,
            build(_VERSION, "name", text="xmppconf bridge"),
            build(_VERSION, "version", text=__version__),
        )
