"""What the bridge publishes about itself: in brewery presence and over HTTP."""

from __future__ import annotations

import datetime
from typing import TypedDict, Unpack

from xmppconf.media import MediaType
from xmppconf_bridge.bridge import Bridge
from xmppconf_bridge.load import Load
from xmppconf_bridge.operation import State

#: Expected extra stress of one more participant: 1,500 of the packets a second that
#: `load.PACKET_LIMIT` allows.  That is one large picture, ten small ones and the speakers'
#: audio to it, and its own audio and picture to as many others.
PARTICIPANT_STRESS = 0.01

Statistics = dict[str, str | int | float | bool]


class Description(TypedDict):
    """What the bridge itself does not know."""

    healthy: bool
    version: str
    region: str
    relay_id: str
    wall: float
    """Seconds since 1970-01-01 UTC."""


def presence_statistics(
    bridge: Bridge, load: Load, **description: Unpack[Description]
) -> Statistics:
    """What a focus needs to judge this bridge; no more, so nothing else leaks."""
    state = bridge.operation.state
    statistics: Statistics = {
        "colibri2": True,
        "stress_level": round(load.stress, 4),
        "average_participant_stress": PARTICIPANT_STRESS,
        "healthy": description["healthy"],
        "drain": bridge.operation.drain,
        "graceful_shutdown": state is not State.RUNNING,
        "shutting_down": state in (State.GOING, State.ENDED),
        "version": description["version"],
        "release": description["version"],
        "current_timestamp": _timestamp(description["wall"]),
    }
    if description["region"]:
        statistics["region"] = description["region"]
    if description["relay_id"]:
        statistics["relay_id"] = description["relay_id"]
    return statistics


def full_statistics(
    bridge: Bridge, load: Load, **description: Unpack[Description]
) -> Statistics:
    """The figures of `/colibri/stats`, under the names that dashboards know."""
    conferences = list(bridge.conferences.values())
    endpoints = [one for conf in conferences for one in conf.endpoints.values()]
    counters = bridge.engine.stats()

    def sending(media_type: MediaType) -> int:
        return sum(
            any(s.media_type is media_type and s.active_since for s in one.sources.values())
            for one in endpoints
        )

    return {
        **presence_statistics(bridge, load, **description),
        "conferences": len(conferences),
        "largest_conference": max((len(conf.endpoints) for conf in conferences), default=0),
        "endpoints": len(endpoints),
        "local_endpoints": len(endpoints),
        "participants": len(endpoints),
        "visitors": sum(one.visitor for one in endpoints),
        "inactive_endpoints": sum(not one.activity.is_active for one in endpoints),
        "endpoints_sending_audio": sending(MediaType.AUDIO),
        "endpoints_sending_video": sending(MediaType.VIDEO),
        "bit_rate_download": round(load.bits_in / 1000),
        "bit_rate_upload": round(load.bits_out / 1000),
        "packet_rate_download": round(load.packets_in),
        "packet_rate_upload": round(load.packets_out),
        "total_conferences_created": bridge.counters.conferences,
        "total_participants": bridge.counters.endpoints,
        "total_ice_succeeded": bridge.counters.ice_succeeded,
        "total_ice_failed": bridge.counters.ice_failed,
        "dtls_failed_endpoints": bridge.counters.dtls_failed,
        "total_packets_received": counters.get("packets_received", 0),
        "total_packets_sent": counters.get("packets_sent", 0),
        "total_bytes_received": counters.get("bytes_received", 0),
        "total_bytes_sent": counters.get("bytes_sent", 0),
        "total_keyframes_received": counters.get("keyframes", 0),
        "rejected_sources": bridge.counters.rejected_sources,
        "rejected_messages": bridge.counters.rejected_messages,
        "dropped_messages": bridge.counters.dropped_messages
        + sum(one.channel.dropped for one in endpoints),
        "lost_events": bridge.counters.lost_events,
    }


def _timestamp(wall: float) -> str:
    when = datetime.datetime.fromtimestamp(wall, datetime.UTC)
    return when.strftime("%Y-%m-%d %H:%M:%S.") + f"{when.microsecond // 1000:03d}"
