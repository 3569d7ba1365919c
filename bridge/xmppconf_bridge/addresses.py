"""Which addresses the bridge uses, and how it advertises them (RFC 8445, 5.1)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from xmppconf.errors import SettingsError
from xmppconf.transport import Candidate

_HOST_PREFERENCE = 126
_REFLEXIVE_PREFERENCE = 100


def usable(found: Iterable[str], configured: Sequence[str]) -> tuple[str, ...]:
    """The local addresses to bind: the configured ones, or all but link-local ones.

    An unspecified one (0.0.0.0, ::) stands for all of its family: it can be bound, but
    nobody could be told to send there.  Raises `SettingsError` for a configured address
    that is not one.
    """
    if configured:
        checked = [_check(text, "bridge.udp_addresses") for text in configured]
        found = tuple(found)
        return tuple(dict.fromkeys(one for text in checked for one in _meant(text, found)))
    return _all(found)


def _meant(text: str, found: tuple[str, ...]) -> tuple[str, ...]:
    address = ipaddress.ip_address(text)
    if not address.is_unspecified:
        return (text,)
    return tuple(
        one for one in _all(found) if ipaddress.ip_address(one).version == address.version
    )


def _all(found: Iterable[str]) -> tuple[str, ...]:
    kept: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = []
    for text in found:
        address = ipaddress.ip_address(text)
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            continue
        if address not in kept:
            kept.append(address)
    # Wide reach first; loopback last, for browsers on the same machine only.
    kept.sort(key=lambda address: (address.is_loopback, address.is_private))
    return tuple(map(str, kept))


def candidates(
    bound: Sequence[tuple[str, int]], public: Sequence[str]
) -> tuple[Candidate, ...]:
    """The candidates to advertise for sockets bound to `bound`.

    A public address of a host behind NAT becomes server reflexive, on the port of the
    first non-loopback socket of its family.
    """
    result: list[Candidate] = []
    for host, port in bound:
        result.append(_candidate(len(result) + 1, host, port, "host", _HOST_PREFERENCE))
    for text in public:
        address = _check(text, "bridge.public_addresses")
        if any(address == host for host, _ in bound):
            continue
        base = _base(address, bound)
        if base is not None:
            result.append(
                _candidate(
                    len(result) + 1,
                    address,
                    base[1],
                    "srflx",
                    _REFLEXIVE_PREFERENCE,
                    related=base,
                )
            )
    return tuple(result)


def reaches_beyond(bound: Sequence[tuple[str, int]], public: Sequence[str]) -> bool:
    """Whether anybody on another machine could reach the bridge."""
    return bool(public) or any(
        not ipaddress.ip_address(host).is_loopback for host, _ in bound
    )


def _check(text: str, setting: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise SettingsError(f"{setting}: not an IP address") from None


def _base(address: str, bound: Sequence[tuple[str, int]]) -> tuple[str, int] | None:
    version = ipaddress.ip_address(address).version
    same = [
        (host, port)
        for host, port in bound
        if ipaddress.ip_address(host).version == version
    ]
    outward = [item for item in same if not ipaddress.ip_address(item[0]).is_loopback]
    return next(iter(outward or same), None)


def _candidate(
    index: int,
    host: str,
    port: int,
    kind: str,
    preference: int,
    related: tuple[str, int] | None = None,
) -> Candidate:
    # RFC 8445, 5.1.2.1: earlier addresses get the higher local preference; component 1.
    priority = (preference << 24) + ((65536 - index) << 8) + 255
    return Candidate(
        ip=host,
        port=port,
        type=kind,
        priority=priority,
        foundation=str(index),
        id=str(index),
        rel_addr=related[0] if related else None,
        rel_port=related[1] if related else None,
    )
