"""Stanza errors (RFC 6120, 8.3), both ways."""

from __future__ import annotations

from typing import get_args
from xml.etree.ElementTree import Element

from xmppconf.errors import Condition, PeerError
from xmppconf.xmpp.xml import STREAM, build, namespace_of, tag

STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"

#: RFC 6120, 8.3.3: the type that goes with a condition, where it is not "cancel".
_TYPES: dict[Condition, str] = {
    "bad-request": "modify",
    "forbidden": "auth",
    "jid-malformed": "modify",
    "not-acceptable": "modify",
    "not-authorized": "auth",
    "policy-violation": "modify",
    "remote-server-timeout": "wait",
    "resource-constraint": "wait",
    "unexpected-request": "wait",
}
_CONDITIONS: frozenset[Condition] = frozenset(get_args(Condition))
_MAX_EXTENSIONS = 8


class StanzaError(PeerError):
    """An error stanza with what an application adds to it.

    `public_text` goes on the wire; the text of other `PeerError`s does not.
    `remote-server-timeout` also stands for an answer that never came.
    """

    def __init__(
        self,
        condition: Condition,
        *extensions: Element,
        type: str | None = None,
        public_text: str | None = None,
    ) -> None:
        super().__init__(condition)
        self.condition = condition
        self.type = type or _TYPES.get(condition, "cancel")
        self.extensions = extensions
        self.public_text = public_text


class ReceivedError(StanzaError):
    """Somebody answered us with an error.  Its content is not passed on to others."""


def error_element(error: PeerError) -> Element:
    """The `<error/>` that answers a request."""
    if isinstance(error, StanzaError) and not isinstance(error, ReceivedError):
        error_type, text, extensions = error.type, error.public_text, error.extensions
    else:
        error_type, text, extensions = _TYPES.get(error.condition, "cancel"), None, ()
    element = build(STREAM, "error", {"type": error_type}, build(STANZAS, error.condition))
    if text is not None:
        element.append(build(STANZAS, "text", text=text))
    element.extend(extensions)
    return element


def parse_error(stanza: Element) -> ReceivedError:
    """Read an error stanza; what is missing or unknown becomes `service-unavailable`."""
    condition: Condition = "service-unavailable"
    extensions: list[Element] = []
    error = stanza.find(tag(STREAM, "error"))
    error_type = None
    if error is not None:
        if error.get("type") in ("auth", "cancel", "continue", "modify", "wait"):
            error_type = error.get("type")
        for item in error:
            if namespace_of(item) != STANZAS:
                extensions.append(item)
                continue
            name = str(item.tag).rpartition("}")[2]
            for known in _CONDITIONS:
                if name == known:
                    condition = known
    return ReceivedError(condition, *extensions[:_MAX_EXTENSIONS], type=error_type)
