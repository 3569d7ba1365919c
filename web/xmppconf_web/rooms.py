"""Which paths are rooms.

A room's name is the local part of an XMPP address (RFC 7622, 3.3.1, and the characters of
XEP-0106), so what cannot be an address is no room.
"""

from __future__ import annotations

import unicodedata

MAX_NAME = 200  # bytes; an address may have 1023, but a link should be pasted, not scrolled

_FORBIDDEN = frozenset("\"&'/:<>@\\?#%")


def room_name(text: str) -> str | None:
    """The room that a decoded path segment means, in lower case; None if it is none."""
    name = unicodedata.normalize("NFKC", text).lower()
    if not 0 < len(name.encode(errors="surrogatepass")) <= MAX_NAME:
        return None
    if name in (".", "..") or name.startswith("."):
        return None
    for character in name:
        # Separators, controls, format characters, surrogates, private and unassigned ones.
        if character in _FORBIDDEN or unicodedata.category(character)[0] in "ZC":
            return None
    return name
