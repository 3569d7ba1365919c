"""What has happened on this bridge since its start."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    conferences: int = 0
    endpoints: int = 0
    ice_succeeded: int = 0
    ice_failed: int = 0
    dtls_failed: int = 0
    relays: int = 0
    relay_ice_failed: int = 0
    relay_dtls_failed: int = 0
    rejected_sources: int = 0
    """Sources whose SSRCs belonged to somebody else already."""
    rejected_messages: int = 0
    """Bridge channel messages that could not be read or were not allowed."""
    dropped_messages: int = 0
    """Bridge channel messages beyond what one endpoint may send."""
    lost_events: int = 0
    """Engine events that found their queue full."""
