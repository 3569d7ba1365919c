"""Reading and building XML elements, with a bound on everything that is read.

Readers raise `PeerError` with a text that names the element or attribute of the protocol
and never what the peer put there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import overload
from xml.etree.ElementTree import Element

from xmppconf.errors import LimitExceeded, PeerError

STREAM = "jabber:client"
JINGLE = "urn:xmpp:jingle:1"
RTP = "urn:xmpp:jingle:apps:rtp:1"
RTP_HEADER_EXTENSION = "urn:xmpp:jingle:apps:rtp:rtp-hdrext:0"
RTCP_FEEDBACK = "urn:xmpp:jingle:apps:rtp:rtcp-fb:0"
SSMA = "urn:xmpp:jingle:apps:rtp:ssma:0"
ICE = "urn:xmpp:jingle:transports:ice-udp:1"
DTLS = "urn:xmpp:jingle:apps:dtls:0"
SCTP = "urn:xmpp:jingle:transports:dtls-sctp:1"
GROUPING = "urn:xmpp:jingle:apps:grouping:0"
COLIBRI = "http://jitsi.org/protocol/colibri"
COLIBRI2 = "jitsi:colibri2"
RECORDER = "http://jitsi.org/protocol/jibri"
RECORDER_HEALTH = "http://jitsi.org/protocol/health"
FOCUS = "http://jitsi.org/protocol/focus"
JITMEET = "http://jitsi.org/jitmeet"

#: Longest attribute or short text that is read.
MAX_ATTRIBUTE = 1024

_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DIGITS = re.compile(r"[0-9]{1,12}")


def tag(namespace: str, name: str) -> str:
    """ElementTree's name of an element."""
    return f"{{{namespace}}}{name}"


def local_name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def namespace_of(element: Element) -> str:
    return str(element.tag).rpartition("}")[0][1:]


def build(
    namespace: str,
    name: str,
    attributes: Mapping[str, str | int | None] | None = None,
    *children: Element,
    text: str | None = None,
) -> Element:
    """An element; attributes that are None are left out."""
    element = Element(tag(namespace, name))
    for key, value in (attributes or {}).items():
        if value is not None:
            element.set(key, str(value))
    if text is not None:
        element.text = text
    element.extend(children)
    return element


def strip_invalid(text: str) -> str:
    """Drop the characters that XML cannot carry (XML 1.0, 2.2); they end a stream."""
    return _INVALID.sub("", text)


def children(element: Element, name: str, limit: int) -> list[Element]:
    """The direct children of a name in braces form; raises `LimitExceeded`."""
    found = element.findall(name)
    if len(found) > limit:
        raise LimitExceeded(name.rpartition("}")[2], limit)
    return found


def child(element: Element, name: str) -> Element | None:
    """The first direct child of that name, if any."""
    return element.find(name)


@overload
def attribute(element: Element, name: str, *, limit: int = ...) -> str | None: ...
@overload
def attribute(element: Element, name: str, default: str, *, limit: int = ...) -> str: ...
def attribute(
    element: Element, name: str, default: str | None = None, *, limit: int = MAX_ATTRIBUTE
) -> str | None:
    """An attribute's value, or `default` if it is absent; raises `LimitExceeded`."""
    value = element.get(name)
    if value is None:
        return default
    if len(value) > limit:
        raise LimitExceeded(f"length of attribute {name}", limit)
    return value


def required(element: Element, name: str, *, limit: int = MAX_ATTRIBUTE) -> str:
    """An attribute that must be there and not empty."""
    value = attribute(element, name, "", limit=limit)
    if not value:
        raise PeerError(f"attribute {name} is missing")
    return value


def number(text: str, what: str, low: int, high: int) -> int:
    """A decimal number within bounds, inclusive."""
    # int() takes "+1", "1_000" and other scripts' digits; the wire does not.
    if not _DIGITS.fullmatch(text.removeprefix("-")):
        raise PeerError(f"{what} is not a number")
    value = int(text)
    if not low <= value <= high:
        raise PeerError(f"{what} is out of range")
    return value


@overload
def integer(element: Element, name: str, low: int, high: int) -> int | None: ...
@overload
def integer(element: Element, name: str, low: int, high: int, default: int) -> int: ...
def integer(
    element: Element, name: str, low: int, high: int, default: int | None = None
) -> int | None:
    """A decimal attribute within bounds, or `default` if it is absent."""
    value = element.get(name)
    if value is None:
        return default
    return number(value, f"attribute {name}", low, high)


def flag(element: Element, name: str, default: bool = False) -> bool:
    """A boolean attribute (XML Schema's spelling)."""
    value = element.get(name)
    if value is None:
        return default
    lowered = value.lower()
    if lowered in ("true", "1"):
        return True
    if lowered in ("false", "0"):
        return False
    raise PeerError(f"attribute {name} is not a boolean")


def content(element: Element, limit: int = MAX_ATTRIBUTE) -> str:
    """The text of an element without surrounding space; raises `LimitExceeded`."""
    text = (element.text or "").strip()
    if len(text) > limit:
        raise LimitExceeded(f"length of {local_name(element)}", limit)
    return text
