"""Orders and insight over HTTP, under the paths of stock bridges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from xmppconf import __version__, limits
from xmppconf.colibri2 import (
    ColibriRefused,
    ConferenceModified,
    ConferenceModify,
    Reason,
)
from xmppconf.errors import PeerError
from xmppconf.ids import MeetingId
from xmppconf.strict_json import as_flag, as_object, loads
from xmppconf.xmpp.colibri2_json import modified_to_json, modify_from_json
from xmppconf_bridge import debug
from xmppconf_bridge.bridge import Bridge
from xmppconf_bridge.conference import Conference
from xmppconf_bridge.endpoint import Endpoint
from xmppconf_bridge.io.access import Handler
from xmppconf_bridge.operation import Operation

MAX_BODY = 16 * limits.CHANNEL_MESSAGE  # bytes; an endpoint's request has about 10,000

_STATUS = {
    "bad-request": 400,
    "forbidden": 403,
    "item-not-found": 404,
    "conflict": 409,
    "feature-not-implemented": 501,
    "service-unavailable": 503,
    "resource-constraint": 503,
}


@dataclass(frozen=True, slots=True)
class Orders:
    """What may be asked over HTTP, and who carries it out."""

    modify: Callable[[ConferenceModify], ConferenceModified]
    operation: Operation
    drain: Callable[[bool], None]
    shut_down: Callable[[bool], None]
    """The argument is whether gracefully."""


Route = tuple[str, str, Handler]


def insight(bridge: Bridge, orders: Orders) -> list[Route]:
    """Paths that show something, and draining, which does not hurt anybody."""

    async def version(_: web.Request) -> web.Response:
        return web.json_response({"name": "xmppconf bridge", "version": __version__})

    async def drained(_: web.Request) -> web.Response:
        return web.json_response({"drain": orders.operation.drain})

    async def enable(_: web.Request) -> web.Response:
        orders.drain(True)
        return web.Response()

    async def disable(_: web.Request) -> web.Response:
        orders.drain(False)
        return web.Response()

    async def overview(request: web.Request) -> web.Response:
        full = request.query.get("full") == "true"
        return web.json_response(
            {
                "state": orders.operation.state.value,
                "drain": orders.operation.drain,
                "conferences": {
                    meeting: debug.conference_state(one, full=full)
                    for meeting, one in bridge.conferences.items()
                },
            }
        )

    async def conference(request: web.Request) -> web.Response:
        return web.json_response(
            debug.conference_state(_conference(bridge, request), full=True)
        )

    async def endpoint(request: web.Request) -> web.Response:
        found, one = find_endpoint(bridge, request)
        return web.json_response(debug.endpoint_state(found, one, full=True))

    async def speakers(request: web.Request) -> web.Response:
        found = _conference(bridge, request)
        recent = [debug.tag_of(one) for one in found.speech.recent]
        return web.json_response(
            {
                "dominantEndpoint": recent[0] if recent else None,
                "endpointsBySpeechActivity": recent,
            }
        )

    async def nothing(_: web.Request) -> web.Response:
        raise web.HTTPNotImplemented

    meetings = "/colibri/v2/conferences"
    return [
        ("GET", "/about/version", version),
        ("GET", "/colibri/drain", drained),
        ("POST", "/colibri/drain/enable", enable),
        ("POST", "/colibri/drain/disable", disable),
        ("GET", "/debug", overview),
        ("GET", "/debug/{conference}", conference),
        ("GET", "/debug/{conference}/{endpoint}", endpoint),
        ("GET", meetings, nothing),
        ("GET", f"{meetings}/{{conference}}", nothing),
        (
            "GET",
            f"{meetings}/{{conference}}/dominant-speaker-identification",
            speakers,
        ),
    ]


def commands(orders: Orders) -> list[Route]:
    """Paths by which whoever reaches them commands the bridge."""

    async def create(request: web.Request) -> web.Response:
        return await _modify(orders, request, None)

    async def change(request: web.Request) -> web.Response:
        return await _modify(orders, request, request.match_info["conference"])

    async def shut_down(request: web.Request) -> web.Response:
        try:
            body = as_object(await _body(request), "request")
            graceful = as_flag(body.get("graceful-shutdown"), "graceful-shutdown")
        except PeerError as error:
            return _error(error)
        orders.shut_down(graceful)
        return web.Response()

    return [
        ("POST", "/colibri/v2/conferences", create),
        ("PATCH", "/colibri/v2/conferences/{conference}", change),
        ("POST", "/colibri/shutdown", shut_down),
    ]


async def _modify(
    orders: Orders, request: web.Request, meeting_id: str | None
) -> web.Response:
    try:
        modify = modify_from_json(await _body(request), meeting_id)
        return web.json_response(modified_to_json(orders.modify(modify)))
    except PeerError as error:
        return _error(error)


async def _body(request: web.Request) -> Any:
    return loads(await request.text(), MAX_BODY)


def _error(error: PeerError) -> web.Response:
    reason = error.reason if isinstance(error, ColibriRefused) else None
    body = {
        "condition": error.condition,
        "reason": (reason or Reason.UNSPECIFIED).value,
        # Texts of ours: they name what is wrong and nothing of what was sent.
        "text": str(error),
    }
    return web.json_response(body, status=_STATUS.get(error.condition, 500))


def find_endpoint(bridge: Bridge, request: web.Request) -> tuple[Conference, Endpoint]:
    """Whom the path is about, by meeting and tag; raises `HTTPNotFound`."""
    found = _conference(bridge, request)
    for one in found.endpoints.values():
        if debug.tag_of(one.id) == request.match_info["endpoint"]:
            return found, one
    raise web.HTTPNotFound


def _conference(bridge: Bridge, request: web.Request) -> Conference:
    found = bridge.conferences.get(MeetingId(request.match_info["conference"]))
    if found is None:
        raise web.HTTPNotFound
    return found
