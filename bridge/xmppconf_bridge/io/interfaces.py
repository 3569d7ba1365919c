"""The addresses of this machine's network interfaces, as far as they can be used."""

from __future__ import annotations

import socket

import ifaddr


def local_addresses() -> tuple[str, ...]:
    """All that a socket can be bound to, IPv4 and IPv6, without scope ids."""
    found: list[str] = []
    for adapter in ifaddr.get_adapters():
        for address in adapter.ips:
            # IPv6 comes as (address, flow info, scope id).
            found.append(address.ip if isinstance(address.ip, str) else address.ip[0])
    return tuple(filter(_is_usable, found))


def _is_usable(address: str) -> bool:
    """An address may be listed and yet be tentative, or its protocol switched off."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
