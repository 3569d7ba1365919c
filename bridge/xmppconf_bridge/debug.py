"""The inside of conferences, for an operator who looks for a fault.

Endpoints go by the tags that the log has for them, so that nobody is named; addresses,
passwords, source names and messages are left out.
"""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

from xmppconf.log import Personal
from xmppconf_bridge.conference import Conference
from xmppconf_bridge.endpoint import Endpoint
from xmppconf_bridge.engine import Commands
from xmppconf_bridge.media import BridgeSource
from xmppconf_bridge.relay import Relay
from xmppconf_bridge.transport import EndpointTransport


def tag_of(endpoint_id: str) -> str:
    """What the log calls an endpoint, without its angle brackets."""
    return str(Personal(endpoint_id)).strip("<>")


def conference_state(conference: Conference, *, full: bool) -> dict[str, Any]:
    """One conference; `full` has the inside of all endpoints."""
    endpoints = conference.endpoints.values()
    state: dict[str, Any] = {
        "endpoints": {
            tag_of(one.id): endpoint_state(conference, one, full=full) for one in endpoints
        },
        "relays": {
            one.id: _relay_state(conference, one)
            for one in conference.links.relays.values()
        },
        "speakers": [tag_of(one) for one in conference.speech.recent],
    }
    if full:
        state["sources"] = {
            str(number): _source_state(source)
            for number, source in conference.sources.items()
        }
    return state


def endpoint_state(
    conference: Conference, endpoint: Endpoint, *, full: bool
) -> dict[str, Any]:
    state: dict[str, Any] = {
        "active": endpoint.activity.is_active,
        "connected": endpoint.transport.is_connected,
        "channel": endpoint.channel.is_open,
        "visitor": endpoint.visitor,
    }
    if not full:
        return state
    constraints, video = endpoint.constraints, endpoint.video
    return {
        **state,
        "transport": _transport_state(conference.engine, endpoint.transport),
        "rewriting": endpoint.rewriting,
        "force_mute": {"audio": endpoint.muted.audio, "video": endpoint.muted.video},
        "sources": [one.number for one in endpoint.sources.values()],
        "messages": {
            "sent": sum(astuple(endpoint.channel.sent)),
            "received": sum(astuple(endpoint.channel.received)),
            "dropped": endpoint.channel.dropped,
        },
        "constraints": {
            "last_n": constraints.last_n,
            "default_height": constraints.default.max_height,
            "selected": len(constraints.selected),
            "on_stage": len(constraints.on_stage),
            "by_source": len(constraints.by_source),
        },
        "allocation": {
            "estimate": video.estimate,
            "complete": video.is_complete,
            "wanted": {str(number): one.max_height for number, one in video.wanted.items()},
            "layers": {str(number): list(one.rank) for number, one in video.layers.items()},
        },
        "routes": {
            str(number): {"ssrc": one.ssrc, "encoding": one.max_encoding}
            for number, one in endpoint.routes.items()
        },
    }


def _relay_state(conference: Conference, relay: Relay) -> dict[str, Any]:
    return {
        "mesh": relay.mesh,
        "connected": relay.transport.is_connected,
        "channel": relay.channel.is_open,
        "transport": _transport_state(conference.engine, relay.transport),
        "endpoints": [tag_of(one) for one in relay.endpoints],
        "carried": {str(number): mask for number, mask in relay.carried.items() if mask},
        "wishes": len(relay.wishes),
    }


def _source_state(source: BridgeSource) -> dict[str, Any]:
    return {
        "owner": tag_of(source.owner),
        "link": source.link,
        "media": source.media_type.value,
        "video_type": source.video_type.value,
        "encodings": [list(one) for one in source.encodings],
        "active": sorted(source.active_since),
        "asked_height": source.sent_constraint,
        "layers": [list(one) for one in source.layers.layers()],
    }


def _transport_state(engine: Commands, transport: EndpointTransport) -> dict[str, Any]:
    return engine.transport_stats(transport.number) or {}
