"""What follows from a bridge's refusal."""

from __future__ import annotations

import enum

from xmppconf.colibri2 import ColibriRefused, Reason


class Reaction(enum.Enum):
    IGNORE = "ignore"
    FAIL_INVITE = "fail-invite"  # this participant gets no session; the bridge stays
    LEAVE_BRIDGE = "leave-bridge"  # expire, and invite everybody anew, perhaps here
    REFUSES_NEW = "refuses-new"  # the same, and elsewhere
    BRIDGE_FAILED = "bridge-failed"  # the same, and nobody else goes there for a while
    REINVITE_ENDPOINT = "reinvite-endpoint"  # only the endpoint that it has lost


def on_allocation(refused: ColibriRefused | None) -> Reaction:
    """React to a refused request that created an endpoint; None: no answer came."""
    if refused is None:
        return Reaction.BRIDGE_FAILED
    match refused.condition, refused.reason:
        case "bad-request", _:
            return Reaction.FAIL_INVITE
        case "item-not-found", Reason.CONFERENCE_NOT_FOUND:
            return Reaction.LEAVE_BRIDGE
        case "item-not-found", None:
            # The room says so: the bridge has left, and its presence will tell.
            return Reaction.FAIL_INVITE
        case "conflict", _:
            return Reaction.LEAVE_BRIDGE
        case "service-unavailable", Reason.GRACEFUL_SHUTDOWN:
            return Reaction.REFUSES_NEW
        case _:
            return Reaction.BRIDGE_FAILED


def on_update(refused: ColibriRefused | None) -> Reaction:
    """React to a refused update; None: no answer came."""
    if refused is None:
        return Reaction.IGNORE
    if refused.reason is Reason.UNKNOWN_ENDPOINT and refused.endpoint is not None:
        return Reaction.REINVITE_ENDPOINT
    return Reaction.LEAVE_BRIDGE


def on_relay(refused: ColibriRefused | None) -> Reaction:
    """React to a refused link to another bridge; None: no answer came."""
    return Reaction.BRIDGE_FAILED if refused is None else Reaction.LEAVE_BRIDGE
