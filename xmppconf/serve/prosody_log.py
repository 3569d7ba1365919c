"""Lets Prosody's warnings through without the people in them."""

from __future__ import annotations

import re

MAX_LINE = 300  # characters

_LINE = re.compile(r"^(\S{1,60})\s+(warn|error)\t(.*)$")
# Addresses with an @, in either direction of the dot; IPv4; IPv6; whole stanzas.
_PERSONAL = re.compile(
    r"<.*>|[^\s<>'\"()]+@[^\s<>'\"()]+|\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9a-fA-F:]*::?[0-9a-fA-F:]+\b"
)

#: What our own stopping and starting makes it say; the supervisor has said it already.
_OURS = ("Received SIG", "Component not connected")


def discreet(line: str) -> str | None:
    """The line as we may print it; None for what is neither warning nor error."""
    found = _LINE.match(line.rstrip())
    if found is None:
        return None
    _, level, text = found.groups()
    if text.startswith(_OURS):
        return None
    return f"prosody: {level}: {_PERSONAL.sub('<…>', text)[:MAX_LINE]}"
