"""Mute requests: from a moderator to the focus, and from the focus to who shall mute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from xml.etree.ElementTree import Element

from xmppconf.errors import PeerError
from xmppconf.jid import Jid
from xmppconf.xmpp.jids import parse_jid
from xmppconf.xmpp.xml import (
    JITMEET,
    build,
    content,
    local_name,
    namespace_of,
    required,
    tag,
)

Medium = Literal["audio", "video", "desktop"]

_MEDIA: dict[str, Medium] = {
    f"{JITMEET}/audio": "audio",
    f"{JITMEET}/video": "video",
    f"{JITMEET}/desktop": "desktop",
}
#: The payloads to answer, for `iq_handler`.
NAMES = tuple(tag(namespace, "mute") for namespace in _MEDIA)


@dataclass(frozen=True, slots=True)
class MuteRequest:
    medium: Medium
    target: Jid
    """Occupant address of who is to be muted."""
    muted: bool


def mute_from_xml(element: Element) -> MuteRequest:
    """Read a request; raises `PeerError`."""
    medium = _MEDIA.get(namespace_of(element))
    if medium is None or local_name(element) != "mute":
        raise PeerError("not a mute request")
    text = content(element, 16)
    if text not in ("true", "false"):
        raise PeerError("mute is neither true nor false")
    target = parse_jid(required(element, "jid", limit=3071))
    return MuteRequest(medium, target, text == "true")


def mute_to_xml(request: MuteRequest, actor: str | None = None) -> Element:
    """What the focus sends to the one to be muted; `actor` is the moderator's address."""
    return build(
        f"{JITMEET}/{request.medium}",
        "mute",
        {"jid": str(request.target), "actor": actor},
        text="true" if request.muted else "false",
    )
