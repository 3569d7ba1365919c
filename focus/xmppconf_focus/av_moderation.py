"""A/V moderation: who may unmute what, as stock clients know it.

Per medium it is off, or on with a list of those who may.  Moderators always may.
"""

from __future__ import annotations

from xmppconf.colibri2 import ForceMute
from xmppconf.errors import LimitExceeded
from xmppconf_focus.effects import MutedMedia
from xmppconf_focus.notices import Notice
from xmppconf_focus.record import ModerationRecord

MEDIA: tuple[MutedMedia, ...] = ("audio", "video", "desktop")
MAX_ALLOWED = 1000  # nicknames per medium


class AvModeration:
    def __init__(self, room: str) -> None:
        self._room = room
        self._allowed: dict[MutedMedia, set[str]] = {}
        """Who may, per medium that is moderated."""
        self._actors: dict[MutedMedia, str] = {}

    def record(self) -> ModerationRecord:
        return ModerationRecord(
            allowed={media: frozenset(nicks) for media, nicks in self._allowed.items()},
            actors=dict(self._actors),
        )

    def restore(self, record: ModerationRecord) -> None:
        """Go on from what another focus knew."""
        self._allowed = {media: set(nicks) for media, nicks in record.allowed.items()}
        self._actors = dict(record.actors)

    @property
    def active(self) -> bool:
        """Whether anything is moderated."""
        return bool(self._allowed)

    def is_on(self, media: MutedMedia) -> bool:
        return media in self._allowed

    def forbids(self, media: MutedMedia, nick: str, *, moderator: bool) -> bool:
        allowed = self._allowed.get(media)
        return allowed is not None and not moderator and nick not in allowed

    def force_mute(self, nick: str, *, moderator: bool) -> ForceMute:
        """What the bridge shall drop.  It does not know a camera from a screen."""
        camera, screen, voice = (
            self.forbids(media, nick, moderator=moderator)
            for media in ("video", "desktop", "audio")
        )
        return ForceMute(audio=voice, video=camera and screen)

    def switch(self, media: MutedMedia, on: bool, actor: str) -> list[Notice]:
        if on == self.is_on(media):
            return []
        if on:
            self._allowed[media] = set()
            self._actors[media] = actor
        else:
            del self._allowed[media]
        return [Notice(self._enabled(media, on, actor))]

    def allow(self, media: MutedMedia, nick: str, on: bool, actor: str) -> list[Notice]:
        """Let one unmute, or no longer; means nothing where there is no moderation.

        Raises `LimitExceeded`.
        """
        allowed = self._allowed.get(media)
        if allowed is None or (nick in allowed) == on:
            return []
        if on:
            if len(allowed) >= MAX_ALLOWED:
                raise LimitExceeded("people who may unmute", MAX_ALLOWED)
            allowed.add(nick)
        else:
            allowed.discard(nick)
        told: dict[str, object] = {
            "type": "av_moderation",
            "room": self._room,
            "mediaType": media,
            "from": self._address(actor),
        }
        told |= {"approved": True} if on else {"removed": True}
        return [self._list(media, removed=not on), Notice(told, to=nick)]

    def joined(self, nick: str) -> list[Notice]:
        """What a newcomer has to know."""
        return [
            Notice(self._enabled(media, True, self._actors[media]), to=nick)
            for media in self._allowed
        ]

    def promoted(self, nick: str) -> list[Notice]:
        """What a moderator has to know besides."""
        return [
            Notice(self._list(media, removed=False).value, to=nick)
            for media, allowed in self._allowed.items()
            if allowed
        ]

    def left(self, nick: str) -> None:
        # Whoever takes the nickname next may not speak for it.
        for allowed in self._allowed.values():
            allowed.discard(nick)

    def _enabled(self, media: MutedMedia, on: bool, actor: str) -> dict[str, object]:
        return {
            "type": "av_moderation",
            "enabled": on,
            "room": self._room,
            "actor": self._address(actor),
            "mediaType": media,
        }

    def _list(self, media: MutedMedia, *, removed: bool) -> Notice:
        names = [self._address(nick) for nick in sorted(self._allowed[media])]
        value: dict[str, object] = {
            "type": "av_moderation",
            "room": self._room,
            "whitelists": {media: names},
            "mediaType": media,
        }
        if removed:
            value["removed"] = True
        return Notice(value, moderators_only=True)

    def _address(self, nick: str) -> str:
        return f"{self._room}/{nick}"
