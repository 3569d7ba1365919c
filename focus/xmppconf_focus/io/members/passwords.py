"""Signing in with a name and a password: asks each source, and gives one answer."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

from xmppconf import clock
from xmppconf.errors import LimitExceeded, PeerError
from xmppconf.members_file import MAX_PASSWORD, normalise
from xmppconf_focus.io.members.fetch import SourceUnavailable
from xmppconf_focus.membership import Member, NotAuthorized
from xmppconf_focus.rate import TokenBucket

#: What one user's name may be tried: ten times at once, then twice a minute.
BURST, RATE = 10.0, 1 / 30
MAX_BUCKETS = 20_000  # names whose tries are remembered; the oldest is forgotten
#: Seconds that a refusal takes at least, so that it does not tell which source refused.
REFUSAL = 0.5

log = logging.getLogger(__name__)


class Source(Protocol):
    """Knows members by their passwords; `name` is part of who they are."""

    name: str

    def is_there(self) -> bool: ...

    async def check(self, user: str, password: str) -> Member | None:
        """The member, or None; raises `SourceUnavailable`, `LimitExceeded`."""
        ...

    async def knows(self, user: str) -> bool | None:
        """Whether there still is such a member; None if that cannot be asked."""
        ...


class Passwords:
    def __init__(self, sources: Sequence[Source], refusal: float = REFUSAL) -> None:
        self.sources = {source.name: source for source in sources}
        self._refusal = refusal
        self._tries: OrderedDict[str, TokenBucket] = OrderedDict()

    def are_asked(self) -> bool:
        """Whether any source has members at all."""
        return any(source.is_there() for source in self.sources.values())

    async def sign_in(self, user: str, password: str) -> Member:
        """Raises `NotAuthorized`, `LimitExceeded`, `SourceUnavailable`."""
        started = clock.monotonic()
        try:
            name = normalise(user)
            self._count(name)
            if not 0 < len(password.encode(errors="surrogatepass")) <= MAX_PASSWORD:
                raise NotAuthorized("password")
            return await self._ask(name, password)
        except PeerError as error:
            await asyncio.sleep(started + self._refusal - clock.monotonic())
            if isinstance(error, LimitExceeded | SourceUnavailable):
                raise
            raise NotAuthorized("name or password") from None

    async def _ask(self, user: str, password: str) -> Member:
        failed = False
        for source in self.sources.values():
            try:
                member = await source.check(user, password)
            except SourceUnavailable as error:
                log.warning("%s: %s", source.name, error)
                failed = True
                continue
            if member is not None:
                return member
        # One that cannot be asked might have known.
        raise SourceUnavailable("a source") if failed else NotAuthorized("nobody")

    def _count(self, user: str) -> None:
        bucket = self._tries.pop(user, None) or TokenBucket(RATE, BURST)
        self._tries[user] = bucket
        if len(self._tries) > MAX_BUCKETS:
            self._tries.popitem(last=False)
        if not bucket.take(clock.monotonic()):
            raise LimitExceeded("tries of one name", int(BURST))

    async def knows(self, source: str, user: str) -> bool | None:
        """Whether a source still knows this user; None if nobody can say."""
        found = self.sources.get(source)
        if found is None:
            return None
        try:
            return await found.knows(user)
        except PeerError as error:
            log.warning("%s: %s", source, error.condition)
            return None
