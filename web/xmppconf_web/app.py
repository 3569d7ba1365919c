"""The web gateway: pages, configuration, and the way from a browser to the other parts.

It decides nothing about conferences; it bounds, checks origins, and carries.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import uvloop
from aiohttp import (
    ClientSession,
    DummyCookieJar,
    TCPConnector,
    ThreadedResolver,
    WSCloseCode,
    web,
)

import xmppconf_web
from xmppconf.config import Settings
from xmppconf.errors import SettingsError
from xmppconf.metrics import Metrics
from xmppconf.names import public_url
from xmppconf_web.fairness import Allowance, Held
from xmppconf_web.headers import security_headers
from xmppconf_web.io import bridge, focus, login, pages, status, xmpp
from xmppconf_web.io.first_byte import Listener
from xmppconf_web.io.state import GATEWAY, Gateway
from xmppconf_web.origins import is_host

MAX_BODY = 512 * 1024  # bytes of any request
CERTIFICATE_CHECK = 60.0  # seconds between looks for a renewed certificate

logger = logging.getLogger(__name__)


def main(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    if not settings.xmpp.http_port:
        raise SettingsError("xmpp.http_port: needed to reach the XMPP server's WebSocket")
    if not settings.web.focus_url:
        raise SettingsError("web.focus_url: needed to reach the focus")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, tls_context(settings)))
    return 0


def make_app(settings: Settings, static: Path | None = None) -> web.Application:
    """The whole application; `static` is the built client (None: the one shipped)."""
    app = web.Application(client_max_size=MAX_BODY)
    folder = static or Path(xmppconf_web.__file__).parent / "static"
    app[pages.FILES] = pages.list_files(folder)
    for module in (xmpp, bridge, focus, login, status, pages):
        app.add_routes(module.routes())
    metrics = Metrics("xmppconf_web")
    limits = settings.web

    async def connections(app: web.Application) -> AsyncIterator[None]:
        # The servers behind are known by address, so c-ares would be a thread for nothing.
        connector = TCPConnector(limit=2 * limits.max_sockets, resolver=ThreadedResolver())
        # No proxy from the environment, no cookie of one browser sent for another.
        async with ClientSession(
            connector=connector, cookie_jar=DummyCookieJar(), trust_env=False
        ) as http:
            gateway = Gateway(
                settings=settings,
                public_url=public_url(settings),
                http=http,
                metrics=metrics,
                refused=metrics.counter(
                    "refused",
                    "Requests refused",
                    "reason",
                    ("origin", "sockets", "requests", "sign_ins", "upstream"),
                ),
                held=Held(limits.max_sockets, limits.max_sockets_per_address),
                requests=Allowance(limits.max_requests_per_minute),
                sign_ins=Allowance(limits.max_sign_ins_per_minute),
            )
            metrics.gauge("sockets", "Open WebSockets", lambda: len(gateway.sockets))
            app[GATEWAY] = gateway
            yield

    app.cleanup_ctx.append(connections)
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(_close_sockets)
    return app


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """A context with the certificate of the settings; None for plain HTTP."""
    if not settings.web.tls_certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, settings)
    return context


def _load(context: ssl.SSLContext, settings: Settings) -> None:
    certificate, key = settings.web.tls_certificate, settings.web.tls_key
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError:
        raise SettingsError(
            f"web.tls_certificate: {certificate} is no PEM chain that fits the key {key}"
        ) from None
    except OSError as exc:
        raise SettingsError(f"web.tls_certificate, web.tls_key: {exc.strerror}") from None


async def _serve(settings: Settings, tls: ssl.SSLContext | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(make_app(settings), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    listener = Listener(runner, settings)
    try:
        for host in listen_addresses(settings):
            try:
                await listener.listen(host, tls)
            except OSError as exc:
                # A machine without IPv6 has no ::1.
                if host != "::1" or exc.errno == errno.EADDRINUSE:
                    raise
        renewal = asyncio.create_task(_follow_certificate(settings, tls))
        logger.info("listening on port %d", settings.web.port)
        await stop.wait()
        renewal.cancel()
    except OSError as exc:
        raise SettingsError(
            f"TCP port {settings.web.port} (web.port) cannot be used: {exc.strerror}"
        ) from None
    finally:
        listener.close()
        await runner.cleanup()


def listen_addresses(settings: Settings) -> list[str | None]:
    """Addresses to listen on; None is all of them."""
    if settings.web.host:
        return [settings.web.host]
    # A browser tries ::1 first for localhost; plain HTTP is a secure context only there.
    return ["127.0.0.1", "::1"] if settings.domain == "localhost" else [None]


async def _follow_certificate(settings: Settings, tls: ssl.SSLContext | None) -> None:
    """Load a renewed certificate for new connections; old ones keep theirs."""
    if tls is None:
        return
    seen = _changed_at(settings)
    while True:
        await asyncio.sleep(CERTIFICATE_CHECK)
        if (now := _changed_at(settings)) == seen:
            continue
        try:
            _load(tls, settings)
        except SettingsError as exc:
            logger.warning("the renewed certificate is not used: %s", exc)
        seen = now


def _changed_at(settings: Settings) -> tuple[float, ...]:
    files = (Path(settings.web.tls_certificate), Path(settings.web.tls_key))
    return tuple(file.stat().st_mtime if file.exists() else 0.0 for file in files)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    settings = request.app[GATEWAY].settings
    host = request.host if is_host(request.host) else ""
    added = security_headers(host, settings.bridge.websocket_base, secure=request.secure)
    for name, value in added.items():
        response.headers.setdefault(name, value)
    response.headers.popall("Server", None)


async def _close_sockets(app: web.Application) -> None:
    sockets = list(app[GATEWAY].sockets)
    await asyncio.gather(
        *(socket.close(code=WSCloseCode.GOING_AWAY) for socket in sockets),
        return_exceptions=True,
    )
