"""Which bridge a participant gets, by strategy, region and load."""

from __future__ import annotations

from dataclasses import replace

import pytest
from xmppconf_focus.brewery import Bridge, BridgeStats
from xmppconf_focus.effects import BridgeJid
from xmppconf_focus.selection import SelectionPolicy, Strategy, select_bridge

from xmppconf.config import FocusSettings
from xmppconf.errors import SettingsError
from xmppconf.ids import RelayId

A, B, C = BridgeJid("b@i/a"), BridgeJid("b@i/b"), BridgeJid("b@i/c")


def bridge(jid: BridgeJid, stress: float = 0.1, **more: object) -> Bridge:
    stats = BridgeStats(
        stress=stress, drain=False, version="1", relay_id=RelayId(jid.rpartition("/")[2])
    )
    return Bridge(jid, replace(stats, **more), check_at=0.0)  # type: ignore[arg-type]  # by name


def chosen(
    bridges: list[Bridge],
    used: dict[BridgeJid, int] | None = None,
    region: str | None = None,
    policy: SelectionPolicy | None = None,
) -> BridgeJid | None:
    bridge = select_bridge(bridges, 0.0, policy or SelectionPolicy(), used, region)
    return bridge.jid if bridge is not None else None


def test_a_conference_stays_where_it_is_while_there_is_room() -> None:
    assert chosen([bridge(A, 0.7), bridge(B, 0.0)], {A: 5}) == A


@pytest.mark.parametrize(
    ("stress", "endpoints", "further"),
    [(0.79, 79, False), (0.8, 1, True), (0.1, 80, True)],
)
def test_a_full_or_overloaded_bridge_is_helped_by_another(
    stress: float, endpoints: int, further: bool
) -> None:
    bridges = [bridge(A, stress), bridge(B, 0.2)]
    assert chosen(bridges, {A: endpoints}) == (B if further else A)


@pytest.mark.parametrize(
    "other",
    [
        bridge(B, relay_id=None),
        bridge(B, relay_id=RelayId("a")),
        bridge(B, version="2"),
        bridge(B, release="other"),
        bridge(B, drain=True),
        bridge(B, graceful_shutdown=True),
        bridge(B, shutting_down=True),
    ],
)
def test_who_cannot_be_linked_is_no_help(other: Bridge) -> None:
    assert chosen([bridge(A, 0.9), other], {A: 90}) == A


@pytest.mark.parametrize(
    ("other", "further"),
    [
        (bridge(B, version="2"), True),
        (bridge(B, release="other"), True),
        (bridge(B, relay_id=None), False),
    ],
)
def test_bridges_of_different_versions_where_that_is_wanted(
    other: Bridge, further: bool
) -> None:
    policy = SelectionPolicy.of(FocusSettings(mixed_bridges=True))
    found = chosen([bridge(A, 0.9), other], {A: 90}, policy=policy)
    assert found == (B if further else A)


def test_with_everything_overloaded_the_least_loaded_is_taken() -> None:
    full = [bridge(A, 1.2), bridge(B, 0.9), bridge(C, 1.0)]
    assert chosen(full) == B
    assert chosen(full, {A: 80}) == B
    assert chosen(full, {A: 79}) == A


def test_a_conference_on_an_ill_bridge_is_not_split_but_stays_together() -> None:
    ill = bridge(A)
    ill.failed_until = 60.0
    assert chosen([ill, bridge(B)], {A: 2}) == A
    assert chosen([ill, bridge(B), bridge(C)], {A: 2, B: 2}) == B
    assert chosen([ill, bridge(B)]) == B


def test_a_bridge_in_shutdown_goes_on_with_its_own() -> None:
    closing = bridge(A, graceful_shutdown=True)
    assert chosen([closing, bridge(B)], {A: 2}) == A
    assert chosen([closing, bridge(B)]) == B


def test_single_is_single_and_split_goes_round() -> None:
    bridges = [bridge(A, 0.9), bridge(B), bridge(C)]
    single = SelectionPolicy(Strategy.SINGLE)
    assert chosen(bridges, {A: 200}, policy=single) == A
    split = SelectionPolicy(Strategy.SPLIT)
    used: dict[BridgeJid, int] = {}
    order = []
    for _ in range(6):
        jid = chosen(bridges, used, policy=split)
        assert jid is not None
        order.append(jid)
        used[jid] = used.get(jid, 0) + 1
    assert order == [B, C, A, B, C, A]


REGIONS = SelectionPolicy(
    Strategy.REGION, region="berlin", groups={"berlin": "eu", "paris": "eu", "tokyo": "as"}
)


@pytest.mark.parametrize(
    ("used", "region", "expected"),
    [
        ({}, "paris", B),
        ({}, None, A),
        ({}, "rome", A),  # in no group, so the least loaded
        ({}, "tokyo", C),
        ({A: 1}, "paris", A),  # near enough: no further bridge
        ({C: 1}, "paris", B),
        ({C: 1}, None, A),
        ({C: 1}, "rome", C),
    ],
)
def test_people_are_put_near_to_where_they_are(
    used: dict[BridgeJid, int], region: str | None, expected: BridgeJid
) -> None:
    bridges = [
        bridge(A, 0.1, region="berlin"),
        bridge(B, 0.3, region="paris"),
        bridge(C, 0.2, region="tokyo"),
    ]
    assert chosen(bridges, used, region, REGIONS) == expected


def test_an_overloaded_region_is_left() -> None:
    bridges = [bridge(A, 0.9, region="berlin"), bridge(B, 0.1, region="tokyo")]
    assert chosen(bridges, {}, "berlin", REGIONS) == B


def test_an_unknown_strategy_is_refused_by_name() -> None:
    with pytest.raises(
        SettingsError, match=r"focus\.bridge_strategy: 'best' is not one of"
    ):
        SelectionPolicy.of(FocusSettings(bridge_strategy="best"))
