"""The links of one conference to other bridges, and who is behind them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from xmppconf.bridge_channel import (
    EndpointConnectivity,
    EndpointStats,
    Message,
    SourceVideoType,
)
from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId, MeetingId, RelayId, SourceName
from xmppconf.log import ConferenceLog
from xmppconf.media import MediaType, VideoType
from xmppconf.sources import MediaSource
from xmppconf_bridge import relay_inbox
from xmppconf_bridge.counters import Counters
from xmppconf_bridge.endpoint import Endpoint
from xmppconf_bridge.engine import Commands
from xmppconf_bridge.media import BridgeSource
from xmppconf_bridge.relay import RELAY_CLOSED, Relay, RelayedEndpoint
from xmppconf_bridge.relays import RelayForwarding
from xmppconf_bridge.sender_constraints import SenderConstraints
from xmppconf_bridge.source_table import Sender
from xmppconf_bridge.speech import DominantSpeakerIdentification
from xmppconf_bridge.transport import EndpointTransport

#: Of the figures of a link that are kept.
TRAFFIC = ("packets_received", "packets_sent", "bytes_received", "bytes_sent")


class Room(Protocol):
    """The conference, as far as what is behind other bridges matters to it."""

    meeting_id: MeetingId
    endpoints: dict[EndpointId, Endpoint]
    senders: dict[EndpointId, Sender]
    sources: dict[int, BridgeSource]
    speech: DominantSpeakerIdentification

    def replace_sources(
        self,
        sender: Sender,
        sources: Iterable[MediaSource],
        link: RelayId | None = None,
    ) -> bool: ...
    def announce(
        self, transport: EndpointTransport, sources: Iterable[BridgeSource]
    ) -> None: ...
    def set_video_type(
        self, sender: Sender, name: SourceName, video_type: VideoType
    ) -> None: ...
    def tell_constraints(self, sender: Sender) -> None: ...
    def broadcast(self, message: Message, *, but: EndpointId | None = None) -> None: ...
    def share_stats(self, message: EndpointStats, sender: EndpointId) -> None: ...
    def settle(self) -> None: ...


class Links:
    def __init__(
        self,
        room: Room,
        engine: Commands,
        counters: Counters,
        wishes: SenderConstraints,
    ) -> None:
        self.relays: dict[RelayId, Relay] = {}
        self.relayed: dict[EndpointId, RelayedEndpoint] = {}
        """Those behind other bridges."""
        self.crossing = RelayForwarding(engine, self.relays, room.sources, wishes)
        self._due: dict[RelayId, None] = {}  # whose sources the engine must be told
        self._room = room
        self._engine = engine
        self._counters = counters
        self._log = ConferenceLog(logging.getLogger(__name__), room.meeting_id)

    # -- made and freed by Colibri2 -----------------------------------------------------
    def add(self, relay: Relay) -> None:
        self.relays[relay.id] = relay
        self._log.info("linked to another bridge")

    def expire(self, relay_id: RelayId) -> None:
        """End a link; idempotent."""
        relay = self.relays.get(relay_id)
        if relay is None:
            return
        for endpoint_id in tuple(relay.endpoints):
            self.forget(endpoint_id)
        del self.relays[relay_id]
        self.crossing.relay_gone(relay)
        self._free(relay)
        self._room.settle()

    def close(self) -> None:
        """End all of them together with the conference."""
        for relay in self.relays.values():
            self._free(relay)
        self.relays.clear()
        self.relayed.clear()

    def _free(self, relay: Relay) -> None:
        self._counters.channel_ended(relay.channel)
        self._counters.link_ended(self.traffic(relay))
        if relay.dialled is not None:
            relay.dialled.close()
        relay.channel.close(RELAY_CLOSED)
        relay.transport.close()
        self._log.info("link to another bridge ended")

    def set_relayed(
        self,
        relay: Relay,
        endpoint_id: EndpointId,
        sources: Sequence[MediaSource] | None,
    ) -> None:
        """Somebody behind `relay` is there, with these sources; None leaves them."""
        known = self.relayed.get(endpoint_id)
        if known is not None and known.relay is not relay:
            self.forget(endpoint_id)
            known = None
        if endpoint_id in self._room.endpoints:
            return  # it has moved here, and the focus will say so
        if known is None:
            known = RelayedEndpoint(endpoint_id, relay)
            self.relayed[endpoint_id] = relay.endpoints[endpoint_id] = known
            self._room.senders[endpoint_id] = known
        if sources is not None and self._room.replace_sources(known, sources, relay.id):
            self._due[relay.id] = None

    def expire_relayed(self, relay: Relay, endpoint_id: EndpointId) -> None:
        """Somebody behind `relay` has left; idempotent."""
        if endpoint_id in relay.endpoints:
            self.forget(endpoint_id)

    def forget(self, endpoint_id: EndpointId) -> None:
        """This endpoint is behind no other bridge any more."""
        endpoint = self.relayed.get(endpoint_id)
        if endpoint is None:
            return
        relay = endpoint.relay
        if self._room.replace_sources(endpoint, (), relay.id):
            self._due[relay.id] = None
        del self.relayed[endpoint_id], relay.endpoints[endpoint_id]
        del self._room.senders[endpoint_id]
        self._room.speech.endpoint_gone(endpoint_id)

    def settle(self) -> None:
        """Carry out what has been marked."""
        due, self._due = self._due, {}
        for relay_id in due:
            relay = self.relays.get(relay_id)
            if relay is not None:
                self._room.announce(relay.transport, relay.sources())
        self.crossing.settle()

    # -- from a link --------------------------------------------------------------------
    def relay_connected(self, relay: Relay) -> None:
        self._log.info("link to another bridge connected")
        relay.activity.dtls_failed = False
        self.crossing.relay_changed(relay)
        self._room.settle()

    def relay_failed(self, relay: Relay, reason: str) -> None:
        relay.activity.dtls_failed = True
        self._counters.relay_dtls_failed += 1
        self._log.warning("link to another bridge: DTLS: %s", reason)

    def relay_opened(self, relay: Relay) -> None:
        """Bring the other bridge up to date, on every new carrier."""
        for one in relay.endpoints.values():
            self._room.tell_constraints(one)
        for source in self._room.sources.values():
            is_news = source.video_type is not VideoType.CAMERA
            if is_news and source.media_type is MediaType.VIDEO:
                message = SourceVideoType(source.name, source.video_type, source.owner)
                if self.crossing.crosses(source, relay):
                    relay.channel.send_message(message)
        for endpoint in self._room.endpoints.values():
            if not endpoint.activity.is_active and not endpoint.visitor:
                relay.channel.send_message(EndpointConnectivity(endpoint.id, active=False))
        self._room.settle()

    def relay_message(self, relay: Relay, text: str) -> None:
        """Take a message of another bridge; what cannot be read is counted and dropped."""
        try:
            relay_inbox.receive(self, self._room, relay, text)
        except PeerError:
            self._counters.rejected_messages += 1
        self._room.settle()

    def wish(self, relay: Relay, source: SourceName, height: int) -> None:
        if relay.wish(source, height):
            self.crossing.relay_changed(relay)

    def share(self, message: Message, *, over: Relay | None = None) -> None:
        """Tell the other bridges what happened here, or came `over` one of them."""
        for relay in self.relays.values():
            if over is None or relay.mesh != over.mesh:
                relay.channel.send_message(message)

    def traffic(self, relay: Relay) -> dict[str, int]:
        """Packets and bytes that a link has carried."""
        stats = self._engine.transport_stats(relay.transport.number) or {}
        return {name: stats.get(name, 0) for name in TRAFFIC}

    # -- time ---------------------------------------------------------------------------
    def check(self) -> None:
        for relay in self.relays.values():
            stats = self._engine.transport_stats(relay.transport.number)
            relay.activity.seen(None if stats is None else stats["last_activity"])

    def expire_gone(self, now: float) -> None:
        for relay in tuple(self.relays.values()):
            if relay.activity.is_expired(now):
                self._log.warning("another bridge is out of reach")
                self.expire(relay.id)
