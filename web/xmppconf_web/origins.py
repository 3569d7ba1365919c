"""Which pages may open sockets here: our own, and those the operator named.

A browser says in `Origin` whose page asks (RFC 6454); apps and scripts say nothing, and
nothing they could do depends on it, so no `Origin` is fine.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

_HOST = re.compile(
    r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?"
)


def is_host(text: str) -> bool:
    """Whether this is a `Host` (RFC 9110, 7.2) that may be quoted in an answer."""
    return _HOST.fullmatch(text) is not None


def may_connect(
    origin: str | None, host: str, public_url: str, others: Collection[str]
) -> bool:
    """Whether a page of `origin` may use the sockets of `host`."""
    if origin is None or "*" in others or origin in others:
        return True
    if origin == public_url:
        return True
    # The scheme is not compared: TLS may end before us.
    return is_host(host) and urlsplit(origin).netloc.lower() == host.lower()
