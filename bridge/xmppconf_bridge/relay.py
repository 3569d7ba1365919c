"""A link to another bridge that carries the same conference ("secure Octo").

It has a transport and a channel as an endpoint has.  Behind it are endpoints of which only
their sources are known; those of all of them arrive over the link's one transport.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from xmppconf.bridge_channel import AddReceiver, ServerHello, VideoConstraints
from xmppconf.ids import EndpointId, RelayId, SourceName
from xmppconf.media import (
    ExtensionUri,
    MediaDescription,
    MediaType,
    PayloadType,
    VideoType,
)
from xmppconf_bridge.channel import BridgeChannel, WebSocketCarrier
from xmppconf_bridge.expiry import Activity
from xmppconf_bridge.media import BridgeSource
from xmppconf_bridge.transport import Channel, EndpointTransport

#: Endpoints behind one link, and sources of theirs that may be wanted before they come.
MAX_ENDPOINTS = 1000
MAX_WISHES = 2000
#: How many endpoints' messages may come over the channel in the time of one endpoint's.
CHANNEL_SHARE = 100

#: Why a socket is closed with 1001: whoever opened it is not to come back.
RELAY_CLOSED = "relay_closed"

#: What is negotiated between an endpoint and its bridge, and means nothing to another one.
_OWN_FEEDBACK = frozenset({"transport-cc", "goog-remb"})
_OWN_EXTENSIONS = frozenset(
    {ExtensionUri.TRANSPORT_CC, ExtensionUri.ABS_SEND_TIME, ExtensionUri.MID}
)


class Dialled(Protocol):
    """A WebSocket that is opened again when it ends."""

    def close(self) -> None: ...


class RelayListener(Protocol):
    """The conference, as far as a link reports to it."""

    def relay_connected(self, relay: Relay) -> None: ...
    def relay_failed(self, relay: Relay, reason: str) -> None: ...
    def relay_opened(self, relay: Relay) -> None: ...
    def relay_message(self, relay: Relay, text: str) -> None: ...


class RelayedEndpoint:
    """Somebody on the other bridge, or behind it."""

    def __init__(self, endpoint_id: EndpointId, relay: Relay) -> None:
        self.id = endpoint_id
        self.relay = relay
        self.is_active = True
        """Whether it shows signs of life, as the other bridge says."""
        self.sources: dict[SourceName, BridgeSource] = {}
        self.early_video_types: dict[SourceName, VideoType] = {}

    def constrain(self, source: SourceName, height: int) -> None:
        """Have the other bridge told up to which height the source is wanted here."""
        self.relay.channel.send_message(
            AddReceiver(self.relay.own_id, source, VideoConstraints(height))
        )


class Relay:
    transport: EndpointTransport  # set once, right after construction

    def __init__(
        self,
        relay_id: RelayId,
        own_id: str,
        mesh: str | None,
        listener: RelayListener,
        clock: Callable[[], float],
        *,
        password: str,
        opens_channel: bool,
    ) -> None:
        """`own_id`: of this bridge; the client of SCTP is who `opens_channel`."""
        self.id = relay_id
        self.own_id = own_id
        self.mesh = mesh
        self.password = password
        self.opens_channel = opens_channel
        self.has_data_channel = False
        self.dialled: Dialled | None = None
        """The socket that we keep open at the other bridge."""
        self.media: tuple[MediaDescription, ...] = ()
        self.endpoints: dict[EndpointId, RelayedEndpoint] = {}
        self.wishes: dict[SourceName, int] = {}
        """The heights in which sources are wanted there."""
        self.carried: dict[int, int] = {}
        """What the engine was told to send, as bit masks of encodings by source."""
        self.channel = BridgeChannel(share=CHANNEL_SHARE)
        self.created_at = clock()
        self.activity = Activity(self.created_at)
        self._listener = listener
        self._clock = clock

    def sources(self) -> list[BridgeSource]:
        """All that may arrive over the link."""
        return [
            source for one in self.endpoints.values() for source in one.sources.values()
        ]

    def wish(self, source: SourceName, height: int) -> bool:
        """Note in which height a source is wanted there; whether that is news."""
        if self.wishes.get(source, 0) == height:
            return False
        if source not in self.wishes and len(self.wishes) >= MAX_WISHES:
            return False
        if height:
            self.wishes[source] = height
        else:
            del self.wishes[source]
        return True

    def encodings(self, source: BridgeSource) -> int:
        """What of a source crosses, as a bit mask."""
        if source.media_type is MediaType.AUDIO:
            return 1
        height = self.wishes.get(source.name, 0)
        return source.layers.within(height) if height else 0

    # -- from its WebSocket -------------------------------------------------------------
    def socket_opened(self, socket: WebSocketCarrier) -> None:
        """One was authenticated and accepted, at either end."""
        self.channel.open_socket(socket)
        self.channel.send_message(ServerHello())
        self._listener.relay_opened(self)

    def socket_message(self, text: str) -> None:
        self._listener.relay_message(self, text)

    # -- from the transport -------------------------------------------------------------
    def transport_connected(self) -> None:
        self._listener.relay_connected(self)

    def transport_failed(self, reason: str) -> None:
        self._listener.relay_failed(self, reason)

    def data_channel_opened(self, channel: Channel) -> None:
        self.channel.open(channel)
        self._listener.relay_opened(self)

    def data_channel_message(self, channel: Channel, text: str) -> None:
        if self.channel.may_receive(channel, len(text), self._clock()):
            self._listener.relay_message(self, text)

    def data_channel_closed(self, channel: Channel) -> None:
        self.channel.closed(channel)


def crossing(media: Iterable[MediaDescription]) -> tuple[MediaDescription, ...]:
    """What of the clients' negotiation holds on a link: no bandwidth reports, no mids."""
    return tuple(
        MediaDescription(
            description.type,
            tuple(_without_own(codec) for codec in description.payload_types),
            tuple(
                one
                for one in description.header_extensions
                if one.uri not in _OWN_EXTENSIONS
            ),
            description.extmap_allow_mixed,
        )
        for description in media
    )


def _without_own(codec: PayloadType) -> PayloadType:
    kept = tuple(one for one in codec.feedback if one.type not in _OWN_FEEDBACK)
    return replace(codec, feedback=kept)
