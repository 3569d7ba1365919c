"""Errors, by whose fault they are."""

from __future__ import annotations

from typing import Literal

#: The stanza errors (RFC 6120, 8.3.3) that we answer with.
Condition = Literal[
    "bad-request",
    "conflict",
    "feature-not-implemented",
    "forbidden",
    "gone",
    "internal-server-error",
    "item-not-found",
    "jid-malformed",
    "not-acceptable",
    "not-allowed",
    "not-authorized",
    "policy-violation",
    "remote-server-timeout",
    "resource-constraint",
    "service-unavailable",
    "unexpected-request",
]


class ConferenceError(Exception):
    """Base of every error this project raises on purpose."""


class PeerError(ConferenceError):
    """The other side broke the protocol.  Answer it, count it, go on."""

    condition: Condition = "bad-request"


class LimitExceeded(PeerError):
    """The other side asked for more than it may have."""

    condition: Condition = "resource-constraint"

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"{what}: more than {limit}")
        self.what = what
        self.limit = limit


class NotAllowed(PeerError):
    """The other side may not do this, whatever it sent."""

    condition: Condition = "forbidden"


class NotFound(PeerError):
    """The other side named something that is not there."""

    condition: Condition = "item-not-found"


class SettingsError(ConferenceError):
    """A setting is unknown, has the wrong type or cannot work.  The operator mends it."""


class UsageError(ConferenceError):
    """Our own code called something out of order: a bug, never caught."""
