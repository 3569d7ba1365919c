"""Where one conference's participants go, with a memory of what failed there."""

from __future__ import annotations

from collections.abc import Mapping

from xmppconf_focus.brewery import Brewery, Bridge
from xmppconf_focus.effects import BridgeJid
from xmppconf_focus.selection import SelectionPolicy, select_bridge

MAX_RETRY_DELAY = 30.0  # seconds between attempts when bridges fail one after the other
FAILURES_FORGOTTEN = 60.0  # seconds


class Placement:
    def __init__(self, brewery: Brewery, policy: SelectionPolicy) -> None:
        self.retry_at: float | None = None
        """When to look for a bridge again; nobody is placed before."""
        self._brewery = brewery
        self._policy = policy
        self._failures = 0
        self._failed_at = 0.0
        self._avoid: set[BridgeJid] = set()

    def may_try(self, now: float) -> bool:
        return self.retry_at is None or now >= self.retry_at

    def choose(
        self, used: Mapping[BridgeJid, int], region: str | None, now: float
    ) -> Bridge | None:
        """A bridge for one participant, which is counted there at once."""
        bridges = self._brewery.bridges.values()
        chosen = select_bridge(bridges, now, self._policy, used, region, self._avoid)
        # Better a bridge that just failed us than none at all.
        chosen = chosen or select_bridge(bridges, now, self._policy, used, region)
        if chosen is not None:
            self._brewery.placed(chosen.jid, now)
        return chosen

    def gave_up(self, bridge: BridgeJid, now: float) -> None:
        """The conference left a bridge that was no good: later and later if it repeats."""
        if now - self._failed_at > FAILURES_FORGOTTEN:
            self._failures = 0
            self._avoid.clear()
        self._avoid.add(bridge)
        self.retry_at = None
        if self._failures:
            self.retry_at = now + min(MAX_RETRY_DELAY, 2.0 ** (self._failures - 1))
        self._failures = min(self._failures + 1, 10)
        self._failed_at = now

    def usable(self, bridge: BridgeJid) -> None:
        """A bridge came, or came back."""
        self._avoid.discard(bridge)
