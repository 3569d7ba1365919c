"""ICE, DTLS and bridge channel parameters as XML (XEP-0176, XEP-0320, XEP-0343)."""

from __future__ import annotations

import ipaddress
import re
from xml.etree.ElementTree import Element

from xmppconf import limits
from xmppconf.errors import PeerError
from xmppconf.transport import Candidate, Fingerprint, IceTransport, Setup
from xmppconf.xmpp.xml import (
    COLIBRI,
    DTLS,
    ICE,
    SCTP,
    attribute,
    build,
    child,
    children,
    content,
    integer,
    required,
    tag,
)

_CREDENTIAL = re.compile(r"[0-9A-Za-z+/]{1,256}")  # RFC 8839, 5.4: ice-char
_HEX = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){15,63}")
_MAX_PRIORITY = 2**32 - 1
_MAX_GENERATION = 2**31 - 1


def ice_to_xml(transport: IceTransport) -> Element:
    """`<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'/>`."""
    generation = None if transport.generation is None else str(transport.generation)
    attributes = {
        "ufrag": transport.ufrag,
        "pwd": transport.pwd,
        "ice-generation": generation,
    }
    element = build(ICE, "transport", attributes)
    if transport.rtcp_mux:
        element.append(build(ICE, "rtcp-mux"))
    for fingerprint in transport.fingerprints:
        attributes = {"hash": fingerprint.hash, "setup": fingerprint.setup.value}
        element.append(build(DTLS, "fingerprint", attributes, text=fingerprint.value))
    for url in transport.web_sockets:
        element.append(build(COLIBRI, "web-socket", {"url": url}))
    element.extend(_candidate_to_xml(candidate) for candidate in transport.candidates)
    if transport.sctp_port is not None:
        attributes = {
            "number": str(transport.sctp_port),
            "protocol": "webrtc-datachannel",
            "streams": "1024",
        }
        element.append(build(SCTP, "sctpmap", attributes))
    return element


def ice_from_xml(element: Element) -> IceTransport:
    """Read it; raises `PeerError`."""
    sctp = child(element, tag(SCTP, "sctpmap"))
    return IceTransport(
        ufrag=_credential(element, "ufrag"),
        pwd=_credential(element, "pwd"),
        fingerprints=tuple(
            _fingerprint_from_xml(item)
            for item in children(element, tag(DTLS, "fingerprint"), limits.FINGERPRINTS)
        ),
        candidates=tuple(
            candidate
            for item in children(element, tag(ICE, "candidate"), limits.CANDIDATES)
            if (candidate := _candidate_from_xml(item)) is not None
        ),
        rtcp_mux=child(element, tag(ICE, "rtcp-mux")) is not None,
        web_sockets=tuple(
            required(item, "url", limit=2048)
            for item in children(element, tag(COLIBRI, "web-socket"), limits.WEB_SOCKETS)
        ),
        generation=(
            integer(element, "ice-generation", 0, _MAX_GENERATION)
            if element.get("ice-generation") is not None
            else None
        ),
        sctp_port=None if sctp is None else integer(sctp, "number", 0, 65535),
    )


def _credential(element: Element, name: str) -> str | None:
    value = attribute(element, name)
    if value is not None and not _CREDENTIAL.fullmatch(value):
        raise PeerError(f"attribute {name} has other characters than RFC 8839 allows")
    return value


def _fingerprint_from_xml(element: Element) -> Fingerprint:
    value = content(element)
    if not _HEX.fullmatch(value):
        raise PeerError("fingerprint is not hexadecimal with colons")
    setup = attribute(element, "setup", "actpass")
    try:
        return Fingerprint(required(element, "hash").lower(), value.upper(), Setup(setup))
    except ValueError:
        raise PeerError("setup is neither active, passive nor actpass") from None


def _candidate_to_xml(candidate: Candidate) -> Element:
    return build(
        ICE,
        "candidate",
        {
            "component": candidate.component,
            "foundation": candidate.foundation,
            "generation": candidate.generation,
            "id": candidate.id,
            "ip": candidate.ip,
            "network": candidate.network,
            "port": candidate.port,
            "priority": candidate.priority,
            "protocol": candidate.protocol,
            "type": candidate.type,
            "rel-addr": candidate.rel_addr,
            "rel-port": candidate.rel_port,
        },
    )


def _candidate_from_xml(element: Element) -> Candidate | None:
    """None for a candidate without IP address: mDNS names are of no use to a server."""
    ip = required(element, "ip")
    try:
        ipaddress.ip_address(ip)
    except ValueError:
        return None
    required(element, "port")
    return Candidate(
        ip=ip,
        port=integer(element, "port", 0, 65535, 0),
        type=attribute(element, "type", "host"),
        priority=integer(element, "priority", 0, _MAX_PRIORITY, 0),
        foundation=attribute(element, "foundation", "1"),
        component=integer(element, "component", 1, 256, 1),
        protocol=attribute(element, "protocol", "udp").lower(),
        generation=integer(element, "generation", 0, _MAX_GENERATION, 0),
        network=integer(element, "network", 0, _MAX_GENERATION, 0),
        id=attribute(element, "id", "1"),
        rel_addr=attribute(element, "rel-addr"),
        rel_port=integer(element, "rel-port", 0, 65535),
    )
