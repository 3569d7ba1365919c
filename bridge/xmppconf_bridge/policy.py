"""What the operator of the bridge allows receivers of video."""

from __future__ import annotations

from dataclasses import dataclass

UNLIMITED = -1

#: Bits per second to begin with, until the engine has an estimate: some moments after the
#: first packets, but for receivers that do not report though they said they would.
START_BANDWIDTH = 1_000_000
#: For receivers that cannot report what arrives, until they lose much: one large picture,
#: as stock bridges assume at the start.
UNREPORTED_BANDWIDTH = 2_500_000


@dataclass(frozen=True, slots=True)
class VideoPolicy:
    trust_bandwidth: bool = True
    """Whether receivers get what their estimated bandwidth allows, or what they ask for."""
    last_n: int = UNLIMITED
    """Sources that one receiver may get at most."""
    initial_last_n: int = UNLIMITED
    """What counts as a receiver's own limit until it or the focus names one."""
    last_n_by_size: tuple[tuple[int, int], ...] = ()
    """(video sources of a conference from which it holds, last-N), ascending."""
    assumed_bandwidth_limit: int = 0
    """Bits per second that a receiver may say it has, whatever the estimate; 0: it may
    not."""
    oversend: int = 500_000
    """Bits per second by which a screen on stage may exceed the bandwidth."""

    def limit(self, size: int) -> int:
        """Sources that a receiver may get in a conference of `size`; -1 is unlimited."""
        by_size = UNLIMITED
        for least, last_n in self.last_n_by_size:
            if size >= least:
                by_size = last_n
        return least_limit(self.last_n, by_size)


def least_limit(*limits: int) -> int:
    """The strictest of several limits; negative ones do not count, -1 if there is none."""
    return min((limit for limit in limits if limit >= 0), default=UNLIMITED)
