"""Who somebody is: a guest, or a member whom one of the sources vouches for.

Sources (accounts, tokens, passwords) are asked elsewhere; here their answers become
identities, sessions bound to one browser, and ends of both.  Times are seconds since 1970,
because tokens and members expire by the calendar.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from xmppconf.config import MembersSettings
from xmppconf.errors import Condition, PeerError
from xmppconf.jid import Jid
from xmppconf_focus.sessions import Sealer, Session, digest

K = TypeVar("K")
V = TypeVar("V")

MAX_KNOWN = 20_000  # addresses whose identity is remembered; the oldest is forgotten
MAX_ENDED = 20_000  # sessions signed out, and members gone, that are remembered
MAX_USER = 200  # characters of a user's name
MAX_NAME = 100  # characters of a person's name
MAX_FEATURES = 16
MAX_FEATURE = 40  # characters
MIN_MACHINE_UID = 16  # characters; clients use 32 hexadecimal digits

#: Before the digest of an address in what is sealed for it: no browser's digest is that.
_ADDRESS = "address:"

XMPP = "xmpp"
"""The source that needs no asking: a member domain's server vouched for the address."""


class NotAuthorized(PeerError):
    """A member would be let in: clients wait for the host, or offer to sign in."""

    condition: Condition = "not-authorized"


class SessionInvalid(PeerError):
    """Unknown, ended, or another browser's session; clients forget it and ask again."""

    condition: Condition = "not-acceptable"


@dataclass(frozen=True, slots=True)
class Member:
    """What a source says of somebody it knows."""

    source: str
    user: str
    name: str | None = None
    moderator: bool = True
    features: frozenset[str] = frozenset()
    expires: float | None = None
    room: str = ""
    """Bare address of the only room for which it counts; empty: it counts for all."""

    def __post_init__(self) -> None:
        """Raises `PeerError` if `user` cannot be one; the rest is cut to what it may be."""
        if not 0 < len(self.user) <= MAX_USER or not self.user.isprintable():
            raise PeerError("the user's name")
        features = sorted(f for f in self.features if 0 < len(f) <= MAX_FEATURE)
        object.__setattr__(self, "features", frozenset(features[:MAX_FEATURES]))
        name = "".join(c for c in self.name or "" if c.isprintable())[:MAX_NAME]
        object.__setattr__(self, "name", name or None)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a conference may know of somebody; without `user` a guest."""

    user: str = ""
    """The same for one member at all times and browsers; not for other people's eyes."""
    moderator: bool = False
    name: str | None = None
    features: frozenset[str] = frozenset()

    @property
    def is_member(self) -> bool:
        return bool(self.user)


GUEST = Identity()


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a room: `sender` as stamped by servers, empty over HTTP."""

    sender: Jid
    machine_uid: str | None = None
    session_id: str | None = None
    token: Member | None = None
    """What a token said that was checked and found good."""
    room: str = ""
    """Bare address of what is asked for."""


@dataclass(frozen=True, slots=True)
class Admission:
    identity: Identity
    session_id: str | None = None
    """For the client to keep."""
    shown: str | None = None
    """Under which name one is signed in."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    session_id: str
    member: Member
    expires: float


@dataclass(frozen=True, slots=True)
class IdentityChanged:
    """Somebody signed in, or is no member any more; `identity_of` tells."""

    jid: str


@dataclass(frozen=True, slots=True)
class _Known:
    member: Member
    session: str
    """Id of the session; empty for a token."""
    expires: float
    sealed: str
    """The same for a focus after this one."""

    @property
    def identity(self) -> Identity:
        return _identity(self.member)


class Membership:
    """Members of `domains` need nothing else; `new_id` makes 128 random bits or more."""

    def __init__(
        self,
        settings: MembersSettings,
        domains: frozenset[str],
        sealer: Sealer,
        new_id: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._domains = domains
        self._sealer = sealer
        self._new_id = new_id
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        """By bare address, and the only room for which it counts."""
        self._signed_out: OrderedDict[str, float] = OrderedDict()
        self._gone: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._effects: deque[IdentityChanged] = deque()

    # -- questions ---------------------------------------------------------------------
    def identity_of(self, bare_jid: str | None, room: str = "") -> Identity:
        """Who an occupant of `room` is, by its real address."""
        jid = bare_jid or ""
        known = self._known.get((jid, room)) or self._known.get((jid, ""))
        if known is not None:
            return known.identity
        local, _, domain = jid.partition("@")
        return _identity(Member(XMPP, jid)) if local and domain in self._domains else GUEST

    def may_open(self, identity: Identity) -> bool:
        return self._settings.open or identity.is_member

    def watched(self) -> set[tuple[str, str]]:
        """Source and user of every member who is known by an address now."""
        return {(known.member.source, known.member.user) for known in self._known.values()}

    def session_of(self, asked: Asked, now: float) -> Session | None:
        """The good session that comes with a request, if one comes.

        Raises `SessionInvalid`.
        """
        if asked.session_id is None:
            return None
        session = self._sealer.open(asked.session_id)
        if (
            session is None
            or now >= session.expires
            or session.id in self._signed_out
            or self._gone.get((session.source, session.user), -1.0) >= session.since
            or session.machine != digest(asked.machine_uid or "")
        ):
            raise SessionInvalid("session")
        return session

    # -- who asks ----------------------------------------------------------------------
    def admit(self, asked: Asked, now: float) -> Admission:
        """Find out who asks, and remember it for that address.

        A request that is refused changes nothing for who asked before.
        Raises `SessionInvalid`.
        """
        jid = asked.sender.bare if asked.sender.local else ""
        session = self.session_of(asked, now)
        if asked.token is not None:
            end = self._end(asked.token, now)
            identity = self._remember(jid, asked.token, "", end, now)
            return Admission(identity, shown=asked.token.user)
        if session is not None:
            member = _member(session)
            identity = self._remember(
                jid, member, session.id, session.expires, session.since
            )
            # Half used up, it is renewed, so that nobody is put out in the middle.
            worn = session.expires - now < self._settings.session_lifetime / 2
            kept = self._renewed(session, now) if worn else asked.session_id
            return Admission(identity, kept, member.user)
        if jid and asked.sender.domain in self._domains:
            member = Member(XMPP, jid)
            if len(asked.machine_uid or "") < MIN_MACHINE_UID:
                # An ordinary XMPP client joins as who it is and needs no session.
                return Admission(_identity(member), shown=jid)
            signed_in = self.sign_in(member, asked.machine_uid or "", now)
            return Admission(_identity(member), signed_in.session_id, jid)
        return Admission(self.identity_of(jid, asked.room))

    def sign_in(self, member: Member, machine_uid: str, now: float) -> SignedIn:
        """A session for a member at one browser; raises `PeerError`."""
        check_machine_uid(machine_uid)
        session = Session(
            id=self._new_id(),
            source=member.source,
            user=member.user,
            name=member.name,
            moderator=member.moderator,
            features=tuple(sorted(member.features)),
            machine=digest(machine_uid),
            since=now,
            expires=self._end(member, now),
            until=member.expires,
        )
        return SignedIn(self._sealer.seal(session), member, session.expires)

    def _renewed(self, session: Session, now: float) -> str:
        expires = self._end(_member(session), now)
        return self._sealer.seal(replace(session, since=now, expires=expires))

    def _end(self, member: Member, now: float) -> float:
        end = now + self._settings.session_lifetime
        return end if member.expires is None else min(end, member.expires)

    def sign_out(self, session_id: str, now: float) -> None:
        """End one session; raises `SessionInvalid` if it is none."""
        session = self._sealer.open(session_id)
        if session is None or now >= session.expires:
            raise SessionInvalid("session")
        _put(self._signed_out, session.id, now, MAX_ENDED)
        self._forget(lambda known: known.session == session.id)

    def gone(self, source: str, user: str, now: float) -> None:
        """The source does not know this user any more: every session of it ends."""
        _put(self._gone, (source, user), now, MAX_ENDED)
        self._forget(
            lambda known: (known.member.source, known.member.user) == (source, user)
        )

    # -- memory ------------------------------------------------------------------------
    def _remember(
        self, jid: str, member: Member, session: str, expires: float, since: float
    ) -> Identity:
        if jid:
            kept = Session(
                id=session,
                source=member.source,
                user=member.user,
                name=member.name,
                moderator=member.moderator,
                features=tuple(sorted(member.features)),
                machine=_ADDRESS + digest(jid),
                since=since,
                expires=expires,
                until=member.expires,
                room=member.room,
            )
            self._put(jid, _Known(member, session, expires, self._sealer.seal(kept)))
        return _identity(member)

    def _put(self, jid: str, known: _Known) -> None:
        key = (jid, known.member.room)
        before = self._known.get(key)
        forgotten = _put(self._known, key, known, MAX_KNOWN)
        if forgotten is not None:
            self._effects.append(IdentityChanged(forgotten[0]))
        if before is None or before.identity != known.identity:
            self._effects.append(IdentityChanged(jid))

    def sealed(self, bare_jid: str, room: str = "") -> str | None:
        """What a focus after this one needs to know of a member who is in `room`."""
        known = self._known.get((bare_jid, room)) or self._known.get((bare_jid, ""))
        return None if known is None else known.sealed

    def restore(self, bare_jid: str, sealed: str) -> None:
        """Know somebody as a focus before us did; nothing, if it had another key.

        Who has expired meanwhile is a guest again with the next `timeout`.
        """
        session = self._sealer.open(sealed)
        # Sealed for this address, and not the id that a browser keeps.
        if session is not None and session.machine == _ADDRESS + digest(bare_jid):
            known = _Known(_member(session), session.id, session.expires, sealed)
            _put(self._known, (bare_jid, session.room), known, MAX_KNOWN)

    def _forget(self, condition: Callable[[_Known], bool]) -> None:
        for key in [key for key, known in self._known.items() if condition(known)]:
            del self._known[key]
            self._effects.append(IdentityChanged(key[0]))

    def timeout(self, now: float) -> None:
        """Call every few seconds: who has expired is a guest again."""
        self._forget(lambda known: known.expires <= now)

    def effects(self) -> Iterator[IdentityChanged]:
        while self._effects:
            yield self._effects.popleft()


def check_machine_uid(machine_uid: str) -> None:
    """Raises `PeerError` for what cannot be a browser's random id."""
    if not MIN_MACHINE_UID <= len(machine_uid) <= MAX_USER:
        raise PeerError("machine-uid is missing, or no random id")


def _identity(member: Member) -> Identity:
    user = f"{member.source}:{member.user}"
    return Identity(user, member.moderator, member.name, member.features)


def _member(session: Session) -> Member:
    return Member(
        session.source,
        session.user,
        session.name,
        session.moderator,
        frozenset(session.features),
        session.until,
        session.room,
    )


def _put(table: OrderedDict[K, V], key: K, value: V, limit: int) -> K | None:
    """Add as the newest; the oldest key, if one too many had to go."""
    table.pop(key, None)
    table[key] = value
    return table.popitem(last=False)[0] if len(table) > limit else None
