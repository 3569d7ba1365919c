"""What has happened on this bridge since its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xmppconf_bridge.channel import BridgeChannel


@dataclass(slots=True)
class Counters:
    conferences: int = 0
    conferences_ended: int = 0
    conference_seconds: float = 0.0
    """Of those that have ended."""
    endpoints: int = 0
    visitors: int = 0
    disconnected: int = 0
    """Endpoints that showed no sign of life for a while, each time."""
    reconnected: int = 0
    speaker_changes: int = 0
    ice_relayed: int = 0
    """Endpoints that came over a TURN server."""
    ice_succeeded: int = 0
    ice_failed: int = 0
    dtls_failed: int = 0
    relays: int = 0
    relay_traffic: dict[str, int] = field(default_factory=dict)
    """Packets and bytes of links that have ended."""
    relay_ice_failed: int = 0
    relay_dtls_failed: int = 0
    rejected_sources: int = 0
    """Sources whose SSRCs belonged to somebody else already."""
    rejected_messages: int = 0
    """Bridge channel messages that could not be read or were not allowed."""
    data_channel_received: int = 0
    """Messages of channels that have ended; so are the next three."""
    data_channel_sent: int = 0
    web_socket_received: int = 0
    web_socket_sent: int = 0
    dropped_messages: int = 0
    """Bridge channel messages beyond what one endpoint may send."""
    lost_events: int = 0
    """Engine events that found their queue full."""

    def channel_ended(self, channel: BridgeChannel) -> None:
        """Keep what a channel has carried."""
        self.data_channel_received += channel.received.data_channel
        self.data_channel_sent += channel.sent.data_channel
        self.web_socket_received += channel.received.web_socket
        self.web_socket_sent += channel.sent.web_socket
        self.dropped_messages += channel.dropped

    def link_ended(self, traffic: Mapping[str, int]) -> None:
        """Keep what a link has carried."""
        for name, count in traffic.items():
            self.relay_traffic[name] = self.relay_traffic.get(name, 0) + count
