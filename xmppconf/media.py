"""Media as it is negotiated: types, codecs, header extensions."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NewType

from xmppconf.errors import PeerError

Ssrc = NewType("Ssrc", int)
"""A 32-bit RTP synchronisation source; zero is not a valid one."""

MAX_SSRC = 0xFFFF_FFFF


def parse_ssrc(text: str) -> Ssrc:
    """Read a decimal SSRC; raises `PeerError` unless it is 1 to 2^32-1."""
    # int() takes "+1", "1_000" and other scripts' digits; the wire does not.
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise PeerError("ssrc is not a decimal number")
    value = int(text)
    if not 0 < value <= MAX_SSRC:
        raise PeerError("ssrc out of range")
    return Ssrc(value)


class MediaType(enum.StrEnum):
    AUDIO = "audio"
    VIDEO = "video"


class VideoType(enum.StrEnum):
    """What a video source shows; `NONE` means muted."""

    CAMERA = "camera"
    DESKTOP = "desktop"
    DESKTOP_HIGH_FPS = "desktop_high_fps"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RtcpFeedback:
    """One `rtcp-fb` line (RFC 4585, 4.2): `nack pli` is type "nack", subtype "pli"."""

    type: str
    subtype: str | None = None


@dataclass(frozen=True, slots=True)
class PayloadType:
    """One codec under its RTP payload type (XEP-0167, `payload-type`)."""

    id: int
    name: str
    clock_rate: int
    channels: int = 1
    parameters: tuple[tuple[str, str], ...] = ()
    feedback: tuple[RtcpFeedback, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.id <= 127:
            raise PeerError("payload type id is not 0 to 127")


@dataclass(frozen=True, slots=True)
class HeaderExtension:
    """One RTP header extension (RFC 8285) under its id."""

    id: int
    uri: str

    def __post_init__(self) -> None:
        if not 1 <= self.id <= 255 or self.id == 15:
            raise PeerError("header extension id is not 1 to 14 or 16 to 255")


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """What one medium may carry: codecs and header extensions."""

    type: MediaType
    payload_types: tuple[PayloadType, ...] = ()
    header_extensions: tuple[HeaderExtension, ...] = ()
    extmap_allow_mixed: bool = False


class ExtensionUri:
    """The header extensions we know, by their URI."""

    AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
    RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
    REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
    MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
    TRANSPORT_CC = (
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    )
    DEPENDENCY_DESCRIPTOR = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
    VIDEO_LAYERS_ALLOCATION = (
        "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00"
    )
    VIDEO_ORIENTATION = "urn:3gpp:video-orientation"
