"""What the focus shows in a room, and what it reads from what others write."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element

import xmppconf
from xmppconf.errors import PeerError
from xmppconf.xmpp.muc import OccupantPresence, presence_to_xml
from xmppconf.xmpp.xml import FOCUS, JITMEET, build, number
from xmppconf_focus.effects import ShowPresence
from xmppconf_focus.occupant import FOCUS_NICK, Occupant
from xmppconf_focus.participant import StartMuted
from xmppconf_focus.sender_limits import SENT, Sent


def shown_presence(effect: ShowPresence, sender: str) -> Element:
    """Properties for the clients.  Without the join element: that would be a new entry."""
    reached = effect.limits_reached
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
            *(
                _property(f"{kind}-limit-reached", str(kind in reached).lower())
                for kind in SENT
            ),
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
        presence.display_name,
        presence.region,
        presence.session,
    )


def sent_from_presence(presence: OccupantPresence) -> frozenset[Sent]:
    """What an occupant says that it sends."""
    return frozenset(
        "audio" if name.rpartition("-")[2].startswith("a") else "video"
        for name, state in presence.sources.items()
        if not state.muted
    )


def start_muted_from(properties: Mapping[str, str]) -> StartMuted:
    """Read a conference request's properties; what is no number means never."""

    def limit(name: str) -> int | None:
        try:
            return number(properties.get(name, ""), name, 0, 1_000_000)
        except PeerError:
            return None

    return StartMuted(limit("startAudioMuted"), limit("startVideoMuted"))


def _property(key: str, value: str) -> Element:
    return build(FOCUS, "property", {"key": key, "value": value})
