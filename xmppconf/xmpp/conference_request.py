"""The conference request: a client asks the focus to serve a room before it joins.

It comes as an IQ set or as JSON over HTTP; the values are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element

from xmppconf import limits
from xmppconf.errors import LimitExceeded, PeerError
from xmppconf.jid import Jid
from xmppconf.strict_json import as_object, as_text, dumps, loads
from xmppconf.xmpp.jids import parse_bare_jid
from xmppconf.xmpp.stanza import StanzaError
from xmppconf.xmpp.xml import (
    FOCUS,
    MAX_ATTRIBUTE,
    attribute,
    build,
    children,
    flag,
    required,
    tag,
)

NAME = tag(FOCUS, "conference")

_MAX_TOKEN = 8192
_MAX_SESSION_ID = 4096
_MAX_BODY = 32 * 1024


@dataclass(frozen=True, slots=True)
class ConferenceRequest:
    room: Jid
    machine_uid: str | None = None
    session_id: str | None = None
    token: str | None = None
    """A JWT; unchecked."""
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConferenceAnswer:
    room: str
    ready: bool
    """Join now; false: ask again later."""
    focus_jid: str
    """Bare address by which the client knows the focus among the occupants."""
    session_id: str | None = None
    identity: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


def request_from_xml(element: Element) -> ConferenceRequest:
    """Read the IQ's payload; raises `PeerError`."""
    properties = children(element, tag(FOCUS, "property"), limits.PROPERTIES)
    return ConferenceRequest(
        room=parse_bare_jid(required(element, "room", limit=3071)),
        machine_uid=attribute(element, "machine-uid"),
        session_id=attribute(element, "session-id", limit=_MAX_SESSION_ID),
        token=attribute(element, "token", limit=_MAX_TOKEN),
        properties={
            required(item, "name"): attribute(item, "value", "") for item in properties
        },
    )


def request_to_xml(request: ConferenceRequest) -> Element:
    attributes = {
        "room": str(request.room),
        "machine-uid": request.machine_uid,
        "session-id": request.session_id,
        "token": request.token,
    }
    return build(FOCUS, "conference", attributes, *_properties(request.properties))


def answer_to_xml(answer: ConferenceAnswer) -> Element:
    """The result's payload."""
    attributes = {
        "room": answer.room,
        "ready": "true" if answer.ready else "false",
        "focusjid": answer.focus_jid,
        "session-id": answer.session_id,
        "identity": answer.identity,
    }
    return build(FOCUS, "conference", attributes, *_properties(answer.properties))


def answer_from_xml(element: Element | None) -> ConferenceAnswer:
    """Read the result's payload; raises `PeerError`."""
    if element is None or element.tag != NAME:
        raise PeerError("answer is not a conference")
    properties = children(element, tag(FOCUS, "property"), limits.PROPERTIES)
    return ConferenceAnswer(
        room=attribute(element, "room", ""),
        ready=flag(element, "ready"),
        focus_jid=attribute(element, "focusjid", ""),
        session_id=attribute(element, "session-id", limit=_MAX_SESSION_ID),
        identity=attribute(element, "identity"),
        properties={
            required(item, "name"): attribute(item, "value", "") for item in properties
        },
    )


def request_from_json(text: str, token: str | None = None) -> ConferenceRequest:
    """Read the body of a POST, with the bearer token of its header; raises `PeerError`."""
    body = as_object(loads(text, _MAX_BODY), "request")
    properties = as_object(body.get("properties") or {}, "properties")
    if len(properties) > limits.PROPERTIES:
        raise LimitExceeded("properties", limits.PROPERTIES)
    if token is not None and len(token) > _MAX_TOKEN:
        raise LimitExceeded("length of the token", _MAX_TOKEN)
    return ConferenceRequest(
        room=parse_bare_jid(as_text(body.get("room"), "room", 3071)),
        machine_uid=_optional(body, "machineUid"),
        session_id=_optional(body, "sessionId", _MAX_SESSION_ID),
        token=token,
        properties={name: _property(value) for name, value in properties.items()},
    )


def answer_to_json(answer: ConferenceAnswer) -> str:
    """The body of the HTTP answer."""
    body: dict[str, Any] = {
        "ready": answer.ready,
        "focusJid": answer.focus_jid,
        "properties": dict(answer.properties),
    }
    if answer.session_id is not None:
        body["sessionId"] = answer.session_id
    if answer.identity is not None:
        body["identity"] = answer.identity
    return dumps(body)


def session_invalid() -> StanzaError:
    """The session id is unknown: the client forgets it and asks again."""
    return StanzaError("not-acceptable", build(FOCUS, "session-invalid"))


def login_room_from_xml(element: Element) -> Jid:
    """The room of `<login-url/>`; raises `PeerError`."""
    required(element, "machine-uid")
    room = attribute(element, "room", limit=3071)
    if room is None:
        raise StanzaError("not-acceptable")
    return parse_bare_jid(room)


def login_url_to_xml(url: str) -> Element:
    return build(FOCUS, "login-url", {"url": url})


def session_from_logout(element: Element) -> str:
    """The session id of `<logout/>`; raises `PeerError`."""
    return required(element, "session-id", limit=_MAX_SESSION_ID)


def logout_to_xml() -> Element:
    return build(FOCUS, "logout")


def _properties(properties: Mapping[str, str]) -> list[Element]:
    return [
        build(FOCUS, "property", {"name": name, "value": value})
        for name, value in properties.items()
    ]


def _optional(body: Mapping[str, Any], name: str, limit: int = MAX_ATTRIBUTE) -> str | None:
    value = body.get(name)
    return None if value is None else as_text(value, name, limit)


def _property(value: Any) -> str:
    # Clients write numbers and booleans where the XML form has text.
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else as_text(value, "property")
