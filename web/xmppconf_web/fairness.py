"""How much one address may have of what everybody shares."""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict

MAX_SOURCES = 20_000  # addresses whose allowance is remembered
IPV6_PREFIX = 64  # bits: what one customer has


def source_of(address: str | None) -> str | None:
    """What is counted for a peer's address: itself, or its IPv6 network.

    None, which is not counted, stands for loopback: everybody comes from there if a proxy
    on this machine stands before us.
    """
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            if parsed.is_loopback:
                return None
            return str(ipaddress.IPv6Network((parsed, IPV6_PREFIX), strict=False))
        parsed = parsed.ipv4_mapped
    return None if parsed.is_loopback else str(parsed)


class Held:
    """Things that are held open: so many in all, so many for each source."""

    def __init__(self, limit: int, limit_each: int) -> None:
        self._limit = limit
        self._limit_each = limit_each
        self._total = 0
        self._by_source: Counter[str] = Counter()

    def enter(self, source: str | None) -> bool:
        """Whether one more is allowed; if so, `leave` must follow."""
        if self._total >= self._limit:
            return False
        if source is not None:
            if self._by_source[source] >= self._limit_each:
                return False
            self._by_source[source] += 1
        self._total += 1
        return True

    def leave(self, source: str | None) -> None:
        self._total -= 1
        if source is not None:
            self._by_source[source] -= 1
            if not self._by_source[source]:
                del self._by_source[source]


class Bucket:
    """A token bucket: `rate` a second in the long run, `size` at once."""

    __slots__ = ("_at", "_left", "_rate", "_size")

    def __init__(self, rate: float, size: float) -> None:
        self._rate = rate
        self._size = size
        self._left = size
        self._at: float | None = None

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Whether there is so much left; if so, it is taken."""
        self._fill(now)
        if self._left < amount:
            return False
        self._left -= amount
        return True

    def owe(self, now: float, amount: float) -> float:
        """Take so much in any case; seconds until that much is there."""
        self._fill(now)
        self._left -= amount
        return max(0.0, -self._left / self._rate)

    def _fill(self, now: float) -> None:
        if self._at is not None:
            self._left = min(self._size, self._left + (now - self._at) * self._rate)
        self._at = now


class Allowance:
    """Requests a minute for each source, as a token bucket that holds half a minute's.

    The oldest of too many sources is forgotten, which gives it a full bucket again.
    """

    def __init__(self, per_minute: int) -> None:
        self._rate = per_minute / 60.0
        self._size = max(1.0, per_minute / 2.0)
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, source: str | None, now: float) -> bool:
        """Whether this source may ask once more."""
        if source is None:
            return True
        bucket = self._buckets.pop(source, None) or Bucket(self._rate, self._size)
        self._buckets[source] = bucket
        if len(self._buckets) > MAX_SOURCES:
            self._buckets.popitem(last=False)
        return bucket.take(now)
