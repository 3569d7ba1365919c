"""The whole bridge as one machine: conferences, and who an engine event is about."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NoReturn

from xmppconf.colibri2 import EndpointRequest, RelayRequest, Transport
from xmppconf.ids import EndpointId, MeetingId, RelayId
from xmppconf.transport import IceTransport
from xmppconf_bridge.conference import Conference
from xmppconf_bridge.constraints import ReceiverConstraints
from xmppconf_bridge.counters import Counters
from xmppconf_bridge.endpoint import Endpoint
from xmppconf_bridge.engine import Commands
from xmppconf_bridge.engine_events import (
    Bandwidth,
    DtlsDatagram,
    Event,
    IceFailed,
    IceSelected,
    IceValid,
    LayersMeasured,
    Levels,
    LostEvents,
    SourceActive,
    SourceSilent,
)
from xmppconf_bridge.environment import Environment, Identity
from xmppconf_bridge.expiry import (
    CHECK_INTERVAL,
    EMPTY_CONFERENCE,
    EXPIRE_INTERVAL,
    UNOCCUPIED_CONFERENCE,
)
from xmppconf_bridge.link_sockets import LinkSockets
from xmppconf_bridge.links import TRAFFIC
from xmppconf_bridge.operation import Operation
from xmppconf_bridge.policy import UNLIMITED, VideoPolicy
from xmppconf_bridge.relay import Relay
from xmppconf_bridge.transport import (
    PWD_LENGTH,
    UFRAG_LENGTH,
    EndpointTransport,
    Local,
    MakeChannel,
)

log = logging.getLogger(__name__)

PASSWORD_LENGTH = 24

Peer = Endpoint | Relay


class Bridge:
    def __init__(
        self,
        identity: Identity,
        engine: Commands,
        environment: Environment,
        policy: VideoPolicy,
    ) -> None:
        self.identity = identity
        self.policy = policy
        self.engine = engine
        self.conferences: dict[MeetingId, Conference] = {}
        self.operation = Operation(drain=identity.drain)
        self.counters = Counters()
        self._environment = environment
        self._clock = environment.clock
        self._numbers = itertools.count(1)
        self._by_number: dict[int, Conference] = {}
        self._by_source: dict[int, Conference] = {}
        self._by_socket_id: dict[str, Conference] = {}
        self._transports: dict[int, tuple[Conference, Peer]] = {}
        self._link_sockets = LinkSockets(environment.bind_link)
        # Only these can have timers; the connected majority is not asked again and again.
        self._handshaking: dict[int, EndpointTransport] = {}
        self._last_n = UNLIMITED
        self._check_at: float | None = None
        self._expire_at: float | None = None

    @property
    def endpoint_count(self) -> int:
        return sum(len(one.endpoints) for one in self.conferences.values())

    def next_number(self) -> int:
        """An id that is new to the engine."""
        return next(self._numbers)

    # -- load ---------------------------------------------------------------------------
    @property
    def most_forwarded(self) -> int:
        """The greatest number of video sources that one receiver gets."""
        receivers = (
            one for conf in self.conferences.values() for one in conf.endpoints.values()
        )
        return max((len(one.video.forwarded) for one in receivers), default=0)

    def reduce(self, last_n: int) -> None:
        """Give nobody more than so many video sources; -1 ends that."""
        self._last_n = last_n
        for conference in self.conferences.values():
            conference.reduce(last_n)

    def relay_traffic(self) -> dict[str, int]:
        """Packets and bytes over links to other bridges since the start."""
        total = dict(self.counters.relay_traffic)
        for conference in self.conferences.values():
            for relay in conference.links.relays.values():
                for name, count in conference.links.traffic(relay).items():
                    total[name] = total.get(name, 0) + count
        return {f"relay_{name}": total.get(name, 0) for name in TRAFFIC}

    # -- made and freed by Colibri2 -----------------------------------------------------
    def create_conference(self, meeting_id: MeetingId) -> Conference:
        conference = Conference(
            self.next_number(),
            meeting_id,
            self._environment.token(16),
            (self._environment.random_ssrc(), self._environment.random_ssrc()),
            self.engine,
            self._clock,
            self.next_number,
            self.counters,
            self.policy,
            self._by_source,
            loudest=self.identity.loudest,
        )
        conference.reduce(self._last_n)
        self.conferences[meeting_id] = conference
        self._by_number[conference.number] = conference
        self._by_socket_id[conference.socket_id] = conference
        self.counters.conferences += 1
        now = self._clock()
        if self._check_at is None:
            self._check_at = now + CHECK_INTERVAL
            self._expire_at = now + EXPIRE_INTERVAL
        return conference

    def expire_conference(self, conference: Conference) -> None:
        conference.close()
        self.conferences.pop(conference.meeting_id, None)
        self._by_number.pop(conference.number, None)
        self._by_socket_id.pop(conference.socket_id, None)
        self._forget_transports(conference)

    def create_endpoint(self, conference: Conference, request: EndpointRequest) -> Endpoint:
        environment = self._environment
        endpoint = Endpoint(
            request.id,
            conference,
            self._clock,
            self._new_slot_ssrc(),
            password=environment.token(PASSWORD_LENGTH),
            rewriting="ssrc-rewriting" in request.capabilities,
            mids="rtp-mid-demux" in request.capabilities,
            visitor=request.visitor,
        )
        endpoint.constraints = ReceiverConstraints(last_n=self.policy.initial_last_n)
        transport = request.transport or Transport()
        endpoint.has_data_channel = transport.sctp is not None
        make_channel = environment.make_channel if endpoint.has_data_channel else None
        self._add_transport(conference, endpoint, transport, make_channel)
        self.counters.endpoints += 1
        self.counters.visitors += endpoint.visitor
        conference.add(endpoint)
        return endpoint

    def create_relay(self, conference: Conference, request: RelayRequest) -> Relay:
        """Raises `OSError` if there are no sockets left for it."""
        environment = self._environment
        transport = request.transport or Transport()
        opens = transport.sctp is not None and transport.sctp.role == "client"
        relay = Relay(
            request.id,
            self.identity.relay_id,
            request.mesh,
            conference.links,
            self._clock,
            password=environment.token(PASSWORD_LENGTH),
            opens_channel=opens,
        )
        relay.has_data_channel = transport.sctp is not None
        make = partial(environment.make_channel, opens=opens)
        self._add_transport(
            conference,
            relay,
            transport,
            make if relay.has_data_channel else None,
            relay.id if transport.use_unique_port else None,
        )
        self.counters.relays += 1
        conference.links.add(relay)
        return relay

    def expire_relay(self, conference: Conference, relay_id: RelayId) -> None:
        conference.links.expire(relay_id)
        self._forget_transports(conference)

    def _add_transport(
        self,
        conference: Conference,
        peer: Peer,
        transport: Transport,
        make_channel: MakeChannel | None,
        link: RelayId | None = None,
    ) -> None:
        """`link` names the other bridge for which it needs sockets of its own."""
        number = self.next_number()
        candidates, sockets = self.identity.candidates, None
        if link is not None:
            candidates, sockets = self._link_sockets.take(link, number)
        environment = self._environment
        local = Local(
            environment.token(UFRAG_LENGTH),
            environment.token(PWD_LENGTH),
            environment.certificate(),
            candidates,
            transport.ice_controlling,
        )
        self.engine.add_transport(
            number,
            conference.number,
            local.ufrag,
            local.pwd,
            controlling=local.controlling,
            sockets=sockets,
        )
        peer.transport = EndpointTransport(
            number, self.engine, local, peer, self._clock, make_channel
        )
        self._transports[number] = (conference, peer)
        self._handshaking[number] = peer.transport

    def watch(self, transport: EndpointTransport) -> None:
        """Look after its timers: DTLS may begin anew with what its peer has signalled."""
        if not transport.is_connected and not transport.is_closed:
            self._handshaking[transport.number] = transport

    def restart_ice(self, conference: Conference, endpoint: Endpoint) -> IceTransport:
        """Begin a restart of ICE, or join the one that has begun."""
        urls = self.web_socket_urls(conference, endpoint)
        return endpoint.transport.restart_ice(self._environment.token, urls)

    def expire_endpoint(self, conference: Conference, endpoint_id: EndpointId) -> None:
        conference.expire(endpoint_id)
        self._forget_transports(conference)

    def web_socket_urls(
        self, conference: Conference, endpoint: Endpoint
    ) -> tuple[str, ...]:
        identity = self.identity
        if not identity.websocket_base:
            return ()
        path = f"{identity.id}/{conference.socket_id}/{endpoint.id}"
        base = identity.websocket_base.rstrip("/")
        return (f"{base}/colibri-ws/{path}?pwd={endpoint.password}",)

    def relay_socket_urls(self, conference: Conference, relay: Relay) -> tuple[str, ...]:
        """None for a link with a data channel."""
        identity = self.identity
        if not identity.websocket_base or relay.has_data_channel:
            return ()
        path = f"{identity.id}/{conference.socket_id}/{relay.id}"
        base = identity.websocket_base.rstrip("/")
        return (f"{base}/colibri-relay-ws/{path}?pwd={relay.password}",)

    def dial(self, relay: Relay, url: str) -> None:
        """Open the channel of a link at the other bridge; once for each link."""
        if relay.dialled is None and not relay.has_data_channel:
            relay.dialled = self._environment.dial(relay, url)

    def find(self, socket_id: str, endpoint_id: str) -> Endpoint | None:
        """The endpoint that a WebSocket's path names."""
        conference = self._by_socket_id.get(socket_id)
        if conference is None:
            return None
        return conference.endpoints.get(EndpointId(endpoint_id))

    def find_relay(self, socket_id: str, relay_id: str) -> Relay | None:
        """The link that a WebSocket's path names."""
        conference = self._by_socket_id.get(socket_id)
        if conference is None:
            return None
        return conference.links.relays.get(RelayId(relay_id))

    # -- from the engine ----------------------------------------------------------------
    def receive(self, events: Iterable[Event]) -> None:
        """Take a batch of events; what they change is worked out once, at the end."""
        touched: dict[int, Conference] = {}
        for event in events:
            try:
                conference = self._receive_one(event)
            except Exception:
                # One endpoint's trouble must not cost the others their events.
                log.exception("an event was not handled")
                continue
            if conference is not None:
                touched[conference.number] = conference
        for conference in touched.values():
            conference.settle()

    def _receive_one(self, event: Event) -> Conference | None:
        match event:
            case Levels(number, levels):
                conference = self._by_number.get(number)
                if conference is not None:
                    conference.levels(levels)
            case SourceActive(number, encoding, size):
                conference = self._by_source.get(number)
                if conference is not None:
                    conference.source_active(number, encoding, size)
                    return conference
            case SourceSilent(number, encoding):
                conference = self._by_source.get(number)
                if conference is not None:
                    conference.source_silent(number, encoding)
                    return conference
            case LayersMeasured(number, figures):
                conference = self._by_source.get(number)
                if conference is not None:
                    conference.source_measured(number, figures)
                    return conference
            case Bandwidth(number, estimate, besides):
                found = self._transports.get(number)
                if found is not None and isinstance(found[1], Endpoint):
                    conference, endpoint = found[0], found[1]
                    conference.bandwidth_changed(endpoint, estimate, besides)
                    return conference
            case LostEvents(count):
                self.counters.lost_events += count
            case IceSelected(_, _, _, relayed):
                self.counters.ice_relayed += relayed
            case IceValid() | IceFailed() | DtlsDatagram():
                self._receive_transport(event)
        return None

    def _receive_transport(self, event: IceValid | IceFailed | DtlsDatagram) -> None:
        found = self._transports.get(event.transport)
        if found is None:
            return
        _, peer = found
        match event:
            case DtlsDatagram(_, data):
                peer.transport.dtls_datagram(data)
            case IceValid():
                self.counters.ice_succeeded += isinstance(peer, Endpoint)
                peer.activity.ice_failed = False
                peer.transport.ice_valid()
            case IceFailed():
                if isinstance(peer, Endpoint):
                    self.counters.ice_failed += 1
                else:
                    self.counters.relay_ice_failed += 1
                peer.activity.ice_failed = True

    # -- time ---------------------------------------------------------------------------
    def next_timeout(self) -> float | None:
        waits = [self._check_at, self._expire_at]
        waits += [one.next_timeout() for one in self.conferences.values()]
        waits += [one.next_timeout() for one in self._handshaking.values()]
        return min((due for due in waits if due is not None), default=None)

    def timeout(self, now: float) -> None:
        for conference in tuple(self.conferences.values()):
            conference.timeout(now)
        for number, transport in tuple(self._handshaking.items()):
            due = transport.next_timeout()
            if due is not None and due <= now:
                transport.timeout(now)
            elif transport.is_closed or (due is None and transport.is_connected):
                del self._handshaking[number]
        if self._check_at is not None and now >= self._check_at:
            self._check_at = now + CHECK_INTERVAL
            for conference in self.conferences.values():
                conference.check(now)
        if self._expire_at is not None and now >= self._expire_at:
            self._expire_at = now + EXPIRE_INTERVAL
            self._expire_gone(now)
        if not self.conferences:
            self._check_at = self._expire_at = None

    def effects(self) -> Iterator[NoReturn]:
        """There are none: decisions go straight to the engine and the channels."""
        return iter(())

    def close(self) -> None:
        for conference in tuple(self.conferences.values()):
            self.expire_conference(conference)

    def _expire_gone(self, now: float) -> None:
        for conference in tuple(self.conferences.values()):
            conference.expire_gone(now)
            self._forget_transports(conference)
            if conference.endpoints:
                continue
            # A link keeps itself alive, also when no focus is left to end it.
            since, patience = conference.created_at, EMPTY_CONFERENCE
            if conference.links.relays:
                since, patience = conference.occupied_at, UNOCCUPIED_CONFERENCE
            if now - since > patience:
                self.expire_conference(conference)

    def _forget_transports(self, conference: Conference) -> None:
        for number, (owner, peer) in tuple(self._transports.items()):
            if owner is conference and peer.transport.is_closed:
                del self._transports[number]
                self._handshaking.pop(number, None)
                self._link_sockets.release(number)

    def _new_slot_ssrc(self) -> Callable[[], int]:
        """Makes SSRCs that are unique for one receiver."""
        used: set[int] = set()

        def new_ssrc() -> int:
            while True:
                ssrc = self._environment.random_ssrc()
                if ssrc not in used:
                    used.add(ssrc)
                    return ssrc

        return new_ssrc
