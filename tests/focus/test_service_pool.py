"""Recorders and phone gateways: who is there, and who could take something on."""

from __future__ import annotations

import pytest
from xmppconf_focus.service_pool import MAX_SERVICES, ServicePool, ServiceStatus


@pytest.mark.parametrize(
    ("busy", "health", "available"),
    [
        ("idle", "healthy", True),
        ("busy", "healthy", False),
        ("idle", "unhealthy", False),
        ("asleep", "healthy", False),
        ("idle", "", False),
    ],
)
def test_a_recorder_is_available_when_idle_and_healthy(
    busy: str, health: str, available: bool
) -> None:
    assert ServiceStatus.of_recorder(busy, health).is_available is available


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({}, ServiceStatus()),
        (
            {"supports_sip": "true", "participants": "7", "region": "eu"},
            ServiceStatus(True, 7),
        ),
        ({"supports_sip": "true", "graceful_shutdown": "true"}, ServiceStatus()),
        ({"supports_sip": "true", "participants": "-1"}, ServiceStatus(True, 0)),
        ({"supports_sip": "true", "participants": "9" * 30}, ServiceStatus(True, 0)),
        ({"supports_transcription": "true"}, ServiceStatus()),
    ],
)
def test_a_phone_gateway_is_available_until_it_closes(
    figures: dict[str, str], expected: ServiceStatus
) -> None:
    assert ServiceStatus.of_phone(figures) == expected


def test_a_pool_follows_who_comes_changes_and_goes_within_bounds() -> None:
    pool = ServicePool()
    free = ServiceStatus(is_available=True)
    pool.announced("a", free)
    pool.announced("b", ServiceStatus())
    assert pool.available() == 1
    pool.announced("b", free)
    assert pool.available() == 2
    pool.left("a")
    pool.left("nobody")
    assert list(pool.services) == ["b"]
    for number in range(2 * MAX_SERVICES):
        pool.announced(str(number), free)
    assert len(pool.services) == MAX_SERVICES
    pool.announced("b", ServiceStatus())
    assert pool.services["b"] == ServiceStatus(), "who is known is heard all the same"
    pool.all_left()
    assert pool.available() == 0
