"""An aiortc peer as an endpoint of a bridge: the other end, by other people's code.

It is given the bridge's transport, answers as a client answers its focus, and says what a
focus would tell the bridge about it.
"""

from __future__ import annotations

import asyncio
import fractions
import json
from typing import Any

import aioice.ice
import av
import numpy
import pytest
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import SessionDescription

from xmppconf.colibri2 import EndpointRequest, Sctp, Transport
from xmppconf.ids import EndpointId, SourceName
from xmppconf.media import (
    ExtensionUri,
    HeaderExtension,
    MediaDescription,
    MediaType,
    PayloadType,
    RtcpFeedback,
    Ssrc,
)
from xmppconf.sources import MediaSource, Semantics, SsrcGroup
from xmppconf.transport import Fingerprint, IceTransport, Setup

AUDIO = MediaDescription(
    MediaType.AUDIO,
    (PayloadType(111, "opus", 48000, 2),),
    (HeaderExtension(1, ExtensionUri.AUDIO_LEVEL),),
)
VIDEO = MediaDescription(
    MediaType.VIDEO,
    (
        PayloadType(
            100, "VP8", 90000, feedback=(RtcpFeedback("nack"), RtcpFeedback("nack", "pli"))
        ),
        PayloadType(96, "rtx", 90000, parameters=(("apt", "100"),)),
    ),
    (HeaderExtension(3, ExtensionUri.ABS_SEND_TIME),),
)
MEDIA = (AUDIO, VIDEO)

#: What pictures show, as RGB.
Colour = tuple[int, int, int]


def use_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """aioice leaves out the one address that tests may use."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda *_a, **_k: ["127.0.0.1"])


class ToneTrack(MediaStreamTrack):
    """A sine of `frequency` Hz, 20 ms a frame."""

    kind = "audio"

    def __init__(self, frequency: float) -> None:
        super().__init__()
        self._frequency = frequency
        self._at = 0
        self._due: float | None = None

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        await self._wait(0.02)
        times = (self._at + numpy.arange(960)) / 48000
        wave = numpy.sin(2 * numpy.pi * self._frequency * times) * 16000
        frame = av.AudioFrame.from_ndarray(
            wave.astype(numpy.int16).reshape(1, -1), format="s16", layout="mono"
        )
        frame.sample_rate = 48000
        frame.pts = self._at
        frame.time_base = fractions.Fraction(1, 48000)
        self._at += 960
        return frame

    async def _wait(self, step: float) -> None:
        now = asyncio.get_running_loop().time()
        self._due = now if self._due is None else self._due + step
        await asyncio.sleep(max(0.0, self._due - now))


class ColourTrack(MediaStreamTrack):
    """A plain picture of one colour, 15 a second."""

    kind = "video"

    def __init__(self, colour: Colour, size: tuple[int, int] = (160, 120)) -> None:
        super().__init__()
        width, height = size
        self._picture = numpy.full((height, width, 3), colour, dtype=numpy.uint8)
        self._count = 0

    async def recv(self) -> av.VideoFrame:
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(1 / 15)
        frame = av.VideoFrame.from_ndarray(self._picture, format="rgb24")
        frame.pts = self._count * 6000
        frame.time_base = fractions.Fraction(1, 90000)
        self._count += 1
        return frame


def colour_of(frame: Any) -> Colour:
    """The mean colour of a picture."""
    red, green, blue = frame.to_ndarray(format="rgb24").mean(axis=(0, 1))
    return int(red), int(green), int(blue)


def pitch_of(samples: numpy.ndarray[Any, Any], rate: int) -> float:
    """The loudest frequency, in Hz."""
    spectrum = numpy.abs(numpy.fft.rfft(samples * numpy.hanning(len(samples))))
    return float(numpy.argmax(spectrum)) * rate / len(samples)


def offer_sdp(ice: IceTransport, offered: tuple[MediaDescription, ...] = MEDIA) -> str:
    """What a client makes of its session-initiate: audio, video, data, all bundled."""
    fingerprint = ice.fingerprints[0]
    transport = [
        f"a=ice-ufrag:{ice.ufrag}",
        f"a=ice-pwd:{ice.pwd}",
        f"a=fingerprint:{fingerprint.hash} {fingerprint.value}",
        f"a=setup:{fingerprint.setup.value}",
        *(
            f"a=candidate:{c.foundation} 1 udp {c.priority} {c.ip} {c.port} typ {c.type}"
            for c in ice.candidates
        ),
    ]
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=group:BUNDLE 0 1 2"]
    for mid, description in enumerate(offered):
        codecs = description.payload_types
        numbers = " ".join(str(codec.id) for codec in codecs)
        lines += [
            f"m={description.type.value} 9 UDP/TLS/RTP/SAVPF {numbers}",
            "c=IN IP4 0.0.0.0",
            f"a=mid:{mid}",
            "a=sendrecv",
            "a=rtcp-mux",
            *transport,
        ]
        for codec in codecs:
            channels = f"/{codec.channels}" if codec.channels > 1 else ""
            lines.append(f"a=rtpmap:{codec.id} {codec.name}/{codec.clock_rate}{channels}")
            lines += [f"a=fmtp:{codec.id} {k}={v}" for k, v in codec.parameters]
            lines += [
                f"a=rtcp-fb:{codec.id} {one.type}" + (f" {one.subtype}" * bool(one.subtype))
                for one in codec.feedback
            ]
        lines += [f"a=extmap:{one.id} {one.uri}" for one in description.header_extensions]
    lines += [
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=mid:2",
        "a=sctp-port:5000",
        *transport,
    ]
    return "\r\n".join(lines) + "\r\n"


class RtcPeer:
    """One participant.  Close it in the end."""

    def __init__(
        self, name: str, colour: Colour, frequency: float, *, data_channel: bool = True
    ) -> None:
        self.id = EndpointId(name)
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.opened = asyncio.Event()
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._tracks = {"audio": ToneTrack(frequency), "video": ColourTrack(colour)}
        self._remote: dict[str, Any] = {}
        self._has_data_channel = data_channel
        self._channel: Any = None
        self._pc.on("track", lambda track: self._remote.__setitem__(track.kind, track))

    def creation(self, *capabilities: str) -> EndpointRequest:
        """What the focus asks the bridge for this participant."""
        return EndpointRequest(
            self.id,
            create=True,
            capabilities=frozenset({"source-names", *capabilities}),
            media=MEDIA,
            transport=Transport(
                ice_controlling=True, sctp=Sctp() if self._has_data_channel else None
            ),
            sources=(),
        )

    async def accept(
        self, ice: IceTransport, offered: tuple[MediaDescription, ...] = MEDIA
    ) -> EndpointRequest:
        """Answer the offer; returns what the focus tells the bridge afterwards."""
        offer = RTCSessionDescription(offer_sdp(ice, offered), "offer")
        await self._pc.setRemoteDescription(offer)
        for transceiver in self._pc.getTransceivers():
            transceiver.sender.replaceTrack(self._tracks[transceiver.kind])
            transceiver.direction = "sendrecv"
        if self._has_data_channel:
            self._channel = self._pc.createDataChannel(
                "JVB data channel", protocol="http://jitsi.org/protocols/colibri"
            )
            self._channel.on("open", self.opened.set)
            self._channel.on(
                "message", lambda text: self.messages.put_nowait(json.loads(text))
            )
        await self._pc.setLocalDescription(await self._pc.createAnswer())
        return self._describe(SessionDescription.parse(self._pc.localDescription.sdp))

    def _describe(self, answer: SessionDescription) -> EndpointRequest:
        first: Any = answer.media[0]
        setup = Setup.PASSIVE if first.dtls.role == "server" else Setup.ACTIVE
        fingerprints = tuple(
            Fingerprint(one.algorithm, one.value, setup) for one in first.dtls.fingerprints
        )
        sources = []
        for media in answer.media[:2]:
            name = SourceName(f"{self.id}-{media.kind[0]}0")
            media_type = MediaType(media.kind)
            groups = tuple(
                SsrcGroup(
                    Semantics(group.semantic),
                    tuple(Ssrc(int(one)) for one in group.items),
                    media_type,
                )
                for group in media.ssrc_group
            )
            ssrcs = tuple(Ssrc(one.ssrc) for one in media.ssrc)
            sources.append(MediaSource(name, media_type, ssrcs, groups))
        # Candidates are left out, as clients do: the bridge learns them from the checks.
        ice = IceTransport(first.ice.usernameFragment, first.ice.password, fingerprints)
        return EndpointRequest(
            self.id, transport=Transport(ice=ice), sources=tuple(sources)
        )

    @property
    def dtls(self) -> Any:
        """The DTLS transport, once the offer was accepted."""
        return self._pc.getTransceivers()[0].sender.transport

    def say(self, **message: Any) -> None:
        """Send a bridge channel message."""
        self._channel.send(json.dumps(message))

    async def hear(self, kind: str) -> dict[str, Any]:
        """The next bridge channel message of that class; others are dropped."""
        while True:
            message = await self.messages.get()
            if message["colibriClass"] == kind:
                return message

    async def see(self, wanted: Colour, tolerance: int = 40) -> None:
        """Wait for a picture of that colour."""
        while True:
            seen = colour_of(await self._remote["video"].recv())
            if all(abs(a - b) < tolerance for a, b in zip(seen, wanted, strict=True)):
                return

    async def listen(self, wanted: float, tolerance: float = 15) -> None:
        """Wait for a tone of that pitch."""
        heard: list[numpy.ndarray[Any, Any]] = []
        while True:
            frame = await self._remote["audio"].recv()
            channels = len(frame.layout.channels)
            heard.append(frame.to_ndarray().reshape(-1, channels)[:, 0])
            samples = numpy.concatenate(heard[-10:])
            if len(heard) < 10 or numpy.abs(samples).max() < 1000:
                continue
            if abs(pitch_of(samples, frame.sample_rate) - wanted) < tolerance:
                return

    async def close(self) -> None:
        await self._pc.close()
