"""What an endpoint may say over its bridge channel, and what it means."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from xmppconf.bridge_channel import (
    ClientHello,
    EndpointMessage,
    EndpointStats,
    LastNChanged,
    Message,
    ReceiverAudioSubscription,
    ReceiverVideoConstraints,
    ServerHello,
    SourceVideoType,
    parse,
)
from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId, SourceName
from xmppconf.media import VideoType
from xmppconf_bridge.constraints import ReceiverConstraints
from xmppconf_bridge.endpoint import AudioSubscription, Endpoint
from xmppconf_bridge.links import Links
from xmppconf_bridge.policy import VideoPolicy


class Room(Protocol):
    """The conference, as far as messages can change it."""

    endpoints: dict[EndpointId, Endpoint]
    links: Links
    policy: VideoPolicy

    def broadcast(self, message: Message, *, but: EndpointId | None = None) -> None: ...
    def share_stats(self, message: EndpointStats, sender: EndpointId) -> None: ...
    def set_video_type(
        self, sender: Endpoint, name: SourceName, video_type: VideoType
    ) -> None: ...
    def constraints_changed(self, endpoint: Endpoint) -> None: ...
    def subscription_changed(self, endpoint: Endpoint) -> None: ...


def receive(room: Room, sender: Endpoint, text: str) -> None:
    """Carry out one message of `sender`; raises `PeerError` for what it may not say."""
    message = parse(text)
    match message:
        case ClientHello():
            sender.channel.send_message(ServerHello())
        case EndpointMessage():
            _pass_on(room, sender, message)
        case EndpointStats():
            _share_stats(room, sender, message)
        case LastNChanged(last_n):
            _constrain(room, sender, sender.constraints.with_last_n(last_n))
        case ReceiverVideoConstraints():
            _constrain(room, sender, sender.constraints.updated(message, room.policy))
        case ReceiverAudioSubscription(everything, include, exclude):
            sender.subscription = AudioSubscription(
                everything, frozenset(include), frozenset(exclude)
            )
            room.subscription_changed(sender)
        case SourceVideoType(name, video_type):
            if sender.visitor:
                # Other bridges know of no visitors, and could only refuse it there.
                raise PeerError("a visitor has no sources")
            room.set_video_type(sender, name, video_type)
        case _:
            raise PeerError("message is not for a bridge")


def _constrain(room: Room, sender: Endpoint, constraints: ReceiverConstraints) -> None:
    if constraints != sender.constraints:
        sender.constraints = constraints
        room.constraints_changed(sender)


def _pass_on(room: Room, sender: Endpoint, message: EndpointMessage) -> None:
    if sender.visitor:
        raise PeerError("a visitor may not address others")
    # Whatever the client wrote, the receivers learn who really sent it.
    stamped = replace(message, sender=sender.id)
    if message.to == "":
        room.broadcast(stamped, but=sender.id)
        room.links.share(stamped)
        return
    to = EndpointId(message.to)
    receiver = room.endpoints.get(to)
    if receiver is not None and receiver is not sender:
        receiver.channel.send_message(stamped)
    elif to in room.links.relayed:
        room.links.relayed[to].relay.channel.send_message(stamped)


def _share_stats(room: Room, sender: Endpoint, message: EndpointStats) -> None:
    if sender.visitor:
        raise PeerError("a visitor may not address others")
    stamped = replace(message, sender=sender.id)
    room.share_stats(stamped, sender.id)
    room.links.share(stamped)
