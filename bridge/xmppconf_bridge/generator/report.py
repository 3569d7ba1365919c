"""What a load has shown, as figures and as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from xmppconf_bridge.generator.native import Delays, Figures
from xmppconf_bridge.generator.plan import Scenario


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has had: seconds of processor, bytes resident."""

    cpu: float
    memory: int


@dataclass(frozen=True, slots=True)
class Report:
    """One run."""

    load: str
    participants: int
    seconds: float
    sent: int
    received: int
    lost: int
    duplicates: int
    refused: int
    packets_per_second: float
    """That arrived at participants."""
    octets_per_second: float
    tracks_expected: int
    tracks_received: int
    delay_p50_us: int
    delay_p99_us: int
    delay_p999_us: int
    cpu_us_per_packet: float | None
    """CPU seconds of the bridge per million packets that arrived; None: not measured."""
    cpu_share: float | None
    """Of one core."""
    memory_per_participant: float | None
    """Bytes the bridge grew by since before they came, for each."""

    @property
    def loss(self) -> float:
        return self.lost / max(self.received + self.lost, 1)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "loss": self.loss}


def report(
    scenario: Scenario,
    seconds: float,
    sent: int,
    figures: Sequence[Figures],
    delays: Delays,
    usage: tuple[Usage, Usage, Usage] | None,
) -> Report:
    """Add up one run; `usage` of the bridge: before anybody came, at begin and end."""
    tracks = [track for one in figures for track in one.tracks.values()]
    received = sum(track.received for track in tracks)
    expected = sum(p.audios_expected + p.videos_expected for p in scenario.people)
    cpu = share = memory = None
    if usage is not None:
        idle, begin, end = usage
        used = end.cpu - begin.cpu
        cpu = used * 1e6 / max(received, 1)
        share = used / seconds
        memory = (end.memory - idle.memory) / len(scenario.people)
    return Report(
        load=scenario.name,
        participants=len(scenario.people),
        seconds=seconds,
        sent=sent,
        received=received,
        lost=sum(max(track.expected - track.received, 0) for track in tracks),
        duplicates=sum(track.duplicates for track in tracks),
        refused=sum(one.refused for one in figures),
        packets_per_second=received / seconds,
        octets_per_second=sum(track.octets for track in tracks) / seconds,
        tracks_expected=expected,
        tracks_received=sum(track.received > 0 for track in tracks),
        delay_p50_us=delays.p50,
        delay_p99_us=delays.p99,
        delay_p999_us=delays.p999,
        cpu_us_per_packet=cpu,
        cpu_share=share,
        memory_per_participant=memory,
    )


def as_text(one: Report) -> str:
    """A few lines for a person."""
    lines = [
        f"{one.load}: {one.participants} participants, {one.seconds:.0f} s",
        f"  tracks received   {one.tracks_received} of {one.tracks_expected} expected",
        f"  packets           {one.packets_per_second:,.0f} a second,"
        f" {one.octets_per_second * 8 / 1e6:,.1f} Mbit/s,"
        f" {one.loss:.3%} lost, {one.duplicates} twice, {one.refused} refused",
        f"  added delay       {one.delay_p50_us} us for half of them,"
        f" {one.delay_p99_us} us for 99 %, {one.delay_p999_us} us for 99.9 %",
    ]
    if one.cpu_us_per_packet is not None and one.cpu_share is not None:
        lines.append(
            f"  bridge's CPU      {one.cpu_us_per_packet:.2f} s per million packets,"
            f" {one.cpu_share:.1%} of a core"
        )
    if one.memory_per_participant is not None:
        lines.append(
            f"  bridge's memory   {one.memory_per_participant / 1e6:.2f} MB a participant"
        )
    return "\n".join(lines)
