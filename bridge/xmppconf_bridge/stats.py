"""What the bridge publishes about itself: in brewery presence and over HTTP."""

from __future__ import annotations

import datetime
from typing import TypedDict, Unpack

from xmppconf.media import MediaType
from xmppconf_bridge.bridge import Bridge
from xmppconf_bridge.channel import BridgeChannel
from xmppconf_bridge.conference import Conference
from xmppconf_bridge.endpoint import Endpoint
from xmppconf_bridge.load import Load
from xmppconf_bridge.operation import State
from xmppconf_bridge.relay import Relay

#: Expected extra stress of one more participant, who makes 1,500 packets a second: one
#: large picture, ten small ones and the speakers' audio to it, and its own audio and
#: picture to as many others.  Each costs up to 5 us of a core if it leaves alone.
PARTICIPANT_STRESS = 0.01

Statistics = dict[str, str | int | float | bool]


CHANNEL_DELAY = 30.0  # seconds in which a channel is expected to open
HIGH_LOSS = 0.1


class Description(TypedDict):
    """What the bridge itself does not know."""

    healthy: bool
    version: str
    region: str
    relay_id: str
    wall: float
    """Seconds since 1970-01-01 UTC."""
    now: float
    """Seconds of the clock that the bridge lives by."""
    threads: int
    connected: bool
    """To the XMPP server."""
    joined: bool
    """In the brewery."""


def presence_statistics(
    bridge: Bridge, load: Load, **description: Unpack[Description]
) -> Statistics:
    """What a focus needs to judge this bridge; no more, so nothing else leaks."""
    state = bridge.operation.state
    statistics: Statistics = {
        "colibri2": True,
        "stress_level": round(load.stress, 4),
        "newcomer_stress_level": round(load.newcomer_stress, 4),
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
    engine = bridge.engine.stats()
    return {
        **presence_statistics(bridge, load, **description),
        **_rates(load),
        **_conferences(bridge, description["now"]),
        **_endpoints(bridge),
        **_channels(bridge, description["now"]),
        **_transports(bridge),
        **_connections(bridge),
        "threads": description["threads"],
        "muc_clients_configured": 1,
        "muc_clients_connected": int(description["connected"]),
        "mucs_configured": 1,
        "mucs_joined": int(description["joined"]),
        "total_packets_received": engine.get("packets_received", 0),
        "total_packets_sent": engine.get("packets_sent", 0),
        "total_bytes_received": engine.get("bytes_received", 0),
        "total_bytes_sent": engine.get("bytes_sent", 0),
        "total_keyframes_received": engine.get("keyframes", 0),
        "rejected_sources": bridge.counters.rejected_sources,
        "rejected_messages": bridge.counters.rejected_messages,
        "lost_events": bridge.counters.lost_events,
    }


def _rates(load: Load) -> Statistics:
    return {
        "bit_rate_download": round(load.bits_in / 1000),
        "bit_rate_upload": round(load.bits_out / 1000),
        "packet_rate_download": round(load.packets_in),
        "packet_rate_upload": round(load.packets_out),
        # In bits, not kilobits, as stock bridges have it.
        "octo_receive_bitrate": round(load.relay_bits_in),
        "octo_send_bitrate": round(load.relay_bits_out),
        "octo_receive_packet_rate": round(load.relay_packets_in),
        "octo_send_packet_rate": round(load.relay_packets_out),
    }


def _conferences(bridge: Bridge, now: float) -> Statistics:
    conferences = list(bridge.conferences.values())
    counters = bridge.counters
    inactive = [one for one in conferences if not _is_active(one)]
    lasting = sum(now - one.created_at for one in conferences)
    return {
        "conferences": len(conferences),
        "largest_conference": max((len(one.senders) for one in conferences), default=0),
        "octo_conferences": sum(bool(one.links.relays) for one in conferences),
        "inactive_conferences": len(inactive),
        # Two who send nothing here talk to each other directly.
        "p2p_conferences": sum(len(one.senders) == 2 for one in inactive),
        "total_conferences_created": counters.conferences,
        "total_conferences_completed": counters.conferences_ended,
        "total_conference_seconds": round(counters.conference_seconds + lasting),
        "total_dominant_speaker_changes": counters.speaker_changes,
        "total_relays": counters.relays,
    }


def _is_active(conference: Conference) -> bool:
    """Whether anybody sends anything in it, here or behind another bridge."""
    return any(source.active_since for source in conference.sources.values())


def _endpoints(bridge: Bridge) -> Statistics:
    """Under stock names, with their meaning: an endpoint is active or inactive as its
    conference is, and one that is silent in a silent conference is not "receive only"."""
    endpoints = _all_endpoints(bridge)
    conferences = list(bridge.conferences.values())
    relayed = sum(len(one.links.relayed) for one in conferences)
    active = sum(len(one.endpoints) for one in conferences if _is_active(one))

    def sending(*kinds: MediaType) -> int:
        return sum(
            any(s.media_type in kinds and s.active_since for s in one.sources.values())
            for one in endpoints
        )

    return {
        "endpoints": len(endpoints) + relayed,
        "participants": len(endpoints) + relayed,
        "local_endpoints": len(endpoints),
        "local_active_endpoints": active,
        "octo_endpoints": relayed,
        "visitors": sum(one.visitor for one in endpoints),
        "inactive_endpoints": sum(
            len(one.endpoints) + len(one.links.relayed)
            for one in conferences
            if not _is_active(one)
        ),
        "receive_only_endpoints": active - sending(MediaType.AUDIO, MediaType.VIDEO),
        "endpoints_sending_audio": sending(MediaType.AUDIO),
        "endpoints_sending_video": sending(MediaType.VIDEO),
        "endpoints_with_suspended_sources": sum(
            bool(one.video.wanted.keys() - one.video.layers.keys()) for one in endpoints
        ),
        "endpoints_disconnected": bridge.counters.disconnected,
        "endpoints_reconnected": bridge.counters.reconnected,
        "total_participants": bridge.counters.endpoints,
        "total_visitors": bridge.counters.visitors,
    }


def _channels(bridge: Bridge, now: float) -> Statistics:
    endpoints = _all_endpoints(bridge)
    relays = _all_relays(bridge)
    channels = [one.channel for one in endpoints] + [one.channel for one in relays]
    counters = bridge.counters

    def mute(created_at: float, channel: BridgeChannel) -> bool:
        return not channel.is_open and now - created_at > CHANNEL_DELAY

    return {
        "num_eps_no_msg_transport_after_delay": sum(
            mute(one.created_at, one.channel) for one in endpoints
        ),
        "num_relays_no_msg_transport_after_delay": sum(
            mute(one.created_at, one.channel) for one in relays
        ),
        "total_data_channel_messages_received": counters.data_channel_received
        + sum(one.received.data_channel for one in channels),
        "total_data_channel_messages_sent": counters.data_channel_sent
        + sum(one.sent.data_channel for one in channels),
        "total_colibri_web_socket_messages_received": counters.web_socket_received
        + sum(one.received.web_socket for one in channels),
        "total_colibri_web_socket_messages_sent": counters.web_socket_sent
        + sum(one.sent.web_socket for one in channels),
        "dropped_messages": counters.dropped_messages
        + sum(one.dropped for one in channels),
    }


def _transports(bridge: Bridge) -> Statistics:
    counters, traffic = bridge.counters, bridge.relay_traffic()
    return {
        "total_ice_succeeded": counters.ice_succeeded,
        "total_ice_succeeded_relayed": counters.ice_relayed,
        "total_ice_failed": counters.ice_failed,
        "endpoints_ice_failed": counters.ice_failed,
        "dtls_failed_endpoints": counters.dtls_failed,
        "relays_ice_failed": counters.relay_ice_failed,
        "dtls_failed_relays": counters.relay_dtls_failed,
        "total_packets_received_octo": traffic["relay_packets_received"],
        "total_packets_sent_octo": traffic["relay_packets_sent"],
        "total_bytes_received_octo": traffic["relay_bytes_received"],
        "total_bytes_sent_octo": traffic["relay_bytes_sent"],
    }


def _connections(bridge: Bridge) -> Statistics:
    """Loss and round trips of those that are here, as means."""
    figures = [
        found
        for one in _all_endpoints(bridge)
        if (found := bridge.engine.transport_stats(one.transport.number))
    ]

    def mean(name: str) -> float:
        values = [one[name] for one in figures if one.get(name) is not None]
        return sum(values) / len(values) if values else 0.0

    incoming, outgoing = mean("fraction_lost_received"), mean("fraction_lost_sent")
    return {
        "incoming_loss": round(incoming, 4),
        "outgoing_loss": round(outgoing, 4),
        "overall_loss": round((incoming + outgoing) / 2, 4),
        "rtt_aggregate": round(1000 * mean("rtt"), 1),
        "endpoints_with_high_outgoing_loss": sum(
            (one.get("fraction_lost_sent") or 0.0) > HIGH_LOSS for one in figures
        ),
    }


def _all_endpoints(bridge: Bridge) -> list[Endpoint]:
    return [one for conf in bridge.conferences.values() for one in conf.endpoints.values()]


def _all_relays(bridge: Bridge) -> list[Relay]:
    conferences = bridge.conferences.values()
    return [one for conf in conferences for one in conf.links.relays.values()]


def _timestamp(wall: float) -> str:
    when = datetime.datetime.fromtimestamp(wall, datetime.UTC)
    return when.strftime("%Y-%m-%d %H:%M:%S.") + f"{when.microsecond // 1000:03d}"
