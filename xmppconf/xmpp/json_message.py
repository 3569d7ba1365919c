"""JSON in a message, as the small components and clients exchange it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

from xmppconf.strict_json import as_object, dumps, loads
from xmppconf.xmpp.xml import JITMEET, STREAM, build, child, content, tag

MAX_LENGTH = 64 * 1024


def json_message_to_xml(
    to: str, value: Mapping[str, Any], *, sender: str | None = None
) -> Element:
    """A message with the object as its only content."""
    payload = build(JITMEET, "json-message", text=dumps(dict(value)))
    return build(STREAM, "message", {"to": to, "from": sender}, payload)


def json_message_from_xml(message: Element) -> dict[str, Any] | None:
    """The object in a message, None if there is none; raises `PeerError`."""
    payload = child(message, tag(JITMEET, "json-message"))
    if payload is None:
        return None
    return as_object(loads(content(payload, MAX_LENGTH), MAX_LENGTH), "message")
