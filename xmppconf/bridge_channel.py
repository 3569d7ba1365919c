"""The messages between client and bridge, and between bridges, over a data channel or a
WebSocket.

One JSON object per text message, told apart by `colibriClass`.  Field names are the
wire's inside this module and ours outside.  Fields that are not known are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xmppconf import limits
from xmppconf.channel_messages import (
    UNLIMITED,
    AddReceiver,
    AudioSourcesMap,
    ClientHello,
    ConnectionStats,
    DominantSpeaker,
    EndpointConnectivity,
    EndpointMessage,
    EndpointStats,
    ForwardedSources,
    LastNChanged,
    MappedAudioSource,
    MappedVideoSource,
    Message,
    ReceiverAudioSubscription,
    ReceiverVideoConstraints,
    SenderSourceConstraints,
    ServerHello,
    SourceVideoType,
    VideoConstraints,
    VideoSourcesMap,
)
from xmppconf.errors import LimitExceeded, PeerError
from xmppconf.ids import EndpointId, SourceName
from xmppconf.media import MAX_SSRC, Ssrc, VideoType
from xmppconf.strict_json import (
    as_flag,
    as_integer,
    as_list,
    as_object,
    as_text,
    dumps,
    loads,
)

__all__ = [
    "UNLIMITED",
    "AddReceiver",
    "AudioSourcesMap",
    "ClientHello",
    "ConnectionStats",
    "DominantSpeaker",
    "EndpointConnectivity",
    "EndpointMessage",
    "EndpointStats",
    "ForwardedSources",
    "LastNChanged",
    "MappedAudioSource",
    "MappedVideoSource",
    "Message",
    "ReceiverAudioSubscription",
    "ReceiverVideoConstraints",
    "SenderSourceConstraints",
    "ServerHello",
    "SourceVideoType",
    "UnknownMessage",
    "VideoConstraints",
    "VideoSourcesMap",
    "parse",
    "serialize",
]

_MAX_NAME = 128
_MAX_HEIGHT = 100_000
_MAX_LAST_N = 100_000
_MAX_BANDWIDTH = 2**53
_NO_RTX = "-1"  # as text: clients compare it so


class UnknownMessage(PeerError):
    """The class of the message is not known; older and newer peers send such."""


def parse(text: str) -> Message:
    """Read a message; raises `PeerError` for any that breaks the form."""
    value = as_object(loads(text, limits.CHANNEL_MESSAGE), "message")
    name = as_text(value.pop("colibriClass", None), "colibriClass", _MAX_NAME)
    reader = _READERS.get(name)
    if reader is None:
        raise UnknownMessage("class of the message is unknown")
    return reader(value)


def serialize(message: Message) -> str:
    """Write a message as one line of JSON."""
    return dumps(_to_json(message))


# -- writing ------------------------------------------------------------------------------
def _to_json(message: Message) -> dict[str, Any]:
    match message:
        case ClientHello():
            return {"colibriClass": "ClientHello"}
        case ServerHello(version):
            return {"colibriClass": "ServerHello", **_given(version=version)}
        case EndpointMessage(to, sender, fields):
            head = {
                "colibriClass": "EndpointMessage",
                **_given(**{"from": sender}),
                "to": to,
            }
            return {**fields, **head}
        case EndpointStats(sender, fields):
            return {
                **fields,
                "colibriClass": "EndpointStats",
                **_given(**{"from": sender}),
            }
        case LastNChanged(last_n):
            return {"colibriClass": "LastNChangedEvent", "lastN": last_n}
        case ReceiverVideoConstraints():
            return _receiver_constraints_to_json(message)
        case ReceiverAudioSubscription(everything, include, exclude):
            return {
                "colibriClass": "ReceiverAudioSubscription",
                "all": everything,
                "include": list(include),
                "exclude": list(exclude),
            }
        case SourceVideoType(source, video_type, owner):
            return {
                "colibriClass": "SourceVideoTypeMessage",
                "sourceName": source,
                "videoType": video_type.value,
                **_given(endpointId=owner),
            }
        case ForwardedSources(sources):
            return {"colibriClass": "ForwardedSources", "forwardedSources": list(sources)}
        case VideoSourcesMap(mapped):
            entries = [_mapped_video_to_json(item) for item in mapped]
            return {"colibriClass": "VideoSourcesMap", "mappedSources": entries}
        case AudioSourcesMap(audio):
            entries = [_mapped_audio_to_json(item) for item in audio]
            return {"colibriClass": "AudioSourcesMap", "mappedSources": entries}
        case SenderSourceConstraints(source, max_height):
            return {
                "colibriClass": "SenderSourceConstraints",
                "sourceName": source,
                "maxHeight": max_height,
            }
        case DominantSpeaker(endpoint, previous, silence):
            return {
                "colibriClass": "DominantSpeakerEndpointChangeEvent",
                "dominantSpeakerEndpoint": endpoint,
                "previousSpeakers": list(previous),
                "silence": silence,
            }
        case EndpointConnectivity(endpoint, active):
            return {
                "colibriClass": "EndpointConnectivityStatusChangeEvent",
                "endpoint": endpoint,
                "active": "true" if active else "false",  # clients compare the text
            }
        case ConnectionStats(bandwidth):
            return {
                "colibriClass": "ConnectionStats",
                "estimatedDownlinkBandwidth": bandwidth,
            }
        case AddReceiver(bridge, source, constraints):
            return {
                "colibriClass": "AddReceiver",
                "bridgeId": bridge,
                "sourceName": source,
                "videoConstraints": _constraints_to_json(constraints),
            }


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _receiver_constraints_to_json(message: ReceiverVideoConstraints) -> dict[str, Any]:
    selected, on_stage = message.selected_sources, message.on_stage_sources
    constraints = message.constraints
    return {
        "colibriClass": "ReceiverVideoConstraints",
        **_given(
            lastN=message.last_n,
            selectedSources=None if selected is None else list(selected),
            onStageSources=None if on_stage is None else list(on_stage),
            defaultConstraints=None
            if message.default is None
            else _constraints_to_json(message.default),
            constraints=None
            if constraints is None
            else {name: _constraints_to_json(item) for name, item in constraints.items()},
            assumedBandwidthBps=message.assumed_bandwidth,
        ),
    }


def _constraints_to_json(constraints: VideoConstraints) -> dict[str, Any]:
    value: dict[str, Any] = {"maxHeight": constraints.max_height}
    if constraints.max_frame_rate != UNLIMITED:
        value["maxFrameRate"] = constraints.max_frame_rate
    return value


def _mapped_video_to_json(item: MappedVideoSource) -> dict[str, Any]:
    return {
        "source": item.source,
        "owner": item.owner,
        "ssrc": item.ssrc,
        "rtx": _NO_RTX if item.rtx is None else item.rtx,
        "videoType": item.video_type.value.upper(),
        **_given(mid=item.mid),
    }


def _mapped_audio_to_json(item: MappedAudioSource) -> dict[str, Any]:
    return {
        "source": item.source,
        "owner": item.owner,
        "ssrc": item.ssrc,
        **_given(mid=item.mid),
    }


# -- reading ------------------------------------------------------------------------------
def _name(value: Any) -> SourceName:
    # Only looked up, never stored for others: an unknown name does no harm.
    return SourceName(as_text(value, "source name", _MAX_NAME))


def _names(value: Any) -> tuple[SourceName, ...]:
    return tuple(_name(item) for item in as_list(value, "sources", limits.LISTED_SOURCES))


def _endpoint(value: Any) -> EndpointId:
    return EndpointId(as_text(value, "endpoint", _MAX_NAME))


def _video_type(value: Any) -> VideoType:
    try:
        return VideoType(as_text(value, "videoType", _MAX_NAME).lower())
    except ValueError:
        raise PeerError("video type is unknown") from None


def _ssrc(value: Any) -> Ssrc:
    return Ssrc(as_integer(value, "ssrc", 1, MAX_SSRC))


def _last_n(value: Any) -> int:
    return as_integer(value, "lastN", UNLIMITED, _MAX_LAST_N)


def _optional_text(value: Any, what: str) -> str | None:
    return None if value is None else as_text(value, what, _MAX_NAME)


def _constraints(value: Any) -> VideoConstraints:
    item = as_object(value, "constraints")
    rate = item.get("maxFrameRate", UNLIMITED)
    if (
        isinstance(rate, bool)
        or not isinstance(rate, int | float)
        or not -1 <= rate <= 1000
    ):
        raise PeerError("maxFrameRate is not a frame rate")
    height = as_integer(item.get("maxHeight"), "maxHeight", UNLIMITED, _MAX_HEIGHT)
    return VideoConstraints(height, rate)


def _constraints_map(value: Any) -> dict[SourceName, VideoConstraints]:
    table = as_object(value, "constraints")
    if len(table) > limits.LISTED_SOURCES:
        raise LimitExceeded("constraints", limits.LISTED_SOURCES)
    return {_name(name): _constraints(item) for name, item in table.items()}


def _receiver_constraints(value: dict[str, Any]) -> ReceiverVideoConstraints:
    def read(name: str, reader: Callable[[Any], Any]) -> Any:
        item = value.get(name)
        return None if item is None else reader(item)

    return ReceiverVideoConstraints(
        last_n=read("lastN", _last_n),
        selected_sources=read("selectedSources", _names),
        on_stage_sources=read("onStageSources", _names),
        default=read("defaultConstraints", _constraints),
        constraints=read("constraints", _constraints_map),
        assumed_bandwidth=read(
            "assumedBandwidthBps",
            lambda item: as_integer(item, "bandwidth", UNLIMITED, _MAX_BANDWIDTH),
        ),
    )


def _audio_subscription(value: dict[str, Any]) -> ReceiverAudioSubscription:
    if "mode" not in value:
        return ReceiverAudioSubscription(
            as_flag(value.get("all", False), "all"),
            _names(value.get("include", [])),
            _names(value.get("exclude", [])),
        )
    mode = as_text(value["mode"], "mode", _MAX_NAME).lower()
    names = _names(value.get("list", []))
    old_forms = {
        "all": ReceiverAudioSubscription(True),
        "none": ReceiverAudioSubscription(False),
        "include": ReceiverAudioSubscription(False, include=names),
        "exclude": ReceiverAudioSubscription(True, exclude=names),
    }
    if mode not in old_forms:
        raise PeerError("mode is unknown")
    return old_forms[mode]


def _endpoint_message(value: dict[str, Any]) -> EndpointMessage:
    to = as_text(value.pop("to", ""), "to", _MAX_NAME)
    sender = _optional_text(value.pop("from", None), "from")
    return EndpointMessage(to, sender, value)


def _endpoint_stats(value: dict[str, Any]) -> EndpointStats:
    return EndpointStats(_optional_text(value.pop("from", None), "from"), value)


def _mapped_video(value: Any) -> MappedVideoSource:
    item = as_object(value, "mapped source")
    rtx = item.get("rtx", _NO_RTX)
    return MappedVideoSource(
        _name(item.get("source")),
        _endpoint(item.get("owner")),
        _ssrc(item.get("ssrc")),
        None if rtx in (_NO_RTX, -1) else _ssrc(rtx),
        _video_type(item.get("videoType")),
        _optional_text(item.get("mid"), "mid"),
    )


def _mapped_audio(value: Any) -> MappedAudioSource:
    item = as_object(value, "mapped source")
    return MappedAudioSource(
        _name(item.get("source")),
        _endpoint(item.get("owner")),
        _ssrc(item.get("ssrc")),
        _optional_text(item.get("mid"), "mid"),
    )


def _mapped(value: dict[str, Any]) -> list[Any]:
    return as_list(value.get("mappedSources"), "mappedSources", limits.LISTED_SOURCES)


def _dominant_speaker(value: dict[str, Any]) -> DominantSpeaker:
    previous = as_list(value.get("previousSpeakers", []), "speakers", limits.ENDPOINTS)
    return DominantSpeaker(
        _endpoint(value.get("dominantSpeakerEndpoint")),
        tuple(_endpoint(item) for item in previous),
        as_flag(value.get("silence", False), "silence"),
    )


def _connectivity(value: dict[str, Any]) -> EndpointConnectivity:
    active = as_text(value.get("active"), "active", _MAX_NAME)
    if active not in ("true", "false"):
        raise PeerError("active is neither true nor false")
    return EndpointConnectivity(_endpoint(value.get("endpoint")), active == "true")


_READERS: dict[str, Callable[[dict[str, Any]], Message]] = {
    "ClientHello": lambda _: ClientHello(),
    "ServerHello": lambda v: ServerHello(_optional_text(v.get("version"), "version")),
    "EndpointMessage": _endpoint_message,
    "EndpointStats": _endpoint_stats,
    "LastNChangedEvent": lambda v: LastNChanged(_last_n(v.get("lastN"))),
    "ReceiverVideoConstraints": _receiver_constraints,
    "ReceiverAudioSubscription": _audio_subscription,
    "SourceVideoTypeMessage": lambda v: SourceVideoType(
        _name(v.get("sourceName")),
        _video_type(v.get("videoType")),
        None if v.get("endpointId") is None else _endpoint(v["endpointId"]),
    ),
    "ForwardedSources": lambda v: ForwardedSources(_names(v.get("forwardedSources"))),
    "VideoSourcesMap": lambda v: VideoSourcesMap(tuple(map(_mapped_video, _mapped(v)))),
    "AudioSourcesMap": lambda v: AudioSourcesMap(tuple(map(_mapped_audio, _mapped(v)))),
    "SenderSourceConstraints": lambda v: SenderSourceConstraints(
        _name(v.get("sourceName")),
        as_integer(v.get("maxHeight"), "maxHeight", UNLIMITED, _MAX_HEIGHT),
    ),
    "DominantSpeakerEndpointChangeEvent": _dominant_speaker,
    "EndpointConnectivityStatusChangeEvent": _connectivity,
    "ConnectionStats": lambda v: ConnectionStats(
        as_integer(v.get("estimatedDownlinkBandwidth"), "bandwidth", -1, _MAX_BANDWIDTH)
    ),
    "AddReceiver": lambda v: AddReceiver(
        as_text(v.get("bridgeId"), "bridgeId", _MAX_NAME),
        _name(v.get("sourceName")),
        _constraints(v.get("videoConstraints")),
    ),
}
