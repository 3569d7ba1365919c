"""The bridges of one conference, every two of them linked by a relay.

Each bridge is told of the endpoints on the others, so that it can forward their media.
A link is made when the second bridge joins, and is as good as its two ends: if one cannot
be made, the bridge that failed loses its participants to another.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from xmppconf.colibri2 import EndpointRequest, ForceMute, RelayAnswer
from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId, MeetingId
from xmppconf.media import MediaDescription
from xmppconf.sources import MediaSource
from xmppconf.transport import IceTransport, Setup
from xmppconf_focus.brewery import Bridge
from xmppconf_focus.bridge_session import BridgeSession
from xmppconf_focus.effects import BridgeJid, RoomJid, SendColibri
from xmppconf_focus.record import BridgeRecord

#: What the sources of an endpoint are, asked when others have to be told.
SourcesOf = Callable[[EndpointId], tuple[MediaSource, ...]]


class Cascade:
    """`media` is everything any client may send; `new_id` makes bridge session ids."""

    def __init__(
        self,
        room: RoomJid,
        media: tuple[MediaDescription, ...],
        sources_of: SourcesOf,
        new_id: Callable[[], str],
    ) -> None:
        self.sessions: dict[BridgeJid, BridgeSession] = {}
        """In the order in which they joined: of two the earlier starts the link."""
        self._room = room
        self._media = media
        self._sources_of = sources_of
        self._new_id = new_id
        self._numbers = itertools.count(1)
        self._effects: deque[SendColibri] = deque()

    def used(self) -> dict[BridgeJid, int]:
        """The bridges with the number of endpoints on each."""
        return {jid: len(session.endpoints) for jid, session in self.sessions.items()}

    def asked(self, request: int) -> BridgeSession | None:
        """The session that waits for the outcome of this request."""
        for session in self.sessions.values():
            if (
                request in session.allocations
                or request in session.links
                or request in session.restarts
                or request in session.updates
            ):
                return session
        return None

    # -- bridges -----------------------------------------------------------------------
    def allocate(
        self,
        bridge: Bridge,
        meeting_id: MeetingId,
        endpoint: EndpointId,
        media: tuple[MediaDescription, ...],
        *,
        data: bool,
        ssrc_rewriting: bool,
        force_mute: ForceMute | None = None,
    ) -> BridgeSession:
        """Ask a bridge for an endpoint; one that is new here is linked to the others."""
        session = self.sessions.get(bridge.jid)
        new = session is None
        if session is None:
            session = BridgeSession(
                self._room,
                meeting_id,
                bridge.jid,
                self._new_id(),
                self._numbers,
                region=bridge.stats.region,
                relay_id=bridge.stats.relay_id,
            )
            self.sessions[bridge.jid] = session
        self._effects.append(
            session.allocate(
                endpoint,
                media,
                data=data,
                ssrc_rewriting=ssrc_rewriting,
                force_mute=force_mute,
            )
        )
        for other in self._others(session):
            if new:
                self._link(other, session)
            else:
                self._tell(other, session, self._described(endpoint, create=True))
        return session

    def restore(self, meeting_id: MeetingId, records: Iterable[BridgeRecord]) -> None:
        """Go on with what another focus had on these bridges."""
        for record in records:
            self.sessions[record.jid] = BridgeSession.restored(
                self._room, meeting_id, record, self._numbers
            )

    def _link(self, first: BridgeSession, second: BridgeSession) -> None:
        for here, there in ((first, second), (second, first)):
            known = tuple(
                self._described(endpoint, create=True)
                for endpoint in sorted(there.endpoints)
            )
            self._effects.append(
                here.create_relay(there, self._media, known, initiator=here is first)
            )

    def linked(
        self, session: BridgeSession, request: int, answers: tuple[RelayAnswer, ...]
    ) -> None:
        """A bridge made its end of a link.  Raises `PeerError`: it is of no use."""
        other = session.links.pop(request)
        answer = next((a for a in answers if a.id == other.relay_id), None)
        transport = answer.transport.ice if answer and answer.transport else None
        if transport is None or any(
            fingerprint.setup is not Setup.ACTPASS for fingerprint in transport.fingerprints
        ):
            raise PeerError("relay without a transport that leaves us the choice")
        # A bridge reads its peer's role here, and takes the other one itself.
        earlier_asks = self._is_earlier(other, session)
        setup = Setup.ACTIVE if earlier_asks else Setup.PASSIVE
        self._effects.append(other.connect_relay(session, _with_setup(transport, setup)))

    def _is_earlier(self, one: BridgeSession, other: BridgeSession) -> bool:
        order = list(self.sessions)
        return order.index(one.bridge) < order.index(other.bridge)

    def leave(self, session: BridgeSession, *, expire: bool) -> None:
        """Give a bridge up; `expire` unless it is known to be gone."""
        if self.sessions.pop(session.bridge, None) is None:
            return
        if expire and session.endpoints:
            self._effects.append(session.expire_all())
        for other in self.sessions.values():
            self._effects.append(other.expire_relay(session))

    def leave_all(self) -> None:
        """The conference ends, for now or for ever."""
        for session in self.sessions.values():
            if session.endpoints:
                self._effects.append(session.expire_all())
        self.sessions.clear()

    # -- endpoints ---------------------------------------------------------------------
    def update(
        self,
        session: BridgeSession,
        endpoint: EndpointId,
        *,
        transport: IceTransport | None = None,
        sources_changed: bool = False,
        initial_last_n: int | None = None,
        force_mute: ForceMute | None = None,
    ) -> None:
        """Tell an endpoint's bridge what changed, and the others if its sources did."""
        sources = self._sources_of(endpoint) if sources_changed else None
        self._effects.append(
            session.update(
                endpoint,
                transport=transport,
                sources=sources,
                initial_last_n=initial_last_n,
                force_mute=force_mute,
            )
        )
        if sources_changed:
            for other in self._others(session):
                self._tell(other, session, self._described(endpoint))

    def restart_ice(self, session: BridgeSession, endpoint: EndpointId) -> None:
        self._effects.append(session.restart_ice(endpoint))

    def expire(self, session: BridgeSession, endpoint: EndpointId) -> None:
        """Free an endpoint everywhere, and the bridge with its last one."""
        request = session.expire((endpoint,))
        if request is None:
            return
        self._effects.append(request)
        if not session.endpoints:
            self.leave(session, expire=False)
            return
        for other in self._others(session):
            self._tell(other, session, EndpointRequest(endpoint, expire=True))

    def _described(self, endpoint: EndpointId, *, create: bool = False) -> EndpointRequest:
        capabilities = frozenset({"source-names"}) if create else frozenset[str]()
        return EndpointRequest(
            endpoint,
            create=create,
            capabilities=capabilities,
            sources=self._sources_of(endpoint),
        )

    def _tell(
        self, other: BridgeSession, session: BridgeSession, endpoint: EndpointRequest
    ) -> None:
        self._effects.append(other.update_relay(session, (endpoint,)))

    def _others(self, session: BridgeSession) -> list[BridgeSession]:
        return [other for other in self.sessions.values() if other is not session]

    def effects(self) -> Iterator[SendColibri]:
        while self._effects:
            yield self._effects.popleft()


def _with_setup(transport: IceTransport, setup: Setup) -> IceTransport:
    """The channel between bridges is SCTP, so no WebSocket address goes along."""
    return replace(
        transport,
        fingerprints=tuple(replace(f, setup=setup) for f in transport.fingerprints),
        web_sockets=(),
    )
