"""HTTP on loopback: the bridge channel's WebSocket, statistics, health and metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from xmppconf.metrics import Metrics
from xmppconf_bridge.bridge import Bridge
from xmppconf_bridge.io.access import networks, only_trusted
from xmppconf_bridge.io.packet_headers import PacketHeaders
from xmppconf_bridge.io.rest import MAX_BODY, Orders, Route, commands, insight
from xmppconf_bridge.io.web_socket import BRIDGE, open_channel, open_relay_channel
from xmppconf_bridge.stats import Statistics

#: Names under which dashboards know the figures, with where they are in the statistics.
_GAUGES = {
    "conferences": ("conferences", "Conferences now"),
    "largest_conference": ("largest_conference", "Endpoints of the largest one"),
    "conferences_inactive": ("inactive_conferences", "Conferences without any media"),
    "conferences_p2p": ("p2p_conferences", "Those of two people, who talk directly"),
    "conferences_with_relay": ("octo_conferences", "Conferences on other bridges as well"),
    "endpoints": ("endpoints", "Endpoints now, those on other bridges included"),
    "current_endpoints": ("endpoints", "The same, as newer dashboards have it"),
    "local_endpoints": ("local_endpoints", "Endpoints connected to this bridge"),
    "active_endpoints": (
        "local_active_endpoints",
        "Those of them in a conference with media",
    ),
    "endpoints_relayed": ("octo_endpoints", "Endpoints on other bridges"),
    "endpoints_recvonly": ("receive_only_endpoints", "Active endpoints that send nothing"),
    "current_visitors": ("visitors", "Visitors now"),
    "endpoints_inactive": ("inactive_endpoints", "Endpoints of conferences without media"),
    "endpoints_sending_audio": ("endpoints_sending_audio", "Endpoints that are heard"),
    "endpoints_sending_video": ("endpoints_sending_video", "Endpoints that are seen"),
    "endpoints_with_suspended_sources": (
        "endpoints_with_suspended_sources",
        "Endpoints that lack bandwidth for what they want",
    ),
    "endpoints_with_high_outgoing_loss": (
        "endpoints_with_high_outgoing_loss",
        "Endpoints that lose more than a tenth",
    ),
    "average_rtt": ("rtt_aggregate", "Mean round trip to endpoints, in milliseconds"),
    "loss_fraction": ("overall_loss", "Mean loss, both ways"),
    "mucs_joined": ("mucs_joined", "1 in the brewery"),
    "relay_incoming_bitrate": ("octo_receive_bitrate", "Bits per second from bridges"),
    "relay_outgoing_bitrate": ("octo_send_bitrate", "Bits per second to bridges"),
    "relay_incoming_packet_rate": (
        "octo_receive_packet_rate",
        "Packets per second from bridges",
    ),
    "relay_outgoing_packet_rate": ("octo_send_packet_rate", "Packets a second to bridges"),
    "threads": ("threads", "Threads of the event loop's side"),
    "stress": ("stress_level", "Load; 1 is as much as the bridge should take"),
    "healthy": ("healthy", "1 if the last self-test passed"),
    "drain_mode": ("drain", "1 if the focus is to prefer other bridges"),
    "graceful_shutdown": ("graceful_shutdown", "1 if no new conferences are taken"),
    "incoming_bitrate": ("bit_rate_download", "Bits per second received"),
    "outgoing_bitrate": ("bit_rate_upload", "Bits per second sent"),
    "incoming_packet_rate": ("packet_rate_download", "Packets per second received"),
    "outgoing_packet_rate": ("packet_rate_upload", "Packets per second sent"),
}
_TOTALS = {
    "packets_received": ("total_packets_received", "Packets received"),
    "packets_sent": ("total_packets_sent", "Packets sent"),
    "bytes_received": ("total_bytes_received", "Bytes received"),
    "bytes_sent": ("total_bytes_sent", "Bytes sent"),
    "relay_packets_received": ("total_packets_received_octo", "Packets from bridges"),
    "relay_packets_sent": ("total_packets_sent_octo", "Packets to bridges"),
    "relay_bytes_received": ("total_bytes_received_octo", "Bytes from bridges"),
    "relay_bytes_sent": ("total_bytes_sent_octo", "Bytes to bridges"),
    "conferences_created": ("total_conferences_created", "Conferences"),
    "conferences_completed": ("total_conferences_completed", "Conferences that ended"),
    "conference_seconds": ("total_conference_seconds", "Seconds of all conferences"),
    "endpoints_created": ("total_participants", "Endpoints"),
    "visitors_created": ("total_visitors", "Visitors"),
    "relays_created": ("total_relays", "Links to other bridges"),
    "endpoints_disconnected": ("endpoints_disconnected", "Times one gave no sign of life"),
    "endpoints_reconnected": ("endpoints_reconnected", "Times one came back"),
    "dominant_speaker_changes": ("total_dominant_speaker_changes", "Changes of speaker"),
    "ice_succeeded": ("total_ice_succeeded", "Endpoints whose ICE succeeded"),
    "ice_failed": ("total_ice_failed", "Endpoints whose ICE failed"),
    "ice_succeeded_relayed": ("total_ice_succeeded_relayed", "Those over TURN"),
    "relays_ice_failed": ("relays_ice_failed", "Links whose ICE failed"),
    "relays_dtls_failed": ("dtls_failed_relays", "Links whose DTLS failed"),
    "data_channel_messages_received": (
        "total_data_channel_messages_received",
        "Messages over data channels",
    ),
    "data_channel_messages_sent": (
        "total_data_channel_messages_sent",
        "Messages sent over data channels",
    ),
    "colibri_web_socket_messages_received": (
        "total_colibri_web_socket_messages_received",
        "Messages over WebSockets",
    ),
    "colibri_web_socket_messages_sent": (
        "total_colibri_web_socket_messages_sent",
        "Messages sent over WebSockets",
    ),
    "endpoints_dtls_failed": ("dtls_failed_endpoints", "Endpoints whose DTLS failed"),
    "keyframes_received": ("total_keyframes_received", "Keyframes"),
    "rejected_sources": ("rejected_sources", "Sources whose SSRCs were taken"),
    "rejected_messages": ("rejected_messages", "Channel messages not understood"),
    "dropped_messages": ("dropped_messages", "Channel messages beyond the limit"),
    "lost_events": ("lost_events", "Engine events that found their queue full"),
}
#: In the statistics they are kilobits per second.
_KILO = frozenset({"incoming_bitrate", "outgoing_bitrate"})
_KEYS = [key for key, _ in (*_GAUGES.values(), *_TOTALS.values())]


@dataclass(frozen=True, slots=True)
class Reports:
    """Where the answers come from."""

    statistics: Callable[[], Statistics]
    is_healthy: Callable[[], bool]
    engine_counters: Callable[[], Mapping[str, int]]


def make_application(
    bridge: Bridge,
    reports: Reports,
    orders: Orders,
    trusted: Sequence[str],
    *,
    rest: bool,
    packet_headers: bool,
) -> web.Application:
    """`trusted` are the networks that may see figures and drain the bridge; with `rest`
    they command it, with `packet_headers` they see those of an endpoint.

    Raises `SettingsError` for what is no network.
    """
    admitted = networks(trusted)
    metrics = Metrics("jitsi_jvb")
    figures: dict[str, float] = {}

    def reader(key: str, scale: float = 1.0) -> Callable[[], float]:
        return lambda: scale * figures.get(key, 0.0)

    for name, (key, text) in _GAUGES.items():
        metrics.gauge(name, text, reader(key, 1000.0 if name in _KILO else 1.0))
    for name, (key, text) in _TOTALS.items():
        metrics.total(name, text, reader(key))
    # The names are the engine's own and do not grow.
    for name in sorted(reports.engine_counters()):
        key = f"engine_{name}"
        metrics.gauge(key, "Figure of the packet engine", reader(key))

    async def health(_: web.Request) -> web.Response:
        healthy = reports.is_healthy()
        return web.json_response({"healthy": healthy}, status=200 if healthy else 503)

    async def statistics(_: web.Request) -> web.Response:
        return web.json_response(reports.statistics())

    async def render(_: web.Request) -> web.Response:
        statistics = reports.statistics()
        figures.update((k, float(statistics.get(k, 0))) for k in _KEYS)
        figures.update((f"engine_{k}", v) for k, v in reports.engine_counters().items())
        body, content_type = metrics.render()
        return web.Response(body=body, headers={"Content-Type": content_type})

    application = web.Application(client_max_size=MAX_BODY)
    application[BRIDGE] = bridge
    application.add_routes(
        [
            web.get("/colibri-ws/{server}/{conference}/{endpoint}", open_channel),
            web.get("/colibri-relay-ws/{server}/{conference}/{relay}", open_relay_channel),
            # It names nothing, and load balancers ask for it.
            web.get("/about/health", health),
            web.get("/health", health),
        ]
    )
    headers = PacketHeaders(bridge, allowed=packet_headers)
    guarded: list[Route] = [
        ("GET", "/colibri/stats", statistics),
        ("GET", "/metrics", render),
        *insight(bridge, orders),
        ("GET", "/debug/{conference}/{endpoint}/packets", headers.handle),
        *(commands(orders) if rest else ()),
    ]
    for method, path, handler in guarded:
        application.router.add_route(method, path, only_trusted(handler, admitted))
    return application
