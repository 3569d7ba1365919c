"""The packet engine with types: commands in, events out.

The only module that imports `_native`.  Ids of conferences, transports and sources are
integers of the caller, counted upwards and never used twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from xmppconf_bridge.engine_events import Event, read_event
from xmppconf_bridge.packet_headers import Tap


class EngineStopped(Exception):
    """The engine's worker has ended: nothing works any more."""


#: Commands held back while the worker's queue is full; more than this is a stuck worker.
MAX_BACKLOG = 200_000


class Commands(Protocol):
    """What conferences ask of the engine; see `_native.pyi` for the contracts."""

    def add_transport(
        self,
        transport: int,
        conference: int,
        ufrag: str,
        pwd: str,
        *,
        controlling: bool,
        sockets: tuple[int, int] | None = None,
    ) -> None: ...
    def set_remote_ice(
        self,
        transport: int,
        ufrag: str,
        pwd: str,
        candidates: list[tuple[str, int, int]],
        *,
        restart: bool = False,
    ) -> None: ...
    def restart_ice(
        self, transport: int, ufrag: str, pwd: str, controlling: bool
    ) -> None: ...
    def send_dtls(self, transport: int, datagrams: list[bytes]) -> None: ...
    def set_srtp(
        self,
        transport: int,
        profile: int,
        send_key: bytes,
        send_salt: bytes,
        receive_key: bytes,
        receive_salt: bytes,
    ) -> None: ...
    def remove_transport(self, transport: int) -> None: ...
    def add_conference(self, conference: int, audio_ssrc: int, video_ssrc: int) -> None: ...
    def remove_conference(self, conference: int) -> None: ...
    def set_payload_types(
        self,
        transport: int,
        payload_types: list[tuple[int, str, int, int | None, bool, bool, bool]],
    ) -> None: ...
    def set_header_extensions(
        self, transport: int, extensions: list[tuple[int, str]]
    ) -> None: ...
    def set_sources(
        self, transport: int, sources: list[tuple[int, str, list[tuple[int, int | None]]]]
    ) -> None: ...
    def set_muted(self, source: int, muted: bool) -> None: ...
    def set_route(
        self,
        receiver: int,
        source: int,
        ssrc: int,
        rtx_ssrc: int | None,
        max_encoding: int,
        max_spatial: int,
        max_temporal: int,
    ) -> None: ...
    def set_relay(self, receiver: int, source: int, encodings: int) -> None: ...
    def remove_route(self, receiver: int, source: int) -> None: ...
    def set_mid(self, receiver: int, ssrc: int, mid: str) -> None: ...
    def set_demand(self, receiver: int, bits_per_second: int, trial: int) -> None: ...
    def set_loudest(self, conference: int, count: int, always: list[int]) -> None: ...
    def transport_stats(self, transport: int) -> dict[str, Any] | None: ...
    def stats(self) -> dict[str, int]: ...
    def open_tap(self, transport: int) -> Tap: ...


class PacketEngine:
    """The native engine.  A command that finds its queue full waits its turn here."""

    def __init__(
        self, addresses: Sequence[tuple[str, int]], workers: int = 1, part: int = 64
    ) -> None:
        """Bind the sockets and start the workers.

        A worker carries `part` transports of one conference before another one takes part.
        Raises `OSError` naming the address that could not be bound.
        """
        from xmppconf_bridge import _native

        self._native = _native.Engine(list(addresses), workers=workers, part=part)
        self._backlog: deque[Callable[[], None]] = deque()
        self.on_backlog: Callable[[], None] | None = None
        """Called when commands begin to wait; whoever is told calls `flush` soon."""

    def local_addresses(self) -> list[tuple[str, int]]:
        return self._native.local_addresses()

    def bind(
        self, addresses: Sequence[tuple[str, int]]
    ) -> tuple[int, list[tuple[str, int]]]:
        """Bind more sockets: the number of the first, and their addresses.

        Raises `OSError`, also for too many of them.
        """
        return self._native.bind(list(addresses))

    def event_fd(self) -> int:
        return self._native.event_fd()

    def take_events(self) -> Iterable[Event]:
        """Take what waits, oldest first.  Raises `EngineStopped`."""
        self.flush()
        try:
            events = self._native.take_events()
        except RuntimeError as error:
            raise EngineStopped from error
        return [read_event(event) for event in events]

    def flush(self) -> bool:
        """Hand over held-back commands; whether none is left."""
        while self._backlog:
            try:
                self._backlog[0]()
            except BlockingIOError:
                return False
            except RuntimeError:  # it has ended
                self._backlog.clear()
                return True
            self._backlog.popleft()
        return True

    def close(self) -> None:
        self._native.close()

    def add_transport(
        self,
        transport: int,
        conference: int,
        ufrag: str,
        pwd: str,
        *,
        controlling: bool,
        sockets: tuple[int, int] | None = None,
    ) -> None:
        self._queue(
            partial(
                self._native.add_transport,
                transport,
                conference,
                ufrag,
                pwd,
                controlling=controlling,
                sockets=sockets,
            )
        )

    def set_remote_ice(
        self,
        transport: int,
        ufrag: str,
        pwd: str,
        candidates: list[tuple[str, int, int]],
        *,
        restart: bool = False,
    ) -> None:
        self._queue(
            partial(
                self._native.set_remote_ice,
                transport,
                ufrag,
                pwd,
                candidates,
                restart=restart,
            )
        )

    def restart_ice(self, transport: int, ufrag: str, pwd: str, controlling: bool) -> None:
        self._queue(partial(self._native.restart_ice, transport, ufrag, pwd, controlling))

    def send_dtls(self, transport: int, datagrams: list[bytes]) -> None:
        self._queue(partial(self._native.send_dtls, transport, datagrams))

    def set_srtp(
        self,
        transport: int,
        profile: int,
        send_key: bytes,
        send_salt: bytes,
        receive_key: bytes,
        receive_salt: bytes,
    ) -> None:
        self._queue(
            partial(
                self._native.set_srtp,
                transport,
                profile,
                send_key,
                send_salt,
                receive_key,
                receive_salt,
            )
        )

    def remove_transport(self, transport: int) -> None:
        self._queue(partial(self._native.remove_transport, transport))

    def add_conference(
        self,
        conference: int,
        audio_ssrc: int,
        video_ssrc: int,
        *,
        worker: int | None = None,
    ) -> None:
        add = self._native.add_conference
        self._queue(partial(add, conference, audio_ssrc, video_ssrc, worker=worker))

    def remove_conference(self, conference: int) -> None:
        self._queue(partial(self._native.remove_conference, conference))

    def set_payload_types(
        self,
        transport: int,
        payload_types: list[tuple[int, str, int, int | None, bool, bool, bool]],
    ) -> None:
        self._queue(partial(self._native.set_payload_types, transport, payload_types))

    def set_header_extensions(
        self, transport: int, extensions: list[tuple[int, str]]
    ) -> None:
        self._queue(partial(self._native.set_header_extensions, transport, extensions))

    def set_sources(
        self, transport: int, sources: list[tuple[int, str, list[tuple[int, int | None]]]]
    ) -> None:
        self._queue(partial(self._native.set_sources, transport, sources))

    def set_muted(self, source: int, muted: bool) -> None:
        self._queue(partial(self._native.set_muted, source, muted))

    def set_route(
        self,
        receiver: int,
        source: int,
        ssrc: int,
        rtx_ssrc: int | None,
        max_encoding: int,
        max_spatial: int,
        max_temporal: int,
    ) -> None:
        self._queue(
            partial(
                self._native.set_route,
                receiver,
                source,
                ssrc,
                rtx_ssrc,
                max_encoding,
                max_spatial,
                max_temporal,
            )
        )

    def set_relay(self, receiver: int, source: int, encodings: int) -> None:
        self._queue(partial(self._native.set_relay, receiver, source, encodings))

    def remove_route(self, receiver: int, source: int) -> None:
        self._queue(partial(self._native.remove_route, receiver, source))

    def set_demand(self, receiver: int, bits_per_second: int, trial: int) -> None:
        self._queue(partial(self._native.set_demand, receiver, bits_per_second, trial))

    def set_loudest(self, conference: int, count: int, always: list[int]) -> None:
        self._queue(partial(self._native.set_loudest, conference, count, always))

    def set_mid(self, receiver: int, ssrc: int, mid: str) -> None:
        self._queue(partial(self._native.set_mid, receiver, ssrc, mid))

    def transport_stats(self, transport: int) -> dict[str, Any] | None:
        return self._native.transport_stats(transport)

    def stats(self) -> dict[str, int]:
        return self._native.stats()

    def open_tap(self, transport: int) -> Tap:
        """Note the headers of what a transport carries, until the tap is closed.

        Raises `BlockingIOError` when the worker has too much to do.
        """
        return self._native.open_tap(transport)

    def workers(self) -> list[tuple[int, int]]:
        """Of each worker since start: nanoseconds of CPU, and packets both ways."""
        return self._native.workers()

    def _queue(self, command: Callable[[], None]) -> None:
        # To an engine that has ended commands mean nothing; `take_events` tells of it.
        with suppress(RuntimeError):
            self._put(command)

    def _put(self, command: Callable[[], None]) -> None:
        # Order matters: nothing overtakes a command that waits.
        if self._backlog and not self.flush():
            if len(self._backlog) >= MAX_BACKLOG:
                raise BlockingIOError("the packet engine takes no commands")
            self._backlog.append(command)
            return
        try:
            command()
        except BlockingIOError:
            self._backlog.append(command)
            if self.on_backlog is not None:
                self.on_backlog()
