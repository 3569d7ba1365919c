"""What another bridge may say over a link, and what it means.

It is trusted with who of its endpoints said what, since it has verified that; but not with
what an endpoint of ours says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from xmppconf.bridge_channel import (
    AddReceiver,
    ClientHello,
    EndpointConnectivity,
    EndpointMessage,
    EndpointStats,
    Message,
    ServerHello,
    SourceVideoType,
    parse,
)
from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId, SourceName
from xmppconf.media import VideoType
from xmppconf_bridge.endpoint import Endpoint
from xmppconf_bridge.relay import Relay, RelayedEndpoint


class Room(Protocol):
    """The conference, as far as other bridges' messages can change it."""

    @property
    def endpoints(self) -> dict[EndpointId, Endpoint]: ...
    def broadcast(self, message: Message, *, but: EndpointId | None = None) -> None: ...
    def share_stats(self, message: EndpointStats, sender: EndpointId) -> None: ...
    def set_video_type(
        self, sender: RelayedEndpoint, name: SourceName, video_type: VideoType
    ) -> None: ...


class Links(Protocol):
    """All links of the conference."""

    relayed: dict[EndpointId, RelayedEndpoint]

    def share(self, message: Message, *, over: Relay | None = None) -> None: ...
    def wish(self, relay: Relay, source: SourceName, height: int) -> None: ...


def receive(links: Links, room: Room, relay: Relay, text: str) -> None:
    """Carry out one message of another bridge; raises `PeerError` for what it may not."""
    message = parse(text)
    match message:
        case ClientHello():
            relay.channel.send_message(ServerHello())
        case ServerHello():
            pass
        case AddReceiver(_, source, constraints):
            height = constraints.max_height if constraints.max_frame_rate else 0
            links.wish(relay, source, height)
        case SourceVideoType(name, video_type, owner):
            sender = _behind(relay, links.relayed, owner)
            room.set_video_type(sender, name, video_type)
        case EndpointConnectivity(endpoint, active):
            _behind(relay, links.relayed, endpoint).is_active = active
            room.broadcast(message)
            links.share(message, over=relay)
        case EndpointMessage():
            _pass_on(links, room, relay, message)
        case EndpointStats():
            sender = _behind(relay, links.relayed, message.sender)
            room.share_stats(message, sender.id)
            links.share(message, over=relay)
        case _:
            raise PeerError("message is not for a bridge")


def _behind(
    relay: Relay, relayed: Mapping[EndpointId, RelayedEndpoint], name: str | None
) -> RelayedEndpoint:
    endpoint = relayed.get(EndpointId(name or ""))
    if endpoint is None or endpoint.relay is not relay:
        raise PeerError("no such endpoint behind this bridge")
    return endpoint


def _pass_on(links: Links, room: Room, relay: Relay, message: EndpointMessage) -> None:
    # Services there speak too (transcriber), under names that are no endpoint's.
    if message.sender is None or message.sender in room.endpoints:
        raise PeerError("sender is not behind this bridge")
    if message.to == "":
        room.broadcast(message)
        links.share(message, over=relay)
        return
    to = EndpointId(message.to)
    receiver = room.endpoints.get(to)
    if receiver is not None:
        receiver.channel.send_message(message)
        return
    further = links.relayed.get(to)
    if further is not None and further.relay.mesh != relay.mesh:
        further.relay.channel.send_message(message)
