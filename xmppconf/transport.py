"""ICE, DTLS and SCTP parameters as they are signalled."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Setup(enum.StrEnum):
    """Who starts DTLS (RFC 4145, 4; RFC 5763, 5)."""

    ACTPASS = "actpass"
    ACTIVE = "active"
    PASSIVE = "passive"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A certificate's hash (RFC 8122); `value` is upper-case hex with colons."""

    hash: str
    value: str
    setup: Setup


@dataclass(frozen=True, slots=True)
class Candidate:
    """An ICE candidate (RFC 8445, 5.1; XEP-0176, `candidate`)."""

    ip: str
    port: int
    type: str = "host"
    priority: int = 2130706431
    foundation: str = "1"
    component: int = 1
    protocol: str = "udp"
    generation: int = 0
    network: int = 0
    id: str = "1"
    rel_addr: str | None = None
    rel_port: int | None = None


@dataclass(frozen=True, slots=True)
class IceTransport:
    """The content of `<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'>`."""

    ufrag: str | None = None
    pwd: str | None = None
    fingerprints: tuple[Fingerprint, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    rtcp_mux: bool = True
    web_sockets: tuple[str, ...] = ()
    generation: int | None = None
    """Which restart of ICE it belongs to, counted from 1; None: to none."""
    sctp_port: int | None = None
    """Jingle only: the `<sctpmap/>` of the data content."""
