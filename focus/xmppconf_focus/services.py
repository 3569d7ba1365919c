"""Which servers clients are told of that help them to reach bridges and each other."""

from __future__ import annotations

from xmppconf.config import Settings
from xmppconf.turn import make_credentials, own_relay, server_from_url
from xmppconf.xmpp.external_services import RELAY, Service


def services(settings: Settings, unix: float) -> list[Service]:
    """The gateway's relay, then the servers of the settings, each with new credentials.

    `unix` is the time in seconds since 1970.
    """
    turn = settings.turn
    until = unix + turn.lifetime
    found = []
    if relay := own_relay(settings):
        held = make_credentials(turn.secret, unix, turn.lifetime)
        found.append(Service(relay, RELAY, held, until))
    for server in map(server_from_url, turn.servers):
        if server.relays:
            held = make_credentials(turn.servers_secret, unix, turn.lifetime)
            found.append(Service(server, "", held, until))
        else:
            found.append(Service(server))
    return found
