"""Which STUN and TURN servers there are, and with which credentials (XEP-0215)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from xmppconf.turn import Credentials, Server
from xmppconf.xmpp.xml import attribute, build, tag

EXTERNAL_SERVICES = "urn:xmpp:extdisco:2"
NAME = tag(EXTERNAL_SERVICES, "services")

#: Name of the gateway's relay: it leads to bridges only, so two peers have no use for it.
RELAY = "bridges"


@dataclass(frozen=True, slots=True)
class Service:
    server: Server
    name: str = ""
    credentials: Credentials | None = None
    expires: float = 0.0
    """Until when the credentials hold, in seconds since 1970."""


def wanted_type(element: Element) -> str | None:
    """The one type a request asks for (XEP-0215, 3.2); None: all."""
    return attribute(element, "type")


def services_to_xml(services: Iterable[Service], only: str | None = None) -> Element:
    """The answer, with the services of one type if `only` names it."""
    element = build(EXTERNAL_SERVICES, "services", {"type": only})
    for service in services:
        server, held = service.server, service.credentials
        if only is not None and server.type != only:
            continue
        attributes = {
            "type": server.type,
            "host": server.host,
            "port": str(server.port),
            "transport": server.transport,
            "name": service.name or None,
        }
        if held is not None:
            expires = datetime.fromtimestamp(int(service.expires), UTC)
            attributes |= {
                "restricted": "true",
                "username": held.username,
                "password": held.password,
                "expires": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        element.append(build(EXTERNAL_SERVICES, "service", attributes))
    return element
