"""Codecs and header extensions that a participant is offered.

Payload type and extension ids are the same for everybody in every conference, because
bridges forward packets without renumbering them.
"""

from __future__ import annotations

from dataclasses import dataclass

from xmppconf.errors import SettingsError
from xmppconf.media import (
    ExtensionUri,
    HeaderExtension,
    MediaDescription,
    MediaType,
    PayloadType,
    RtcpFeedback,
)
from xmppconf_focus.features import Feature

TRANSPORT_CC = RtcpFeedback("transport-cc")
GOOG_REMB = RtcpFeedback("goog-remb")
KEYFRAMES_AND_LOSS = (
    RtcpFeedback("ccm", "fir"),
    RtcpFeedback("nack"),
    RtcpFeedback("nack", "pli"),
)

VIDEO_CLOCK = 90_000


@dataclass(frozen=True, slots=True)
class VideoCodec:
    name: str
    id: int
    rtx_id: int
    rtx_feedback: tuple[RtcpFeedback, ...] = KEYFRAMES_AND_LOSS
    parameters: tuple[tuple[str, str], ...] = ()


VIDEO_CODECS = {
    "av1": VideoCodec("AV1", 41, 42),
    "vp8": VideoCodec("VP8", 100, 96),
    "vp9": VideoCodec("VP9", 101, 97),
    "h264": VideoCodec(
        "H264",
        107,
        99,
        rtx_feedback=(),
        # All in one value: clients paste it behind "a=fmtp:107 " and know it this way.
        parameters=(
            ("profile-level-id", "42e01f;level-asymmetry-allowed=1;packetization-mode=1;"),
        ),
    ),
}

#: Each packet repeats the one before it.
RED = PayloadType(112, "red", 48_000, channels=2, parameters=(("", "111/111"),))

AUDIO_LEVEL = HeaderExtension(1, ExtensionUri.AUDIO_LEVEL)
ABS_SEND_TIME = HeaderExtension(3, ExtensionUri.ABS_SEND_TIME)
TRANSPORT_WIDE = HeaderExtension(5, ExtensionUri.TRANSPORT_CC)
DEPENDENCY_DESCRIPTOR = HeaderExtension(11, ExtensionUri.DEPENDENCY_DESCRIPTOR)


def check_codecs(names: tuple[str, ...]) -> None:
    """Check the setting `focus.codecs`; raises `SettingsError`."""
    for name in names:
        if name not in VIDEO_CODECS:
            known = ", ".join(VIDEO_CODECS)
            raise SettingsError(f"focus.codecs: {name!r} is not one of {known}")
    if len(set(names)) != len(names) or not names:
        raise SettingsError("focus.codecs: name each codec once, and at least one")


def describe_media(
    features: frozenset[str], codecs: tuple[str, ...], *, red: bool = False
) -> tuple[MediaDescription, ...]:
    """Audio and video as this client may use them; empty when it can do neither.

    With `red` sound is sent with redundancy (RFC 2198) by those that can.

    `sdes:mid` is left out on purpose: a sender's mid means nothing to a receiver, and a
    bridge that does not rewrite it would send media to the wrong m-line.
    """
    media = []
    if Feature.AUDIO in features:
        media.append(_audio(features, red=red))
    if Feature.VIDEO in features:
        media.append(_video(features, codecs))
    return tuple(media)


def _audio(features: frozenset[str], *, red: bool) -> MediaDescription:
    extensions = [AUDIO_LEVEL]
    feedback: tuple[RtcpFeedback, ...] = ()
    if Feature.TRANSPORT_CC in features:
        extensions.append(TRANSPORT_WIDE)
        feedback = (TRANSPORT_CC,)
    opus = PayloadType(
        111,
        "opus",
        48_000,
        channels=2,
        parameters=(("minptime", "10"), ("useinbandfec", "1")),
        feedback=feedback,
    )
    preferred = (RED,) if red and Feature.OPUS_RED in features else ()
    return MediaDescription(
        MediaType.AUDIO,
        (*preferred, opus, PayloadType(126, "telephone-event", 8_000)),
        tuple(extensions),
        extmap_allow_mixed=True,
    )


def _video(features: frozenset[str], codecs: tuple[str, ...]) -> MediaDescription:
    extensions = [ABS_SEND_TIME]
    feedback: tuple[RtcpFeedback, ...] = KEYFRAMES_AND_LOSS
    if Feature.TRANSPORT_CC in features:
        extensions.append(TRANSPORT_WIDE)
        feedback += (TRANSPORT_CC,)
    elif Feature.REMB in features:
        feedback += (GOOG_REMB,)
    extensions.append(DEPENDENCY_DESCRIPTOR)
    chosen = [VIDEO_CODECS[name] for name in codecs]
    payload_types = [
        PayloadType(codec.id, codec.name, VIDEO_CLOCK, 1, codec.parameters, feedback)
        for codec in chosen
    ]
    if Feature.RTX in features:
        payload_types += [
            PayloadType(
                codec.rtx_id,
                "rtx",
                VIDEO_CLOCK,
                1,
                (("apt", str(codec.id)),),
                codec.rtx_feedback,
            )
            for codec in chosen
        ]
    return MediaDescription(
        MediaType.VIDEO, tuple(payload_types), tuple(extensions), extmap_allow_mixed=True
    )
