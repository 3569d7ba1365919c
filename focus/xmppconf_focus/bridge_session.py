"""One conference on one bridge: the Colibri2 requests, in causal order.

Requests are numbered; only creates wait for their answers, so that a slow bridge delays
nobody but the participants it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xmppconf.colibri2 import ConferenceModify, EndpointRequest, Sctp, Transport
from xmppconf.ids import EndpointId, MeetingId
from xmppconf.media import MediaDescription
from xmppconf.sources import MediaSource
from xmppconf.transport import IceTransport
from xmppconf_focus.effects import BridgeJid, RoomJid, SendColibri


@dataclass(frozen=True, slots=True)
class Allocation:
    """A create that waits for its answer."""

    endpoint: EndpointId
    data: bool


class BridgeSession:
    def __init__(
        self,
        room: RoomJid,
        meeting_id: MeetingId,
        bridge: BridgeJid,
        region: str | None,
        session_id: str,
        first_request: int,
    ) -> None:
        self.room = room
        self.meeting_id = meeting_id
        self.bridge = bridge
        self.region = region
        self.id = session_id
        self.endpoints: set[EndpointId] = set()
        self.feedback: tuple[MediaSource, ...] = ()
        self.allocations: dict[int, Allocation] = {}
        self.updates: set[int] = set()
        """Updates that may still be refused; refusals of others mean nothing any more."""
        self.next_request = first_request
        self._created = False

    def allocate(
        self,
        endpoint: EndpointId,
        media: tuple[MediaDescription, ...],
        *,
        data: bool,
        ssrc_rewriting: bool,
    ) -> SendColibri:
        capabilities = {"source-names"} | ({"ssrc-rewriting"} if ssrc_rewriting else set())
        request = EndpointRequest(
            endpoint,
            create=True,
            capabilities=frozenset(capabilities),
            media=media,
            # The bridge controls ICE; the offer's transport must not say otherwise.
            transport=Transport(ice_controlling=True, sctp=Sctp() if data else None),
            sources=(),
        )
        self.allocations[self.next_request] = Allocation(endpoint, data)
        self.endpoints.add(endpoint)
        create, self._created = not self._created, True
        return self._request(create=create, endpoints=(request,))

    def update(
        self,
        endpoint: EndpointId,
        *,
        transport: IceTransport | None = None,
        sources: tuple[MediaSource, ...] | None = None,
        initial_last_n: int | None = None,
    ) -> SendColibri:
        """Tell what changed; `sources` is always the endpoint's complete set."""
        self.updates.add(self.next_request)
        return self._request(
            endpoints=(
                EndpointRequest(
                    endpoint,
                    transport=Transport(ice=transport) if transport is not None else None,
                    sources=sources,
                    initial_last_n=initial_last_n,
                ),
            )
        )

    def expire(self, endpoints: Iterable[EndpointId]) -> SendColibri | None:
        """Free endpoints, and the conference with the last of them."""
        gone = [endpoint for endpoint in endpoints if endpoint in self.endpoints]
        if not gone:
            return None
        self.endpoints.difference_update(gone)
        for number, allocation in list(self.allocations.items()):
            if allocation.endpoint in gone:
                del self.allocations[number]
        if not self.endpoints:
            return self._request(expire=True)
        return self._request(
            endpoints=tuple(EndpointRequest(endpoint, expire=True) for endpoint in gone)
        )

    def expire_all(self) -> SendColibri:
        self.endpoints.clear()
        self.allocations.clear()
        self.updates.clear()
        return self._request(expire=True)

    def _request(
        self,
        *,
        create: bool = False,
        expire: bool = False,
        endpoints: tuple[EndpointRequest, ...] = (),
    ) -> SendColibri:
        number, self.next_request = self.next_request, self.next_request + 1
        modify = ConferenceModify(
            self.meeting_id,
            name=str(self.room) if create else None,
            create=create,
            expire=expire,
            rtcstats_enabled=False,
            endpoints=endpoints,
        )
        return SendColibri(self.room, number, self.bridge, modify)
