"""One peer's transport: ICE credentials, DTLS, SRTP keys and the data channel.

The packet engine answers ICE and carries the datagrams; here is decided when DTLS starts,
in which role, and what becomes of its results.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from xmppconf.transport import Candidate, Fingerprint, IceTransport, Setup
from xmppconf_bridge.certificate import Certificate
from xmppconf_bridge.dtls import (
    Closed,
    Connected,
    DtlsTransport,
    Failed,
    Received,
    SendDatagrams,
)
from xmppconf_bridge.engine import Commands

MAX_EARLY = 16  # DTLS datagrams kept until the peer's fingerprint is known
MAX_CANDIDATES = 32  # remote ones given to the engine
UFRAG_LENGTH = 8
PWD_LENGTH = 24


class Channel(Protocol):
    """A data channel in the server's role (see `xmppconf_bridge.io.sctp`)."""

    def receive(self, data: bytes) -> None: ...
    def send(self, text: str) -> None: ...
    def abandon(self) -> None: ...
    def close(self) -> None: ...


class MakeChannel(Protocol):
    def __call__(
        self,
        send: Callable[[bytes], None],
        on_open: Callable[[], None],
        on_message: Callable[[str], None],
        on_close: Callable[[], None],
        *,
        opens: bool = False,
    ) -> Channel:
        """`opens`: we are the client of SCTP and open the channel."""


class Owner(Protocol):
    """Who is told what became of the transport."""

    def transport_connected(self) -> None: ...
    def transport_failed(self, reason: str) -> None: ...
    def data_channel_opened(self, channel: Channel) -> None: ...
    def data_channel_message(self, channel: Channel, text: str) -> None: ...
    def data_channel_closed(self, channel: Channel) -> None: ...


@dataclass(frozen=True, slots=True)
class Local:
    """Our side of a transport, as it is signalled."""

    ufrag: str
    pwd: str
    certificate: Certificate
    candidates: tuple[Candidate, ...]
    controlling: bool = True


@dataclass(slots=True)
class Restart:
    """One of ICE, made before the old pair is broken: that one is used until it is done."""

    generation: int
    """Counted from 1."""
    ufrag: str
    pwd: str
    is_answered: bool = False
    """The endpoint has told its side: checks are under way, or were."""


class EndpointTransport:
    def __init__(
        self,
        number: int,
        engine: Commands,
        local: Local,
        owner: Owner,
        clock: Callable[[], float],
        make_channel: MakeChannel | None,
    ) -> None:
        """`number` is known to the engine already; no `make_channel`, no data channel."""
        self.number = number
        self.is_connected = False
        self.is_closed = False
        self._engine = engine
        self._local = local
        self._owner = owner
        self._clock = clock
        self._make_channel = make_channel
        self._dtls: DtlsTransport | None = None
        self._fingerprints: tuple[Fingerprint, ...] = ()
        self._ice_valid = False
        self._early: deque[bytes] = deque(maxlen=MAX_EARLY)
        self._channel: Channel | None = None
        self._draining = False
        self._restart: Restart | None = None

    def describe(self, web_sockets: tuple[str, ...]) -> IceTransport:
        """What the focus passes on to the endpoint."""
        return IceTransport(
            ufrag=self._local.ufrag,
            pwd=self._local.pwd,
            fingerprints=(self._local.certificate.fingerprint,),
            candidates=self._local.candidates,
            web_sockets=web_sockets,
        )

    def restart_ice(
        self, token: Callable[[int], str], web_sockets: tuple[str, ...]
    ) -> IceTransport:
        """Begin a restart, unless one waits for its answer; what to pass on for it."""
        restart = self._restart
        if restart is None or restart.is_answered:
            generation = 1 if restart is None else restart.generation + 1
            restart = Restart(generation, token(UFRAG_LENGTH), token(PWD_LENGTH))
            self._restart = restart
            self._engine.restart_ice(
                self.number, restart.ufrag, restart.pwd, self._local.controlling
            )
        return replace(
            self.describe(web_sockets),
            ufrag=restart.ufrag,
            pwd=restart.pwd,
            generation=restart.generation,
        )

    def set_remote(self, ice: IceTransport) -> None:
        """Take the endpoint's side; may be repeated to add candidates.

        What belongs to a restart that is not the latest comes too late; so do candidates
        from before one that was answered, since its agent may be the one in use now.
        """
        restart = ice.generation is not None
        if restart:
            if self._restart is None or self._restart.generation != ice.generation:
                return
            self._restart.is_answered = True
        is_former = not restart and self._restart is not None and self._restart.is_answered
        if ice.ufrag is not None and ice.pwd is not None and not is_former:
            candidates = [
                (candidate.ip, candidate.port, candidate.priority)
                for candidate in ice.candidates
                if candidate.protocol.lower() == "udp" and candidate.component == 1
            ]
            self._engine.set_remote_ice(
                self.number,
                ice.ufrag,
                ice.pwd,
                candidates[:MAX_CANDIDATES],
                restart=restart,
            )
        if ice.fingerprints and self._is_another(ice.fingerprints):
            self._end_dtls()
        if ice.fingerprints and self._dtls is None:
            self._fingerprints = ice.fingerprints
            self._start_dtls()

    def _is_another(self, fingerprints: tuple[Fingerprint, ...]) -> bool:
        """Whether the peer is to be another one than it was, by all its hashes."""
        known = {(one.hash.lower(), one.value.upper()) for one in self._fingerprints}
        new = {(one.hash.lower(), one.value.upper()) for one in fingerprints}
        return self._dtls is not None and known.isdisjoint(new)

    def _end_dtls(self) -> None:
        """Forget the association with a peer that is no more (RFC 8842).

        Its keys are in force until there are others.
        """
        self._dtls = None
        self.is_connected = False
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
            self._owner.data_channel_closed(channel)

    def ice_valid(self) -> None:
        self._ice_valid = True
        self._start_dtls()

    def dtls_datagram(self, data: bytes) -> None:
        if self._dtls is None:
            self._early.append(data)
            return
        self._dtls.receive(data, self._clock())
        self._drain()

    def next_timeout(self) -> float | None:
        return None if self._dtls is None else self._dtls.next_timeout()

    def timeout(self, now: float) -> None:
        if self._dtls is not None:
            self._dtls.timeout(now)
            self._drain()

    def close(self) -> None:
        """Say good-bye where that is possible and forget everything."""
        if self.is_closed:
            return
        self.is_closed = True
        if self._channel is not None:
            self._channel.close()
        if self._dtls is not None:
            self._dtls.close()
            self._drain()
        self._channel = self._dtls = None
        self._engine.remove_transport(self.number)

    def _start_dtls(self) -> None:
        if self._dtls is not None or not self._ice_valid or not self._fingerprints:
            return
        # We offer actpass; only an endpoint that says passive waits for us (RFC 5763, 5).
        server = self._fingerprints[0].setup is not Setup.PASSIVE
        self._dtls = DtlsTransport(
            self._local.certificate, self._fingerprints, server=server
        )
        self._dtls.start(self._clock())
        while self._early:
            self._dtls.receive(self._early.popleft(), self._clock())
        self._drain()

    def _drain(self) -> None:
        # The data channel sends from inside `receive`: one drain at a time keeps the order.
        if self._draining or self._dtls is None:
            return
        self._draining = True
        try:
            for effect in self._dtls.effects():
                match effect:
                    case SendDatagrams(datagrams):
                        self._engine.send_dtls(self.number, list(datagrams))
                    case Connected():
                        self._install(effect)
                    case Received(data):
                        if self._channel is not None:
                            self._channel.receive(data)
                    case Failed(reason):
                        self._owner.transport_failed(reason)
                    case Closed():
                        # Who leaves says so to the focus; this alone ends nothing.
                        pass
        finally:
            self._draining = False

    def _install(self, keys: Connected) -> None:
        self._engine.set_srtp(
            self.number,
            keys.profile,
            keys.send_key,
            keys.send_salt,
            keys.receive_key,
            keys.receive_salt,
        )
        self.is_connected = True
        if self._make_channel is not None:
            self._channel = self._make_channel(
                self._send_application,
                self._channel_opened,
                self._channel_message,
                self._channel_closed,
            )
        self._owner.transport_connected()

    def _send_application(self, data: bytes) -> None:
        if self._dtls is not None:
            self._dtls.send(data, self._clock())
            self._drain()

    def _channel_opened(self) -> None:
        if self._channel is not None and not self.is_closed:
            self._owner.data_channel_opened(self._channel)

    def _channel_message(self, text: str) -> None:
        if self._channel is not None and not self.is_closed:
            self._owner.data_channel_message(self._channel, text)

    def _channel_closed(self) -> None:
        if self._channel is not None and not self.is_closed:
            self._owner.data_channel_closed(self._channel)
