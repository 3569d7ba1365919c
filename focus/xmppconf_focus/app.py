"""The focus as a process: `xmppconf focus`."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop
from aiohttp import web

from xmppconf.config import Settings
from xmppconf.errors import SettingsError
from xmppconf.metrics import Metrics
from xmppconf.names import Names
from xmppconf.xmpp.stream import warn_about_old_expat
from xmppconf_focus.codecs import check_codecs
from xmppconf_focus.domains import Domains
from xmppconf_focus.focus import Focus
from xmppconf_focus.io.account import make_stream
from xmppconf_focus.io.admin import Operator
from xmppconf_focus.io.counters import Counters
from xmppconf_focus.io.http import make_app
from xmppconf_focus.io.members.admission import Members
from xmppconf_focus.io.records import open_store
from xmppconf_focus.io.room_file import RoomFile, make_memory
from xmppconf_focus.io.xmpp import FocusOnXmpp
from xmppconf_focus.membership import Membership
from xmppconf_focus.sessions import Sealer

log = logging.getLogger(__name__)


def main(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    uvloop.run(run(settings))
    return 0


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; raises `SettingsError`.

    SIGINT ends the conferences.  SIGTERM leaves them to the next focus, if they are
    recorded: it is what a restart sends.
    """
    stopped: asyncio.Future[signal.Signals] = asyncio.get_running_loop().create_future()

    def stop(number: signal.Signals) -> None:
        if not stopped.done():
            stopped.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    async with running(settings) as focus:
        if await stopped is signal.SIGTERM:
            focus.hand_over()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[FocusOnXmpp]:
    """A focus that connects, and connects again, until the block ends."""
    check_codecs(settings.focus.codecs)
    stream, port = make_stream(settings)
    warn_about_old_expat()
    membership = make_membership(settings)
    rooms = settings.rooms
    memory = make_memory(rooms.folder, rooms.keep_days * 86400.0)
    kept = RoomFile(memory, rooms.folder)
    focus = Focus(settings, lambda: str(uuid.uuid4()), membership, memory)
    metrics = Metrics("xmppconf_focus")
    members = Members(settings.members, membership)
    counters = Counters(metrics, focus)
    on_xmpp = FocusOnXmpp(
        settings,
        focus,
        stream,
        counters,
        members,
        kept.changed,
        open_store(settings.focus.records, dict(os.environ)),
    )
    operator = Operator(
        focus, settings.focus.admin_token, Names.of(settings).rooms, on_xmpp.pump
    )
    app = make_app(on_xmpp, focus, metrics, members, operator)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.focus.http_host, settings.focus.http_port)
        try:
            await site.start()
        except OSError as error:
            raise SettingsError(f"focus.http_port: {error.strerror}") from None
        stream.open(settings.xmpp.host, port)
        log.info("focus started")
        yield on_xmpp
    finally:
        await on_xmpp.close()
        await stream.close()
        await kept.close()
        await runner.cleanup()


def make_membership(settings: Settings) -> Membership:
    """Who is a member, with a key of its own for sessions if there is none."""
    key = settings.members.session_key or secrets.token_urlsafe(32)
    domains = Domains.of(settings.members, Names.of(settings)).members
    sealer = Sealer(key, secrets.token_bytes)
    return Membership(settings.members, domains, sealer, lambda: secrets.token_urlsafe(16))
