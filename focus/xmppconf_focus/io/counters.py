"""The focus's metrics."""

from __future__ import annotations

from typing import get_args

from xmppconf import clock
from xmppconf.errors import Condition
from xmppconf.jingle import Action
from xmppconf.metrics import Metrics
from xmppconf_focus.effects import Abuse
from xmppconf_focus.focus import Focus
from xmppconf_focus.handlers import Kind


class Counters:
    def __init__(self, metrics: Metrics, focus: Focus) -> None:
        self._received = metrics.counter(
            "requests", "Requests received", "kind", [kind.name.lower() for kind in Kind]
        )
        self._refused = metrics.counter(
            "requests_refused", "Requests refused", "condition", get_args(Condition)
        )
        self._sent = metrics.counter(
            "jingle_sent", "Jingle requests sent", "action", [a.value for a in Action]
        )
        self._reported = metrics.counter(
            "abuse_reports", "People reported by others", "kind", get_args(Abuse)
        )
        self._bridge_refused = metrics.counter(
            "bridge_requests_failed", "Requests that a bridge refused or left unanswered"
        )
        metrics.gauge("conferences", "Conferences now", lambda: len(focus.conferences))
        metrics.gauge("participants", "Participants now", lambda: participants(focus))
        bridges = focus.brewery.bridges
        metrics.gauge("bridges", "Bridges in the brewery", lambda: len(bridges))
        metrics.gauge("bridges_usable", "Usable bridges", lambda: usable_bridges(focus))
        metrics.gauge("bridges_full", "Bridges without room", lambda: full_bridges(focus))
        for kind, pool in focus.services.items():
            name = f"{kind.value}s"
            services = pool.services
            metrics.gauge(
                name, f"{name.title()} that announced themselves", services.__len__
            )
            metrics.gauge(f"{name}_available", f"Available {name}", pool.available)

    def received(self, kind: Kind) -> None:
        self._received.increment(kind.name.lower())

    def refused(self, condition: Condition) -> None:
        self._refused.increment(condition)

    def sent(self, action: str) -> None:
        self._sent.increment(action)

    def reported(self, kind: Abuse) -> None:
        self._reported.increment(kind)

    def bridge_refused(self) -> None:
        self._bridge_refused.increment()


def participants(focus: Focus) -> int:
    return sum(len(c.media.participants) for c in focus.conferences.values())


def full_bridges(focus: Focus) -> int:
    """Bridges that get no new conferences because of what they have to do."""
    now = clock.monotonic()
    return sum(b.fullness.is_full(now) for b in focus.brewery.bridges.values())


def is_overloaded(focus: Focus) -> bool:
    """Whether every bridge that can be used has more to do than it should."""
    limit = focus.settings.overloaded
    bridges = [b for b in focus.brewery.bridges.values() if b.is_usable()]
    return bool(bridges) and all(b.stats.stress >= limit for b in bridges)


def usable_bridges(focus: Focus) -> int:
    return sum(bridge.is_usable() for bridge in focus.brewery.bridges.values())
