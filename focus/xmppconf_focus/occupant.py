"""Occupants of a room, as the room's own presence describes them."""

from __future__ import annotations

from dataclasses import dataclass

#: Our nickname in rooms and brewery; clients know the focus by it.
FOCUS_NICK = "focus"


@dataclass(frozen=True, slots=True)
class Occupant:
    """What the MUC service itself vouches for; `ver` and `hash` are only hints."""

    nick: str
    real_jid: str | None
    role: str
    affiliation: str
    ver: str | None = None
    """The client's verification string (XEP-0115), if it sent one."""
    hash: str | None = None
    """The hash function behind it, such as "sha-1"."""
    display_name: str | None = None
    region: str | None = None
    """Where its client says it is; a hint too."""
    session: str | None = None
    """The Jingle session that it says it still has, after it had to join again."""

    @property
    def is_moderator(self) -> bool:
        return self.role == "moderator"

    @property
    def bare_jid(self) -> str | None:
        return self.real_jid.partition("/")[0] if self.real_jid else None
