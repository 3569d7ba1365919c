"""What the comparison with other servers is made of, without the servers."""

from __future__ import annotations

import pytest
from xmppconf_bridge.generator import plan

from tests.load.compare import sdp
from tests.load.compare.table import table
from tests.load.compare.target import Track, sends, watches
from xmppconf.transport import Fingerprint, Setup

OWN = sdp.Own("frag", "secret", Fingerprint("sha-256", "AA:BB", Setup.ACTIVE))


@pytest.mark.parametrize("scenario", [plan.fan_out(5, 300), plan.meeting(30, 5)])
def test_everybody_watches_what_is_expected_and_nothing_twice(
    scenario: plan.Scenario,
) -> None:
    sent = {one for n in range(len(scenario.people)) for one, _ in sends(scenario, n)}
    assert len({one.ssrc for one in sent}) == len(sent)
    for number, person in enumerate(scenario.people):
        watched = watches(scenario, number)
        assert len(set(watched)) == len(watched)
        assert set(watched) <= sent
        assert not any(one.owner == number for one in watched)
        kinds = [one.kind for one in watched]
        assert kinds.count("video") == person.videos_expected
        assert kinds.count("audio") == person.audios_expected
        large = [one for one in watched if one.layer == 1]
        assert len(large) == (person.large is not None)


def test_an_offer_is_read_as_it_was_meant() -> None:
    track = Track(3, "video", 1)
    offered = sdp.offer(OWN, [sdp.Section("video", track.ssrc), sdp.Section("audio", 9)])
    candidate = "a=candidate:1 1 udp 2130706431 127.0.0.1 4000 typ host"
    theirs = sdp.read(offered, candidate, controlling=True)
    assert (theirs.remote.host, theirs.remote.port) == ("127.0.0.1", 4000)
    assert (theirs.remote.ufrag, theirs.remote.pwd) == ("frag", "secret")
    assert (theirs.remote.transport_cc, theirs.remote.controlling) == (5, True)
    assert theirs.fingerprints[0].value == "AA:BB"
    assert not theirs.they_begin
    accepted = sdp.answer(offered, OWN)
    assert accepted.count("a=setup:active") == 2
    assert accepted.count("a=recvonly") == 2
    assert [line for line in accepted.splitlines() if line.startswith("a=mid:")] == [
        "a=mid:0",
        "a=mid:1",
    ]


def test_strangers_are_not_read_from_an_offer() -> None:
    candidate = "a=candidate:1 1 udp 2130706431 203.0.113.5 4000 typ host"
    with pytest.raises(ValueError, match="no candidate"):
        sdp.read(sdp.offer(OWN, []), candidate, controlling=True)


def test_the_table_has_medians_and_ratios() -> None:
    line = {
        "load": "x",
        "packets_per_second": 1000.0,
        "loss": 0.0,
        "delay_p50_us": 100,
        "delay_p99_us": 200,
        "cpu_share": 0.5,
        "memory_per_participant": 1_500_000,
        "tracks_received": 4,
        "tracks_expected": 5,
    }
    turns = [
        {**line, "server": server, "cpu_us_per_packet": cost}
        for server, costs in (("xmppconf", (1.0, 2.0, 9.0)), ("other", (6.0, 7.0, 7.0)))
        for cost in costs
    ]
    page = table(turns)
    assert (
        "| xmppconf | 1,000 | 0.00% | 0.10 ms | 0.20 ms | 50% | 2.00 | 1.50 MB | 4 of 5 |"
        in page
    )
    assert "7.00 (3.5 times ours)" in page
