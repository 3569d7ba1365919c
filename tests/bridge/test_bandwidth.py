"""Bandwidth in a closed loop: the bridge's control side and the engine's media machine,
with receivers behind bad links, in virtual time."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random

import pytest

from tests.support.bandwidth_loop import Loop
from tests.support.figures import Figure, record
from tests.support.virtual_network import BAD, MOBILE, WIFI, Impairment

DELAY = 0.02


def bottleneck(kbps: int, *, loss: float = 0.0, burst: int = 0) -> Impairment:
    return Impairment(
        rate=kbps * 125, delay=DELAY, enter_burst=loss, leave_burst=1 - loss, burst=burst
    )


def queue_delay(loop: Loop, begin: float, end: float, name: str = "r") -> float:
    """The delay (seconds) that 95 of 100 packets stay below, without the link's own."""
    delays = loop.traces[name].delays(begin, end)
    return delays[len(delays) * 95 // 100] - DELAY


def note(row: str, what: str, value: float, unit: str, mark: str = "") -> None:
    record(Figure("bandwidth", row, what, round(value, 1), unit, mark))


def test_a_wide_link_is_found_out_at_once_and_left_alone() -> None:
    loop = Loop({"r": Impairment(delay=DELAY)})
    loop.run(10)
    trace = loop.traces["r"]
    reached, layers = trace.layers[-1]
    note("wide link", "until the largest of three pictures is sent", reached, "s")
    assert layers == {"s0": 2}
    assert reached < 1.5
    # What is sent only to find out more, ends.
    assert trace.rate(5, 10, media=True) == pytest.approx(trace.rate(5, 10))
    assert queue_delay(loop, 2, 10) < 0.005


@pytest.mark.parametrize("late", [0.3, 1.0, 3.0])
def test_packets_of_streams_a_receiver_does_not_know_yet_are_not_lost(late: float) -> None:
    loop = Loop({"r": Impairment(delay=DELAY)}, senders=2)
    loop.receivers["r"].knows_video_from = loop.start + late
    loop.run(late + 10)
    trace = loop.traces["r"]
    reached, layers = trace.layers[-1]
    after = reached - late
    note(
        f"unknown {late}",
        f"streams known after {late} s: until the largest pictures are sent",
        after,
        "s",
    )
    assert layers == {"s0": 2, "s1": 2}
    assert min(bps for _, bps in trace.estimates) >= 1_000_000
    assert after < 3


def test_what_voices_take_is_asked_for_beside_the_pictures() -> None:
    # What is known of the way would be enough for the pictures, but not with the voices.
    loop = Loop({"r": bottleneck(500)}, senders=8, rates=(60_000,), height=180)
    loop.at(10, lambda: loop.change("r", Impairment(delay=DELAY)))
    loop.run(15)
    assert loop.endpoint("r").video.besides > 400_000
    assert list(loop.traces["r"].layers[-1][1].values()) == [0] * 8


@pytest.mark.parametrize("kbps", [300, 500, 1000, 2000])
@pytest.mark.parametrize("interval", [0.05, 0.1])
def test_a_clean_bottleneck_is_used_and_its_queue_stays_short(
    kbps: int, interval: float
) -> None:
    loop = Loop({"r": bottleneck(kbps)}, interval=interval)
    loop.run(60)
    used = loop.traces["r"].rate(10, 60) / kbps / 10
    waited = queue_delay(loop, 10, 60) * 1000
    where = f"{kbps} kbit/s with 200 ms of buffer, feedback every {interval * 1000:.0f} ms"
    row = f"clean {kbps}/{interval * 1000:.0f}"
    note(f"{row} used", f"{where}: share used, 10 to 60 s", used, "%", "≥ 90")
    note(
        f"{row} queue", f"{where}: of 100 packets 95 wait less than", waited, "ms", "≤ 400"
    )
    assert used > 85
    assert waited < 100


def test_a_link_that_narrows_is_followed_and_so_is_one_that_widens() -> None:
    loop = Loop({"r": bottleneck(3000)})
    loop.at(20, lambda: loop.change("r", bottleneck(500)))
    loop.at(40, lambda: loop.change("r", bottleneck(3000)))
    loop.run(60)
    trace = loop.traces["r"]
    down = next(at for at, bps in trace.estimates if at > 20 and bps <= 500_000) - 20
    up = next(at for at, bps in trace.estimates if at > 40 and bps >= 0.75 * 3e6) - 40
    waited = queue_delay(loop, 22, 40) * 1000
    note("step down", "3 Mbit/s to 500 kbit/s: until the estimate is below", down, "s")
    note("step down queue", "2 s later: of 100 packets 95 wait less than", waited, "ms")
    note("step up", "back to 3 Mbit/s: until the estimate is three quarters of it", up, "s")
    assert down < 1
    assert up < 15
    assert waited < 100
    # Something to see all the time.
    assert all(trace.rate(at, at + 1, media=True) > 100_000 for at in range(20, 60))
    changes = [layers for _, layers in trace.layers]
    assert len(changes) < 15, "no back and forth"


#: A camera's low encodings that cost all they may, as noise does: the encoder leaves
#: pictures out, and those that come are large.
SCARCE = (6, 2, 1)


@pytest.mark.parametrize("every", [SCARCE, (1, 1, 1)])
@pytest.mark.parametrize("burst", [0, 3000])
@pytest.mark.parametrize("narrow", [300, 500])
def test_what_bursts_get_through_a_narrow_line_does_not_bring_large_pictures(
    every: tuple[int, int, int], burst: int, narrow: int
) -> None:
    for seed in range(4):
        loop = Loop({"r": bottleneck(3000, burst=burst)}, rates=(150_000, 720_000))
        sender = loop.senders["s0"]
        sender.every, sender.uneven, sender.chance = every, 0.5, Random(seed)
        narrowed = bottleneck(narrow, burst=burst)
        loop.at(8, partial(loop.change, "r", narrowed))
        loop.at(23, partial(loop.change, "r", bottleneck(3000, burst=burst)))
        loop.run(38)
        [*before, down, up] = loop.traces["r"].layers
        assert before[-1][1] == {"s0": 1}
        assert down[1] == {"s0": 0}
        assert 8 < down[0] < 9
        assert up[1] == {"s0": 1}
        assert 23 < up[0] < 33


def reporting(link: Impairment, *, losses: bool = True) -> Loop:
    """A receiver that says no more than what it has lost, if that."""
    rates = (150_000, 400_000, 1_500_000)
    return Loop({"r": link}, bandwidth=(), losses=losses, rates=rates)


@pytest.mark.parametrize("narrow", [300, 500])
def test_who_reports_nothing_but_losses_keeps_a_picture_on_a_line_that_narrows(
    narrow: int,
) -> None:
    loop = reporting(bottleneck(3000))
    loop.at(10, lambda: loop.change("r", bottleneck(narrow)))
    loop.at(40, lambda: loop.change("r", bottleneck(3000)))
    loop.run(70)
    trace, requests = loop.traces["r"], loop.receivers["r"].keyframe_requests
    assert all(at > 10 for at, _ in trace.estimates)
    down = next(at for at, layers in trace.layers if layers == {"s0": 0}) - 10
    up = next(at for at, layers in trace.layers if at > 40 and layers == {"s0": 2}) - 40
    lacking = sum(
        any(begin <= at - loop.start < begin + 1 for at in requests)
        for begin in range(10, 40)
    )
    where = f"losses alone, 3 Mbit/s to {narrow} kbit/s and back"
    note(f"losses down {narrow}", f"{where}: until the smallest picture", down, "s")
    note(f"losses up {narrow}", f"{where}: until the largest one", up, "s")
    note(
        f"losses lacking {narrow}",
        f"{where}: of 30 s narrow, with pictures given up",
        lacking,
        "s",
    )
    assert down < 4
    assert up < 20
    # When it narrows, and when more is tried.
    assert lacking < 9
    assert all(trace.rate(at, at + 1, media=True) > 100_000 for at in range(10, 40))


@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_who_reports_few_losses_gets_the_large_picture_all_the_time(loss: float) -> None:
    loop = reporting(bottleneck(3000, loss=loss))
    loop.run(40)
    assert loop.traces["r"].estimates == []
    assert [layers for _, layers in loop.traces["r"].layers] == [{"s0": 2}]


def test_who_reports_nothing_gets_the_large_picture_whatever_comes_of_it() -> None:
    loop = reporting(bottleneck(500), losses=False)
    loop.run(20)
    assert loop.traces["r"].estimates == []
    assert loop.traces["r"].layers[-1][1] == {"s0": 2}


def test_losses_that_are_the_links_own_do_not_starve_it() -> None:
    loop = Loop({"r": bottleneck(3000, loss=0.1)})
    loop.run(60)
    share = loop.traces["r"].rate(10, 60) / 3e4
    note("10 % loss", "3 Mbit/s that loses one packet in ten: share used", share, "%")
    assert share > 35


def test_two_receivers_behind_one_link_share_it() -> None:
    loop = Loop({"r": bottleneck(3000), "q": bottleneck(3000)}, shared=True)
    loop.run(90)
    rates = sorted(trace.rate(30, 90) for trace in loop.traces.values())
    note("two share", "3 Mbit/s: used by both", sum(rates) / 3e4, "%")
    note("two share, less", "what the one with less has of it", rates[0] / 3e4, "%")
    assert sum(rates) > 0.6 * 3e6
    assert rates[0] > 0.2 * sum(rates)


def test_a_transfer_by_tcp_takes_much_but_does_not_silence_a_call() -> None:
    loop = Loop({"r": bottleneck(3000)})
    loop.at(10, lambda: loop.compete("r"))
    loop.run(60)
    trace = loop.traces["r"]
    note(
        "TCP beside",
        "3 Mbit/s with 200 ms of buffer that a bulk transfer fills: share kept",
        trace.rate(15, 60) / 3e4,
        "%",
    )
    assert trace.rate(15, 60) > 60_000


def test_a_receiver_that_never_reports_gets_a_cautious_share() -> None:
    loop = Loop({"r": bottleneck(3000)}, feedback=False)
    loop.run(10)
    assert loop.traces["r"].estimates == []
    assert 300_000 < loop.traces["r"].rate(3, 10) < 1_100_000


#: One encoding, and more than is assumed of a way of which nothing is known.
ONE_LARGE = (2_900_000,)
NOTHING_PASSES = Impairment(delay=DELAY, enter_burst=1, leave_burst=0)


def watched_late(link: Impairment, *, feedback: bool = True, at: float = 3.0) -> Loop:
    """A picture's cost is known before anybody asks for it, and nobody speaks."""
    loop = Loop({"r": link}, rates=ONE_LARGE, height=0, voices=False, feedback=feedback)
    loop.at(at, lambda: loop.watch("r", 720))
    return loop


def test_what_costs_more_than_is_assumed_is_seen_at_once_if_the_way_carries_it() -> None:
    loop = watched_late(Impairment(delay=DELAY))
    loop.run(10)
    trace = loop.traces["r"]
    assert trace.estimates[0][0] < 3.5
    assert trace.rate(4, 10, media=True) > 2_000_000


def test_first_probes_that_are_lost_are_repeated() -> None:
    loop = watched_late(NOTHING_PASSES)
    loop.at(3.8, lambda: loop.change("r", Impairment(delay=DELAY)))
    loop.run(10)
    trace = loop.traces["r"]
    assert 3.8 < trace.estimates[0][0] < 4.3
    assert trace.layers[-1][1] == {"s0": 0}
    assert trace.layers[-1][0] < 4.5, "before any patience has ended"


def test_who_never_reports_sees_the_only_layer_rather_than_nothing() -> None:
    loop = watched_late(Impairment(delay=DELAY), feedback=False)
    loop.run(12)
    trace = loop.traces["r"]
    assert trace.estimates == []
    assert trace.rate(3, 5, media=True) == 0
    assert trace.rate(6, 12, media=True) > 1_000_000, "its base layer"


def test_a_thin_line_is_not_drowned_by_what_it_cannot_carry() -> None:
    loop = watched_late(bottleneck(300))
    loop.run(20)
    trace = loop.traces["r"]
    assert trace.rate(3, 20, media=True) == 0
    assert queue_delay(loop, 4, 20) < 0.1


def test_who_falls_silent_is_sent_less_and_less_and_soon_all_again() -> None:
    loop = Loop({"r": bottleneck(3000)})

    def hear(feedback: bool) -> None:
        loop.receivers["r"].feedback = feedback

    loop.at(10, lambda: hear(False))
    loop.at(20, lambda: hear(True))
    loop.run(40)
    trace = loop.traces["r"]
    assert trace.estimate_at(20) < 100_000
    assert trace.estimate_at(30) > 1_500_000


#: What waits in the socket of a machine that sleeps, packets.
SOCKET_BUFFER = 150


@pytest.mark.parametrize("slept", [8, 20, 60])
@pytest.mark.parametrize("kbps", [500, 3000])
def test_who_slept_sees_a_picture_again_at_once(slept: int, kbps: int) -> None:
    loop = Loop({"r": bottleneck(kbps)})
    receiver = loop.receivers["r"]
    receive, waiting = receiver.receive, list[bytes]()

    def sleep() -> None:
        receiver.feedback = False

        def wait(now: float, packet: bytes) -> None:
            if len(waiting) < SOCKET_BUFFER:
                waiting.append(packet)

        receiver.receive = wait  # type: ignore[method-assign]

    def wake() -> None:
        receiver.feedback = True
        receiver.receive = receive  # type: ignore[method-assign]
        for packet in waiting:
            receive(loop.clock.now, packet)

    loop.at(10, sleep)
    woken = 10 + slept
    loop.at(woken, wake)
    loop.run(woken + 20)
    trace = loop.traces["r"]
    least = 180_000 if kbps == 500 else 500_000  # a layer that fits, and the voice
    back = next(
        at
        for at in (woken + step / 10 for step in range(100))
        if trace.rate(at, at + 1, media=True) > least
    )
    note(
        f"slept {slept} s {kbps}",
        f"{kbps} kbit/s, the machine slept {slept} s: until a picture comes again",
        back - woken,
        "s",
    )
    assert back - woken < 1
    assert trace.estimate_at(woken + 3) > 0.6 * 1000 * kbps
    assert queue_delay(loop, woken + 2, woken + 20) < 0.1


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        ("wifi", WIFI),
        ("mobile", MOBILE),
        ("bad", BAD),
        ("300 kbit/s", bottleneck(300)),
        ("loss 1 %", bottleneck(3000, loss=0.01)),
        ("loss 5 %", bottleneck(3000, loss=0.05)),
        ("loss 30 %", bottleneck(3000, loss=0.3)),
        ("duplicates", replace(bottleneck(3000), duplicate=0.02)),
        ("jitter", replace(bottleneck(3000), jitter=0.1)),
    ],
)
def test_bad_networks_are_lived_with(name: str, preset: Impairment) -> None:
    loop = Loop({"r": preset})
    loop.run(30)
    trace = loop.traces["r"]
    media = trace.rate(10, 30, media=True)
    delays = trace.delays(10, 30)
    worst = (delays[len(delays) * 95 // 100] - preset.delay - preset.jitter) * 1000
    requests = loop.senders["s0"].keyframes
    note(
        f"F10 {name} media",
        "sound and picture that arrive, 10 to 30 s",
        media / 1e3,
        "kbit/s",
    )
    note(
        f"F10 {name} queue",
        "of 100 packets 95 wait less than",
        max(worst, 0),
        "ms",
        "≤ 400",
    )
    note(f"F10 {name} keyframes", "asked for in 30 s", requests, "", "≤ 100")
    assert media > 35_000
    assert worst < 400
    assert requests < 30 / 0.3
