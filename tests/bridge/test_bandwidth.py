"""Bandwidth in a closed loop: the bridge's control side and the engine's media machine,
with receivers behind bad links, in virtual time."""

from __future__ import annotations

import pytest

from tests.support.bandwidth_loop import Loop
from tests.support.virtual_network import BAD, MOBILE, WIFI, Impairment

DELAY = 0.02


def bottleneck(kbps: int, *, buffer: float = 0.2, loss: float = 0.0) -> Impairment:
    return Impairment(
        rate=kbps * 125, buffer=buffer, delay=DELAY, enter_burst=loss, leave_burst=1 - loss
    )


def queue_delay(loop: Loop, begin: float, end: float, name: str = "r") -> float:
    """The delay (seconds) that 95 of 100 packets stay below, without the link's own."""
    delays = loop.traces[name].delays(begin, end)
    return delays[len(delays) * 95 // 100] - DELAY


def test_a_wide_link_is_found_out_at_once_and_left_alone() -> None:
    loop = Loop({"r": Impairment(delay=DELAY)})
    loop.run(10)
    trace = loop.traces["r"]
    assert [layers["s0"] for _, layers in trace.layers][-1] == 2
    assert trace.layers[-1][0] < 1.5
    # What is sent only to find out more, ends.
    assert trace.rate(5, 10, media=True) == pytest.approx(trace.rate(5, 10))
    assert queue_delay(loop, 2, 10) < 0.005


@pytest.mark.parametrize("kbps", [300, 500, 1000, 2000])
def test_a_clean_bottleneck_is_used_and_its_queue_stays_short(kbps: int) -> None:
    loop = Loop({"r": bottleneck(kbps)})
    loop.run(40)
    assert loop.traces["r"].rate(10, 40) > 0.8 * kbps * 1000
    assert queue_delay(loop, 10, 40) < 0.1


def test_a_link_that_narrows_is_followed_and_so_is_one_that_widens() -> None:
    loop = Loop({"r": bottleneck(3000)})
    loop.at(20, lambda: loop.change("r", bottleneck(500)))
    loop.at(40, lambda: loop.change("r", bottleneck(3000)))
    loop.run(60)
    trace = loop.traces["r"]
    assert trace.estimate_at(21) < 500_000
    assert queue_delay(loop, 22, 40) < 0.1
    assert trace.estimate_at(50) > 2_000_000
    # What it has left when there is little: something to see all the time.
    assert all(trace.rate(at, at + 1, media=True) > 100_000 for at in range(20, 60))


def test_losses_that_are_the_links_own_do_not_starve_it() -> None:
    loop = Loop({"r": bottleneck(3000, loss=0.1)})
    loop.run(40)
    assert loop.traces["r"].estimate_at(40) > 1_000_000


def test_a_receiver_that_never_reports_gets_a_cautious_share() -> None:
    loop = Loop({"r": bottleneck(3000)}, feedback=False)
    loop.run(10)
    assert loop.traces["r"].estimates == []
    assert 300_000 < loop.traces["r"].rate(3, 10) < 1_100_000


@pytest.mark.parametrize("preset", [WIFI, MOBILE, BAD])
def test_bad_networks_are_lived_with(preset: Impairment) -> None:
    loop = Loop({"r": preset})
    loop.run(30)
    assert loop.traces["r"].rate(10, 30, media=True) > 100_000
    requests = loop.receivers["r"].keyframe_requests
    assert loop.senders["s0"].keyframes < 30 / 0.3, len(requests)
