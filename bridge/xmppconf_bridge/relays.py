"""What of one conference crosses to other bridges, and what they are asked for.

Changes only mark the links they affect; `settle` then works out each of these once.
"""

from __future__ import annotations

from collections.abc import Mapping

from xmppconf.ids import RelayId
from xmppconf.media import MediaType
from xmppconf_bridge.engine import Commands
from xmppconf_bridge.media import BridgeSource
from xmppconf_bridge.relay import Relay
from xmppconf_bridge.sender_constraints import SenderConstraints


class RelayForwarding:
    def __init__(
        self,
        engine: Commands,
        relays: Mapping[RelayId, Relay],
        sources: Mapping[int, BridgeSource],
        senders: SenderConstraints,
    ) -> None:
        """The mappings are the conference's own, and live; so is `senders`."""
        self._engine = engine
        self._relays = relays
        self._sources = sources
        self._senders = senders
        self._due: dict[RelayId, None] = {}
        self._wished: dict[RelayId, set[int]] = {}

    # -- what changed -------------------------------------------------------------------
    def relay_changed(self, relay: Relay) -> None:
        """It is connected now, or wants something else."""
        self._due[relay.id] = None

    def sources_changed(self) -> None:
        self._due.update(dict.fromkeys(self._relays))

    def layers_changed(self, source: BridgeSource) -> None:
        """Its encodings come and go, or have other heights."""
        for relay in self._relays.values():
            if source.name in relay.wishes and self.crosses(source, relay):
                self._due[relay.id] = None

    def source_gone(self, source: BridgeSource) -> None:
        """The engine has ended its routes by itself."""
        for relay in self._relays.values():
            relay.carried.pop(source.number, None)
        self._senders.source_gone(source.number)

    def relay_gone(self, relay: Relay) -> None:
        self._due.pop(relay.id, None)
        self._senders.update(_wisher(relay), self._wished.pop(relay.id, ()), {})

    # -- carrying it out ----------------------------------------------------------------
    def settle(self) -> None:
        """Carry out what has been marked."""
        due, self._due = self._due, {}
        for relay_id in due:
            relay = self._relays.get(relay_id)
            if relay is not None:
                self._serve(relay)

    def _serve(self, relay: Relay) -> None:
        heights: dict[int, int] = {}
        for source in self._sources.values():
            if not self.crosses(source, relay):
                continue
            height = relay.wishes.get(source.name)
            if height is not None and source.media_type is MediaType.VIDEO:
                heights[source.number] = height
            encodings = relay.encodings(source) if relay.transport.is_connected else 0
            if encodings != relay.carried.get(source.number, 0):
                relay.carried[source.number] = encodings
                self._engine.set_relay(relay.transport.number, source.number, encodings)
        before = self._wished.get(relay.id, ())
        self._wished[relay.id] = set(heights)
        self._senders.update(_wisher(relay), before, heights)

    def crosses(self, source: BridgeSource, relay: Relay) -> bool:
        """What came over a mesh goes to other meshes only."""
        if source.link is None:
            return True
        other = self._relays.get(source.link)
        return other is not None and other.mesh != relay.mesh


def _wisher(relay: Relay) -> str:
    # No endpoint's id has a space.
    return f"relay {relay.id}"
