"""What client and bridge say to each other over the bridge channel, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xmppconf.ids import EndpointId, SourceName
from xmppconf.media import Ssrc, VideoType

UNLIMITED = -1
"""Of a height, a frame rate, lastN or a bandwidth."""


@dataclass(frozen=True, slots=True)
class ClientHello:
    """Wants a `ServerHello`."""


@dataclass(frozen=True, slots=True)
class ServerHello:
    version: str | None = None


@dataclass(frozen=True, slots=True)
class EndpointMessage:
    """From client to client; the bridge only looks at `to` and sets `sender`."""

    to: str
    """An endpoint id, or empty for everybody."""
    sender: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Everything else, `msgPayload` above all."""


@dataclass(frozen=True, slots=True)
class EndpointStats:
    """A client's connection statistics for the others; the bridge sets `sender`."""

    sender: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LastNChanged:
    """The old way to set lastN; means the same as `ReceiverVideoConstraints.last_n`."""

    last_n: int


@dataclass(frozen=True, slots=True)
class VideoConstraints:
    max_height: int
    """Pixels of the smaller side; 0 wants nothing."""
    max_frame_rate: float = UNLIMITED


@dataclass(frozen=True, slots=True)
class ReceiverVideoConstraints:
    """What a client wants to receive.  None leaves the former value as it is."""

    last_n: int | None = None
    selected_sources: tuple[SourceName, ...] | None = None
    on_stage_sources: tuple[SourceName, ...] | None = None
    default: VideoConstraints | None = None
    constraints: Mapping[SourceName, VideoConstraints] | None = None
    assumed_bandwidth: int | None = None
    """Bits per second."""


@dataclass(frozen=True, slots=True)
class ReceiverAudioSubscription:
    """What a client wants to hear: `exclude` beats `include`, which beats `all`."""

    all: bool = True
    include: tuple[SourceName, ...] = ()
    exclude: tuple[SourceName, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceVideoType:
    """What a source shows; `VideoType.NONE` is muted."""

    source: SourceName
    video_type: VideoType
    endpoint: EndpointId | None = None
    """Whose source it is, between bridges; None: the sender's."""


@dataclass(frozen=True, slots=True)
class ForwardedSources:
    """The video sources that are sent to this client now."""

    sources: tuple[SourceName, ...]


@dataclass(frozen=True, slots=True)
class MappedVideoSource:
    """`source` now travels under `ssrc`."""

    source: SourceName
    owner: EndpointId
    ssrc: Ssrc
    rtx: Ssrc | None
    video_type: VideoType
    mid: str | None = None


@dataclass(frozen=True, slots=True)
class VideoSourcesMap:
    """New and changed mappings only; none is ever taken back."""

    sources: tuple[MappedVideoSource, ...]


@dataclass(frozen=True, slots=True)
class MappedAudioSource:
    source: SourceName
    owner: EndpointId
    ssrc: Ssrc
    mid: str | None = None


@dataclass(frozen=True, slots=True)
class AudioSourcesMap:
    sources: tuple[MappedAudioSource, ...]


@dataclass(frozen=True, slots=True)
class SenderSourceConstraints:
    """The largest height in which anybody wants the client's own source."""

    source: SourceName
    max_height: int


@dataclass(frozen=True, slots=True)
class DominantSpeaker:
    endpoint: EndpointId
    previous: tuple[EndpointId, ...] = ()
    silence: bool = False


@dataclass(frozen=True, slots=True)
class EndpointConnectivity:
    endpoint: EndpointId
    active: bool


@dataclass(frozen=True, slots=True)
class ConnectionStats:
    estimated_downlink_bandwidth: int
    """Bits per second."""


@dataclass(frozen=True, slots=True)
class AddReceiver:
    """From bridge to bridge: somebody behind the sender wants `source` up to this."""

    bridge: str
    source: SourceName
    constraints: VideoConstraints


Message = (
    ClientHello
    | ServerHello
    | EndpointMessage
    | EndpointStats
    | LastNChanged
    | ReceiverVideoConstraints
    | ReceiverAudioSubscription
    | SourceVideoType
    | ForwardedSources
    | VideoSourcesMap
    | AudioSourcesMap
    | SenderSourceConstraints
    | DominantSpeaker
    | EndpointConnectivity
    | ConnectionStats
    | AddReceiver
)
