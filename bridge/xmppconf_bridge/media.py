"""The sources of an endpoint and the codecs it negotiated, as the engine needs them."""

from __future__ import annotations

from dataclasses import dataclass, field

from xmppconf.ids import EndpointId, RelayId, SourceName
from xmppconf.media import MediaDescription, MediaType, PayloadType, Ssrc, VideoType
from xmppconf.sources import MediaSource, Semantics
from xmppconf_bridge.layers import SourceLayers
from xmppconf_bridge.slots import Slot

MAX_ENCODINGS = 4

Encodings = tuple[tuple[int, int | None], ...]


@dataclass(slots=True, eq=False)
class BridgeSource:
    """A source as the bridge knows it; `number` is its id in the engine."""

    number: int
    name: SourceName
    owner: EndpointId
    media_type: MediaType
    encodings: Encodings
    video_type: VideoType
    created_at: float
    link: RelayId | None = None
    """The other bridge that its owner is behind."""
    active_since: dict[int, float] = field(default_factory=dict)
    """When each encoding that flows now began, by index."""
    sent_constraint: int | None = None
    """The height last asked of the owner; None: nobody ever wanted it."""
    layers: SourceLayers = field(init=False)

    def __post_init__(self) -> None:
        self.layers = SourceLayers(len(self.encodings))

    @property
    def is_enabled(self) -> bool:
        return self.video_type is not VideoType.NONE

    @property
    def is_screen(self) -> bool:
        return self.video_type in (VideoType.DESKTOP, VideoType.DESKTOP_HIGH_FPS)

    @property
    def own_slot(self) -> Slot:
        """Where a receiver without SSRC rewriting expects it: on its first SSRCs."""
        return Slot(*self.encodings[0])


def encodings_of(source: MediaSource) -> Encodings:
    """The simulcast streams of a source, lowest first, as (ssrc, rtx ssrc or None).

    Without a SIM group (draft-ietf-mmusic-sdp-simulcast's predecessor) only its first
    SSRC that repairs no other is a stream.
    """
    repairs: dict[Ssrc, Ssrc] = {}
    secondary: set[Ssrc] = set()
    simulcast: tuple[Ssrc, ...] = ()
    for group in source.groups:
        if group.semantics is Semantics.SIM:
            simulcast = simulcast or group.ssrcs
        elif len(group.ssrcs) == 2:
            secondary.add(group.ssrcs[1])
            if group.semantics is Semantics.FID:
                repairs[group.ssrcs[0]] = group.ssrcs[1]
    known = set(source.ssrcs)
    primaries = [ssrc for ssrc in dict.fromkeys(simulcast) if ssrc in known]
    if not primaries:
        primaries = [ssrc for ssrc in source.ssrcs if ssrc not in secondary][:1]
    return tuple((ssrc, repairs.get(ssrc)) for ssrc in primaries[:MAX_ENCODINGS])


PayloadTypes = list[tuple[int, str, int, int | None, bool, bool, bool]]


def payload_types(media: tuple[MediaDescription, ...]) -> PayloadTypes:
    """What the engine wants to know of each payload type (see `_native.pyi`)."""
    result: PayloadTypes = []
    for description in media:
        for codec in description.payload_types:
            name = codec.name.lower()
            within = _payload_type_within(name, codec)
            if name in ("rtx", "red") and within is None:
                continue
            feedback = {(one.type, one.subtype) for one in codec.feedback}
            result.append(
                (
                    codec.id,
                    name,
                    codec.clock_rate,
                    within,
                    ("nack", None) in feedback,
                    ("nack", "pli") in feedback,
                    ("transport-cc", None) in feedback,
                )
            )
    return result


def reports_bandwidth(media: tuple[MediaDescription, ...]) -> bool:
    """Whether the peer says what arrives: by transport-cc or by REMB."""
    return _has_feedback(media, "transport-cc", "goog-remb")


def can_be_probed(media: tuple[MediaDescription, ...]) -> bool:
    """Whether more is learned of the way to the peer without sending it a picture."""
    return _has_feedback(media, "transport-cc")


def _has_feedback(media: tuple[MediaDescription, ...], *types: str) -> bool:
    return any(
        one.type in types
        for description in media
        if description.type is MediaType.VIDEO
        for codec in description.payload_types
        for one in codec.feedback
    )


def _payload_type_within(name: str, codec: PayloadType) -> int | None:
    """What `rtx` retransmits (RFC 4588, 8.1) or `red` has in its blocks (RFC 2198, 5)."""
    parameters = dict(codec.parameters)
    if name == "rtx":
        text = parameters.get("apt", "")
    elif name == "red":
        # Several codecs in one stream are more than anybody sends.
        first, *others = parameters.get("", "").split("/")
        text = first if all(other == first for other in others) else ""
    else:
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else 128
    return number if number <= 127 else None


def header_extensions(media: tuple[MediaDescription, ...]) -> list[tuple[int, str]]:
    """All extensions by id; audio and video share one numbering (RFC 8843, 9.1)."""
    found: dict[int, str] = {}
    for description in media:
        for extension in description.header_extensions:
            found.setdefault(extension.id, extension.uri)
    return sorted(found.items())


def merge(
    old: tuple[MediaDescription, ...], new: tuple[MediaDescription, ...]
) -> tuple[MediaDescription, ...]:
    """Add codecs and extensions; nothing is ever taken away."""
    merged = {description.type: description for description in old}
    for description in new:
        before = merged.get(description.type)
        if before is not None:
            codecs = {codec.id: codec for codec in before.payload_types}
            codecs.update((codec.id, codec) for codec in description.payload_types)
            extensions = {one.id: one for one in before.header_extensions}
            extensions.update((one.id, one) for one in description.header_extensions)
            description = MediaDescription(
                description.type,
                tuple(codecs.values()),
                tuple(extensions.values()),
                description.extmap_allow_mixed or before.extmap_allow_mixed,
            )
        merged[description.type] = description
    return tuple(merged.values())
