"""TCP and UDP ports: is one free, and which are; and whose address is whose."""

from __future__ import annotations

import errno
import socket
from typing import Any

from xmppconf.errors import SettingsError


def check_tcp(host: str, port: int, setting: str) -> None:
    """Refuse with one sentence if nobody could listen on this port now."""
    _check(socket.SOCK_STREAM, host, port, setting)


def check_udp(host: str, port: int, setting: str) -> None:
    """The same for UDP; the wildcard address finds a user of any single address too."""
    _check(socket.SOCK_DGRAM, host, port, setting)


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Ports that are free now, all different: all are held until the last is found."""
    held = []
    try:
        for _ in range(count):
            held.append(socket.create_server((host, 0)))
        return [sock.getsockname()[1] for sock in held]
    finally:
        for sock in held:
            sock.close()


def _check(kind: socket.SocketKind, host: str, port: int, setting: str) -> None:
    name = "TCP" if kind is socket.SOCK_STREAM else "UDP"
    for family, address in _addresses(kind, host, port, setting):
        with socket.socket(family, kind) as sock:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if kind is socket.SOCK_STREAM:
                # As a server does: a connection in TIME_WAIT is no obstacle.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(address)
                if kind is socket.SOCK_STREAM:
                    sock.listen(1)
            except OSError as exc:
                raise SettingsError(_sentence(exc, name, host, port, setting)) from None


def _addresses(
    kind: socket.SocketKind, host: str, port: int, setting: str
) -> list[tuple[socket.AddressFamily, Any]]:
    if not host:
        both: list[tuple[socket.AddressFamily, Any]] = [
            (socket.AF_INET, ("0.0.0.0", port)),  # noqa: S104
            (socket.AF_INET6, ("::", port)),
        ]
        return both if _has_ipv6(kind) else both[:1]
    try:
        found = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)
    except OSError:
        raise SettingsError(
            f"the address {host} ({_host_setting(setting)}) is unknown"
        ) from None
    return [(entry[0], entry[4]) for entry in found]


def _has_ipv6(kind: socket.SocketKind) -> bool:
    try:
        with socket.socket(socket.AF_INET6, kind) as sock:
            sock.bind(("::", 0))
    except OSError:
        return False
    return True


def _host_setting(setting: str) -> str:
    if setting == "bridge.udp_port":
        return "bridge.udp_addresses"
    return setting.removesuffix("port") + "host"


def _sentence(exc: OSError, name: str, host: str, port: int, setting: str) -> str:
    if exc.errno == errno.EADDRINUSE:
        return f"{name} port {port} is taken by another program; stop it or set {setting}"
    if exc.errno == errno.EACCES:
        return f"{name} port {port} needs more rights than this user has; set {setting}"
    if exc.errno == errno.EADDRNOTAVAIL:
        return f"this machine has no address {host}; set {_host_setting(setting)}"
    return f"{name} port {port} ({setting}) cannot be used: {exc.strerror}"


def is_own_address(address: str) -> bool:
    """Whether an address is one of this machine: a socket can be bound to it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
