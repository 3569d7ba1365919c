"""The focus's presence in a room, and what it reads from others'."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import xmppconf
from xmppconf.xmpp.muc import OccupantPresence, presence_to_xml
from xmppconf.xmpp.xml import FOCUS, JITMEET, build
from xmppconf_focus.effects import ShowPresence
from xmppconf_focus.occupant import FOCUS_NICK, Occupant


def shown_presence(effect: ShowPresence, sender: str) -> Element:
    """Properties for the clients.  Without the join element: that would be a new entry."""
    extensions = [
        build(
            JITMEET,
            "versions",
            None,
            build(JITMEET, "component", {"name": "focus"}, text=xmppconf.__version__),
        ),
        build(
            FOCUS,
            "conference-properties",
            None,
            _property("support-terminate-restart", "true"),
            _property("bridge-count", str(effect.bridge_count)),
        ),
    ]
    if not effect.bridge_available:
        extensions.append(build(FOCUS, "bridgeNotAvailable"))
    return presence_to_xml(f"{effect.room}/{FOCUS_NICK}", extensions, sender=sender)


def occupant_from_presence(presence: OccupantPresence) -> Occupant:
    return Occupant(
        presence.nick,
        presence.real_jid,
        presence.role,
        presence.affiliation,
        presence.caps.ver if presence.caps else None,
        presence.caps.hash if presence.caps else None,
    )


def _property(key: str, value: str) -> Element:
    return build(FOCUS, "property", {"key": key, "value": value})
