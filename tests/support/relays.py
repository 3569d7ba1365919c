"""Conferences on a bridge with links to others: what a focus asks, and what they say."""

from __future__ import annotations

import json
from typing import Any

from xmppconf_bridge.colibri import modify
from xmppconf_bridge.relay import Relay

from tests.support.fake_engine import BridgeBench, RecordingCarrier
from xmppconf.colibri2 import (
    ConferenceModified,
    ConferenceModify,
    EndpointRequest,
    RelayRequest,
    Sctp,
    Transport,
)
from xmppconf.ids import EndpointId, MeetingId, RelayId, SourceName
from xmppconf.media import (
    ExtensionUri,
    HeaderExtension,
    MediaDescription,
    MediaType,
    PayloadType,
    RtcpFeedback,
    Ssrc,
)
from xmppconf.sources import MediaSource, Semantics, SsrcGroup

M1 = MeetingId("m1")
FAR, FURTHER = RelayId("bridge-2"), RelayId("bridge-3")
MEDIA = (
    MediaDescription(
        MediaType.AUDIO,
        (PayloadType(111, "opus", 48000, 2),),
        (HeaderExtension(1, ExtensionUri.AUDIO_LEVEL),),
    ),
    MediaDescription(
        MediaType.VIDEO,
        (
            PayloadType(
                100,
                "VP8",
                90000,
                feedback=(RtcpFeedback("nack"), RtcpFeedback("transport-cc")),
            ),
        ),
        (HeaderExtension(5, ExtensionUri.TRANSPORT_CC),),
    ),
)
BEGINS = Transport(use_unique_port=True, ice_controlling=True, sctp=Sctp(role="client"))
WAITS = Transport(sctp=Sctp(role="server"))


def sources(name: str, first: int) -> tuple[MediaSource, ...]:
    """A microphone, and a camera in three encodings."""
    video = tuple(Ssrc(first + index) for index in range(1, 4))
    group = SsrcGroup(Semantics.SIM, video, MediaType.VIDEO)
    return (
        MediaSource(SourceName(f"{name}-a0"), MediaType.AUDIO, (Ssrc(first),)),
        MediaSource(SourceName(f"{name}-v0"), MediaType.VIDEO, video, (group,)),
    )


def ask(
    bench: BridgeBench, *endpoints: EndpointRequest, create: bool = False
) -> ConferenceModified:
    return modify(bench.bridge, ConferenceModify(M1, create=create, endpoints=endpoints))


def link(bench: BridgeBench, *relays: RelayRequest) -> ConferenceModified:
    return modify(bench.bridge, ConferenceModify(M1, relays=relays))


def new_link(name: RelayId = FAR, mesh: str = "0", **fields: Any) -> RelayRequest:
    return RelayRequest(
        name, create=True, mesh=mesh, media=MEDIA, **{"transport": BEGINS, **fields}
    )


def behind(name: str, first: int) -> EndpointRequest:
    return EndpointRequest(
        EndpointId(name),
        create=True,
        capabilities=frozenset({"source-names"}),
        sources=sources(name, first),
    )


def new(name: str, first: int) -> EndpointRequest:
    return EndpointRequest(
        EndpointId(name),
        create=True,
        capabilities=frozenset({"source-names", "ssrc-rewriting"}),
        media=MEDIA,
        transport=Transport(ice_controlling=True, sctp=Sctp()),
        sources=sources(name, first),
    )


def relay_of(bench: BridgeBench, name: RelayId = FAR) -> Relay:
    return bench.conference.links.relays[name]


def connect(bench: BridgeBench, name: RelayId = FAR) -> RecordingCarrier:
    """As if a link had come up; returns its channel."""
    relay = relay_of(bench, name)
    relay.transport.is_connected = True
    relay.transport_connected()
    carrier = RecordingCarrier()
    relay.channel.open(carrier)
    bench.conference.links.relay_opened(relay)
    return carrier


def say(bench: BridgeBench, name: RelayId, **message: Any) -> None:
    bench.conference.links.relay_message(relay_of(bench, name), json.dumps(message))


def wish(bench: BridgeBench, source: str, height: int, name: RelayId = FAR) -> None:
    constraints = {"maxHeight": height, "maxFrameRate": -1.0}
    say(
        bench,
        name,
        colibriClass="AddReceiver",
        bridgeId=name,
        sourceName=source,
        videoConstraints=constraints,
    )


def number_of(bench: BridgeBench, name: str) -> int:
    return next(s.number for s in bench.conference.sources.values() if s.name == name)
