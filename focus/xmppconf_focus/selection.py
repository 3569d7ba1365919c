"""Which bridge serves a participant.

A conference stays on as few bridges as its strategy allows; a further bridge is only
taken when relays to it can be made.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from xmppconf.config import FocusSettings
from xmppconf.errors import SettingsError
from xmppconf_focus.brewery import Bridge
from xmppconf_focus.effects import BridgeJid


class Strategy(enum.StrEnum):
    """When a conference gets a further bridge."""

    SINGLE = "single"
    """Never."""
    OVERLOAD = "overload"
    """When those it has are full or overloaded."""
    REGION = "region"
    """The same, and when a participant is in a region where it has none."""
    SPLIT = "split"
    """With every participant, for trying relays out."""


@dataclass(frozen=True, slots=True)
class SelectionPolicy:
    strategy: Strategy = Strategy.OVERLOAD
    max_endpoints: int = 80
    """Endpoints of one conference on one bridge."""
    overloaded: float = 0.8
    """Stress from which on a bridge gets no more than it must."""
    region: str | None = None
    """Taken for who names no region."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Region to the name of the group it is near to."""
    mixed: bool = False
    """Whether bridges of different versions or makes may share a conference."""

    @classmethod
    def of(cls, settings: FocusSettings) -> SelectionPolicy:
        """Raises `SettingsError`."""
        try:
            strategy = Strategy(settings.bridge_strategy)
        except ValueError:
            known = ", ".join(Strategy)
            raise SettingsError(
                f"focus.bridge_strategy: {settings.bridge_strategy!r} is not one of {known}"
            ) from None
        return cls(
            strategy,
            settings.max_endpoints_per_bridge,
            settings.overloaded,
            settings.region or None,
            settings.region_groups,
            settings.mixed_bridges,
        )

    def is_near(self, one: str | None, other: str | None) -> bool:
        """Whether two regions are in one group."""
        return (
            one is not None
            and other is not None
            and one in self.groups
            and self.groups[one] == self.groups.get(other)
        )


def select_bridge(
    bridges: Iterable[Bridge],
    now: float,
    policy: SelectionPolicy,
    used: Mapping[BridgeJid, int] | None = None,
    region: str | None = None,
    avoid: Collection[BridgeJid] = (),
) -> Bridge | None:
    """Choose for one participant, or None: nothing works.

    `used` are the conference's bridges with the number of its endpoints on each; `region`
    is the participant's.  Those in `avoid` were just found unfit for this conference.
    """
    choice = _Choice(policy, now, used or {}, tuple(bridges), avoid)
    return choice.choose(region or policy.region)


class _Choice:
    def __init__(
        self,
        policy: SelectionPolicy,
        now: float,
        used: Mapping[BridgeJid, int],
        bridges: tuple[Bridge, ...],
        avoid: Collection[BridgeJid],
    ) -> None:
        self._policy = policy
        self._now = now
        self._used = used
        self._all_own = [b for b in bridges if b.jid in used]
        self._own = [b for b in self._all_own if b.is_usable()]
        self._others = self._further(b for b in bridges if b.jid not in avoid)

    def _further(self, bridges: Iterable[Bridge]) -> list[Bridge]:
        """Bridges the conference is not on and could be."""
        others = [
            b
            for b in bridges
            if b.is_usable() and not b.is_closing() and b.jid not in self._used
        ]
        if self._used:
            if self._policy.strategy is Strategy.SINGLE or (
                len(self._own) < len(self._used)
            ):
                # Every bridge needs a relay to every other, the ill one included.
                return []
            others = [b for b in others if all(self._may_link(b, own) for own in self._own)]
        # Draining ones are for need only, and who has a bridge is not in need.
        return [b for b in others if not b.stats.drain] or ([] if self._used else others)

    def _may_link(self, one: Bridge, other: Bridge) -> bool:
        """What bridges say to each other is only promised between equal versions."""
        a, b = one.stats, other.stats
        return (
            a.relay_id is not None
            and b.relay_id is not None
            and a.relay_id != b.relay_id
            and (self._policy.mixed or (a.version, a.release) == (b.version, b.release))
        )

    def choose(self, region: str | None) -> Bridge | None:
        if self._policy.strategy is Strategy.SPLIT:
            return min(self._own + self._others, key=self._by_endpoints, default=None)
        if self._policy.strategy is Strategy.REGION and region is not None:
            for bridges in self._by_place(region):
                if chosen := self._least(b for b in bridges if self._has_room(b)):
                    return chosen
        return (
            self._least(b for b in self._own if self._has_room(b))
            or self._least(b for b in self._others if self._has_room(b))
            or self._least(b for b in self._own if not self._is_full(b))
            or self._least(self._own + self._others)
            # Ill, but its conference runs: whoever is in it may still be heard there.
            or self._least(self._all_own)
        )

    def _by_place(self, region: str) -> Iterable[list[Bridge]]:
        for bridges in (self._own, self._others):
            yield [b for b in bridges if b.stats.region == region]
            yield [b for b in bridges if self._policy.is_near(b.stats.region, region)]

    def _is_full(self, bridge: Bridge) -> bool:
        return self._used.get(bridge.jid, 0) >= self._policy.max_endpoints

    def _has_room(self, bridge: Bridge) -> bool:
        stress = bridge.corrected_stress(self._now)
        return stress < self._policy.overloaded and not self._is_full(bridge)

    def _least(self, bridges: Iterable[Bridge]) -> Bridge | None:
        return min(bridges, key=self._by_stress, default=None)

    def _by_stress(self, bridge: Bridge) -> tuple[float, BridgeJid]:
        return bridge.corrected_stress(self._now), bridge.jid

    def _by_endpoints(self, bridge: Bridge) -> tuple[int, float, BridgeJid]:
        return self._used.get(bridge.jid, 0), *self._by_stress(bridge)
