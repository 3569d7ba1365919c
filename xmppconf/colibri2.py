"""Colibri2 requests and answers between focus and bridge, as values.

`xmppconf.xmpp.colibri2` reads and writes their XML.  `None` means absent on the wire,
which often means "leave as it is"; an empty tuple means present and empty.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from xmppconf.errors import Condition, PeerError
from xmppconf.ids import EndpointId, MeetingId, RelayId
from xmppconf.media import MediaDescription
from xmppconf.sources import MediaSource
from xmppconf.transport import IceTransport


class Reason(enum.StrEnum):
    """Why a bridge refused (`<error xmlns='jitsi:colibri2' reason='...'/>`)."""

    CONFERENCE_NOT_FOUND = "conference_not_found"
    CONFERENCE_ALREADY_EXISTS = "conference_already_exists"
    FEATURE_NOT_IMPLEMENTED = "feature_not_implemented"
    GRACEFUL_SHUTDOWN = "graceful_shutdown"
    UNKNOWN_ENDPOINT = "unknown_endpoint"
    UNSPECIFIED = "unspecified"


class ColibriRefused(PeerError):
    """A Colibri2 request was refused: the stanza error and the bridge's reason.

    `reason` is None when the error did not come from a bridge but from an XMPP server.
    """

    def __init__(
        self,
        condition: Condition,
        reason: Reason | None,
        text: str = "",
        endpoint: EndpointId | None = None,
    ) -> None:
        super().__init__(text or condition)
        self.condition = condition
        self.reason = reason
        self.endpoint = endpoint


@dataclass(frozen=True, slots=True)
class Sctp:
    """`<sctp port role/>`; port and role may be absent in a request."""

    port: int | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Transport:
    ice_controlling: bool = False
    use_unique_port: bool = False
    ice_restart: bool = False
    ice: IceTransport | None = None
    sctp: Sctp | None = None


@dataclass(frozen=True, slots=True)
class ForceMute:
    audio: bool = False
    video: bool = False


@dataclass(frozen=True, slots=True)
class EndpointRequest:
    id: EndpointId
    create: bool = False
    expire: bool = False
    stats_id: str | None = None
    visitor: bool = False
    capabilities: frozenset[str] = frozenset()
    media: tuple[MediaDescription, ...] = ()
    transport: Transport | None = None
    sources: tuple[MediaSource, ...] | None = None
    force_mute: ForceMute | None = None
    initial_last_n: int | None = None


@dataclass(frozen=True, slots=True)
class RelayRequest:
    """What a bridge shall do about its link to another that has the conference too."""

    id: RelayId
    """Of the other bridge."""
    create: bool = False
    expire: bool = False
    mesh: str | None = None
    """What came over one link of a mesh is not passed on over another of the same."""
    media: tuple[MediaDescription, ...] = ()
    transport: Transport | None = None
    endpoints: tuple[EndpointRequest, ...] = ()
    """Those behind the link that come, change their sources, or go."""


@dataclass(frozen=True, slots=True)
class ConferenceModify:
    meeting_id: MeetingId
    name: str | None = None
    create: bool = False
    expire: bool = False
    rtcstats_enabled: bool = True
    endpoints: tuple[EndpointRequest, ...] = ()
    relays: tuple[RelayRequest, ...] = ()
    has_connects: bool = False


@dataclass(frozen=True, slots=True)
class EndpointAnswer:
    id: EndpointId
    expire: bool = False
    transport: Transport | None = None


@dataclass(frozen=True, slots=True)
class RelayAnswer:
    id: RelayId
    expire: bool = False
    transport: Transport | None = None


@dataclass(frozen=True, slots=True)
class ConferenceModified:
    endpoints: tuple[EndpointAnswer, ...] = ()
    sources: tuple[MediaSource, ...] | None = None
    """The feedback sources `jvb-a0` and `jvb-v0`, when something was created."""
    relays: tuple[RelayAnswer, ...] = ()
