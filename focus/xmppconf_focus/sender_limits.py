"""How many may send sound and pictures at a time.

Who began first goes on; who begins beyond the limit has to end it again.  What somebody
sends is what their presence says: it is a bound on what a call costs, for people who hold
to it.  Who lies about it is a case for A/V moderation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from xmppconf.errors import LimitExceeded
from xmppconf.media import MediaType

Sent = Literal["audio", "video"]
SENT: tuple[Sent, ...] = ("audio", "video")


def sent_as(media: MediaType) -> Sent:
    """Screens are pictures too."""
    return "audio" if media is MediaType.AUDIO else "video"


class SenderLimits:
    def __init__(self, audio: int, video: int) -> None:
        self._limits: Mapping[Sent, int] = {"audio": audio, "video": video}
        self._senders: dict[Sent, dict[str, None]] = {"audio": {}, "video": {}}
        """Nicknames, who began first first."""

    def sends(self, nick: str, sent: frozenset[Sent]) -> bool:
        """What somebody sends now; whether it is not what it was."""
        changed = False
        for kind in SENT:
            senders = self._senders[kind]
            if (nick in senders) == (kind in sent):
                continue
            changed = True
            if kind in sent:
                senders[nick] = None
            else:
                del senders[nick]
        return changed

    def left(self, nick: str) -> None:
        for senders in self._senders.values():
            senders.pop(nick, None)

    def forget(self) -> None:
        """We see everybody anew."""
        for senders in self._senders.values():
            senders.clear()

    def reached(self) -> frozenset[Sent]:
        return frozenset(
            kind for kind in SENT if len(self._senders[kind]) >= self._limits[kind]
        )

    def admits(self, nick: str, kind: Sent) -> bool:
        """Whether this one may go on with it, or begin."""
        return nick in self._senders[kind] or kind not in self.reached()

    def check(self, nick: str, kind: Sent) -> None:
        """Raises `LimitExceeded` if this one may not."""
        if not self.admits(nick, kind):
            raise LimitExceeded(f"senders of {kind}", self._limits[kind])

    def excess(self) -> dict[str, frozenset[Sent]]:
        """Who must stop what."""
        found: dict[str, frozenset[Sent]] = {}
        for kind in SENT:
            senders, limit = self._senders[kind], self._limits[kind]
            for nick in [*senders][limit:] if len(senders) > limit else ():
                found[nick] = found.get(nick, frozenset()) | {kind}
        return found
