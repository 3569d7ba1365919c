"""The bridge as a program: makes everything, ties it together, takes it down again."""

from __future__ import annotations

import asyncio
import datetime
import errno
import logging
import secrets
import signal
import string
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from typing import NoReturn

import uvloop
from aiohttp import web

from xmppconf import __version__, clock
from xmppconf.colibri2 import ConferenceModified, ConferenceModify
from xmppconf.config import BridgeSettings, Settings
from xmppconf.driver import Driver
from xmppconf.errors import SettingsError
from xmppconf.log import setup as setup_log
from xmppconf.media import MAX_SSRC
from xmppconf.names import Names
from xmppconf.transport import Candidate
from xmppconf_bridge import addresses, colibri, health, load, stats
from xmppconf_bridge.bridge import Bridge
from xmppconf_bridge.certificate import Certificate
from xmppconf_bridge.engine import EngineStopped, PacketEngine
from xmppconf_bridge.environment import Environment, Identity
from xmppconf_bridge.io.dial import Dialler
from xmppconf_bridge.io.echo import answers
from xmppconf_bridge.io.engine_loop import EngineLoop
from xmppconf_bridge.io.http import Reports, make_application
from xmppconf_bridge.io.interfaces import local_addresses
from xmppconf_bridge.io.processor import stolen_time, usable_processors, waiting_time
from xmppconf_bridge.io.rest import Orders
from xmppconf_bridge.io.xmpp import Account, BridgeAccount
from xmppconf_bridge.link_sockets import Sockets
from xmppconf_bridge.load_reducer import LastNReducer
from xmppconf_bridge.operation import State
from xmppconf_bridge.policy import VideoPolicy
from xmppconf_bridge.transport import PWD_LENGTH, UFRAG_LENGTH, Channel

CERTIFICATE_LIFE = 86400.0  # seconds until new transports get a new certificate
MAX_WORKERS = 32  # of the engine
GOODBYE_TIMEOUT = 0.5  # seconds; the supervisor kills what takes 2

log = logging.getLogger(__name__)

_ALPHABET = string.ascii_letters + string.digits


def random_token(length: int) -> str:
    """That many letters and digits nobody can guess."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def random_ssrc() -> int:
    return 1 + secrets.randbelow(MAX_SSRC)


class Certificates:
    """One certificate for all new transports, renewed daily."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._made_at = 0.0
        self._current: Certificate | None = None

    def __call__(self) -> Certificate:
        now = self._now()
        if self._current is None or now - self._made_at > CERTIFICATE_LIFE:
            self._made_at = now
            self._current = Certificate.generate(datetime.datetime.now(datetime.UTC))
        return self._current


class Running:
    """A bridge at work, but for XMPP and HTTP.  Ended by `close`."""

    def __init__(
        self, settings: Settings, on_stopped: Callable[[], None] | None = None
    ) -> None:
        """`on_stopped` is called if the engine ends by itself."""
        self.engine_has_stopped = False
        self._settings = settings
        self._on_stopped = on_stopped
        self._sctp: asyncio.Task[None] | None = None
        self._shut_down = asyncio.Event()
        self.account: BridgeAccount | None = None
        """Set by who runs it."""
        self.on_state: Callable[[], None] = _nothing
        """Called when what presence says of our operation has changed."""
        options = settings.bridge
        self.engine = _bind(settings)
        bound = self.engine.local_addresses()
        identity = Identity(
            options.id,
            addresses.candidates(bound, options.public_addresses),
            options.websocket_base,
            options.max_endpoints,
            options.loudest,
            options.drain,
            (options.relay_id or options.id) if options.relays else "",
        )
        environment = Environment(
            clock.monotonic,
            random_token,
            random_ssrc,
            Certificates(clock.monotonic),
            _make_channel,
            self._bind_link,
            Dialler,
        )
        self.bridge = Bridge(identity, self.engine, environment, _policy(options))
        self.driver: Driver[NoReturn] = Driver(self.bridge, _never)
        self.loop = EngineLoop(self.engine, self.bridge, self.driver, self._engine_stopped)
        self.load = load.Load()
        self._told_stress = 0.0
        self.reducer = LastNReducer()
        self.health = health.Health()

    def modify(self, request: ConferenceModify) -> ConferenceModified:
        """Carry out a Colibri2 request; raises `ColibriRefused`."""
        if self._sctp is None:
            # Half a second and 15 MB that a bridge without calls can do without; it is
            # there before the first handshake is done.
            self._sctp = asyncio.create_task(asyncio.to_thread(_import_sctp))
        try:
            return colibri.modify(self.bridge, request)
        finally:
            self.driver.pump()

    def presence_statistics(self) -> stats.Statistics:
        return stats.presence_statistics(self.bridge, self.load, **self._described())

    def full_statistics(self) -> stats.Statistics:
        return stats.full_statistics(self.bridge, self.load, **self._described())

    def is_healthy(self) -> bool:
        return self.health.is_healthy(clock.monotonic())

    async def check(self, within: float = health.TIMEOUT) -> None:
        """Test that all of the engine's workers answer at its own port `within` seconds."""
        workers = range(len(self.engine.workers()))
        answered = await asyncio.gather(*(self._ask(one, within) for one in workers))
        if not all(answered):
            log.warning("the packet engine does not answer")
        self.health.checked(all(answered), clock.monotonic())

    async def _ask(self, worker: int, within: float) -> bool:
        number = self.bridge.next_number()
        ufrag, password = random_token(UFRAG_LENGTH), random_token(PWD_LENGTH)
        self.engine.add_conference(number, random_ssrc(), random_ssrc(), worker=worker)
        self.engine.add_transport(number, number, ufrag, password, controlling=False)
        try:
            address = self.engine.local_addresses()[0]
            return await answers(address, ufrag, password, within)
        finally:
            self.engine.remove_conference(number)

    async def say_goodbye(self) -> None:
        """Tell all peers that the bridge ends, and let that leave before it does."""
        if self.engine_has_stopped:
            return
        self.bridge.close()
        # Commands are carried out in order: whoever answers what is asked after them has
        # sent what they said.
        await self.check(GOODBYE_TIMEOUT)

    def drain(self, drain: bool) -> None:
        """Ask the focus to prefer other bridges, or not to any more."""
        self.bridge.operation.drain = drain
        self.on_state()

    def shut_down(self, graceful: bool) -> None:
        """End with the last endpoint, or as soon as the focus has moved all away."""
        log.info("taking no new conferences, ending with the last one")
        self.bridge.operation.shut_down(clock.monotonic(), graceful=graceful)
        self.on_state()
        self._shut_down.set()

    async def ended(self) -> None:
        """Returns when a shutdown has come to its end."""
        await self._shut_down.wait()
        operation, before = self.bridge.operation, self.bridge.operation.state
        while True:
            operation.update(self.bridge.endpoint_count, clock.monotonic())
            if operation.state is State.ENDED:
                return
            if operation.state is not before:
                before = operation.state
                self.on_state()
            await asyncio.sleep(0.2)

    def reports(self) -> Reports:
        return Reports(self.full_statistics, self.is_healthy, self.engine.stats)

    def orders(self) -> Orders:
        return Orders(self.modify, self.bridge.operation, self.drain, self.shut_down)

    async def watch(self) -> NoReturn:
        """Measure load and health for ever."""
        while True:
            self._sample()
            await asyncio.sleep(load.INTERVAL)
            if self.health.is_due(clock.monotonic()):
                await self.check()

    def _sample(self) -> None:
        now = clock.monotonic()
        figures = {**self.engine.stats(), **self.bridge.relay_traffic()}
        workers = self.engine.workers()
        loop = time.thread_time() + waiting_time()
        self.load.sample(figures, workers, loop, now, stolen_time())
        if abs(self.load.stress - self._told_stress) >= load.NOTABLE:
            self._told_stress = self.load.stress
            self.on_state()
        most = self.bridge.most_forwarded
        if self._settings.bridge.reduce_load and self.reducer.update(
            self.load.media_stress, most, now
        ):
            log.warning("at most %d pictures for each", self.reducer.last_n)
            self.bridge.reduce(self.reducer.last_n)

    def close(self) -> None:
        self.bridge.close()
        self.loop.close()
        self.driver.close()
        self.engine.close()

    def _bind_link(self) -> tuple[tuple[Candidate, ...], Sockets]:
        hosts = [(host, 0) for host, _ in self.engine.local_addresses()]
        first, bound = self.engine.bind(hosts)
        public = self._settings.bridge.public_addresses
        return addresses.candidates(bound, public), (first, len(bound))

    def _engine_stopped(self) -> None:
        self.engine_has_stopped = True
        if self._on_stopped is not None:
            self._on_stopped()

    def _described(self) -> stats.Description:
        return {
            "healthy": self.is_healthy(),
            "version": __version__,
            "region": self._settings.bridge.region,
            "relay_id": self.bridge.identity.relay_id,
            "wall": clock.wall(),
            "now": clock.monotonic(),
            "threads": threading.active_count(),
            "connected": self.account is not None and self.account.is_connected,
            "joined": self.account is not None and self.account.is_joined,
        }


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, or after SIGUSR1 until everybody has left.

    Raises `SettingsError` for what cannot work.
    """
    stopped, emptying = asyncio.Event(), asyncio.Event()
    event_loop = asyncio.get_running_loop()
    event_loop.add_signal_handler(signal.SIGUSR1, emptying.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        event_loop.add_signal_handler(number, stopped.set)
    await serve(settings, stopped, emptying)


async def serve(
    settings: Settings, stopped: asyncio.Event, emptying: asyncio.Event
) -> None:
    """Serve until `stopped`; then say good-bye to everybody and free everything.

    Once `emptying`, no new conference is taken, and the end of the last one stops it.

    Raises `SettingsError`, or `EngineStopped` when only a new process can help.
    """
    async with AsyncExitStack() as stack:
        running = Running(settings, stopped.set)
        stack.callback(running.close)
        await _serve_http(stack, settings, running)
        stack.push_async_callback(running.say_goodbye)
        await running.check()
        _run_beside(stack, running.watch(), stopped)
        account = _account(settings, running)
        running.account = account
        running.on_state = account.announce_soon
        xmpp = settings.xmpp
        _run_beside(stack, account.run(xmpp.host, xmpp.client_port), stopped)

        async def empty() -> None:
            await emptying.wait()
            running.shut_down(graceful=True)
            await stopped.wait()

        _run_beside(stack, empty(), stopped)
        _run_beside(stack, running.ended(), stopped)
        await stopped.wait()
        if running.engine_has_stopped:
            raise EngineStopped
        running.bridge.operation.shut_down(clock.monotonic(), graceful=False)


def main(settings: Settings) -> int:
    """Run the bridge; returns the exit code."""
    if not settings.xmpp.client_port or not settings.bridge.password:
        raise SettingsError(
            "bridge.password, xmpp.client_port: needed to log in to the XMPP server"
        )
    setup_log(settings.log.level)
    uvloop.run(run(settings))
    return 0


def _policy(options: BridgeSettings) -> VideoPolicy:
    by_size = options.last_n_by_size.items()
    return VideoPolicy(
        trust_bandwidth=options.trust_bandwidth,
        last_n=options.last_n,
        initial_last_n=options.initial_last_n,
        last_n_by_size=tuple(sorted((int(size), limit) for size, limit in by_size)),
        assumed_bandwidth_limit=options.assumed_bandwidth_limit,
        oversend=options.oversend,
    )


def _bind(settings: Settings) -> PacketEngine:
    options = settings.bridge
    local = addresses.usable(local_addresses(), options.udp_addresses)
    if not local:
        raise SettingsError("bridge.udp_addresses: this machine has no usable address")
    if not 0 <= options.workers <= MAX_WORKERS:
        raise SettingsError(f"bridge.workers: 0 to {MAX_WORKERS}")
    if options.people_per_worker < 1:
        raise SettingsError("bridge.people_per_worker: 1 at least")
    workers = options.workers or min(usable_processors(), MAX_WORKERS)
    try:
        bind = [(address, options.udp_port) for address in local]
        return PacketEngine(bind, workers, options.people_per_worker)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"bridge.udp_port: UDP port {options.udp_port} is taken"
            ) from error
        raise SettingsError(
            f"bridge.udp_addresses: cannot use UDP: {error.strerror or error}"
        ) from error


async def _serve_http(stack: AsyncExitStack, settings: Settings, running: Running) -> None:
    options = settings.bridge
    application = make_application(
        running.bridge,
        running.reports(),
        running.orders(),
        options.http_trusted,
        rest=options.rest,
        packet_headers=options.packet_headers,
    )
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, options.http_host, options.http_port).start()
    except OSError as error:
        raise SettingsError(
            f"bridge.http_port: cannot listen on {options.http_host}"
            f" port {options.http_port}: {error.strerror}"
        ) from error


def _account(settings: Settings, running: Running) -> BridgeAccount:
    names = Names.of(settings)
    options = settings.bridge
    account = Account(
        address=f"{options.id}@{names.accounts}/bridge",
        password=options.password,
        brewery=f"{options.brewery}@{names.internal}",
        nick=options.id,
        focus_domain=names.focus,
        # A focus with an account, as stock ones are, has it beside the bridges'.
        focus_jids=frozenset(
            {names.focus_jid, f"focus@{names.accounts}", *options.focuses}
        ),
    )
    return BridgeAccount(
        account,
        running.modify,
        running.presence_statistics,
        running.is_healthy,
        verify=settings.xmpp.verify_certificate and not settings.xmpp.private,
    )


def _run_beside(
    stack: AsyncExitStack, work: Coroutine[None, None, None], stopped: asyncio.Event
) -> None:
    """Run `work` until the stack unwinds; should it end by itself, all ends with it."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda _: stopped.set())

    async def end() -> None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    stack.push_async_callback(end)


def _import_sctp() -> None:
    import xmppconf_bridge.io.sctp  # noqa: F401


def _make_channel(
    send: Callable[[bytes], None],
    on_open: Callable[[], None],
    on_message: Callable[[str], None],
    on_close: Callable[[], None],
    *,
    opens: bool = False,
) -> Channel:
    from xmppconf_bridge.io.sctp import DataChannel

    return DataChannel(send, on_open, on_message, on_close, opens=opens)


def _nothing() -> None:
    """Nobody listens yet."""


def _never(effect: NoReturn) -> None:
    raise AssertionError("the bridge has no effects")
