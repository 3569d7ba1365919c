"""The packet engine (Rust).  Only `xmppconf_bridge.engine` imports this module.

Ids of conferences, transports and sources are integers that the caller chooses, unique
while in use and never reused (count upwards).  Calls other than the constructor only put
a command into the worker's bounded queue and return at once; what an id names may already
be gone when the command is carried out, and then the command does nothing.  A full queue
raises `BlockingIOError`.  Times are seconds of CLOCK_MONOTONIC.
"""

from typing import Any, final

PROFILE_AES128_CM_SHA1_80: int  # 0x0001 (RFC 5764, 4.1.2)
PROFILE_AEAD_AES_128_GCM: int  # 0x0007 (RFC 7714, 14.2)
PROFILE_AEAD_AES_256_GCM: int  # 0x0008

@final
class Engine:
    def __init__(
        self,
        addresses: list[tuple[str, int]],
        *,
        queue: int = 4096,
        event_queue: int = 16384,
        receive_buffer: int = 10485760,
        send_buffer: int = 10485760,
        workers: int = 1,
        part: int = 64,
    ) -> None:
        """Bind a UDP socket per address (host, port; port 0 picks one), start the workers.

        A conference is carried by one of the workers, 1 to 32 threads, until that has
        `part` of its transports, or is busy; then another one takes part.

        Raises OSError (with errno and the address in its text) if a socket cannot be bound.
        """

    def local_addresses(self) -> list[tuple[str, int]]:
        """The bound addresses, in the order given, with the real port."""

    def event_fd(self) -> int:
        """An eventfd that is readable while events wait; owned by the engine."""

    def take_events(self) -> list[tuple[Any, ...]]:
        """Take all waiting events, oldest first, and reset the eventfd.

        Raises RuntimeError if the worker has ended: nothing works any more.

        Each is a tuple that begins with its name:

        ("ice-valid", transport, host, port, rtt)  first validated pair: DTLS may begin
        ("ice-selected", transport, host, port, relayed: bool)  nominated, again on change
        ("ice-failed", transport)  no pair in 15 s, or consent lost
        ("dtls", transport, data: bytes)  a DTLS datagram that came over a validated pair
        ("srtp-active", transport)  first authenticated SRTP packet of this transport
        ("source-active", source, encoding: int, size: (width, height) | None)
            first packets of an encoding, or a keyframe with another size; audio that is
            dropped, as silence or because others are louder, does not count
        ("source-silent", source, encoding)  nothing for 2 s
        ("layers", source, [(encoding, spatial, temporal, height, frames per second, bits
            per second)])  all layers a video source has come in, once a second; height 0
            is unknown, a rate includes what the layer depends on, 0 if it does not come
        ("levels", conference, data: bytes)  records of struct "<IIB3x": source (u32),
            milliseconds of the monotonic clock (u32, wraps), RFC 6464 level with V bit
            (u8); batched, at most every 40 ms
        ("bandwidth", transport, bits_per_second, besides)  what the way to the peer can
            carry, as estimated, and how much of that is taken by what is not video; at most
            every 100 ms, or at once when it falls
        ("lost-events", count)  the event queue was full; levels are dropped first
        """

    def close(self) -> None:
        """Stop the worker and close the sockets; idempotent, returns within 200 ms."""

    # -- transports -------------------------------------------------------------------
    def bind(self, addresses: list[tuple[str, int]]) -> tuple[int, list[tuple[str, int]]]:
        """Bind more sockets, for transports that name them: the number of the first one,
        and their addresses.  They stay until the engine ends.

        Raises OSError as the constructor does, also for too many of them.
        """

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
        """`sockets` are those that checks leave from, as number of the first and count;
        None: those of the constructor."""

    def set_remote_ice(
        self,
        transport: int,
        ufrag: str,
        pwd: str,
        candidates: list[tuple[str, int, int]],
        *,
        restart: bool = False,
    ) -> None:
        """Remote credentials and candidates (host, port, priority).

        May be repeated to add candidates; other credentials than before begin the checks
        anew with the present local ones.  With `restart` they are for the restart that is
        under way.
        """

    def restart_ice(self, transport: int, ufrag: str, pwd: str, controlling: bool) -> None:
        """Begin a restart of ICE (RFC 8445, 9) with other local credentials.

        What there is goes on until the restart has selected a pair, and for good if it
        finds none.  "ice-valid" and "ice-selected" tell that it did; the former paths are
        listened to for 3 s more.
        """

    def send_dtls(self, transport: int, datagrams: list[bytes]) -> None:
        """Send over the selected pair, or the first valid one; dropped without any."""

    def set_srtp(
        self,
        transport: int,
        profile: int,
        send_key: bytes,
        send_salt: bytes,
        receive_key: bytes,
        receive_salt: bytes,
    ) -> None:
        """Install SRTP master keys (RFC 5764, 4.2); ValueError for bad ones."""

    def remove_transport(self, transport: int) -> None:
        """Also removes its sources and every route from and to it."""

    # -- conferences and sources ------------------------------------------------------
    def add_conference(
        self,
        conference: int,
        audio_ssrc: int,
        video_ssrc: int,
        *,
        worker: int | None = None,
    ) -> None:
        """`audio_ssrc`, `video_ssrc`: the sender SSRCs of our RTCP (jvb-a0, jvb-v0).

        Without `worker` it goes to the one that has least to do.
        """

    def remove_conference(self, conference: int) -> None:
        """Also removes its transports."""

    def set_payload_types(
        self,
        transport: int,
        payload_types: list[tuple[int, str, int, int | None, bool, bool, bool]],
    ) -> None:
        """(id, lower-case codec name, clock rate, id it retransmits (rtx) or has in its
        blocks (red) or None, nack, pli, transport-cc); replaces the former list."""

    def set_header_extensions(
        self, transport: int, extensions: list[tuple[int, str]]
    ) -> None:
        """(id, URI); unknown URIs are dropped from what is forwarded."""

    def set_sources(
        self, transport: int, sources: list[tuple[int, str, list[tuple[int, int | None]]]]
    ) -> None:
        """What the transport's owner sends: (source, "audio" | "video", encodings lowest
        first as (ssrc, rtx ssrc or None)).  Replaces the former list; known
        source ids keep state."""

    def set_muted(self, source: int, muted: bool) -> None:
        """Force-mute: authenticate but do not forward."""

    def set_loudest(self, conference: int, count: int, always: list[int]) -> None:
        """Of the conference's audio forward only the `count` (at most 50) loudest sources,
        and those in `always` (at most 1024) besides; 0 forwards all.

        What is not forwarded does not count as active either.
        """

    def request_keyframe(self, source: int) -> None:
        """Ask the sender for a keyframe; merged and throttled like receivers' requests."""

    # -- routes -----------------------------------------------------------------------
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
        """Forward `source` to the transport `receiver` under `ssrc`.

        Video goes at the best active encoding not above `max_encoding`; -1 pauses without
        forgetting.  `max_spatial` (VP9, AV1) and `max_temporal` (VP8, VP9, and what has
        dependency descriptors) cap its layers, 7 means all.  The same
        `ssrc` given to another source of the receiver moves the slot: the outgoing sequence
        numbers, timestamps and codec ids go on where they were.
        """

    def set_relay(self, receiver: int, source: int, encodings: int) -> None:
        """Send the encodings in the bit mask, and no others, to the transport `receiver`,
        which leads to another bridge: each under its own SSRCs, beginning with whatever
        packet comes next, all layers of it.  What the other bridge needs it asks for
        itself.

        A transport gets a source either so or by `set_route`; `remove_route` ends both.
        """

    def remove_route(self, receiver: int, source: int) -> None: ...
    def set_mid(self, receiver: int, ssrc: int, mid: str) -> None:
        """Stamp `mid` (RFC 8843, 15; 1 to 16 bytes of ASCII) on every packet that
        `receiver` gets under `ssrc`, and on its retransmissions, if it has negotiated the
        extension.

        ValueError for what is no mid.
        """

    def set_demand(self, receiver: int, bits_per_second: int, trial: int) -> None:
        """What `receiver` would be sent if its bandwidth had no bound.

        While that is more than the estimate, its way is filled with padding up to the
        estimate, and probed for more; otherwise it is filled up to `trial`, to see whether
        the estimate stands that.  Both in bits per second.
        """

    # -- figures ----------------------------------------------------------------------
    def stats(self) -> dict[str, int]:
        """Counters since start of the whole engine (packets_received, packets_sent,
        bytes_received, bytes_sent, dropped_* by reason, stun_*, nack_*, rtx_*, pli_*,
        keyframes, transports, worker_cpu_ns, worker_wait_ns; when profiling, *_ns per
        stage)."""

    def open_tap(self, transport: int) -> Tap:
        """Note the headers of what a transport carries, both ways, from now on.

        A worker has one tap; another one ends it.  Raises BlockingIOError when the command
        queue is full, RuntimeError when the engine has ended.
        """

    def workers(self) -> list[tuple[int, int]]:
        """Of each worker since start: nanoseconds of CPU that it had or waited for, and
        packets both ways."""

    def transport_stats(self, transport: int) -> dict[str, Any] | None:
        """Counters of one transport as of at most 1 s ago: packets and bytes both ways, rtt
        (seconds or None), fraction_lost both ways, last_activity (monotonic seconds of the
        last authenticated packet or consent answer)."""

@final
class Tap:
    """Headers of one transport's packets; without payloads, audio levels and names."""

    def take(self) -> tuple[bytes, bool]:
        """What came since the last call, oldest first, and whether no more comes: it was
        closed, its transport is gone, or nobody took 1 MiB.

        Records of 16 bytes, little endian: nanoseconds of CLOCK_MONOTONIC (u64), bytes
        carried (u32), bytes kept (u16), flags (u16: 1 sent by the bridge, 2 RTCP); then
        the bytes kept.
        """

    def close(self) -> None: ...

@final
class SrtpContext:
    """Both directions of SRTP under one master key, as the engine does it.

    For tests against other implementations: a packet costs a copy and a call.  What is
    refused raises ValueError with one of "malformed", "replayed", "too old",
    "unauthentic", "exhausted".
    """

    def __init__(self, profile: int, key: bytes, salt: bytes) -> None:
        """Raises ValueError for a bad profile or length."""

    def protect_rtp(self, packet: bytes) -> bytes: ...
    def protect_rtcp(self, packet: bytes) -> bytes: ...
    def unprotect_rtp(self, packet: bytes) -> bytes: ...
    def unprotect_rtcp(self, packet: bytes) -> bytes: ...

@final
class MediaMachine:
    """What the engine does between decryption and encryption, alone, for tests.

    `now` is in nanoseconds.  The other arguments are those of `Engine`; packets are whole
    and in plain text.
    """

    def __init__(self, seed: int) -> None: ...
    def add_conference(self, conference: int, audio_ssrc: int, video_ssrc: int) -> None: ...
    def add_transport(self, transport: int, conference: int) -> None: ...
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
    def set_route(
        self,
        now: int,
        receiver: int,
        source: int,
        ssrc: int,
        rtx_ssrc: int | None,
        max_encoding: int,
        max_spatial: int,
        max_temporal: int,
    ) -> None: ...
    def remove_route(self, now: int, receiver: int, source: int) -> None: ...
    def set_demand(
        self, now: int, receiver: int, bits_per_second: int, trial: int
    ) -> None: ...
    def receive_rtp(self, now: int, transport: int, packet: bytes) -> None: ...
    def receive_rtcp(self, now: int, transport: int, compound: bytes) -> None: ...
    def timeout(self, now: int) -> None: ...
    def next_timeout(self) -> int | None: ...
    def take_events(self) -> list[tuple[Any, ...]]: ...
    def take_rtp(self) -> list[tuple[int, bytes]]:
        """Packets sent since the last call, each with its receiver."""

    def take_rtcp(self) -> list[tuple[int, bytes]]: ...
    def stats(self) -> dict[str, int]: ...

@final
class LoadGenerator:
    """Participants that load a bridge; `generator/native.py` gives it types and says more.

    Ids of header extensions are 1 to 14, 0 for none.
    """

    def __init__(self, allowed: list[str]) -> None:
        """Addresses besides loopback that may be sent to; ValueError for what is none."""

    def add_peer(
        self,
        host: str,
        port: int,
        ufrag: str,
        pwd: str,
        remote_ufrag: str,
        remote_pwd: str,
        *,
        controlling: bool = False,
        transport_cc: int = 0,
        rtx: int = 0,
        verify: int = 1,
    ) -> int:
        """Raises ValueError for an address that may not be reached or a peer too many,
        OSError if there is no socket."""

    def remove_peer(self, peer: int) -> None: ...
    def local_address(self, peer: int) -> tuple[str, int]: ...
    def set_srtp(
        self,
        peer: int,
        profile: int,
        send_key: bytes,
        send_salt: bytes,
        receive_key: bytes,
        receive_salt: bytes,
    ) -> None: ...
    def send_dtls(self, peer: int, datagrams: list[bytes]) -> None: ...
    def add_stream(
        self,
        peer: int,
        ssrc: int,
        payload_type: int,
        *,
        size: int,
        rate: int,
        picture: tuple[int, int] | None = None,
        transport_cc: int = 0,
        audio_level: int = 0,
        level: int = 0,
        mid: tuple[int, str] | None = None,
    ) -> None:
        """ValueError for a size outside 28 to 1200, or more than a generator may have."""

    def set_level(self, ssrc: int, level: int) -> None: ...
    def await_picture(self, ssrc: int) -> None: ...
    def set_sending(self, sending: bool) -> None: ...
    def reset(self) -> None: ...
    def run(self, seconds: float) -> list[tuple[Any, ...]]:
        """Work that long or until there is an event: ("valid", peer), ("failed", peer),
        ("dtls", peer, data)."""

    def sent(self) -> list[tuple[int, int, int]]: ...
    def received(self, peer: int) -> int: ...
    def figures(self) -> list[dict[str, Any]]: ...
    def delays(self) -> tuple[int, int, int]:
        """Microseconds that half, 99 % and 99.9 % of the packets did not exceed."""
