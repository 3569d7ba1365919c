"""The bridges that have announced themselves, and whether they can be used.

Health checks go out every five seconds; a check that finds no answer is repeated once, so
that a bridge that hangs is found out in less than fifteen.  One that failed is tried again
after a minute.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite

from xmppconf.errors import Condition, PeerError
from xmppconf.ids import RelayId, parse_relay_id
from xmppconf_focus.effects import BridgeJid, CheckHealth
from xmppconf_focus.fullness import Fullness

CHECK_INTERVAL = 5.0  # seconds
ANSWER_TIMEOUT = 4.0  # seconds; a bridge that works answers in milliseconds
RETRY_DELAY = 0.5  # seconds
RETURN_TIME = 15.0  # seconds a bridge in use has to show itself, when we come back
FAILURE_RESET = 60.0  # seconds a failed bridge is left alone
RAMP_UP = 20.0  # seconds until an endpoint's load shows in the bridge's figures
DEFAULT_ENDPOINT_STRESS = 0.01
MAX_BRIDGES = 1000


@dataclass(frozen=True, slots=True)
class BridgeStats:
    """What a bridge says about itself.  Until it has, it counts as draining."""

    stress: float = 0.0
    newcomer_stress: float = 0.0
    """What a new conference would find: where there are several, the idlest worker's."""
    endpoint_stress: float = DEFAULT_ENDPOINT_STRESS
    drain: bool = True
    graceful_shutdown: bool = False
    shutting_down: bool = False
    version: str | None = None
    release: str | None = None
    region: str | None = None
    relay_id: RelayId | None = None
    """Under which other bridges know it; None: it takes no links."""

    @classmethod
    def from_figures(cls, figures: Mapping[str, str]) -> BridgeStats:
        """Read what a presence lists; what cannot be read gets a cautious value."""
        stress = _load(figures.get("stress_level"), missing=0.0)
        return cls(
            stress=stress,
            newcomer_stress=_load(figures.get("newcomer_stress_level"), missing=stress),
            endpoint_stress=_load(
                figures.get("average_participant_stress"), missing=DEFAULT_ENDPOINT_STRESS
            ),
            drain=figures.get("drain", "true") != "false",
            graceful_shutdown=figures.get("graceful_shutdown") == "true",
            shutting_down=figures.get("shutting_down") == "true",
            version=figures.get("version"),
            release=figures.get("release"),
            region=figures.get("region"),
            relay_id=_relay_id(figures.get("relay_id")),
        )


def _relay_id(text: str | None) -> RelayId | None:
    try:
        return parse_relay_id(text) if text else None
    except PeerError:
        return None


def _load(text: str | None, *, missing: float) -> float:
    if text is None:
        return missing
    try:
        value = float(text)
    except ValueError:
        return 1.0
    return value if isfinite(value) and value >= 0 else 1.0


@dataclass(slots=True)
class Bridge:
    jid: BridgeJid
    stats: BridgeStats
    check_at: float
    retrying: bool = False
    failed_until: float | None = None
    refuses_new: bool = False
    """It answered that it shuts down before its presence said so."""
    added: deque[float] = field(default_factory=deque)
    """When endpoints were placed here lately."""
    fullness: Fullness = field(default_factory=lambda: Fullness(0.0))

    def is_usable(self) -> bool:
        return self.failed_until is None and not self.stats.shutting_down

    def is_well(self) -> bool:
        """Whether it can be used and has not left a check unanswered since."""
        return self.is_usable() and not self.retrying

    def is_closing(self) -> bool:
        return self.stats.graceful_shutdown or self.refuses_new

    def corrected_stress(self, now: float) -> float:
        """Reported load plus that of endpoints too new to be in the report."""
        while self.added and self.added[0] <= now - RAMP_UP:
            self.added.popleft()
        return self.stats.stress + len(self.added) * self.stats.endpoint_stress


@dataclass(frozen=True, slots=True)
class BridgeLost:
    """Conferences on this bridge have to go elsewhere."""

    bridge: BridgeJid


@dataclass(frozen=True, slots=True)
class BridgeUsable:
    """A bridge came, or came back."""

    bridge: BridgeJid


class Brewery:
    """`full` is the stress at which a bridge takes no new conferences; 0: none."""

    def __init__(self, full: float = 0.0) -> None:
        self._full = full
        self.bridges: dict[BridgeJid, Bridge] = {}
        self._expected: dict[BridgeJid, float] = {}
        """Bridges on which conferences go on, and when they are given up."""
        self._effects: deque[CheckHealth | BridgeLost | BridgeUsable] = deque()

    def announced(self, jid: BridgeJid, stats: BridgeStats | None, now: float) -> None:
        """A bridge's presence; `stats` is None before its first figures."""
        self._expected.pop(jid, None)
        bridge = self.bridges.get(jid)
        if bridge is None:
            if len(self.bridges) >= MAX_BRIDGES:
                return
            bridge = Bridge(
                jid,
                stats or BridgeStats(),
                check_at=now + CHECK_INTERVAL,
                fullness=Fullness(self._full),
            )
            self.bridges[jid] = bridge
            bridge.fullness.reported(bridge.stats.newcomer_stress, now)
            if bridge.is_usable() and stats is not None:
                self._effects.append(BridgeUsable(jid))
            return
        if stats is None:
            return
        before, bridge.stats = bridge.stats, stats
        bridge.fullness.reported(stats.newcomer_stress, now)
        if stats.shutting_down and not before.shutting_down:
            self._effects.append(BridgeLost(jid))
        elif before.drain and not stats.drain and bridge.is_usable():
            self._effects.append(BridgeUsable(jid))

    def left(self, jid: BridgeJid) -> None:
        if self.bridges.pop(jid, None) is not None:
            self._effects.append(BridgeLost(jid))
        elif jid in self._expected:
            self._give_up([jid])

    def all_left(self) -> None:
        """The brewery is gone with our connection; what runs on bridges is not judged."""
        self.bridges.clear()
        self._expected.clear()
        self._effects.clear()

    def expect(self, jid: BridgeJid, now: float) -> None:
        """A conference goes on there: unless it shows itself, it is lost."""
        if jid not in self.bridges:
            self._expected[jid] = now + RETURN_TIME

    def awaits(self, jid: BridgeJid) -> bool:
        """Whether a bridge has not shown itself yet since we came back."""
        return jid in self._expected

    def entered(self, *, created: bool) -> None:
        """We are in the brewery and have seen who is; `created` if it was not there.

        In a new brewery bridges show up when they notice what happened to the old one.
        """
        if not created:
            self._give_up(list(self._expected))

    def _give_up(self, bridges: list[BridgeJid]) -> None:
        for jid in bridges:
            del self._expected[jid]
            self._effects.append(BridgeLost(jid))

    def is_full(self, now: float) -> bool:
        """Whether all bridges that would take a conference have long been too busy for it.

        Without any it is not: one may come, and who waits for it is served then.
        """
        takers = [b for b in self.bridges.values() if b.is_usable() and not b.is_closing()]
        # Draining ones are for need only.
        takers = [b for b in takers if not b.stats.drain] or takers
        return bool(takers) and all(b.fullness.is_full(now) for b in takers)

    def placed(self, jid: BridgeJid, now: float) -> None:
        """An endpoint was allocated there."""
        if (bridge := self.bridges.get(jid)) is not None:
            bridge.added.append(now)

    def failed(self, jid: BridgeJid, now: float) -> None:
        """An allocation failed in a way that speaks against the bridge."""
        if (bridge := self.bridges.get(jid)) is not None:
            bridge.failed_until = now + FAILURE_RESET
            bridge.check_at = now + FAILURE_RESET

    def refused_new(self, jid: BridgeJid) -> None:
        if (bridge := self.bridges.get(jid)) is not None:
            bridge.refuses_new = True

    def health_answered(self, jid: BridgeJid, now: float) -> None:
        bridge = self.bridges.get(jid)
        if bridge is None:
            return
        bridge.retrying = False
        bridge.check_at = now + CHECK_INTERVAL
        if bridge.failed_until is not None and bridge.failed_until <= now:
            bridge.failed_until = None
            self._effects.append(BridgeUsable(jid))

    def health_failed(self, jid: BridgeJid, condition: Condition, now: float) -> None:
        """`remote-server-timeout` stands for no answer.

        One that says that it is ill loses its conferences.  So does one that is silent,
        while another answers: if all are silent it is rather the server between us.
        """
        bridge = self.bridges.get(jid)
        if bridge is None:
            return
        if condition == "remote-server-timeout" and not bridge.retrying:
            bridge.retrying = True
            bridge.check_at = now + RETRY_DELAY
            return
        bridge.retrying = False
        was_usable = bridge.is_usable()
        is_ill = condition in ("internal-server-error", "service-unavailable")
        is_silent = condition == "remote-server-timeout"
        others = any(
            other.is_well() for other in self.bridges.values() if other is not bridge
        )
        # Where it is rather the way to the bridge, it is used again once that is there.
        bridge.failed_until = now + (
            CHECK_INTERVAL if is_silent and not others else FAILURE_RESET
        )
        bridge.check_at = bridge.failed_until
        if was_usable and (is_ill or (is_silent and others)):
            self._effects.append(BridgeLost(jid))

    def next_timeout(self) -> float | None:
        checks = [bridge.check_at for bridge in self.bridges.values()]
        return min([*checks, *self._expected.values()], default=None)

    def timeout(self, now: float) -> None:
        self._give_up([jid for jid, due in self._expected.items() if due <= now])
        for bridge in self.bridges.values():
            if bridge.check_at <= now:
                # Until the answer; longer than the answer may take.
                bridge.check_at = now + FAILURE_RESET
                self._effects.append(CheckHealth(bridge.jid))

    def effects(self) -> Iterator[CheckHealth | BridgeLost | BridgeUsable]:
        while self._effects:
            yield self._effects.popleft()
