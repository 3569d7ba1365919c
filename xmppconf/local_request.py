"""Whether an HTTP request comes from this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Container

#: A proxy on this machine makes everybody look local; then nobody is.
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


def is_local(remote: str | None, headers: Container[str]) -> bool:
    """`remote` is the other end's address; `headers` ignores the case of names."""
    if any(name in headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(remote or "").is_loopback
    except ValueError:
        return False
