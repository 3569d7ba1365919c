"""What the focus's machines want done; `io` does it, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NewType

from xmppconf.colibri2 import ConferenceModify
from xmppconf.errors import Condition
from xmppconf.ids import EndpointId, MeetingId
from xmppconf.jingle import Action, Offer
from xmppconf.sources import OwnedSources
from xmppconf.transport import IceTransport

if TYPE_CHECKING:  # they name rooms by what is in here
    from xmppconf_focus.admission import Refusal
    from xmppconf_focus.room_settings import RoomRecord

RoomJid = NewType("RoomJid", str)
"""Bare address of a room on our rooms' host."""

BridgeJid = NewType("BridgeJid", str)
"""Occupant address of a bridge in the brewery."""

Ticket = NewType("Ticket", int)
"""Names a conference request that waits for its answer."""


MutedMedia = Literal["audio", "video", "desktop"]

Abuse = Literal["spam", "harassment", "other"]


@dataclass(frozen=True, slots=True)
class JoinRoom:
    """Enter, and not without leaving first.

    We may still be in it from a process that was killed, and clients have to see that
    the focus of their sessions is gone: two sessions at once would double everybody.
    """

    room: RoomJid
    password: str = ""


@dataclass(frozen=True, slots=True)
class ReturnToRoom:
    """Enter as if we had never been away: clients shall not see us leave."""

    room: RoomJid
    password: str = ""


@dataclass(frozen=True, slots=True)
class EvictNamesake:
    """Throw out who has our nickname; answer with `namesake_evicted`."""

    room: RoomJid


@dataclass(frozen=True, slots=True)
class ConfigureRoom:
    """Make real addresses visible, and set what else is given.

    Answer with `room_configured` or `room_failed`.
    """

    room: RoomJid
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SubmitForm:
    """Change fields of the room's form."""

    room: RoomJid
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ReadForm:
    """Answer with `form_read`."""

    room: RoomJid


@dataclass(frozen=True, slots=True)
class LeaveRoom:
    room: RoomJid


@dataclass(frozen=True, slots=True)
class ShowPresence:
    room: RoomJid
    bridge_available: bool
    bridge_count: int
    limits_reached: frozenset[str] = frozenset()
    """Of `audio` and `video`, what nobody can begin to send now."""


@dataclass(frozen=True, slots=True)
class SetAffiliation:
    room: RoomJid
    jid: str
    """Bare real address."""
    affiliation: str


@dataclass(frozen=True, slots=True)
class KickOccupant:
    room: RoomJid
    nick: str
    reason: str


@dataclass(frozen=True, slots=True)
class CountReport:
    """Somebody was reported; the operator sees how often that happens."""

    kind: Abuse


@dataclass(frozen=True, slots=True)
class SetSubject:
    room: RoomJid
    subject: str


@dataclass(frozen=True, slots=True)
class DestroyRoom:
    """End it for everybody; `removed` follows."""

    room: RoomJid
    reason: str


@dataclass(frozen=True, slots=True)
class SendJson:
    """A message with a JSON object from our own address; `to` are full real addresses."""

    to: tuple[str, ...]
    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LobbyPresence:
    """One presence in the lobby that we play, about `nick`."""

    room: RoomJid
    to: str
    nick: str
    jid: str
    """Full real address of whom it is about."""
    name: str = ""
    email: str = ""
    moderator: bool = False
    available: bool = True
    status: tuple[int, ...] = ()
    destroyed: bool = False
    to_room: RoomJid | None = None
    """Where to go instead."""


@dataclass(frozen=True, slots=True)
class StoreRoom:
    """Keep a room's settings for its next meeting; None: forget them."""

    room: RoomJid
    record: RoomRecord | None


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
class SendTransport:
    """The bridge's side of an ICE restart within the session."""

    room: RoomJid
    endpoint: EndpointId
    sid: str
    transport: IceTransport


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
    actor: EndpointId | None
    """None: A/V moderation, not a person."""


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """Refuse a conference request with `error`, or say: ready, or ask again later."""

    ticket: Ticket
    ready: bool
    error: Condition | None = None
    refusal: Refusal | None = None
    """Why, if the room's server has nothing to do with it; instead of `error`."""
    password: str | None = None
    """The room's, for whom it may be told."""


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
    | ReturnToRoom
    | EvictNamesake
    | ConfigureRoom
    | LeaveRoom
    | ShowPresence
    | SubmitForm
    | ReadForm
    | SetAffiliation
    | KickOccupant
    | CountReport
    | SetSubject
    | DestroyRoom
    | SendJson
    | LobbyPresence
    | StoreRoom
    | AskFeatures
    | SendColibri
    | SendOffer
    | SendSources
    | SendTransport
    | SendTerminate
    | SendMute
    | AnswerRequest
    | CheckHealth
    | ConferenceEnded
)
