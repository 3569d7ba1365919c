"""What loads are made of, what is made of their figures, and whom they may reach."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pytest
from xmppconf_bridge.generator import app, plan
from xmppconf_bridge.generator.io.participant import choose, codec_of
from xmppconf_bridge.generator.io.peers import NoConnection
from xmppconf_bridge.generator.io.process import find_bridge, usage
from xmppconf_bridge.generator.native import Delays, Figures, Generator, Remote, Track
from xmppconf_bridge.generator.report import Usage, as_text, report

from xmppconf.config import Settings, XmppSettings
from xmppconf.errors import SettingsError, UsageError
from xmppconf.media import ExtensionUri, HeaderExtension, MediaDescription, MediaType
from xmppconf.media import PayloadType as Codec
from xmppconf.transport import Candidate


def test_a_fan_out_has_one_sender_and_the_rest_watch() -> None:
    scenario = plan.fan_out(10, 300)
    assert scenario.packets_sent == 300
    assert [len(person.video) for person in scenario.people] == [1, *[0] * 10]
    assert sum(person.videos_expected for person in scenario.people) == 10
    assert all(person.reports for person in scenario.people)
    too_large = plan.fan_out(10, 4000)
    assert not any(person.reports for person in too_large.people)


def test_in_a_meeting_everybody_has_nine_pictures_and_the_voices_of_others() -> None:
    scenario = plan.meeting(30, 70)
    assert len(scenario.people) == 100
    assert [person.audios_expected for person in scenario.people] == [2, 2, 2, *[3] * 97]
    assert {person.videos_expected for person in scenario.people} == {9}
    assert sum(bool(person.video) for person in scenario.people) == 30
    for number, person in enumerate(scenario.people):
        assert person.large != number
        assert len(scenario.people[person.large or 0].video) == 2


def test_of_open_microphones_the_loudest_are_expected_at_all_others() -> None:
    scenario = plan.microphones(100, 5)
    levels = [person.level & 0x7F for person in scenario.people]
    assert max(levels[:5]) < min(levels[5:])
    assert [person.audios_expected for person in scenario.people] == [*[4] * 5, *[5] * 95]


def test_of_speakers_one_begins_and_everybody_sees_so_many() -> None:
    scenario = plan.speakers(30, 70, 8)
    assert [one.level for one in scenario.people] == [plan.SPEAKING, *[plan.OPEN] * 99]
    assert sum(one.audio is not None for one in scenario.people) == 30
    assert {(one.watches, one.videos_expected) for one in scenario.people} == {(8, 8)}


@pytest.mark.parametrize(
    "make",
    [
        lambda: plan.fan_out(0, 300),
        lambda: plan.fan_out(plan.MAX_PARTICIPANTS, 300),
        lambda: plan.fan_out(2, plan.MAX_RATE + 1),
        lambda: plan.meeting(9),
        lambda: plan.speakers(senders=10, shown=8),
    ],
)
def test_loads_are_bounded(make: object) -> None:
    with pytest.raises(UsageError):
        make()  # type: ignore[operator]  # a list of calls that are not to succeed


def test_a_report_adds_up_and_says_what_is_missing() -> None:
    scenario = plan.fan_out(2, 300)
    figures = [
        Figures({}, 0, 0, 0, 0, 0),
        Figures(
            {1: Track(100, 900, 1000, 3, 9_000), 2: Track(96, 0, 0, 0, 0)}, 2, 5, 0, 0, 0
        ),
        Figures({}, 0, 0, 0, 0, 0),
    ]
    used = (Usage(1.0, 1_000_000), Usage(2.0, 4_000_000), Usage(2.5, 4_000_000))
    one = report(scenario, 10.0, 1000, figures, Delays(10, 20, 30), used)
    assert (one.tracks_received, one.tracks_expected) == (1, 2)
    assert (one.received, one.lost, one.duplicates, one.refused) == (900, 100, 3, 2)
    assert one.loss == pytest.approx(0.1)
    assert one.cpu_us_per_packet == pytest.approx(0.5e6 / 900)
    assert one.cpu_share == pytest.approx(0.05)
    assert one.memory_per_participant == pytest.approx(1e6)
    text = as_text(one)
    assert "1 of 2 expected" in text
    assert "10.000% lost, 3 twice" in text
    assert one.as_json()["loss"] == one.loss


def test_without_a_process_to_look_at_nothing_is_said_about_it() -> None:
    one = report(plan.fan_out(1, 50), 1.0, 50, [], Delays(0, 0, 0), None)
    assert one.cpu_us_per_packet is None
    assert "CPU" not in as_text(one)


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    app.add_arguments(parser)
    parser.set_defaults(config=None)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    ("settings", "arguments", "complaint"),
    [
        (XmppSettings(host="203.0.113.5"), ["fan-out"], "--allow"),
        (XmppSettings(), ["fan-out", "--seconds", "4000"], "--seconds"),
        (XmppSettings(), ["fan-out", "--seconds", "0"], "--seconds"),
    ],
)
async def test_strangers_are_not_loaded_and_nobody_for_ever(
    settings: XmppSettings, arguments: list[str], complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint):
        await app.run(Settings(xmpp=settings), options(*arguments))


def test_the_native_part_refuses_strangers_too() -> None:
    stranger = Remote("203.0.113.5", 10000, "ufrag", "password")
    with pytest.raises(ValueError, match="not on loopback"):
        Generator().add_peer(stranger, "own", "secret")
    with pytest.raises(ValueError, match="not an IP address"):
        Generator(["example.org"])


def test_a_candidate_is_chosen_by_family_and_reach() -> None:
    offered = [
        Candidate("203.0.113.5", 1),
        Candidate("127.0.0.1", 2, protocol="tcp"),
        Candidate("::1", 3),
        Candidate("127.0.0.1", 4),
    ]
    assert choose(offered, 4, frozenset()).port == 4
    assert choose(offered, 6, frozenset()).port == 3
    assert choose(offered, 4, frozenset({"203.0.113.5"})).port == 1
    with pytest.raises(NoConnection, match="IPv6"):
        choose(offered[:2], 6, frozenset())


def test_codecs_are_found_in_the_offer() -> None:
    media = MediaDescription(
        MediaType.VIDEO,
        (Codec(100, "VP8", 90000),),
        (HeaderExtension(5, ExtensionUri.TRANSPORT_CC),),
    )
    found = codec_of(media, "vp8")
    assert (found.payload_type, found.transport_cc, found.audio_level) == (100, 5, 0)
    with pytest.raises(NoConnection, match="opus"):
        codec_of(media, "opus")


def test_a_process_is_looked_at_in_proc() -> None:
    one = usage(os.getpid())
    assert one.cpu > 0
    assert one.memory > 1_000_000
    both = usage(os.getpid(), os.getppid())
    assert both.cpu > one.cpu
    assert find_bridge(Path("/nowhere/run.toml")) is None
