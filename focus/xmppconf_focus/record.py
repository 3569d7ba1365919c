"""What a new focus has to know of a conference to go on with it, as bytes and back.

Sessions are recorded once they are accepted; who was still being invited is invited anew.
Nothing of what people write or are called is in here, and no password.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId, MeetingId, RelayId
from xmppconf.sources import MediaSource, OwnedSources, SourceSet
from xmppconf_focus.effects import BridgeJid, MutedMedia, RoomJid


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeRecord:
    """The conference on one bridge."""

    jid: BridgeJid
    session_id: str
    region: str | None
    relay_id: RelayId
    endpoints: tuple[EndpointId, ...]
    feedback: tuple[MediaSource, ...]
    linked: bool
    """Whether its links to the other bridges are made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantRecord:
    """One whose session goes on."""

    id: EndpointId
    real_jid: str
    sid: str
    bridge: BridgeJid
    features: frozenset[str]
    region: str | None
    sources: SourceSet
    known: OwnedSources
    """What it was told of others' sources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRecord:
    meeting_id: MeetingId
    start_muted: tuple[int | None, int | None]
    """Participants from which on newcomers begin without sound, and without picture."""
    bridges: tuple[BridgeRecord, ...]
    """In the order in which they joined."""
    participants: tuple[ParticipantRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRecord:
    """Digests of people, by what they are in this meeting."""

    moderators: frozenset[str] = frozenset()
    admitted: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    demoted: frozenset[str] = frozenset()
    banned: frozenset[str] = frozenset()
    keys: dict[str, frozenset[str]] = field(default_factory=dict)
    """What is known of a bare real address."""
    had_moderator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationRecord:
    """What is moderated: who may, and who wanted it."""

    allowed: dict[MutedMedia, frozenset[str]] = field(default_factory=dict)
    actors: dict[MutedMedia, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceRecord:
    room: RoomJid
    media: MediaRecord
    access: AccessRecord
    moderation: ModerationRecord
    members: dict[str, str] = field(default_factory=dict)
    """Bare real address to who that is, sealed (`Membership.sealed`)."""


def encode(record: ConferenceRecord) -> bytes:
    return msgspec.json.encode(record)


def decode(data: bytes) -> ConferenceRecord:
    """Raises `PeerError`: it is from another version, or damaged."""
    try:
        return msgspec.json.decode(data, type=ConferenceRecord)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PeerError(f"record cannot be read: {error}") from None
