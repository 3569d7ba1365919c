"""Headers of one endpoint's packets over HTTP, for whoever looks for a fault."""

from __future__ import annotations

import asyncio
from contextlib import closing

from aiohttp import web

from xmppconf import clock
from xmppconf_bridge.bridge import Bridge
from xmppconf_bridge.io.rest import find_endpoint
from xmppconf_bridge.packet_headers import MEDIA_TYPE, Capture, Tap

DEFAULT_SECONDS, MAX_SECONDS = 10, 60
INTERVAL = 0.1  # seconds between looks at what the engine has noted
GRACE = 5.0  # seconds that whoever reads slowly has besides


class PacketHeaders:
    """One capture at a time, so that nobody has the bridge write down whole conferences."""

    def __init__(self, bridge: Bridge, *, allowed: bool) -> None:
        self._bridge = bridge
        self._allowed = allowed
        self._busy = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if not self._allowed:
            raise web.HTTPForbidden(text="bridge.packet_headers is off")
        _, endpoint = find_endpoint(self._bridge, request)
        seconds = _seconds(request)
        if self._busy:
            raise web.HTTPConflict(text="another capture is under way")
        self._busy = True
        try:
            with closing(self._tap(endpoint.transport.number)) as tap:
                return await _stream(request, tap, seconds)
        finally:
            self._busy = False

    def _tap(self, transport: int) -> Tap:
        try:
            return self._bridge.engine.open_tap(transport)
        except BlockingIOError:
            raise web.HTTPServiceUnavailable(text="the packet engine is busy") from None


def _seconds(request: web.Request) -> int:
    text = request.query.get("seconds", str(DEFAULT_SECONDS))
    seconds = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0
    if not 1 <= seconds <= MAX_SECONDS:
        raise web.HTTPBadRequest(text=f"seconds: 1 to {MAX_SECONDS}")
    return seconds


async def _stream(request: web.Request, tap: Tap, seconds: int) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={
            "Content-Type": MEDIA_TYPE,
            "Content-Disposition": 'attachment; filename="headers.pcap"',
            "Cache-Control": "no-store",
        }
    )
    capture = Capture(clock.wall() - clock.monotonic())
    end = clock.monotonic() + seconds
    try:
        async with asyncio.timeout(seconds + GRACE):
            await response.prepare(request)
            await response.write(capture.begin())
            is_over = False
            while not is_over and not capture.is_full and _is_there(request):
                await asyncio.sleep(INTERVAL)
                is_over = clock.monotonic() >= end
                records, has_ended = tap.take()
                await response.write(capture.add(records))
                is_over |= has_ended
            await response.write_eof()
    except (ConnectionError, TimeoutError):
        # Gone, or as good as that.
        if request.transport is not None:
            request.transport.abort()
    return response


def _is_there(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()
