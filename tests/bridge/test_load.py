"""How the bridge judges itself: load, health, and the names it publishes."""

from __future__ import annotations

import pytest
from xmppconf_bridge import stats
from xmppconf_bridge.colibri import modify
from xmppconf_bridge.engine_events import SourceActive
from xmppconf_bridge.load import CPU_LIMIT, INTERVAL, PACKET_LIMIT, WINDOW, Load
from xmppconf_bridge.load_reducer import (
    DOWN_INTERVAL,
    ENOUGH,
    LEAST,
    MOST,
    TOO_MUCH,
    UP_INTERVAL,
    LastNReducer,
)

from tests.support import relays
from tests.support.fake_engine import BridgeBench
from tests.support.rest import serving
from xmppconf.colibri2 import ConferenceModify, EndpointRequest, RelayRequest
from xmppconf.ids import EndpointId, MeetingId

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
#: What our own focus reads besides.
OWN = {"newcomer_stress_level"}


def worker(packets: int = 0, cpu: float = 0.0) -> tuple[int, int]:
    return int(cpu * 1e9), packets


@pytest.mark.parametrize(
    ("packets", "cpu", "loop", "stress"),
    [
        (0, 0.0, 0.0, 0.0),
        (PACKET_LIMIT * 2, 0.0, 0.0, 0.2),
        (0, CPU_LIMIT * 5, 1.0, 0.5),
        (0, 1.0, CPU_LIMIT * 10, 1.0),
    ],
)
def test_stress_is_that_of_what_is_busiest(
    packets: int, cpu: float, loop: float, stress: float
) -> None:
    load = Load()
    load.sample({}, [worker(7, 3.0)], 2.0, 100.0)
    assert load.stress == 0.0
    load.sample({}, [worker(7 + packets, 3.0 + cpu)], 2.0 + loop, 110.0)
    assert load.stress == pytest.approx(stress)


@pytest.mark.parametrize("busy", [worker(PACKET_LIMIT * 10), worker(0, CPU_LIMIT * 10)])
def test_one_busy_worker_is_not_hidden_by_idle_ones(busy: tuple[int, int]) -> None:
    load = Load()
    load.sample({}, [worker()] * 4, 0.0, 100.0)
    load.sample({}, [worker(), worker(), busy, worker()], 0.0, 110.0)
    assert load.media_stress == load.stress == pytest.approx(1.0)
    # The next conference is an idle one's; the event loop is everybody's.
    assert load.newcomer_stress == 0.0
    load.sample({}, [worker(), worker(), busy, worker()], CPU_LIMIT * 5, 120.0)
    assert load.newcomer_stress == pytest.approx(0.5)


def test_a_moment_of_work_is_little_of_the_last_seconds_and_soon_forgotten() -> None:
    load, cpu = Load(), 0.0
    stresses = []
    for number in range(20):
        at = INTERVAL * number
        cpu += INTERVAL if number == 5 else 0.0
        load.sample({}, [worker(0, cpu)], 0.0, at)
        stresses.append(load.stress)
    assert max(stresses) == pytest.approx(INTERVAL / WINDOW / CPU_LIMIT)
    kept = round(WINDOW / INTERVAL)
    assert all(stresses[5 : 5 + kept])
    assert not any(stresses[:5] + stresses[5 + kept :])


def test_too_much_work_shows_within_the_time_of_the_mean() -> None:
    load, cpu = Load(), 0.0
    for number in range(20):
        load.sample({}, [worker(0, cpu)], 0.0, INTERVAL * number)
        if load.stress >= 0.8:
            break
        cpu += INTERVAL if number >= 9 else 0.0
    assert INTERVAL * (number - 9) < WINDOW


#: What the bridge itself does not know.
DESCRIPTION: stats.Description = {
    "healthy": True,
    "version": "1.0",
    "region": "here",
    "relay_id": "r1",
    "wall": 0.0,
    "now": 1000.0,
    "threads": 3,
    "connected": True,
    "joined": True,
}


def test_presence_has_what_a_stock_focus_reads_and_nothing_about_calls() -> None:
    bench = BridgeBench()
    shown = stats.presence_statistics(bench.bridge, Load(), **DESCRIPTION)
    assert set(shown) == PRESENCE | OWN
    assert (shown["drain"], shown["shutting_down"]) == (False, False)
    assert shown["current_timestamp"] == "1970-01-01 00:00:00.000"


@pytest.mark.parametrize(
    ("graceful", "shown"), [(True, (True, False)), (False, (True, True))]
)
def test_presence_says_that_the_bridge_is_to_end(
    graceful: bool, shown: tuple[bool, bool]
) -> None:
    bench = BridgeBench(drain=True)
    bench.bridge.operation.shut_down(0.0, graceful=graceful)
    figures = stats.presence_statistics(bench.bridge, Load(), **DESCRIPTION)
    assert (figures["graceful_shutdown"], figures["shutting_down"]) == shown
    assert figures["drain"] is True


#: Of a stock bridge's statistics, those that mean something here.
STATISTICS = (
    PRESENCE
    | OWN
    | {
        "bit_rate_download",
        "bit_rate_upload",
        "conferences",
        "dropped_messages",
        "dtls_failed_endpoints",
        "dtls_failed_relays",
        "endpoints",
        "endpoints_disconnected",
        "endpoints_ice_failed",
        "endpoints_reconnected",
        "endpoints_sending_audio",
        "endpoints_sending_video",
        "endpoints_with_high_outgoing_loss",
        "endpoints_with_suspended_sources",
        "inactive_conferences",
        "inactive_endpoints",
        "incoming_loss",
        "largest_conference",
        "local_active_endpoints",
        "local_endpoints",
        "lost_events",
        "muc_clients_configured",
        "muc_clients_connected",
        "mucs_configured",
        "mucs_joined",
        "num_eps_no_msg_transport_after_delay",
        "num_relays_no_msg_transport_after_delay",
        "octo_conferences",
        "octo_endpoints",
        "octo_receive_bitrate",
        "octo_receive_packet_rate",
        "octo_send_bitrate",
        "octo_send_packet_rate",
        "outgoing_loss",
        "overall_loss",
        "p2p_conferences",
        "packet_rate_download",
        "packet_rate_upload",
        "participants",
        "receive_only_endpoints",
        "rejected_messages",
        "rejected_sources",
        "relays_ice_failed",
        "rtt_aggregate",
        "threads",
        "total_bytes_received",
        "total_bytes_received_octo",
        "total_bytes_sent",
        "total_bytes_sent_octo",
        "total_colibri_web_socket_messages_received",
        "total_colibri_web_socket_messages_sent",
        "total_conference_seconds",
        "total_conferences_completed",
        "total_conferences_created",
        "total_data_channel_messages_received",
        "total_data_channel_messages_sent",
        "total_dominant_speaker_changes",
        "total_ice_failed",
        "total_ice_succeeded",
        "total_ice_succeeded_relayed",
        "total_keyframes_received",
        "total_packets_received",
        "total_packets_received_octo",
        "total_packets_sent",
        "total_packets_sent_octo",
        "total_participants",
        "total_relays",
        "total_visitors",
        "visitors",
    }
)


def test_statistics_count_what_is_there_and_what_was() -> None:
    bench = BridgeBench(relay_id="bridge-1")
    relays.ask(bench, relays.new("ada", 1000), create=True)
    relays.ask(bench, relays.new("eve", 3000))
    relays.link(bench, relays.new_link(endpoints=(relays.behind("bob", 2000),)))
    relays.connect(bench)
    carrier = bench.connect("ada")
    bench.say("ada", colibriClass="ClientHello")
    number = relays.number_of(bench, "ada-a0")
    quiet = stats.full_statistics(bench.bridge, Load(), **DESCRIPTION)
    expected = {
        "inactive_conferences": 1,
        "inactive_endpoints": 3,
        "local_active_endpoints": 0,
        "receive_only_endpoints": 0,
    }
    assert {key: quiet[key] for key in expected} == expected
    bench.bridge.receive([SourceActive(number, 0, None)])
    figures = stats.full_statistics(bench.bridge, Load(), **DESCRIPTION)
    assert set(figures) == STATISTICS
    expected = {
        "conferences": 1,
        "octo_conferences": 1,
        "inactive_conferences": 0,
        "inactive_endpoints": 0,
        "endpoints": 3,
        "participants": 3,
        "local_endpoints": 2,
        "octo_endpoints": 1,
        "local_active_endpoints": 2,
        "receive_only_endpoints": 1,
        "endpoints_sending_audio": 1,
        "total_relays": 1,
        "num_eps_no_msg_transport_after_delay": 0,
    }
    assert {key: figures[key] for key in expected} == expected
    sent = len(carrier.messages)
    assert sent > 0
    after: stats.Description = {**DESCRIPTION, "now": bench.clock.advance(31.0)}
    figures = stats.full_statistics(bench.bridge, Load(), **after)
    assert figures["num_eps_no_msg_transport_after_delay"] == 1  # eve
    assert figures["total_conference_seconds"] == 31
    gone = [EndpointRequest(EndpointId(name), expire=True) for name in ("ada", "eve")]
    relays.ask(bench, *gone)
    relays.link(bench, RelayRequest(relays.FAR, expire=True))
    figures = stats.full_statistics(bench.bridge, Load(), **after)
    expected = {
        "conferences": 0,
        "total_conferences_created": 1,
        "total_conferences_completed": 1,
        "total_conference_seconds": 31,
        "total_participants": 2,
    }
    assert {key: figures[key] for key in expected} == expected
    assert int(figures["total_data_channel_messages_sent"]) >= sent


async def test_metrics_have_no_labels_and_few_series() -> None:
    """P4."""
    async with serving() as rig:
        _, text = await rig.ask("GET", "/metrics")
    samples = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert "{" not in text
    assert 60 < len(samples) <= 200


# -- the load reducer ---------------------------------------------------------------------
def test_an_overloaded_bridge_sends_fewer_pictures_step_by_step() -> None:
    reducer = LastNReducer()
    assert not reducer.update(TOO_MUCH, 20, 0.0)
    assert reducer.update(TOO_MUCH + 0.1, 20, 0.0)
    assert reducer.last_n == 15
    assert not reducer.update(2.0, 15, DOWN_INTERVAL - 1)
    assert not reducer.update(0.0, 15, UP_INTERVAL - 1)
    assert reducer.update(2.0, 15, DOWN_INTERVAL)
    assert reducer.last_n == 11
    at = DOWN_INTERVAL
    while reducer.last_n > LEAST:
        at += DOWN_INTERVAL
        assert reducer.update(2.0, reducer.last_n, at)
    at += UP_INTERVAL
    assert not reducer.update(2.0, 1, at)
    assert reducer.last_n == LEAST
    # In between nothing changes.
    assert not reducer.update((TOO_MUCH + ENOUGH) / 2, 1, at)
    steps = []
    while reducer.last_n != -1:
        at += UP_INTERVAL
        assert reducer.update(ENOUGH - 0.1, 1, at)
        steps.append(reducer.last_n)
    assert steps[:4] == [2, 3, 4, 5]
    assert steps[-2] <= MOST
    assert not reducer.update(0.0, 1, at + UP_INTERVAL)


def test_what_is_reduced_is_reduced_for_everybody_and_newcomers() -> None:
    bench = BridgeBench()
    relays.ask(bench, relays.new("ada", 1000), create=True)
    for index, name in enumerate(("bob", "cat", "dan")):
        relays.ask(bench, relays.new(name, 2000 + 100 * index))
    for name in ("ada", "bob"):
        bench.connect(name)
        bench.say(
            name,
            colibriClass="ReceiverVideoConstraints",
            defaultConstraints={"maxHeight": 720},
        )
    assert bench.bridge.most_forwarded == 3
    bench.bridge.reduce(2)
    assert bench.bridge.most_forwarded == 2
    other = ConferenceModify(MeetingId("m2"), create=True)
    modify(bench.bridge, other)
    bench.bridge.reduce(-1)
    assert bench.bridge.most_forwarded == 3


def test_time_that_other_machines_took_is_load() -> None:
    load = Load()
    load.sample({}, [], 0.0, 0.0, stolen=5.0)
    load.sample({}, [], 0.0, 10.0, stolen=5.0 + CPU_LIMIT * 5)
    assert load.stress == pytest.approx(0.5)
    assert load.media_stress == pytest.approx(0.5)


def test_links_are_measured_apart() -> None:
    load = Load()
    names = ("packets_received", "packets_sent", "bytes_received", "bytes_sent")
    load.sample({f"relay_{name}": 0 for name in names}, [], 0.0, 0.0)
    load.sample({f"relay_{name}": 100 for name in names}, [], 0.0, 10.0)
    assert (load.relay_packets_in, load.relay_bits_out) == (10.0, 80.0)


#: Pictures that everybody gets at most, by what was allowed before; `None` is no limit.
REDUCER_STATES = (None, 1, 4, 32, 40)
REDUCER_EVENTS = {
    "too much": (TOO_MUCH + 0.01, 20),
    "too much, for few": (TOO_MUCH + 0.01, 2),
    "just enough": (TOO_MUCH, 20),
    "between": ((TOO_MUCH + ENOUGH) / 2, 20),
    "little": (ENOUGH, 20),
    "less": (ENOUGH - 0.01, 20),
}
REDUCER: dict[int | None, tuple[int | None, ...]] = {
    None: (15, 1, None, None, None, None),
    1: (1, 1, 1, 1, 1, 2),
    # Never more than before: somebody may be given more than what is allowed by then.
    4: (4, 1, 4, 4, 4, 5),
    32: (15, 1, 32, 32, 32, 40),
    40: (15, 1, 40, 40, 40, None),
}


@pytest.mark.parametrize("state", REDUCER_STATES)
@pytest.mark.parametrize("event", REDUCER_EVENTS)
def test_every_load_in_every_state(state: int | None, event: str) -> None:
    reducer = LastNReducer()
    before = reducer.last_n = -1 if state is None else state
    stress, most = REDUCER_EVENTS[event]
    expected = dict(zip(REDUCER_EVENTS, REDUCER[state], strict=True))[event]
    after = -1 if expected is None else expected
    assert reducer.update(stress, most, 0.0) == (after != before)
    assert reducer.last_n == after
    # Whatever changed has time to show; what did not may change at once.
    again = reducer.update(TOO_MUCH + 1, 1, DOWN_INTERVAL - 1)
    assert again == (after == before and before != 1)
