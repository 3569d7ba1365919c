"""The addresses of this machine's network interfaces."""

from __future__ import annotations

import ifaddr


def local_addresses() -> tuple[str, ...]:
    """All of them, IPv4 and IPv6, without scope ids."""
    found: list[str] = []
    for adapter in ifaddr.get_adapters():
        for address in adapter.ips:
            # IPv6 comes as (address, flow info, scope id).
            found.append(address.ip if isinstance(address.ip, str) else address.ip[0])
    return tuple(found)
