"""Jingle between focus and participant, as values (XEP-0166, XEP-0167, XEP-0176).

`xmppconf.xmpp.jingle` reads and writes their XML.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from xmppconf.media import MediaDescription
from xmppconf.sources import OwnedSources, SourceSet
from xmppconf.transport import IceTransport


class Action(enum.StrEnum):
    SESSION_INITIATE = "session-initiate"
    SESSION_ACCEPT = "session-accept"
    SESSION_INFO = "session-info"
    SESSION_TERMINATE = "session-terminate"
    TRANSPORT_INFO = "transport-info"
    TRANSPORT_REPLACE = "transport-replace"
    TRANSPORT_ACCEPT = "transport-accept"
    TRANSPORT_REJECT = "transport-reject"
    SOURCE_ADD = "source-add"
    SOURCE_REMOVE = "source-remove"
    CONTENT_MODIFY = "content-modify"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a session-initiate from the focus says."""

    sid: str
    initiator: str
    media: tuple[MediaDescription, ...]
    """In the order audio, video; a missing one is not offered."""
    data: bool
    """Whether content `data` (the bridge channel over SCTP) is offered."""
    transport: IceTransport
    sources: OwnedSources
    """Of the bridge (owner `jvb`) first, then of the others unless SSRCs are rewritten."""
    json_sources: bool
    """Whether sources go as JSON or as XML."""
    bridge_session_id: str
    region: str | None = None
    start_audio_muted: bool = False
    start_video_muted: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """Any Jingle IQ from a participant, read and bounded, not yet judged."""

    action: Action
    sid: str
    media: tuple[MediaDescription, ...] = ()
    transport: IceTransport | None = None
    sources: SourceSet = field(default_factory=SourceSet)
    """The sender's sources; owners that it names are ignored."""
    initial_last_n: int | None = None
    reason: str | None = None
    """The element inside `<reason/>`, such as "success" or "connectivity-error"."""
    restart: bool = False
    """session-terminate asks for a new session (`<bridge-session restart='true'/>`)."""
    ice_restart: bool = False
    """session-info asks for new ICE parameters of the same session."""
    bridge_session_id: str | None = None
    session_info: str | None = None
    """session-info: `ice-state` text, such as "failed"."""
