"""The focus as a component of the server, or with an account like any client's.

A component gets everything that is sent to its domain.  An account is written to under
its full address, which is known beforehand as long as the server gives the session the
resource it asks for; or a component beside it (a client proxy) passes requests on, with
the asker's address as its own resource.
"""

from __future__ import annotations

import logging
from xml.etree.ElementTree import Element

from xmppconf.config import Settings
from xmppconf.errors import SettingsError
from xmppconf.jid import Jid, split
from xmppconf.names import Names
from xmppconf.xmpp.stream import GuardedClient, GuardedComponent, GuardedStream
from xmppconf.xmpp.xml import STREAM, build

log = logging.getLogger(__name__)


def make_stream(settings: Settings) -> tuple[GuardedStream, int]:
    """What the focus speaks through, and the server's port; raises `SettingsError`."""
    names, focus, xmpp = Names.of(settings), settings.focus, settings.xmpp
    if not focus.account:
        if not focus.component_secret or not xmpp.component_port:
            raise SettingsError(
                "focus.component_secret, xmpp.component_port: needed to reach the server"
            )
        component = GuardedComponent(names.focus, focus.component_secret)
        return component, xmpp.component_port
    if not focus.password or not xmpp.client_port:
        raise SettingsError("focus.password, xmpp.client_port: needed to reach the server")
    client = GuardedClient(
        names.focus_full_jid,
        focus.password,
        verify=xmpp.verify_certificate and not xmpp.private,
        setting="focus.password",
    )
    return client, xmpp.client_port


class Account:
    """What an account has to do besides; of a component there is nothing to do."""

    def __init__(self, settings: Settings, stream: GuardedStream) -> None:
        self._jid = Names.of(settings).focus_full_jid
        self._proxy = settings.focus.client_proxy
        self._stream = stream
        self._is_account = bool(settings.focus.account)

    def begin(self) -> bool:
        """Be there; False if nobody could write to us under the address that is told."""
        if not self._is_account:
            return True
        given = str(self._stream.boundjid)
        if given != self._jid:
            log.warning("the server gave the focus another address than it asked for")
            return False
        # Proxies pass on to those who are there.
        return self._stream.write(build(STREAM, "presence"))

    def asker(self, sender: Jid) -> Jid:
        """Who asks, if the proxy passes it on: servers stamp its domain, it the rest."""
        if self._proxy and sender.bare == self._proxy and sender.resource:
            return split(sender.resource)
        return sender

    def presence(self, element: Element) -> bool:
        """Whether it was the proxy's, which wants to know whether we are there."""
        if not self._proxy or element.get("from") != self._proxy:
            return False
        if element.get("type") == "subscribe":
            answer = {"type": "subscribed", "to": self._proxy}
            self._stream.write(build(STREAM, "presence", answer))
        return True
