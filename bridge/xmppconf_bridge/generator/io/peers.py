"""Connects participants of the load generator: ICE by the native part, DTLS here."""

from __future__ import annotations

import asyncio
import datetime
import secrets
from collections.abc import Iterable

from xmppconf import clock
from xmppconf.transport import Fingerprint, Setup
from xmppconf_bridge import dtls
from xmppconf_bridge.certificate import SRTP_PROFILES, Certificate
from xmppconf_bridge.generator.native import Dtls, Failed, Generator, Keys, Remote, Valid

#: The native part works for that long before asyncio's side has a turn.
STEP = 0.02  # seconds
CONNECT_TIMEOUT = 20.0  # seconds


class NoConnection(Exception):
    """A participant found no path, or nobody it trusts at the other end."""


class Peers:
    """The participants.  `pump` has to run beside everything else."""

    def __init__(self, allowed: Iterable[str] = (), *, verify: int = 1) -> None:
        self.native = Generator(allowed)
        self._verify = verify
        self._certificate = Certificate.generate(datetime.datetime.now(datetime.UTC))
        # One cipher with every server, also with those that would choose the longer key.
        self._certificate.context.set_tlsext_use_srtp(SRTP_PROFILES[0])
        self._handshakes: dict[int, dtls.DtlsTransport] = {}
        self._begun: set[int] = set()
        self._connected: dict[int, asyncio.Future[None]] = {}

    @property
    def fingerprint(self) -> Fingerprint:
        """Of every participant; they begin the handshake."""
        own = self._certificate.fingerprint
        return Fingerprint(own.hash, own.value, Setup.ACTIVE)

    def credentials(self) -> tuple[str, str]:
        """A new user fragment and password."""
        return secrets.token_hex(4), secrets.token_hex(12)

    def begin(
        self,
        remote: Remote,
        ufrag: str,
        pwd: str,
        fingerprints: tuple[Fingerprint, ...],
        *,
        server: bool = False,
    ) -> int:
        """Begin to connect; `server` if the other side begins the handshake."""
        peer = self.native.add_peer(remote, ufrag, pwd, self._verify)
        self._handshakes[peer] = dtls.DtlsTransport(
            self._certificate, fingerprints, server=server
        )
        self._connected[peer] = asyncio.get_running_loop().create_future()
        return peer

    def end(self, peer: int) -> None:
        """Be gone without a word; whoever waits for it to connect is told."""
        self._end(peer, "ended")
        self.native.remove_peer(peer)
        del self._handshakes[peer], self._connected[peer]

    async def connected(self, peer: int) -> None:
        """Wait until media can flow; raises `NoConnection`."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._connected[peer]
        except TimeoutError:
            raise NoConnection(f"participant {peer}: no answer") from None

    async def pump(self) -> None:
        """Carry packets for ever."""
        while True:
            events = await asyncio.to_thread(self.native.run, STEP)
            now = clock.monotonic()
            for event in events:
                self._act(event, now)
            for peer, handshake in list(self._handshakes.items()):
                due = handshake.next_timeout()
                if due is not None and due <= now:
                    handshake.timeout(now)
                    self._effects(peer)

    def _act(self, event: Valid | Failed | Dtls, now: float) -> None:
        handshake = self._handshakes.get(event.peer)
        if handshake is None:  # ended since
            return
        match event:
            case Valid():
                # Again, if consent had run out and the bridge answers after all.
                if event.peer not in self._begun:
                    self._begun.add(event.peer)
                    handshake.start(now)
            case Dtls(data=data):
                handshake.receive(data, now)
            case Failed():
                self._end(event.peer, "no pair, or no consent any more")
        self._effects(event.peer)

    def _effects(self, peer: int) -> None:
        for effect in self._handshakes[peer].effects():
            match effect:
                case dtls.SendDatagrams(datagrams=datagrams):
                    self.native.send_dtls(peer, datagrams)
                case dtls.Connected():
                    keys = Keys(
                        effect.profile,
                        effect.send_key,
                        effect.send_salt,
                        effect.receive_key,
                        effect.receive_salt,
                    )
                    self.native.set_keys(peer, keys)
                    if not self._connected[peer].done():
                        self._connected[peer].set_result(None)
                case dtls.Failed(reason=reason):
                    self._end(peer, reason)
                case dtls.Closed():
                    self._end(peer, "the bridge has left")
                case dtls.Received():
                    pass  # the bridge channel is a WebSocket here

    def _end(self, peer: int, reason: str) -> None:
        future = self._connected[peer]
        if not future.done():
            future.set_exception(NoConnection(f"participant {peer}: {reason}"))
            future.exception()  # whoever waits for another one has not asked for it yet
