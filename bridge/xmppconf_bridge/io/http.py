"""HTTP on loopback: the bridge channel's WebSocket, statistics, health and metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from xmppconf.metrics import Metrics
from xmppconf_bridge.bridge import Bridge
from xmppconf_bridge.io.web_socket import BRIDGE, open_channel
from xmppconf_bridge.stats import Statistics

#: Names under which dashboards know the figures, with where they are in the statistics.
_GAUGES = {
    "conferences": ("conferences", "Conferences now"),
    "endpoints": ("endpoints", "Endpoints now"),
    "local_endpoints": ("local_endpoints", "Endpoints connected to this bridge"),
    "current_visitors": ("visitors", "Visitors now"),
    "stress": ("stress_level", "Load; 1 is as much as the bridge should take"),
    "healthy": ("healthy", "1 if the last self-test passed"),
    "incoming_bitrate": ("bit_rate_download", "Kilobits per second received"),
    "outgoing_bitrate": ("bit_rate_upload", "Kilobits per second sent"),
    "incoming_packet_rate": ("packet_rate_download", "Packets per second received"),
    "outgoing_packet_rate": ("packet_rate_upload", "Packets per second sent"),
    "packets_received": ("total_packets_received", "Packets received since start"),
    "packets_sent": ("total_packets_sent", "Packets sent since start"),
    "conferences_created": ("total_conferences_created", "Conferences since start"),
    "ice_succeeded": ("total_ice_succeeded", "Endpoints whose ICE succeeded"),
    "ice_failed": ("total_ice_failed", "Endpoints whose ICE failed"),
    "endpoints_dtls_failed": ("dtls_failed_endpoints", "Endpoints whose DTLS failed"),
    "keyframes_received": ("total_keyframes_received", "Keyframes since start"),
}


@dataclass(frozen=True, slots=True)
class Reports:
    """Where the answers come from."""

    statistics: Callable[[], Statistics]
    is_healthy: Callable[[], bool]
    engine_counters: Callable[[], Mapping[str, int]]


def make_application(bridge: Bridge, reports: Reports) -> web.Application:
    metrics = Metrics("jitsi_jvb")
    for name, (key, text) in _GAUGES.items():
        metrics.gauge(name, text, lambda key=key: float(reports.statistics()[key]))  # type: ignore[misc]
    for name in sorted(reports.engine_counters()):
        metrics.gauge(
            f"engine_{name}",
            "Counter of the packet engine",
            lambda name=name: float(reports.engine_counters().get(name, 0)),  # type: ignore[misc]
        )

    async def health(_: web.Request) -> web.Response:
        healthy = reports.is_healthy()
        return web.json_response({"healthy": healthy}, status=200 if healthy else 503)

    async def statistics(_: web.Request) -> web.Response:
        return web.json_response(reports.statistics())

    async def render(_: web.Request) -> web.Response:
        body, content_type = metrics.render()
        return web.Response(body=body, headers={"Content-Type": content_type})

    application = web.Application(client_max_size=64 * 1024)
    application[BRIDGE] = bridge
    application.add_routes(
        [
            web.get("/colibri-ws/{server}/{conference}/{endpoint}", open_channel),
            web.get("/colibri/stats", statistics),
            web.get("/about/health", health),
            web.get("/health", health),
            web.get("/metrics", render),
        ]
    )
    return application
