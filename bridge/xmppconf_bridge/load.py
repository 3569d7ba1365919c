"""How loaded the bridge is: the busier of its media thread and its packet rate."""

from __future__ import annotations

from collections.abc import Mapping

INTERVAL = 10.0  # seconds between two samples
#: Shares of one core and packets per second (both ways) that count as stress 1.
CPU_LIMIT = 0.9
PACKET_LIMIT = 200_000


class Load:
    """Fed with the engine's counters, gives the stress that the focus balances by."""

    def __init__(self) -> None:
        self.stress = 0.0
        self.packets_in = 0.0  # per second
        self.packets_out = 0.0
        self.bits_in = 0.0  # per second
        self.bits_out = 0.0
        self._before: tuple[float, Mapping[str, int]] | None = None

    def sample(self, stats: Mapping[str, int], now: float) -> None:
        before, self._before = self._before, (now, dict(stats))
        if before is None or now <= before[0]:
            return
        elapsed = now - before[0]

        def rate(name: str) -> float:
            return max(0, stats.get(name, 0) - before[1].get(name, 0)) / elapsed

        self.packets_in = rate("packets_received")
        self.packets_out = rate("packets_sent")
        self.bits_in = 8 * rate("bytes_received")
        self.bits_out = 8 * rate("bytes_sent")
        cpu = rate("worker_cpu_ns") / 1e9
        packets = self.packets_in + self.packets_out
        self.stress = max(cpu / CPU_LIMIT, packets / PACKET_LIMIT)
