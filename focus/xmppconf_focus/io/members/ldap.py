"""Members of a directory (RFC 4511), by ldap3 (an optional dependency)."""

from __future__ import annotations

import ssl
import warnings
from importlib import import_module
from typing import Any

from xmppconf.config import LdapSettings
from xmppconf.errors import PeerError, SettingsError
from xmppconf_focus.io.members.fetch import SourceUnavailable
from xmppconf_focus.io.members.workers import Workers
from xmppconf_focus.membership import Member

PATIENCE = 5  # seconds for connecting, and for each answer


class LdapMembers:
    """Finds the user's entry, then binds as it: the directory alone judges passwords."""

    name = "ldap"

    def __init__(self, settings: LdapSettings, workers: Workers) -> None:
        self._settings = settings
        self._workers = workers
        try:
            with warnings.catch_warnings():
                # It uses names of pyasn1 that are to go.
                warnings.simplefilter("ignore", DeprecationWarning)
                self._ldap3: Any = import_module("ldap3")
                self._errors: Any = import_module("ldap3.core.exceptions")
                self._dn: Any = import_module("ldap3.utils.dn")
                self._conv: Any = import_module("ldap3.utils.conv")
        except ImportError:
            raise SettingsError(
                "members.ldap.url: needs the extra: pip install 'xmppconf[ldap]'"
            ) from None
        try:
            self._tls = ssl.create_default_context(cafile=settings.ca_file or None)
        except OSError:
            raise SettingsError("members.ldap.ca_file: no certificates in PEM") from None
        try:
            self._server()
        except self._errors.LDAPException:
            raise SettingsError("members.ldap.url: cannot be read") from None

    def is_there(self) -> bool:
        return True

    async def check(self, user: str, password: str) -> Member | None:
        """Raises `SourceUnavailable`, `LimitExceeded`."""
        # A bind without a password succeeds as nobody (RFC 4513, 5.1.2).
        if not password:
            return None
        return await self._workers.run(lambda: self._asked(self._check, user, password))

    async def knows(self, user: str) -> bool | None:
        """None without a search: an entry can then be read by its owner only."""
        if self._settings.user_dn:
            return None
        return await self._workers.run(lambda: self._asked(self._exists, user))

    def _asked(self, question: Any, *arguments: str) -> Any:
        try:
            return question(*arguments)
        except (self._errors.LDAPException, OSError) as error:
            raise SourceUnavailable(f"directory: {type(error).__name__}") from None

    def _check(self, user: str, password: str) -> Member | None:
        settings = self._settings
        name: str | None = None
        if settings.user_dn:
            dn = settings.user_dn.format(user=self._dn.escape_rdn(user))
        else:
            found = self._find(user)
            if found is None:
                return None
            dn, name = found
        connection = self._connection(dn, password)
        try:
            self._begin(connection)
            if not connection.bind():
                return None
            if settings.user_dn:
                name = self._name_of(connection, dn)
        finally:
            _close(connection)
        try:
            return Member("ldap", user, name)
        except PeerError:
            return None

    def _exists(self, user: str) -> bool:
        return self._find(user) is not None

    def _find(self, user: str) -> tuple[str, str | None] | None:
        """The one entry that the filter finds, and the name in it."""
        settings = self._settings
        connection = self._connection(
            settings.bind_dn or None, settings.bind_password or None
        )
        try:
            self._begin(connection)
            if not connection.bind():
                raise SourceUnavailable("directory refuses who is to search")
            text = self._conv.escape_filter_chars(user)
            connection.search(
                settings.base,
                settings.filter.replace("{user}", text),
                attributes=[settings.name_attribute],
                size_limit=2,
                time_limit=PATIENCE,
            )
            entries = connection.entries
            if len(entries) != 1:
                return None
            return str(entries[0].entry_dn), self._text(entries[0])
        finally:
            _close(connection)

    def _name_of(self, connection: Any, dn: str) -> str | None:
        connection.search(
            dn,
            "(objectClass=*)",
            search_scope=self._ldap3.BASE,
            attributes=[self._settings.name_attribute],
        )
        return self._text(connection.entries[0]) if connection.entries else None

    def _text(self, entry: Any) -> str | None:
        values = entry.entry_attributes_as_dict.get(self._settings.name_attribute) or []
        return str(values[0]) if values else None

    def _server(self) -> Any:
        # A new one each time: it would remember a failure for longer than that lasts.
        return self._ldap3.Server(
            self._settings.url,
            tls=_checked_tls(self._ldap3, self._tls),
            connect_timeout=PATIENCE,
            get_info=self._ldap3.NONE,
        )

    def _connection(self, user: str | None, password: str | None) -> Any:
        return self._ldap3.Connection(
            self._server(),
            user=user,
            password=password,
            receive_timeout=PATIENCE,
            read_only=True,
            auto_referrals=False,
            check_names=False,
        )

    def _begin(self, connection: Any) -> None:
        connection.open()
        if self._settings.start_tls and self._settings.url.startswith("ldap://"):
            connection.start_tls()


def _checked_tls(ldap3: Any, context: ssl.SSLContext) -> Any:
    """TLS as Python does it: ldap3 compares host names by itself, and only sometimes."""

    class Tls(ldap3.Tls):  # type: ignore[misc]  # ldap3 is optional, so it has no types
        def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
            host = connection.server.host
            connection.socket = context.wrap_socket(connection.socket, server_hostname=host)

    return Tls()


def _close(connection: Any) -> None:
    connection.unbind()
    # One that could not be opened keeps its socket.
    if connection.socket is not None:
        connection.socket.close()
