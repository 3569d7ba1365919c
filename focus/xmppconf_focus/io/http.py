"""The focus's own HTTP, on loopback: conference requests, health, figures.

The gateway passes conference requests on; nobody else is meant to reach this port.
"""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

import xmppconf
from xmppconf import clock
from xmppconf.errors import PeerError
from xmppconf.jid import Jid
from xmppconf.metrics import Metrics
from xmppconf.xmpp.conference_request import (
    ConferenceAnswer,
    ConferenceRequest,
    answer_to_json,
    request_from_json,
)
from xmppconf_focus.focus import Focus
from xmppconf_focus.io import admin
from xmppconf_focus.io.admin import Operator
from xmppconf_focus.io.counters import is_overloaded, participants, usable_bridges
from xmppconf_focus.io.members import sign_in
from xmppconf_focus.io.members.admission import Members

MAX_BODY = 32 * 1024  # bytes


class Requests(Protocol):
    """What answers conference requests; `is_connected` says whether it can."""

    async def serve(self, asked: ConferenceRequest, sender: Jid) -> ConferenceAnswer: ...
    def is_connected(self) -> bool: ...


REQUESTS: web.AppKey[Requests] = web.AppKey("requests")
FOCUS: web.AppKey[Focus] = web.AppKey("focus")
METRICS: web.AppKey[Metrics] = web.AppKey("metrics")


def make_app(
    requests: Requests,
    focus: Focus,
    metrics: Metrics,
    members: Members,
    operator: Operator,
) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY)
    app[sign_in.MEMBERS] = members
    app.add_routes(sign_in.routes())
    app[admin.OPERATOR] = operator
    app.add_routes(admin.routes())
    app[REQUESTS], app[FOCUS], app[METRICS] = requests, focus, metrics
    app.add_routes(
        [
            web.post("/conference-request/v1", request_conference),
            web.options("/conference-request/v1", preflight),
            web.get("/health", health),
            web.get("/about/health", health_with_bridges),
            web.get("/about/version", version),
            web.get("/metrics", admin.figures(show_metrics)),
            web.get("/stats", admin.figures(stats)),
        ]
    )
    return app


async def request_conference(request: web.Request) -> web.Response:
    """The conference request as JSON.  Errors: 400, 403, 429, 503."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        body = (await request.read()).decode()
        asked = request_from_json(body, token if kind.lower() == "bearer" else None)
        answer = await request.app[REQUESTS].serve(asked, Jid("", "", ""))
    except UnicodeDecodeError:
        return web.Response(status=400, text="HTTP 400 bad-request")
    except PeerError as error:
        if error.condition == "not-acceptable":
            # The stock client looks for these words, and not at the beginning.
            return web.Response(status=400, text="HTTP 400 invalid-session")
        status = {
            "not-authorized": 403,
            "forbidden": 403,
            "resource-constraint": 429,
            "service-unavailable": 503,
        }.get(error.condition, 400)
        return web.Response(status=status, text=f"HTTP {status} {error.condition}")
    return web.Response(text=answer_to_json(answer), content_type="application/json")


async def preflight(_: web.Request) -> web.Response:
    return web.Response()


async def health(request: web.Request) -> web.Response:
    """200 while the focus can take conference requests, else 503."""
    connected = request.app[REQUESTS].is_connected()
    return web.Response(status=200 if connected else 503)


async def health_with_bridges(request: web.Request) -> web.Response:
    """200 while calls can be made; 500 without the XMPP server, when nothing works; 503
    without a bridge that can be used, which may pass by itself.

    Overload is told and is no illness: a restart would end the calls that cause it.
    """
    if not request.app[REQUESTS].is_connected():
        return web.Response(status=500, text="no connection to the XMPP server\n")
    if not usable_bridges(request.app[FOCUS]):
        return web.Response(status=503, text="no bridge can be used\n")
    overloaded = is_overloaded(request.app[FOCUS])
    return web.Response(text="overloaded\n" if overloaded else "OK\n")


async def version(_: web.Request) -> web.Response:
    return web.json_response({"name": "xmppconf focus", "version": xmppconf.__version__})


async def show_metrics(request: web.Request) -> web.Response:
    body, content_type = request.app[METRICS].render()
    return web.Response(body=body, headers={"Content-Type": content_type})


async def stats(request: web.Request) -> web.Response:
    """A summary for operators: numbers, no names."""
    focus, now = request.app[FOCUS], clock.monotonic()
    sizes = [len(c.media.participants) for c in focus.conferences.values()]
    return web.json_response(
        {
            "conferences": len(sizes),
            "participants": participants(focus),
            "largest_conference": max(sizes, default=0),
            "total_conferences_created": focus.created,
            "bridge_selector": {
                "bridge_count": len(focus.brewery.bridges),
                "operational_bridge_count": usable_bridges(focus),
                "overloaded": is_overloaded(focus),
                "bridges": [
                    {
                        "name": jid.rpartition("/")[2],
                        "usable": bridge.is_usable(),
                        "stress": bridge.stats.stress,
                        "full": bridge.fullness.is_full(now),
                        "region": bridge.stats.region,
                    }
                    for jid, bridge in focus.brewery.bridges.items()
                ],
            },
            **{
                f"{kind.value}s": {
                    "count": len(pool.services),
                    "available": pool.available(),
                    "participants": sum(one.participants for one in pool.services.values()),
                }
                for kind, pool in focus.services.items()
            },
            "healthy": request.app[REQUESTS].is_connected(),
            "version": xmppconf.__version__,
        }
    )
