"""What one receiver gets, as its client and the engine are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xmppconf.bridge_channel import (
    AudioSourcesMap,
    MappedAudioSource,
    MappedVideoSource,
    VideoSourcesMap,
)
from xmppconf.media import MediaType, Ssrc
from xmppconf_bridge.endpoint import Endpoint, Route
from xmppconf_bridge.engine import Commands
from xmppconf_bridge.layers import ALL
from xmppconf_bridge.media import BridgeSource
from xmppconf_bridge.slots import Slot

PAUSED = -1


def video_map(receiver: Endpoint, sources: Iterable[BridgeSource]) -> VideoSourcesMap:
    """Where those of `sources` that have a slot of the receiver are."""
    return VideoSourcesMap(
        tuple(
            MappedVideoSource(
                source.name,
                source.owner,
                Ssrc(slot.ssrc),
                None if slot.rtx_ssrc is None else Ssrc(slot.rtx_ssrc),
                source.video_type,
                slot.mid,
            )
            for source, slot in _placed(receiver, MediaType.VIDEO, sources)
        )
    )


def audio_map(receiver: Endpoint, sources: Iterable[BridgeSource]) -> AudioSourcesMap:
    """As `video_map`."""
    return AudioSourcesMap(
        tuple(
            MappedAudioSource(source.name, source.owner, Ssrc(slot.ssrc), slot.mid)
            for source, slot in _placed(receiver, MediaType.AUDIO, sources)
        )
    )


def _placed(
    receiver: Endpoint, media_type: MediaType, sources: Iterable[BridgeSource]
) -> Iterator[tuple[BridgeSource, Slot]]:
    for source in sources:
        slot = receiver.slots[media_type].get(source.number)
        if source.media_type is media_type and slot is not None:
            yield source, slot


def set_route(
    engine: Commands,
    receiver: Endpoint,
    source: int,
    slot: Slot,
    encoding: int,
    spatial: int = ALL,
    temporal: int = ALL,
) -> None:
    """Tell the engine, if it does not know yet."""
    route = Route(slot.ssrc, slot.rtx_ssrc, encoding, spatial, temporal)
    if receiver.routes.get(source) != route:
        receiver.routes[source] = route
        if slot.mid is not None and slot.ssrc not in receiver.stamped:
            receiver.stamped.add(slot.ssrc)
            engine.set_mid(receiver.transport.number, slot.ssrc, slot.mid)
        engine.set_route(
            receiver.transport.number,
            source,
            slot.ssrc,
            slot.rtx_ssrc,
            encoding,
            spatial,
            temporal,
        )


def remove_route(engine: Commands, receiver: Endpoint, source: int) -> None:
    if receiver.routes.pop(source, None) is not None:
        engine.remove_route(receiver.transport.number, source)


def forget_source(engine: Commands, receiver: Endpoint, source: BridgeSource) -> None:
    """The source is gone: free its slot, whose SSRCs are never used again."""
    remove_route(engine, receiver, source.number)
    receiver.slots[source.media_type].remove(source.number)
    receiver.video.wanted.pop(source.number, None)
    receiver.video.layers.pop(source.number, None)
