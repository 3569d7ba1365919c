"""Which bridge serves a new conference.

A conference stays on its bridge as long as that can be used; relays between bridges are
not made here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from xmppconf_focus.brewery import Bridge
from xmppconf_focus.effects import BridgeJid


def select_bridge(
    bridges: Iterable[Bridge], now: float, avoid: Collection[BridgeJid] = ()
) -> Bridge | None:
    """The least stressed bridge that works and is not about to stop.

    Draining bridges are taken only when there is no other; those in graceful shutdown
    take no new conference; those in `avoid` were just found unfit for this one.
    """
    usable = [
        bridge
        for bridge in bridges
        if bridge.is_usable() and not bridge.is_closing() and bridge.jid not in avoid
    ]
    return min(
        usable,
        key=lambda bridge: (bridge.stats.drain, bridge.corrected_stress(now), bridge.jid),
        default=None,
    )
