"""As much SDP (RFC 8866, RFC 8829) as it takes to send to servers and receive from them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from xmppconf_bridge.generator.native import Remote

from xmppconf.transport import Fingerprint, Setup

TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
#: Ids and payload types that we offer.
IDS = {TRANSPORT_CC: 5, AUDIO_LEVEL: 1}
PAYLOAD_TYPES = {"audio": 111, "video": 96}
_CODECS = {"audio": "opus/48000/2", "video": "VP8/90000"}


@dataclass(frozen=True, slots=True)
class Own:
    """Our side of a connection."""

    ufrag: str
    pwd: str
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class Section:
    """One medium that we send."""

    kind: str
    ssrc: int


def _head(mids: list[str]) -> list[str]:
    return [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(mids)}",
        "a=msid-semantic: WMS *",
    ]


def _transport(own: Own, setup: str) -> list[str]:
    return [
        "c=IN IP4 127.0.0.1",
        f"a=ice-ufrag:{own.ufrag}",
        f"a=ice-pwd:{own.pwd}",
        f"a=fingerprint:{own.fingerprint.hash} {own.fingerprint.value}",
        f"a=setup:{setup}",
        "a=rtcp-mux",
    ]


def offer(own: Own, sections: list[Section]) -> str:
    """An offer to send."""
    lines = _head([str(number) for number in range(len(sections))])
    for number, section in enumerate(sections):
        payload_type = PAYLOAD_TYPES[section.kind]
        lines += [f"m={section.kind} 9 UDP/TLS/RTP/SAVPF {payload_type}"]
        lines += _transport(own, "actpass")
        lines += [f"a=mid:{number}", "a=sendonly"]
        lines += [f"a=rtpmap:{payload_type} {_CODECS[section.kind]}"]
        lines += [f"a=extmap:{IDS[TRANSPORT_CC]} {TRANSPORT_CC}"]
        if section.kind == "video":
            lines += [
                f"a=rtcp-fb:{payload_type} {one}"
                for one in ("nack", "nack pli", "transport-cc")
            ]
        else:
            lines += [f"a=extmap:{IDS[AUDIO_LEVEL]} {AUDIO_LEVEL}"]
        lines += [
            f"a=ssrc:{section.ssrc} cname:load",
            f"a=ssrc:{section.ssrc} msid:s{number} t{number}",
            f"a=msid:s{number} t{number}",
        ]
    return "\r\n".join(lines) + "\r\n"


_KEPT = re.compile(r"a=(mid|rtpmap|fmtp|rtcp-fb|extmap|rtcp-mux|rtcp-rsize|sctp-port)\b")


def answer(offered: str, own: Own, *, direction: str = "recvonly") -> str:
    """Accept everything that is offered, receiving only."""
    parts = re.split(r"\r?\n(?=m=)", offered.strip())
    mids = re.findall(r"^a=mid:(\S+)", offered, re.MULTILINE)
    lines = _head(mids)
    for part in parts[1:]:
        media = part.splitlines()
        lines += [media[0], *_transport(own, "active"), f"a={direction}"]
        lines += [
            line for line in media[1:] if _KEPT.match(line) and "rtcp-mux" not in line
        ]
    return "\r\n".join(lines) + "\r\n"


@dataclass(frozen=True, slots=True)
class Theirs:
    """The other side of a connection, as its SDP says."""

    remote: Remote
    fingerprints: tuple[Fingerprint, ...]
    they_begin: bool
    """Whether they are the DTLS client."""


def read(sdp: str, candidates: str = "", *, controlling: bool) -> Theirs:
    """Read transport parameters; `candidates` may come from elsewhere.

    Raises ValueError if one is missing.
    """
    text = sdp + "\n" + candidates

    def value(name: str) -> str:
        found = re.search(rf"^a={name}:(\S+)", text, re.MULTILINE)
        if found is None:
            raise ValueError(f"no {name} in what the server says")
        return found[1]

    addresses = re.findall(
        r"candidate:\S+ 1 udp \d+ (127\.\S+|198\.18\.\S+) (\d+) typ host",
        text,
        re.IGNORECASE,
    )
    if not addresses:
        raise ValueError("no candidate of this machine in what the server says")
    host, port = addresses[0]
    hashes = re.findall(r"^a=fingerprint:(\S+) (\S+)", text, re.MULTILINE)
    setup = Setup(value("setup"))
    transport_cc = re.search(rf"^a=extmap:(\d+)\S* {re.escape(TRANSPORT_CC)}", text, re.M)
    remote = Remote(
        host,
        int(port),
        value("ice-ufrag"),
        value("ice-pwd"),
        transport_cc=int(transport_cc[1]) if transport_cc else 0,
        controlling=controlling,
    )
    fingerprints = tuple(Fingerprint(h.lower(), v.upper(), setup) for h, v in hashes)
    return Theirs(remote, fingerprints, setup is Setup.ACTIVE)
