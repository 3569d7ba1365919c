"""Rooms (XEP-0045): joining, configuring, and who is in them.

An occupant's presence has two kinds of content: what the room's server says (real address,
role, affiliation, status codes) and what the occupant says (all else).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from xmppconf import limits
from xmppconf.errors import LimitExceeded, PeerError
from xmppconf.ids import SourceName, parse_source_name
from xmppconf.jid import split
from xmppconf.media import VideoType
from xmppconf.strict_json import as_flag, as_object, as_text, loads
from xmppconf.xmpp.sources import video_type_from_text
from xmppconf.xmpp.stanza import StanzaError, parse_error
from xmppconf.xmpp.xml import (
    STREAM,
    attribute,
    build,
    child,
    children,
    content,
    required,
    tag,
)

MUC = "http://jabber.org/protocol/muc"
MUC_USER = f"{MUC}#user"
MUC_OWNER = f"{MUC}#owner"
MUC_ADMIN = f"{MUC}#admin"
FORMS = "jabber:x:data"
CAPS = "http://jabber.org/protocol/caps"
NICK = "http://jabber.org/protocol/nick"
SESSION = "urn:xmppconf:focus:0"

ROOM_CONFIG = f"{MUC}#roomconfig"

SELF = 110
CREATED = 201
CONFIGURED = 104
BANNED = 301
KICKED = 307
FAILED = 333

_MAX_SOURCE_INFO = 16 * 1024
_MAX_STATUS_CODES = 16
_MAX_FIELDS = 200
_MAX_SID = 64


@dataclass(frozen=True, slots=True)
class SourceState:
    """What an occupant says about one of its sources (`SourceInfo`)."""

    muted: bool = True
    video_type: VideoType | None = None


@dataclass(frozen=True, slots=True)
class Caps:
    """Entity capabilities (XEP-0115, 4)."""

    node: str
    ver: str
    hash: str


@dataclass(frozen=True, slots=True)
class OccupantPresence:
    """One presence from a room."""

    room: str
    """Bare address of the room."""
    nick: str
    available: bool
    error: StanzaError | None = None
    """Set if our own presence was refused."""

    real_jid: str | None = None
    """Full address; only from rooms that show it."""
    role: str = "none"
    affiliation: str = "none"
    status: frozenset[int] = frozenset()
    """Status codes, such as `SELF`."""
    destroyed: bool = False
    """The room was destroyed."""

    caps: Caps | None = None
    features: frozenset[str] = frozenset()
    """From `<features/>`: believe these only of trusted accounts."""
    sources: Mapping[SourceName, SourceState] = field(default_factory=dict)
    display_name: str | None = None
    stats_id: str | None = None
    region: str | None = None
    session: str | None = None
    """The Jingle session it says it still has (`<session sid/>`, our own)."""
    codecs: tuple[str, ...] = ()
    """Preferred video codecs, lower case, best first."""

    @property
    def was_kicked(self) -> bool:
        """Whether a person put it out, and not the server that could not reach it.

        Of an error servers may say both (XEP-0045, 9.6).
        """
        return KICKED in self.status and FAILED not in self.status


# -- presence -----------------------------------------------------------------------------
def presence_to_xml(
    occupant: str,
    extensions: Iterable[Element] = (),
    *,
    join: bool = False,
    available: bool = True,
    password: str = "",
    sender: str | None = None,
    id: str | None = None,
) -> Element:
    """Our presence in a room; `occupant` is room/nick.

    `join` only in the first one: the server takes it as entering anew.  An error that
    answers it has the same `id`.
    """
    attributes = {"to": occupant, "from": sender, "id": id}
    if not available:
        attributes["type"] = "unavailable"
    element = build(STREAM, "presence", attributes)
    if join:
        history = build(MUC, "history", {"maxstanzas": 0})
        secret = [build(MUC, "password", text=password)] if password else []
        element.append(build(MUC, "x", None, history, *secret))
    element.extend(extensions)
    return element


def presence_from_xml(element: Element) -> OccupantPresence:
    """Read a presence from a room; raises `PeerError`.

    What the occupant wrote and cannot be read is left out, so that nobody can hide behind
    a presence that fails.
    """
    address = split(required(element, "from", limit=3071))
    kind = element.get("type")
    user = child(element, tag(MUC_USER, "x"))
    item = None if user is None else child(user, tag(MUC_USER, "item"))
    return OccupantPresence(
        room=address.bare,
        nick=address.resource,
        available=kind is None,
        error=parse_error(element) if kind == "error" else None,
        real_jid=None if item is None else attribute(item, "jid", limit=3071),
        role="none" if item is None else attribute(item, "role", "none"),
        affiliation="none" if item is None else attribute(item, "affiliation", "none"),
        status=frozenset() if user is None else _status_codes(user),
        destroyed=user is not None and child(user, tag(MUC_USER, "destroy")) is not None,
        caps=_caps(element),
        features=_features(element),
        sources=_source_info(element),
        display_name=_text(element, tag(NICK, "nick")),
        stats_id=_text(element, tag(STREAM, "stats-id")),
        region=_text(element, tag(STREAM, "jitsi_participant_region")),
        session=_session(element),
        codecs=_codecs(element),
    )


def caps_to_xml(caps: Caps) -> Element:
    attributes = {"hash": caps.hash, "node": caps.node, "ver": caps.ver}
    return build(CAPS, "c", attributes)


def _session(element: Element) -> str | None:
    found = child(element, tag(SESSION, "session"))
    try:
        return None if found is None else required(found, "sid", limit=_MAX_SID)
    except PeerError:
        return None


def _status_codes(user: Element) -> frozenset[int]:
    found = children(user, tag(MUC_USER, "status"), _MAX_STATUS_CODES)
    codes = [item.get("code", "") for item in found]
    return frozenset(int(code) for code in codes if code.isascii() and code.isdigit())


def _caps(element: Element) -> Caps | None:
    found = child(element, tag(CAPS, "c"))
    if found is None:
        return None
    try:
        return Caps(*(required(found, name, limit=512) for name in ("node", "ver", "hash")))
    except PeerError:
        return None


def _features(element: Element) -> frozenset[str]:
    found = child(element, tag(STREAM, "features"))
    if found is None:
        return frozenset()
    names = [item.get("var", "") for item in found.findall(tag(STREAM, "feature"))]
    return frozenset(name for name in names[: limits.FEATURES] if 0 < len(name) <= 512)


def _source_info(element: Element) -> dict[SourceName, SourceState]:
    found = child(element, tag(STREAM, "SourceInfo"))
    if found is None:
        return {}
    try:
        table = as_object(
            loads(content(found, _MAX_SOURCE_INFO), _MAX_SOURCE_INFO), "table"
        )
        return {
            parse_source_name(name): _source_state(item) for name, item in table.items()
        }
    except PeerError:
        return {}


def _source_state(value: object) -> SourceState:
    state = as_object(value, "source")
    video_type = state.get("videoType")
    return SourceState(
        muted=as_flag(state.get("muted", True), "muted"),
        video_type=None
        if video_type is None
        else video_type_from_text(as_text(video_type, "videoType", 32)),
    )


def _text(element: Element, name: str) -> str | None:
    found = child(element, name)
    if found is None:
        return None
    try:
        return content(found) or None
    except LimitExceeded:
        return None


def _codecs(element: Element) -> tuple[str, ...]:
    text = _text(element, tag(STREAM, "jitsi_participant_codecList")) or ""
    return tuple(name for item in text.lower().split(",")[:16] if (name := item.strip()))


# -- configuration ------------------------------------------------------------------------
def configuration_query() -> Element:
    """Ask for the room's form (IQ get to the room)."""
    return build(MUC_OWNER, "query")


def configuration_from_xml(element: Element | None) -> dict[str, str]:
    """The fields of a room's form, first values only; raises `PeerError`."""
    form = None if element is None else child(element, tag(FORMS, "x"))
    if form is None:
        raise PeerError("answer has no form")
    fields: dict[str, str] = {}
    for item in children(form, tag(FORMS, "field"), _MAX_FIELDS):
        value = child(item, tag(FORMS, "value"))
        if value is not None:
            fields[attribute(item, "var", "")] = content(value, 16 * 1024)
    return fields


def configuration_to_xml(fields: Mapping[str, str]) -> Element:
    """Set fields of the room's form (IQ set to the room)."""
    every = {"FORM_TYPE": ROOM_CONFIG, **fields}
    elements = [
        build(FORMS, "field", {"var": name}, build(FORMS, "value", text=value))
        for name, value in every.items()
    ]
    form = build(FORMS, "x", {"type": "submit"}, *elements)
    return build(MUC_OWNER, "query", None, form)


# -- administration -----------------------------------------------------------------------
def affiliation_to_xml(bare_jid: str, affiliation: str) -> Element:
    """Make somebody owner, admin, member, none or outcast (IQ set to the room)."""
    item = build(MUC_ADMIN, "item", {"jid": bare_jid, "affiliation": affiliation})
    return build(MUC_ADMIN, "query", None, item)


def role_to_xml(nick: str, role: str, reason: str = "") -> Element:
    """Give an occupant a role; "none" is a kick (IQ set to the room)."""
    item = build(MUC_ADMIN, "item", {"nick": nick, "role": role})
    if reason:
        item.append(build(MUC_ADMIN, "reason", text=reason))
    return build(MUC_ADMIN, "query", None, item)


def subject_to_xml(room: str, subject: str, *, sender: str) -> Element:
    """Name what the room is about (a message to the room)."""
    head = {"to": room, "from": sender, "type": "groupchat"}
    return build(STREAM, "message", head, build(STREAM, "subject", text=subject))


def destroy_to_xml(reason: str) -> Element:
    """End the room for everybody in it (IQ set to the room)."""
    destroy = build(MUC_OWNER, "destroy", None, build(MUC_OWNER, "reason", text=reason))
    return build(MUC_OWNER, "query", None, destroy)


def status_codes(message: Element) -> frozenset[int]:
    """What a message of the room itself says about its configuration (XEP-0045, 10.2.1)."""
    user = child(message, tag(MUC_USER, "x"))
    return frozenset() if user is None else _status_codes(user)
