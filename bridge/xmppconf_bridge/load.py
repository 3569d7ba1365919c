"""How loaded the bridge is: its busiest worker or its event loop, and packet rates.

Everything is a mean of the last seconds, so that a moment's work is no stress.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

INTERVAL = 2.0  # seconds between two samples
WINDOW = 8.0  # seconds of which the mean is taken
#: The focus is told at once when the stress has changed by that much.
NOTABLE = 0.1
#: Shares of one core and packets per second (both ways) of a worker that count as stress 1.
CPU_LIMIT = 0.9
#: On two cores of 2.5 GHz, one of them the bridge's, `script/soak overload` fills that
#: core with more; 200,000 a second take a third of it.  The processor's share tells more:
#: this is for machines whose network gives out first, and must not say of an idle core
#: that it is full, for then pictures are taken away and conferences refused.
PACKET_LIMIT = 500_000


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    figures: Mapping[str, int]
    workers: Sequence[tuple[int, int]]


class Load:
    """Fed with the engine's counters, gives the stress that the focus balances by."""

    def __init__(self) -> None:
        self.stress = 0.0
        self.media_stress = 0.0
        """The same of what forwards media, without the event loop."""
        self.newcomer_stress = 0.0
        """The same of the idlest worker, which gets the next conference."""
        self.packets_in = 0.0  # per second
        self.packets_out = 0.0
        self.bits_in = 0.0  # per second
        self.bits_out = 0.0
        self.relay_packets_in = 0.0  # the same of links to other bridges
        self.relay_packets_out = 0.0
        self.relay_bits_in = 0.0
        self.relay_bits_out = 0.0
        self._samples: deque[_Sample] = deque()

    def sample(
        self,
        stats: Mapping[str, int],
        workers: Sequence[tuple[int, int]],
        loop_cpu: float,
        now: float,
        stolen: float = 0.0,
    ) -> None:
        """Take the engine's counters, with those of links as `relay_*`, and since start of
        each worker the nanoseconds of CPU and the packets, the event loop's seconds of CPU
        and what other machines took of each processor.

        What they waited for a processor is part of their CPU: a bridge that is starved has
        no more room than one that is busy."""
        figures = {**stats, "loop_cpu_ns": int(loop_cpu * 1e9)}
        figures["stolen_ns"] = int(stolen * 1e9)
        samples = self._samples
        samples.append(_Sample(now, figures, workers))
        while len(samples) > 2 and samples[1].at <= now - WINDOW:
            samples.popleft()
        before = samples[0]
        if now <= before.at:
            return
        elapsed = now - before.at

        def rate(name: str) -> float:
            return max(0, figures.get(name, 0) - before.figures.get(name, 0)) / elapsed

        self.packets_in = rate("packets_received")
        self.packets_out = rate("packets_sent")
        self.bits_in = 8 * rate("bytes_received")
        self.bits_out = 8 * rate("bytes_sent")
        self.relay_packets_in = rate("relay_packets_received")
        self.relay_packets_out = rate("relay_packets_sent")
        self.relay_bits_in = 8 * rate("relay_bytes_received")
        self.relay_bits_out = 8 * rate("relay_bytes_sent")
        stolen_share = rate("stolen_ns")
        stresses = [
            max(
                ((one[0] - old[0]) / elapsed + stolen_share) / 1e9 / CPU_LIMIT,
                (one[1] - old[1]) / elapsed / PACKET_LIMIT,
            )
            for one, old in zip(workers, before.workers, strict=False)
        ] or [stolen_share / 1e9 / CPU_LIMIT]
        loop = (rate("loop_cpu_ns") + stolen_share) / 1e9 / CPU_LIMIT
        # Who is on a worker stays there, so a busy one is not helped by idle others.
        self.media_stress = max(stresses)
        self.stress = max(self.media_stress, loop)
        self.newcomer_stress = max(min(stresses), loop)
