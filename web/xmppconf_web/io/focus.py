"""Conference requests over HTTP, carried to the focus."""

from __future__ import annotations

from aiohttp import ClientError, ClientTimeout, web

from xmppconf import clock
from xmppconf_web.fairness import source_of
from xmppconf_web.io.state import GATEWAY, check_origin, cors_headers, read_body

MAX_BODY = 16 * 1024  # bytes
TIMEOUT = ClientTimeout(total=20.0, sock_connect=3.0)


async def request_conference(request: web.Request) -> web.Response:
    gateway = request.app[GATEWAY]
    cors = cors_headers(check_origin(request))
    if request.method == "OPTIONS":
        return web.Response(headers=cors)
    if not gateway.requests.take(source_of(request.remote), clock.monotonic()):
        gateway.refused.increment("requests")
        raise web.HTTPTooManyRequests(headers={"Retry-After": "5", **cors})
    body = await read_body(request, MAX_BODY)
    headers = {"Content-Type": "application/json"}
    if token := request.headers.get("Authorization"):
        headers["Authorization"] = token
    try:
        async with gateway.http.post(
            gateway.settings.web.focus_url.rstrip("/") + "/conference-request/v1",
            data=body,
            headers=headers,
            timeout=TIMEOUT,
            allow_redirects=False,
        ) as answer:
            text = await answer.content.read(MAX_BODY)
            return web.Response(
                body=text,
                status=answer.status,
                headers={
                    "Content-Type": answer.headers.get("Content-Type", "text/plain"),
                    "Cache-Control": "no-store",
                    **cors,
                },
            )
    except (TimeoutError, ClientError):
        gateway.refused.increment("upstream")
        raise web.HTTPBadGateway(text="the focus does not answer\n", headers=cors) from None


def routes() -> list[web.RouteDef]:
    return [
        web.post("/conference-request/v1", request_conference),
        web.options("/conference-request/v1", request_conference),
    ]
