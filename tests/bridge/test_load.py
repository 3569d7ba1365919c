"""How the bridge judges itself: load, health, and the names it publishes."""

from __future__ import annotations

import pytest
from xmppconf_bridge import stats
from xmppconf_bridge.health import INTERVAL, VALID_FOR, Health
from xmppconf_bridge.load import CPU_LIMIT, PACKET_LIMIT, Load

from tests.support.fake_engine import BridgeBench

#: What a stock bridge shows in presence when it filters.
PRESENCE = {
    "average_participant_stress",
    "colibri2",
    "current_timestamp",
    "drain",
    "graceful_shutdown",
    "healthy",
    "region",
    "relay_id",
    "release",
    "shutting_down",
    "stress_level",
    "version",
}


def counters(packets: int = 0, worker: float = 0.0) -> dict[str, int]:
    return {
        "packets_received": packets,
        "packets_sent": packets,
        "worker_cpu_ns": int(worker * 1e9),
    }


@pytest.mark.parametrize(
    ("packets", "worker", "loop", "stress"),
    [
        (0, 0.0, 0.0, 0.0),
        (PACKET_LIMIT, 0.0, 0.0, 0.2),
        (0, CPU_LIMIT * 5, 1.0, 0.5),
        (0, 1.0, CPU_LIMIT * 10, 1.0),
    ],
)
def test_stress_is_that_of_what_is_busiest(
    packets: int, worker: float, loop: float, stress: float
) -> None:
    load = Load()
    load.sample(counters(7, 3.0), 2.0, 100.0)
    assert load.stress == 0.0
    load.sample(counters(7 + packets, 3.0 + worker), 2.0 + loop, 110.0)
    assert load.stress == pytest.approx(stress)


def test_health_needs_a_recent_success() -> None:
    health = Health()
    assert not health.is_healthy(0.0)
    assert health.is_due(0.0)
    health.checked(True, 0.0)
    assert health.is_healthy(VALID_FOR)
    assert not health.is_healthy(VALID_FOR + 1)
    assert not health.is_due(INTERVAL - 1)
    assert health.is_due(INTERVAL)
    health.checked(False, 1.0)
    assert not health.is_healthy(1.0)
    assert health.is_due(1.0)


def test_presence_has_what_a_stock_focus_reads_and_nothing_about_calls() -> None:
    bench = BridgeBench()
    shown = stats.presence_statistics(
        bench.bridge,
        Load(),
        healthy=True,
        version="1.0",
        region="here",
        relay_id="r1",
        wall=0.0,
    )
    assert set(shown) == PRESENCE
    assert (shown["drain"], shown["shutting_down"]) == (False, False)
    assert shown["current_timestamp"] == "1970-01-01 00:00:00.000"
