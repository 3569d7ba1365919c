"""Whom the relay may reach: our bridges, and nobody else."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

from xmppconf.config import BridgeSettings
from xmppconf.host_port import split_address
from xmppconf_web.turn.messages import Address


class Bridges:
    """Addresses under which clients know bridges, and where each is reached from here.

    `is_local` tells whether an address is one of this machine.
    """

    def __init__(
        self, own: BridgeSettings, others: Iterable[str], is_local: Callable[[str], bool]
    ) -> None:
        self._port = own.udp_port
        # Behind NAT the public address may not lead back here.
        self._public = frozenset(own.public_addresses)
        self._listens_on = tuple(
            address
            for address in own.udp_addresses
            if not ipaddress.ip_address(address).is_unspecified
        )
        self._others = frozenset(split_address(text) for text in others)
        self._other_hosts = frozenset(host for host, _ in self._others)
        self._is_local = is_local

    def permits(self, host: str) -> bool:
        """Whether a bridge is there; a permission is for a host (RFC 8656, 9)."""
        return host in self._other_hosts or self._own(host) is not None

    def reach(self, address: Address) -> Address | None:
        """Where to send what is for this address; None if no bridge has it."""
        if address in self._others:
            return address
        host = self._own(address[0]) if address[1] == self._port else None
        return None if host is None else (host, self._port)

    def _own(self, host: str) -> str | None:
        parsed = ipaddress.ip_address(host)
        if host in self._public:
            return self._near(parsed.version)
        # Sockets can be bound to these too, and packets to some of them come home.
        if parsed.is_unspecified or parsed.is_multicast or parsed.is_reserved:
            return None
        return host if self._is_local(host) else None

    def _near(self, version: int) -> str | None:
        if not self._listens_on:
            return "127.0.0.1" if version == 4 else "::1"
        same = (a for a in self._listens_on if ipaddress.ip_address(a).version == version)
        return next(same, None)
