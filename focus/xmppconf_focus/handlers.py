"""Every request the focus answers, and who may make it.

The sender's address is the one that servers stamped; nothing inside a request counts.
`tests/focus/test_authorisation.py` makes its matrix from this registry.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from xmppconf.errors import NotAllowed
from xmppconf.jid import Jid
from xmppconf.names import Names
from xmppconf_focus.domains import Domains
from xmppconf_focus.effects import RoomJid
from xmppconf_focus.occupant import FOCUS_NICK


class Origin(enum.Enum):
    """What a sender's address says about it."""

    OCCUPANT = "occupant"  # of a room with a conference, seen there by us
    STRANGER = "stranger"  # from the rooms' host, but no occupant we know
    PRESENT = "present"  # the real address of somebody who is in a room with a conference
    LOCAL = "local"  # an account or a guest of this service, or of a domain that may come
    BACKEND = "backend"  # a bridge's account, or an occupant of the brewery
    FOCUS = "focus"  # our own component or account
    FOREIGN = "foreign"  # another server, or a server itself


EVERYBODY = frozenset(Origin)


class Kind(enum.StrEnum):
    CONFERENCE_REQUEST = "{http://jitsi.org/protocol/focus}conference"
    LOGIN_URL = "{http://jitsi.org/protocol/focus}login-url"
    LOGOUT = "{http://jitsi.org/protocol/focus}logout"
    JINGLE = "{urn:xmpp:jingle:1}jingle"
    MUTE_AUDIO = "{http://jitsi.org/jitmeet/audio}mute"
    MUTE_VIDEO = "{http://jitsi.org/jitmeet/video}mute"
    MUTE_DESKTOP = "{http://jitsi.org/jitmeet/desktop}mute"
    DISCO_INFO = "{http://jabber.org/protocol/disco#info}query"
    EXTERNAL_SERVICES = "{urn:xmpp:extdisco:2}services"
    VERSION = "{jabber:iq:version}query"
    SETTINGS = "{urn:xmppconf:room}settings"
    MUTE_ALL = "{urn:xmppconf:room}mute-all"
    ASK_TO_UNMUTE = "{urn:xmppconf:room}ask-to-unmute"
    REMOVE = "{urn:xmppconf:room}remove"
    INVITE = "{urn:xmppconf:room}invite"
    REPORT = "{urn:xmppconf:room}report"
    LOBBY_ADMIN = "{http://jabber.org/protocol/muc#admin}query"
    KNOCK = "{http://jabber.org/protocol/muc}x"
    # Stock clients leave out the namespace of some of these.
    AV_MODERATION = "{http://jitsi.org/jitmeet}av_moderation"
    SPEAKER_STATS = "{http://jitsi.org/jitmeet}speakerstats"
    ROOM_METADATA = "{http://jitsi.org/jitmeet}room_metadata"
    JSON = "{http://jitsi.org/jitmeet}json-message"
    END_CONFERENCE = "{http://jitsi.org/jitmeet}end_conference"
    BREAKOUT = "{http://jitsi.org/jitmeet}breakout_rooms"


@dataclass(frozen=True, slots=True)
class Handler:
    """A kind of request, by its payload's name, and the origins it is answered for.

    What a room's moderators alone may do is decided where the room is known.
    """

    kind: Kind
    type: Literal["get", "set", "message", "presence"]
    allowed: frozenset[Origin]


_OCCUPANTS = frozenset({Origin.OCCUPANT})
_PEOPLE = frozenset({Origin.LOCAL, Origin.PRESENT})
_PRESENT = frozenset({Origin.PRESENT})

HANDLERS = (
    Handler(Kind.CONFERENCE_REQUEST, "set", _PEOPLE),
    Handler(Kind.LOGIN_URL, "get", _PEOPLE),
    Handler(Kind.LOGOUT, "set", _PEOPLE),
    Handler(Kind.EXTERNAL_SERVICES, "get", _PEOPLE),
    Handler(Kind.JINGLE, "set", _OCCUPANTS),
    Handler(Kind.MUTE_AUDIO, "set", _OCCUPANTS),
    Handler(Kind.MUTE_VIDEO, "set", _OCCUPANTS),
    Handler(Kind.MUTE_DESKTOP, "set", _OCCUPANTS),
    Handler(Kind.SETTINGS, "get", _OCCUPANTS),
    Handler(Kind.SETTINGS, "set", _OCCUPANTS),
    Handler(Kind.MUTE_ALL, "set", _OCCUPANTS),
    Handler(Kind.ASK_TO_UNMUTE, "set", _OCCUPANTS),
    Handler(Kind.REMOVE, "set", _OCCUPANTS),
    Handler(Kind.INVITE, "set", _OCCUPANTS),
    Handler(Kind.REPORT, "set", _OCCUPANTS),
    Handler(Kind.LOBBY_ADMIN, "set", _PRESENT),
    Handler(Kind.KNOCK, "presence", _PEOPLE),
    Handler(Kind.AV_MODERATION, "message", _PRESENT),
    Handler(Kind.SPEAKER_STATS, "message", _PRESENT),
    Handler(Kind.ROOM_METADATA, "message", _PRESENT),
    Handler(Kind.JSON, "message", _PRESENT),
    Handler(Kind.END_CONFERENCE, "message", _PRESENT),
    Handler(Kind.BREAKOUT, "message", _PRESENT),
    Handler(Kind.DISCO_INFO, "get", EVERYBODY),
    Handler(Kind.VERSION, "get", EVERYBODY),
)


def origin_of(
    sender: Jid,
    names: Names,
    domains: Domains,
    is_occupant: Callable[[RoomJid, str], bool],
    is_present: Callable[[str], bool],
) -> Origin:
    """Sort a sender.

    `is_occupant` knows the occupants of our conferences, `is_present` their full real
    addresses.
    """
    if sender.domain == names.focus or sender.bare == names.focus_jid:
        return Origin.FOCUS
    if sender.domain == names.rooms:
        known = (
            sender.resource
            and sender.resource != FOCUS_NICK
            and is_occupant(RoomJid(sender.bare), sender.resource)
        )
        return Origin.OCCUPANT if known else Origin.STRANGER
    if sender.domain in (names.accounts, names.internal):
        return Origin.BACKEND
    if sender.local and domains.may_come(sender.domain):
        return Origin.PRESENT if is_present(str(sender)) else Origin.LOCAL
    return Origin.FOREIGN


def authorise(handler: Handler, origin: Origin) -> None:
    """Raises `NotAllowed`."""
    if origin not in handler.allowed:
        raise NotAllowed(f"{origin.value} may not ask this")
