"""One conference on one bridge: the Colibri2 requests, in causal order.

Requests are numbered; only creates wait for their answers, so that a slow bridge delays
nobody but the participants it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from xmppconf.colibri2 import (
    ConferenceModify,
    EndpointRequest,
    ForceMute,
    RelayRequest,
    Sctp,
    Transport,
)
from xmppconf.ids import EndpointId, MeetingId, RelayId
from xmppconf.media import MediaDescription
from xmppconf.sources import MediaSource
from xmppconf.transport import IceTransport
from xmppconf_focus.effects import BridgeJid, RoomJid, SendColibri
from xmppconf_focus.record import BridgeRecord

#: All bridges of a conference are in one mesh: what came over a link goes over no other.
MESH = "0"


@dataclass(frozen=True, slots=True)
class Allocation:
    """A create that waits for its answer."""

    endpoint: EndpointId
    data: bool


class BridgeSession:
    """`numbers` are shared by the conference's bridges: each names one request."""

    def __init__(
        self,
        room: RoomJid,
        meeting_id: MeetingId,
        bridge: BridgeJid,
        session_id: str,
        numbers: Iterator[int],
        *,
        region: str | None = None,
        relay_id: RelayId | None = None,
    ) -> None:
        self.room = room
        self.meeting_id = meeting_id
        self.bridge = bridge
        self.region = region
        self.relay_id = relay_id or RelayId("")
        self.id = session_id
        self.endpoints: set[EndpointId] = set()
        self.feedback: tuple[MediaSource, ...] = ()
        self.allocations: dict[int, Allocation] = {}
        self.links: dict[int, BridgeSession] = {}
        """Relays asked for here, by request: the session at the other end."""
        self.restarts: dict[int, EndpointId] = {}
        """ICE restarts that wait for their answer."""
        self.updates: set[int] = set()
        """Updates that may still be refused; refusals of others mean nothing any more."""
        self.linked = True
        """Whether no link here was left half made when we were away."""
        self._numbers = numbers
        self._created = False

    @classmethod
    def restored(
        cls,
        room: RoomJid,
        meeting_id: MeetingId,
        record: BridgeRecord,
        numbers: Iterator[int],
    ) -> BridgeSession:
        """Go on with what another focus had there."""
        session = cls(
            room,
            meeting_id,
            record.jid,
            record.session_id,
            numbers,
            region=record.region,
            relay_id=record.relay_id,
        )
        session.endpoints.update(record.endpoints)
        session.feedback = record.feedback
        session.linked = record.linked
        session._created = True
        return session

    def record(self) -> BridgeRecord:
        return BridgeRecord(
            jid=self.bridge,
            session_id=self.id,
            region=self.region,
            relay_id=self.relay_id,
            endpoints=tuple(sorted(self.endpoints)),
            feedback=self.feedback,
            linked=self.linked and not self.links,
        )

    def forget_requests(self) -> None:
        """The stream broke: no answer comes any more."""
        self.linked = self.linked and not self.links
        self.allocations.clear()
        self.links.clear()
        self.restarts.clear()
        self.updates.clear()

    def allocate(
        self,
        endpoint: EndpointId,
        media: tuple[MediaDescription, ...],
        *,
        data: bool,
        ssrc_rewriting: bool,
        force_mute: ForceMute | None = None,
    ) -> SendColibri:
        capabilities = {"source-names"} | ({"ssrc-rewriting"} if ssrc_rewriting else set())
        asked = EndpointRequest(
            endpoint,
            create=True,
            capabilities=frozenset(capabilities),
            media=media,
            # The bridge controls ICE; the offer's transport must not say otherwise.
            transport=Transport(ice_controlling=True, sctp=Sctp() if data else None),
            sources=(),
            force_mute=force_mute,
        )
        create, self._created = not self._created, True
        number, request = self._request(create=create, endpoints=(asked,))
        self.allocations[number] = Allocation(endpoint, data)
        self.endpoints.add(endpoint)
        return request

    def update(
        self,
        endpoint: EndpointId,
        *,
        transport: IceTransport | None = None,
        sources: tuple[MediaSource, ...] | None = None,
        initial_last_n: int | None = None,
        force_mute: ForceMute | None = None,
    ) -> SendColibri:
        """Tell what changed; `sources` is always the endpoint's complete set."""
        return self._update(
            endpoints=(
                EndpointRequest(
                    endpoint,
                    transport=Transport(ice=transport) if transport is not None else None,
                    sources=sources,
                    initial_last_n=initial_last_n,
                    force_mute=force_mute,
                ),
            )
        )

    def restart_ice(self, endpoint: EndpointId) -> SendColibri:
        """Ask for new ICE parameters of a transport that is up."""
        asked = EndpointRequest(endpoint, transport=Transport(ice_restart=True))
        number, request = self._request(endpoints=(asked,))
        self.restarts[number] = endpoint
        return request

    def expire(self, endpoints: Iterable[EndpointId]) -> SendColibri | None:
        """Free endpoints, and the conference with the last of them."""
        gone = [endpoint for endpoint in endpoints if endpoint in self.endpoints]
        if not gone:
            return None
        self.endpoints.difference_update(gone)
        for number, allocation in list(self.allocations.items()):
            if allocation.endpoint in gone:
                del self.allocations[number]
        for number, endpoint in list(self.restarts.items()):
            if endpoint in gone:
                del self.restarts[number]
        if not self.endpoints:
            return self.expire_all()
        expired = tuple(EndpointRequest(endpoint, expire=True) for endpoint in gone)
        return self._request(endpoints=expired)[1]

    def expire_all(self) -> SendColibri:
        self.endpoints.clear()
        self.allocations.clear()
        self.links.clear()
        self.restarts.clear()
        self.updates.clear()
        return self._request(expire=True)[1]

    # -- relays ------------------------------------------------------------------------
    def create_relay(
        self,
        other: BridgeSession,
        media: tuple[MediaDescription, ...],
        endpoints: tuple[EndpointRequest, ...],
        *,
        initiator: bool,
    ) -> SendColibri:
        """Link to another bridge, with the endpoints that are there."""
        transport = Transport(
            ice_controlling=initiator,
            use_unique_port=initiator,
            sctp=Sctp(role="client" if initiator else "server"),
        )
        number, request = self._request(
            relays=(
                RelayRequest(
                    other.relay_id,
                    create=True,
                    mesh=MESH,
                    media=media,
                    transport=transport,
                    endpoints=endpoints,
                ),
            )
        )
        self.links[number] = other
        return request

    def connect_relay(self, other: BridgeSession, transport: IceTransport) -> SendColibri:
        """Pass on where the other end is."""
        relay = RelayRequest(other.relay_id, transport=Transport(ice=transport))
        return self._update(relays=(relay,))

    def update_relay(
        self, other: BridgeSession, endpoints: tuple[EndpointRequest, ...]
    ) -> SendColibri:
        """Tell what became of endpoints at the other end."""
        return self._update(relays=(RelayRequest(other.relay_id, endpoints=endpoints),))

    def expire_relay(self, other: BridgeSession) -> SendColibri:
        for number, linked in list(self.links.items()):
            if linked is other:
                del self.links[number]
        return self._update(relays=(RelayRequest(other.relay_id, expire=True),))

    # -- requests ----------------------------------------------------------------------
    def _update(
        self,
        *,
        endpoints: tuple[EndpointRequest, ...] = (),
        relays: tuple[RelayRequest, ...] = (),
    ) -> SendColibri:
        number, request = self._request(endpoints=endpoints, relays=relays)
        self.updates.add(number)
        return request

    def _request(
        self,
        *,
        create: bool = False,
        expire: bool = False,
        endpoints: tuple[EndpointRequest, ...] = (),
        relays: tuple[RelayRequest, ...] = (),
    ) -> tuple[int, SendColibri]:
        number = next(self._numbers)
        modify = ConferenceModify(
            self.meeting_id,
            name=str(self.room) if create else None,
            create=create,
            expire=expire,
            rtcstats_enabled=False,
            endpoints=endpoints,
            relays=relays,
        )
        return number, SendColibri(self.room, number, self.bridge, modify)
