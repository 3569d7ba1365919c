"""How loaded the bridge is: the busiest of its two threads and its packet rate."""

from __future__ import annotations

from collections.abc import Mapping

INTERVAL = 10.0  # seconds between two samples
#: Shares of one core and packets per second (both ways) that count as stress 1.
CPU_LIMIT = 0.9
#: `script/bench` on two cores of 2.5 GHz, one of them the bridge's: 75,000 packets a second
#: leave after 1 ms at the median, and from 190,000 on packets are lost.  The processor's
#: share tells more; this is for machines whose network gives out first.
PACKET_LIMIT = 150_000


class Load:
    """Fed with the engine's counters, gives the stress that the focus balances by."""

    def __init__(self) -> None:
        self.stress = 0.0
        self.packets_in = 0.0  # per second
        self.packets_out = 0.0
        self.bits_in = 0.0  # per second
        self.bits_out = 0.0
        self._before: tuple[float, Mapping[str, int]] | None = None

    def sample(self, stats: Mapping[str, int], loop_cpu: float, now: float) -> None:
        """Take the engine's counters and the event loop's seconds of CPU since start."""
        figures = {**stats, "loop_cpu_ns": int(loop_cpu * 1e9)}
        before, self._before = self._before, (now, figures)
        if before is None or now <= before[0]:
            return
        elapsed = now - before[0]

        def rate(name: str) -> float:
            return max(0, figures.get(name, 0) - before[1].get(name, 0)) / elapsed

        self.packets_in = rate("packets_received")
        self.packets_out = rate("packets_sent")
        self.bits_in = 8 * rate("bytes_received")
        self.bits_out = 8 * rate("bytes_sent")
        cpu = max(rate("worker_cpu_ns"), rate("loop_cpu_ns")) / 1e9
        packets = self.packets_in + self.packets_out
        self.stress = max(cpu / CPU_LIMIT, packets / PACKET_LIMIT)
