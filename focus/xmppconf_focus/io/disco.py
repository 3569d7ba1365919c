"""What the focus is: an entity, and every small component that stock clients look for.

Clients ask one domain, the one that our `/config.js` names, what components there are,
and believe only messages from the address that was named.  That domain is the focus.
"""

from __future__ import annotations

from xmppconf.names import Names
from xmppconf.xmpp.disco import DiscoInfo, Identity

DISCO_NODE = "urn:xmppconf:focus"

_COMPONENTS = (
    "av_moderation",
    "breakout_rooms",
    "end_conference",
    "polls",
    "room_metadata",
    "speakerstats",
)
_FEATURES = frozenset(
    {
        "http://jabber.org/protocol/disco#info",
        "https://jitsi.org/meet/jicofo/terminate-restart",
        "jabber:iq:version",
        "urn:xmpp:extdisco:2",
        "urn:xmppconf:room#report",
        "urn:xmpp:ping",
    }
)

#: What clients ask a component for besides, by node.
COMPONENT_NODES = {
    "breakout_rooms": DiscoInfo(
        features=frozenset({"http://jitsi.org/protocol/breakout_rooms#rename"})
    ),
    "lobbyrooms": DiscoInfo(
        features=frozenset({"http://jitsi.org/protocol/lobbyrooms#displayname_required"})
    ),
}


def disco_of(names: Names, *, lobby_module: bool) -> DiscoInfo:
    """`lobby_module`: the server tells refused clients the way to the lobby."""
    lobby = lobby_module and names.lobbies
    kinds = (*_COMPONENTS, *(("lobbyrooms",) if lobby else ()))
    components = (Identity("component", kind, names.focus) for kind in kinds)
    own = Identity("component", "generic", "xmppconf focus")
    return DiscoInfo((own, *components), _FEATURES)
