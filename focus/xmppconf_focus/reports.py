"""Reports of abuse in one meeting: counts, never a text, and never who it was.

People are known by digests that outlive a connection, so that nobody is reported twice by
the same person, and nobody leaves their reports behind with a nickname.
"""

from __future__ import annotations

from xmppconf.errors import LimitExceeded

MAX_REPORTED = 500  # people of one meeting
MAX_REPORTERS = 1000  # digests of who reported one person


class Reports:
    def __init__(self) -> None:
        self.total = 0
        self._counts: dict[str, int] = {}
        """By one of the digests of who is reported."""
        self._reporters: dict[str, set[str]] = {}

    def add(self, target: frozenset[str], reporter: frozenset[str]) -> int | None:
        """By how many people `target` is reported now; None if it was by this one before.

        Both are a person's digests.  Raises `LimitExceeded`.
        """
        known = min(target & self._counts.keys(), default=min(target))
        reporters = self._reporters.get(known, set())
        if not reporter.isdisjoint(reporters):
            return None
        if known not in self._counts and len(self._counts) >= MAX_REPORTED:
            raise LimitExceeded("people reported", MAX_REPORTED)
        if len(reporters) + len(reporter) > MAX_REPORTERS:
            raise LimitExceeded("reports of one person", MAX_REPORTERS)
        self._reporters[known] = reporters | reporter
        self._counts[known] = self._counts.get(known, 0) + 1
        self.total += 1
        return self._counts[known]
