"""Finds out who asks for a room or signs in, and notices when a membership ends."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from xmppconf import clock
from xmppconf.config import MembersSettings
from xmppconf.errors import NotFound
from xmppconf.jid import Jid
from xmppconf.xmpp.conference_request import ConferenceRequest
from xmppconf_focus.io.members import jwt
from xmppconf_focus.io.members.fetch import Fetcher
from xmppconf_focus.io.members.hook import HookMembers
from xmppconf_focus.io.members.ldap import LdapMembers
from xmppconf_focus.io.members.listed import ListedMembers
from xmppconf_focus.io.members.oidc import OidcLogin
from xmppconf_focus.io.members.passwords import Passwords, Source
from xmppconf_focus.io.members.sql import SqlMembers
from xmppconf_focus.io.members.workers import Workers
from xmppconf_focus.membership import (
    Admission,
    Asked,
    Member,
    Membership,
    SignedIn,
    check_machine_uid,
)
from xmppconf_focus.tokens import TokenRefused

SWEEP = 5.0  # seconds between looks at who has expired
RECHECK = 30.0  # seconds between questions whether a source still knows its members
RECHECKED_AT_ONCE = 16  # leaves room in the workers' queue for who signs in
MAX_SOCKETS = 5_000  # tokens of up to 8 KiB that are kept; the oldest is forgotten
HASHES_AT_ONCE = 2
QUESTIONS_AT_ONCE = 4  # to databases and directories

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ways:
    """How one can sign in here; what a sign-in page shows."""

    open: bool
    """Anybody may open rooms, so there is no need to."""
    password: bool
    oidc: str | None
    """What the provider is called."""


class Members:
    """The sources of the settings around `membership`.  Raises `SettingsError`.

    Close it when it is not needed any more.
    """

    def __init__(self, settings: MembersSettings, membership: Membership) -> None:
        self.membership = membership
        self._changed: Callable[[str], None] = lambda _: None
        self._sweeping: asyncio.Task[None] | None = None
        self._of_sockets: OrderedDict[str, str] = OrderedDict()
        self._checked: dict[tuple[str, str], float] = {}
        self._fetcher = Fetcher(settings.internal_hosts)
        self._hashing = Workers(HASHES_AT_ONCE, "hash")
        self._asking = Workers(QUESTIONS_AT_ONCE, "members")
        self.passwords = Passwords(self._sources(settings))
        self._tokens = None
        if jwt.are_set(settings.jwt):
            self._tokens = jwt.TokenMembers(settings.jwt, self._fetcher)
        self._oidc = None
        if settings.oidc.issuer:
            self._oidc = OidcLogin(settings.oidc, self._fetcher)
        self._open = settings.open
        self._label = settings.oidc.label if settings.oidc.issuer else None

    @property
    def ways(self) -> Ways:
        return Ways(self._open, self.passwords.are_asked(), self._label)

    def _sources(self, settings: MembersSettings) -> Sequence[Source]:
        sources: list[Source] = []
        if settings.file:
            sources.append(ListedMembers(Path(settings.file), self._hashing))
        if settings.ldap.url:
            sources.append(LdapMembers(settings.ldap, self._asking))
        if settings.sql.url:
            sources.append(SqlMembers(settings.sql, self._asking))
        if settings.hook.url:
            sources.append(HookMembers(settings.hook, self._fetcher))
        return sources

    def start(self, changed: Callable[[str], None]) -> None:
        """`changed` gets the bare address of who became or ceased to be a member."""
        self._changed = changed
        self._sweeping = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        await self._fetcher.close()
        self._hashing.close()
        self._asking.close()

    # -- conference requests -------------------------------------------------------------
    async def admit(self, asked: ConferenceRequest, sender: Jid) -> Admission:
        """Who asks; raises `PeerError`, with `SourceUnavailable` if it cannot be known."""
        token = await self._token(asked, sender)
        request = Asked(sender, asked.machine_uid, asked.session_id, token, asked.room.bare)
        session = self.membership.session_of(request, clock.wall())
        if session is not None:
            await self._recheck(session.source, session.user)
        admission = self.membership.admit(request, clock.wall())
        self._tell()
        return admission

    async def _token(self, asked: ConferenceRequest, sender: Jid) -> Member | None:
        if self._tokens is None:
            return None
        if asked.token is not None:
            return await self._tokens.check(asked.token, asked.room)
        kept = self._of_sockets.get(sender.bare) if sender.local else None
        if kept is None:
            return None
        try:
            return await self._tokens.check(kept, asked.room)
        except TokenRefused:
            return None  # it was for another room, or is over: a guest like others

    async def keep(self, token: str, bare_jid: str) -> None:
        """Remember the token with which this address's socket was opened.

        Raises `TokenRefused`, `SourceUnavailable`; a bad token changes nothing.
        """
        if self._tokens is None:
            raise NotFound("tokens")
        await self._tokens.check_any(token)
        self._of_sockets.pop(bare_jid, None)
        self._of_sockets[bare_jid] = token
        if len(self._of_sockets) > MAX_SOCKETS:
            self._of_sockets.popitem(last=False)

    # -- signing in ----------------------------------------------------------------------
    async def sign_in(self, user: str, password: str, machine_uid: str) -> SignedIn:
        """Raises `NotAuthorized`, `LimitExceeded`, `SourceUnavailable`."""
        check_machine_uid(machine_uid)
        member = await self.passwords.sign_in(user, password)
        return self.membership.sign_in(member, machine_uid, clock.wall())

    def sign_out(self, session_id: str) -> None:
        """Raises `SessionInvalid`."""
        self.membership.sign_out(session_id, clock.wall())
        self._tell()

    async def start_oidc(self, machine_uid: str, redirect_uri: str, room: str) -> str:
        """Where to send the browser; raises `PeerError`."""
        if self._oidc is None:
            raise NotFound("login provider")
        return await self._oidc.start(machine_uid, redirect_uri, room)

    async def finish_oidc(
        self, code: str, state: str, machine_uid: str
    ) -> tuple[SignedIn, str]:
        """A session, and the room meant; raises `PeerError`."""
        if self._oidc is None:
            raise NotFound("login provider")
        member, room = await self._oidc.finish(code, state, machine_uid)
        return self.membership.sign_in(member, machine_uid, clock.wall()), room

    # -- ends ----------------------------------------------------------------------------
    async def _recheck(self, source: str, user: str) -> None:
        """Ask whether the source still knows somebody, unless that was just asked."""
        now = clock.monotonic()
        if now - self._checked.get((source, user), -RECHECK) < RECHECK:
            return
        self._checked[source, user] = now
        if await self.passwords.knows(source, user) is False:
            self.membership.gone(source, user, clock.wall())

    def _tell(self) -> None:
        for effect in self.membership.effects():
            self._changed(effect.jid)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self.membership.timeout(clock.wall())
            self._tell()
            old = clock.monotonic() - RECHECK
            self._checked = {who: at for who, at in self._checked.items() if at > old}
            watched = list(self.membership.watched())
            for begin in range(0, len(watched), RECHECKED_AT_ONCE):
                some = watched[begin : begin + RECHECKED_AT_ONCE]
                outcomes = await asyncio.gather(
                    *(self._recheck(*member) for member in some), return_exceptions=True
                )
                for outcome in outcomes:
                    if isinstance(outcome, Exception):
                        # Expiry must not end with a source that stumbles.
                        log.error("a member was not looked up", exc_info=outcome)
            self._tell()
