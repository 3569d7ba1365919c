"""One endpoint of a conference: what it sends, wants, and is given."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from xmppconf.bridge_channel import (
    SenderSourceConstraints,
    ServerHello,
    VideoConstraints,
)
from xmppconf.colibri2 import ForceMute
from xmppconf.ids import EndpointId, SourceName
from xmppconf.media import MediaDescription, MediaType, VideoType
from xmppconf_bridge.channel import BridgeChannel, WebSocketCarrier
from xmppconf_bridge.constraints import ReceiverConstraints
from xmppconf_bridge.expiry import Activity
from xmppconf_bridge.layers import Layer
from xmppconf_bridge.media import BridgeSource, can_be_probed, reports_bandwidth
from xmppconf_bridge.reported import ReportedBandwidth
from xmppconf_bridge.restraint import Restraint
from xmppconf_bridge.slots import PlainSlots, RewritingSlots, Slots
from xmppconf_bridge.transport import Channel, EndpointTransport


@dataclass(frozen=True, slots=True)
class AudioSubscription:
    """Which audio sources a receiver wants: exclude beats include beats all."""

    everything: bool = True
    include: frozenset[SourceName] = frozenset()
    exclude: frozenset[SourceName] = frozenset()

    def wants(self, source: SourceName) -> bool:
        return source not in self.exclude and (self.everything or source in self.include)


@dataclass(frozen=True, slots=True)
class Route:
    """What the engine was told about one source for one receiver."""

    ssrc: int
    rtx_ssrc: int | None
    max_encoding: int
    max_spatial: int
    max_temporal: int


@dataclass(slots=True)
class VideoReception:
    """What an endpoint is given of others' video: by number, most wanted first."""

    wanted: dict[int, VideoConstraints] = field(default_factory=dict)
    """What it may have, bandwidth permitting."""
    layers: dict[int, Layer] = field(default_factory=dict)
    """What it gets."""
    forwarded: dict[int, SourceName] = field(default_factory=dict)
    """The sources that the client was last told of."""
    is_complete: bool = False
    """Whether it gets all it asks for, in whatever order others speak."""
    estimate: int | None = None
    """Bits per second of the way to it; None until there is an estimate."""
    used_bandwidth: float = math.inf
    """What was last divided, in bits per second."""
    besides: int = 0
    """What of it is taken by what is not video."""
    demand: int = 0
    """What it would get without a bound, as last told to the engine."""
    trial: int = 0
    """What is tried out for it, likewise."""
    unheard_since: float | None = None
    """Since when it is to get something and there is no estimate."""
    reported: ReportedBandwidth = field(default_factory=ReportedBandwidth)
    restraint: Restraint = field(default_factory=Restraint)
    allocated_at: float = -math.inf
    report_at: float = -math.inf
    """When the client is told of the estimate again."""


class EndpointListener(Protocol):
    """The conference, as far as an endpoint's transport reports to it."""

    def endpoint_connected(self, endpoint: Endpoint) -> None: ...
    def endpoint_failed(self, endpoint: Endpoint, reason: str) -> None: ...
    def channel_opened(self, endpoint: Endpoint) -> None: ...
    def channel_message(self, endpoint: Endpoint, text: str) -> None: ...


class Endpoint:
    transport: EndpointTransport  # set once, right after construction

    def __init__(
        self,
        endpoint_id: EndpointId,
        listener: EndpointListener,
        clock: Callable[[], float],
        new_ssrc: Callable[[], int],
        *,
        password: str,
        rewriting: bool,
        mids: bool,
        visitor: bool,
    ) -> None:
        """`mids`: with rewriting, slots have mids (`rtp-mid-demux`)."""
        self.id = endpoint_id
        self.password = password
        self.visitor = visitor
        self.rewriting = rewriting
        self.has_data_channel = False
        self.media: tuple[MediaDescription, ...] = ()
        self.sources: dict[SourceName, BridgeSource] = {}
        self.early_video_types: dict[SourceName, VideoType] = {}
        """Of sources that the focus has not told of yet."""
        self.muted = ForceMute()
        self.constraints = ReceiverConstraints()
        self.subscription = AudioSubscription()
        self.channel = BridgeChannel()
        self.created_at = clock()
        self.activity = Activity(self.created_at)
        self.slots: dict[MediaType, Slots] = (
            {
                MediaType.AUDIO: RewritingSlots(
                    new_ssrc, rtx=False, mid_prefix="a" if mids else None
                ),
                MediaType.VIDEO: RewritingSlots(
                    new_ssrc, rtx=True, mid_prefix="v" if mids else None
                ),
            }
            if rewriting
            else {MediaType.AUDIO: PlainSlots(), MediaType.VIDEO: PlainSlots()}
        )
        self.routes: dict[int, Route] = {}
        self.stamped: set[int] = set()
        """SSRCs whose mid the engine knows; at most one for each slot."""
        self.video = VideoReception()
        self._listener = listener
        self._clock = clock

    @property
    def is_ready(self) -> bool:
        """Whether media may be routed here.

        A receiver whose SSRCs we choose cannot use media before it got their map.
        """
        return self.transport.is_connected and (not self.rewriting or self.channel.is_open)

    def accepts(self, media_type: MediaType) -> bool:
        return any(
            description.type is media_type and description.payload_types
            for description in self.media
        )

    @property
    def reports_bandwidth(self) -> bool:
        return reports_bandwidth(self.media)

    @property
    def can_be_probed(self) -> bool:
        return can_be_probed(self.media)

    def constrain(self, source: SourceName, height: int) -> None:
        """Tell the client in which height at most anybody wants its `source`."""
        self.channel.send_message(SenderSourceConstraints(source, height))

    # -- from its WebSocket -------------------------------------------------------------
    def socket_opened(self, socket: WebSocketCarrier) -> None:
        """One was authenticated and accepted."""
        self.channel.open_socket(socket)
        self.channel.send_message(ServerHello())
        self._listener.channel_opened(self)

    def socket_message(self, text: str) -> None:
        self._listener.channel_message(self, text)

    # -- from the transport -------------------------------------------------------------
    def transport_connected(self) -> None:
        self._listener.endpoint_connected(self)

    def transport_failed(self, reason: str) -> None:
        self._listener.endpoint_failed(self, reason)

    def data_channel_opened(self, channel: Channel) -> None:
        self.channel.open(channel)
        self._listener.channel_opened(self)

    def data_channel_message(self, channel: Channel, text: str) -> None:
        if self.channel.may_receive(channel, len(text), self._clock()):
            self._listener.channel_message(self, text)

    def data_channel_closed(self, channel: Channel) -> None:
        self.channel.closed(channel)
