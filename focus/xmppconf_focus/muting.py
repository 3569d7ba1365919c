"""Muting: a moderator's wish that is passed on, and what moderation and limits forbid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xmppconf.colibri2 import ForceMute
from xmppconf.errors import Condition, NotFound, PeerError
from xmppconf.ids import EndpointId
from xmppconf_focus.av_moderation import MEDIA
from xmppconf_focus.effects import MutedMedia, RoomJid, SendMute
from xmppconf_focus.media_sessions import MediaSessions
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.room_features import RoomFeatures
from xmppconf_focus.sender_limits import SenderLimits, Sent

_SENT_AS: Mapping[MutedMedia, Sent] = {
    "audio": "audio",
    "video": "video",
    "desktop": "video",
}


class MuteRefused(PeerError):
    condition: Condition = "not-allowed"


class MuteFailed(PeerError):
    condition: Condition = "internal-server-error"


@dataclass(frozen=True, slots=True)
class MuteRequest:
    """One participant asks that one be muted; `media` is as in `SendMute`."""

    target: EndpointId
    media: MutedMedia
    mute: bool


class Muting:
    """The tables are the conference's own, read and never written here."""

    def __init__(
        self,
        room: RoomJid,
        occupants: Mapping[str, Occupant],
        media: MediaSessions,
        features: RoomFeatures,
        limits: SenderLimits,
    ) -> None:
        self._room = room
        self._occupants = occupants
        self._media = media
        self._features = features
        self._limits = limits
        self._moderated = False
        """Whether anything was forbidden to anybody when it was last looked at."""
        self._told: dict[EndpointId, frozenset[MutedMedia]] = {}
        """What somebody has been told to mute since it was forbidden."""

    def ask(self, endpoint: EndpointId, request: MuteRequest) -> SendMute | None:
        """Whom to tell what; None: who asked does it.  Raises `PeerError` to refuse it."""
        sender = self._occupants.get(endpoint)
        if sender is None:
            raise NotFound("occupant")
        if request.target != endpoint and not (sender.is_moderator and request.mute):
            raise MuteRefused("not a moderator, or an attempt to unmute another")
        if not request.mute and not self._features.may_unmute(endpoint, request.media):
            raise MuteRefused("moderated")
        if not request.mute:
            self._limits.check(endpoint, _SENT_AS[request.media])
        target = self._media.participants.get(request.target)
        if target is None or not target.is_active():
            raise MuteFailed("target has no session")
        if request.target == endpoint:
            return None
        return SendMute(self._room, request.target, request.media, actor=endpoint)

    def moderate(self) -> Iterator[SendMute]:
        """Bring what the bridge drops in line with A/V moderation and the limits of
        senders, at every change."""
        excess = self._limits.excess()
        active = self._features.moderation.active or bool(excess)
        if not active and not self._moderated:
            return  # as in most conferences, most of the time
        self._moderated = active
        for endpoint, participant in self._media.participants.items():
            beyond = excess.get(endpoint, frozenset())
            forced = self._features.force_mute(endpoint)
            self._media.force_mute(
                endpoint,
                ForceMute(
                    audio=forced.audio or "audio" in beyond,
                    video=forced.video or "video" in beyond,
                ),
            )
            if not participant.is_active():
                continue
            forbidden = frozenset(
                media
                for media in MEDIA
                if not self._features.may_unmute(endpoint, media)
                or _SENT_AS[media] in beyond
            )
            told = self._told.get(endpoint, frozenset())
            if forbidden != told:
                self._told[endpoint] = forbidden
                for media in sorted(forbidden - told):
                    yield SendMute(self._room, endpoint, media, actor=None)

    def left(self, endpoint: EndpointId) -> None:
        self._told.pop(endpoint, None)

    def forget(self) -> None:
        """We are away, and see everybody anew."""
        self._told.clear()
