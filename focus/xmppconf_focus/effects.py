"""What the focus's machines want done; `io` does it, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NewType

from xmppconf.colibri2 import ConferenceModify
from xmppconf.errors import Condition
from xmppconf.ids import EndpointId, MeetingId
from xmppconf.jingle import Action, Offer
from xmppconf.sources import OwnedSources

RoomJid = NewType("RoomJid", str)
"""Bare address of a room on our rooms' host."""

BridgeJid = NewType("BridgeJid", str)
"""Occupant address of a bridge in the brewery."""

Ticket = NewType("Ticket", int)
"""Names a conference request that waits for its answer."""


MutedMedia = Literal["audio", "video", "desktop"]


@dataclass(frozen=True, slots=True)
class JoinRoom:
    """Enter, and not without leaving first.

    We may still be in it from a process that was killed, and clients have to see that
    the focus of their sessions is gone: two sessions at once would double everybody.
    """

    room: RoomJid


@dataclass(frozen=True, slots=True)
class EvictNamesake:
    """Throw out who has our nickname; answer with `namesake_evicted`."""

    room: RoomJid


@dataclass(frozen=True, slots=True)
class ConfigureRoom:
    """Make real addresses visible; answer with `room_configured` or `room_failed`."""

    room: RoomJid


@dataclass(frozen=True, slots=True)
class LeaveRoom:
    room: RoomJid


@dataclass(frozen=True, slots=True)
class ShowPresence:
    room: RoomJid
    bridge_available: bool
    bridge_count: int


@dataclass(frozen=True, slots=True)
class GrantOwner:
    room: RoomJid
    jid: str
    """Bare real address."""


@dataclass(frozen=True, slots=True)
class RevokeOwner:
    room: RoomJid
    jid: str
    """Bare real address."""


@dataclass(frozen=True, slots=True)
class AskFeatures:
    """Answer with `features_known`, in at most 15 s."""

    room: RoomJid
    endpoint: EndpointId
    ver: str | None
    hash: str | None


@dataclass(frozen=True, slots=True)
class SendColibri:
    """Answer with `colibri_answered`, `colibri_refused` or `colibri_timed_out`."""

    room: RoomJid
    request: int
    bridge: BridgeJid
    modify: ConferenceModify


@dataclass(frozen=True, slots=True)
class SendOffer:
    """Answer with `offer_refused` if the client sends an error; silence is no refusal."""

    room: RoomJid
    endpoint: EndpointId
    offer: Offer


@dataclass(frozen=True, slots=True)
class SendSources:
    room: RoomJid
    endpoint: EndpointId
    sid: str
    action: Action
    sources: OwnedSources
    json_sources: bool


@dataclass(frozen=True, slots=True)
class SendTerminate:
    room: RoomJid
    endpoint: EndpointId
    sid: str
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class SendMute:
    room: RoomJid
    endpoint: EndpointId
    media: MutedMedia
    actor: EndpointId


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """Refuse a conference request with `error`, or say: ready, or ask again later."""

    ticket: Ticket
    ready: bool
    error: Condition | None = None


@dataclass(frozen=True, slots=True)
class CheckHealth:
    """Answer with `health_answered` or `health_failed`."""

    bridge: BridgeJid


@dataclass(frozen=True, slots=True)
class ConferenceEnded:
    room: RoomJid
    meeting_id: MeetingId
    """Empty if the room was never ready."""
    reason: str


Effect = (
    JoinRoom
    | EvictNamesake
    | ConfigureRoom
    | LeaveRoom
    | ShowPresence
    | GrantOwner
    | RevokeOwner
    | AskFeatures
    | SendColibri
    | SendOffer
    | SendSources
    | SendTerminate
    | SendMute
    | AnswerRequest
    | CheckHealth
    | ConferenceEnded
)
