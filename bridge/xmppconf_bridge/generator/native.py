"""The packets of the load generator, sent and read in native/src/load.rs, with types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xmppconf_bridge import _native


@dataclass(frozen=True, slots=True)
class Remote:
    """Where a participant connects, and what it needs for that."""

    host: str
    port: int
    ufrag: str
    pwd: str
    transport_cc: int = 0
    rtx: int = 0
    """Id of the header extension in what it receives; 0: it gives no feedback."""
    controlling: bool = False
    """Whether the participant nominates (RFC 8445, 6.1.1), as one of an ICE-lite bridge."""


@dataclass(frozen=True, slots=True)
class Keys:
    """SRTP (RFC 5764, 4.2); the participant's own side is "send"."""

    profile: int
    send_key: bytes
    send_salt: bytes
    receive_key: bytes
    receive_salt: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream on the wire."""

    ssrc: int
    payload_type: int
    size: int
    """Octets of the RTP payload."""
    rate: int
    """Packets a second."""
    picture: tuple[int, int] | None = None
    """Width and height; None is audio."""
    transport_cc: int = 0
    audio_level: int = 0
    """Ids of header extensions; 0: not sent."""
    level: int = 0
    """RFC 6464: voice bit and -dBov."""
    mid: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Valid:
    """The first pair is valid: DTLS may begin."""

    peer: int


@dataclass(frozen=True, slots=True)
class Failed:
    peer: int


@dataclass(frozen=True, slots=True)
class Dtls:
    peer: int
    data: bytes


Event = Valid | Failed | Dtls


@dataclass(frozen=True, slots=True)
class Track:
    """One SSRC as a participant has received it since the last reset."""

    payload_type: int
    received: int
    expected: int
    """Packets between the lowest and the highest sequence number that came."""
    duplicates: int
    octets: int
    freezes: int = 0
    """Gaps of more than 200 ms, if no keyframe followed: then it was not shown."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one participant has received since the last reset."""

    tracks: dict[int, Track]
    """By SSRC; also those that were silent since."""
    refused: int
    """Packets that SRTP did not accept."""
    rtcp: int
    repeats: int
    """Packets of what was sent before: retransmissions, and what tries out the way."""
    keyframe_requests: int
    nacked: int
    picture: float | None = None
    """When the picture that is waited for began to come, in seconds of the wall clock."""


@dataclass(frozen=True, slots=True)
class Delays:
    """From a sender's socket to a receiver's, in microseconds; of all participants."""

    p50: int
    p99: int
    p999: int


class Generator:
    """Participants and what they send.

    Bounded: 1,024 participants, 4,096 streams, 200,000 packets a second sent.  Reaches
    loopback addresses and those in `allowed`; asked for another, it raises ValueError.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._native = _native.LoadGenerator(list(allowed))

    def add_peer(self, remote: Remote, ufrag: str, pwd: str, verify: int = 1) -> int:
        """Bind a socket and begin checks; of `verify` packets one is decrypted."""
        return self._native.add_peer(
            remote.host,
            remote.port,
            ufrag,
            pwd,
            remote.ufrag,
            remote.pwd,
            controlling=remote.controlling,
            transport_cc=remote.transport_cc,
            rtx=remote.rtx,
            verify=verify,
        )

    def remove_peer(self, peer: int) -> None:
        """Close its socket, end what it sends and forget it."""
        self._native.remove_peer(peer)

    def local_address(self, peer: int) -> tuple[str, int]:
        return self._native.local_address(peer)

    def set_keys(self, peer: int, keys: Keys) -> None:
        self._native.set_srtp(
            peer,
            keys.profile,
            keys.send_key,
            keys.send_salt,
            keys.receive_key,
            keys.receive_salt,
        )

    def send_dtls(self, peer: int, datagrams: Iterable[bytes]) -> None:
        self._native.send_dtls(peer, list(datagrams))

    def add_stream(self, peer: int, stream: Stream) -> None:
        """What `peer` sends while the generator is sending."""
        self._native.add_stream(
            peer,
            stream.ssrc,
            stream.payload_type,
            size=stream.size,
            rate=stream.rate,
            picture=stream.picture,
            transport_cc=stream.transport_cc,
            audio_level=stream.audio_level,
            level=stream.level,
            mid=stream.mid,
        )

    def set_level(self, ssrc: int, level: int) -> None:
        """How loud a stream is from now on: RFC 6464's voice bit and -dBov."""
        self._native.set_level(ssrc, level)

    def await_picture(self, ssrc: int) -> None:
        """Note at every peer when the first keyframe comes that is sent under this SSRC;
        peers that decrypt few packets may note it late."""
        self._native.await_picture(ssrc)

    def set_sending(self, sending: bool) -> None:
        self._native.set_sending(sending)

    def reset(self) -> None:
        """Forget what was counted."""
        self._native.reset()

    def run(self, seconds: float) -> list[Event]:
        """Work for that long, or until something happened.  Nothing works meanwhile else.

        Blocks; other threads may use the generator in between two calls.
        """
        kinds = {"valid": Valid, "failed": Failed, "dtls": Dtls}
        return [kinds[name](*rest) for name, *rest in self._native.run(seconds)]

    def sent(self) -> list[tuple[int, int, int]]:
        """(peer, SSRC, packets) of every stream since the last reset."""
        return self._native.sent()

    def received(self, peer: int) -> int:
        """Packets that came to one peer since the last reset."""
        return self._native.received(peer)

    def figures(self) -> list[Figures]:
        """Of every peer that was not removed, in the order in which they were added."""
        return [
            Figures(
                {ssrc: Track(*track) for ssrc, track in one["tracks"].items()},
                one["refused"],
                one["rtcp"],
                one["repeats"],
                one["keyframe_requests"],
                one["nacked"],
                one["picture"],
            )
            for one in self._native.figures()
        ]

    def delays(self) -> Delays:
        return Delays(*self._native.delays())
