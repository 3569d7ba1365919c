"""A host and a port in one text (RFC 3986, 3.2)."""

from __future__ import annotations

import ipaddress


def split_address(text: str) -> tuple[str, int]:
    """Read `192.0.2.1:10000` or `[2001:db8::1]:10000`; raises `ValueError`."""
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r}: write an IPv6 address in brackets")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} has no port")
    return str(ipaddress.ip_address(host)), int(port)


def join_address(host: str, port: int) -> str:
    """For a URL: IPv6 addresses stand in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
