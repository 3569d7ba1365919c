"""Recorders and phone gateways that have announced themselves beside the bridges.

What they are asked to do is no part of this: here is who of them is there, and whether it
could take something on.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

MAX_SERVICES = 1000  # of one kind


class ServiceKind(enum.Enum):
    RECORDER = "recorder"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """What one says about itself.  Until it has, it takes nothing."""

    is_available: bool = False
    participants: int = 0
    """How many a phone gateway serves now; a recorder says nothing of that."""

    @classmethod
    def of_recorder(cls, busy: str, health: str) -> ServiceStatus:
        """A recorder does one thing at a time."""
        return cls(busy == "idle" and health == "healthy")

    @classmethod
    def of_phone(cls, figures: Mapping[str, str]) -> ServiceStatus:
        """Read what a presence lists; what cannot be read counts as none."""
        closing = figures.get("graceful_shutdown", "false") != "false"
        count = figures.get("participants", "")
        return cls(
            figures.get("supports_sip", "false") == "true" and not closing,
            int(count) if count.isdecimal() and len(count) < 10 else 0,
        )


class ServicePool:
    """Of one kind, by occupant address."""

    def __init__(self) -> None:
        self.services: dict[str, ServiceStatus] = {}

    def announced(self, jid: str, status: ServiceStatus) -> None:
        if jid in self.services or len(self.services) < MAX_SERVICES:
            self.services[jid] = status

    def left(self, jid: str) -> None:
        self.services.pop(jid, None)

    def all_left(self) -> None:
        self.services.clear()

    def available(self) -> int:
        """How many could take something on now."""
        return sum(status.is_available for status in self.services.values())
