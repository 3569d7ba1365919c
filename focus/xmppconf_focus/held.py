"""Requests for bridges that are still on their way back, after we were away."""

from __future__ import annotations

from collections.abc import Iterator

from xmppconf_focus.brewery import Brewery
from xmppconf_focus.effects import BridgeJid, SendColibri

MAX_HELD = 10_000  # requests for one bridge


class HeldRequests:
    def __init__(self, brewery: Brewery) -> None:
        self._brewery = brewery
        self._held: dict[BridgeJid, list[SendColibri]] = {}
        """In their order."""

    def hold(self, request: SendColibri) -> bool:
        """Whether a request has to wait: its bridge would seem to refuse it.

        With too many of them the bridge is not worth waiting for.
        """
        if not self._brewery.awaits(request.bridge):
            return False
        held = self._held.setdefault(request.bridge, [])
        if len(held) >= MAX_HELD:
            return False
        held.append(request)
        return True

    def release(self) -> Iterator[SendColibri]:
        """What waited for bridges that are there now; what is for others is moot."""
        settled = [bridge for bridge in self._held if not self._brewery.awaits(bridge)]
        for bridge in settled:
            held = self._held.pop(bridge)
            if bridge in self._brewery.bridges:
                yield from held

    def forget(self) -> None:
        self._held.clear()
