"""How long everybody has been the dominant speaker.

Clients say it of themselves when the bridge has told them; nobody can say it of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xmppconf_focus.notices import Notice

MAX_PEOPLE = 500  # remembered in one meeting, those who have left included


@dataclass(slots=True)
class _Speaker:
    name: str
    seconds: float = 0.0


class SpeakerStats:
    def __init__(self) -> None:
        self._speakers: dict[str, _Speaker] = {}
        self._dominant: str | None = None
        self._since = 0.0
        self._silent = False

    def joined(self, nick: str, name: str) -> None:
        if nick in self._speakers:
            self._speakers[nick].name = name
        elif len(self._speakers) < MAX_PEOPLE:
            self._speakers[nick] = _Speaker(name)

    def left(self, nick: str, now: float) -> None:
        if nick == self._dominant:
            self._count(now)
            self._dominant = None

    def dominant(self, nick: str, silence: bool, now: float) -> None:
        """`nick` says that it is the dominant speaker, or that it is silent as such."""
        self._count(now)
        if nick in self._speakers:
            self._dominant, self._silent = nick, silence

    def notice(self, to: str, now: float) -> Notice:
        self._count(now)
        return Notice({"type": "speakerstats", "users": self._users()}, to=to)

    def _users(self) -> Mapping[str, object]:
        return {
            nick: {
                "displayName": speaker.name,
                "totalDominantSpeakerTime": round(speaker.seconds * 1000),
                "faceLandmarks": [],
            }
            for nick, speaker in self._speakers.items()
        }

    def _count(self, now: float) -> None:
        if self._dominant is not None and not self._silent:
            self._speakers[self._dominant].seconds += now - self._since
        self._since = now
