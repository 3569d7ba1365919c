"""Who may be in one room, and who is its moderator: the one state machine for both.

It is fed with who asks, comes, changes and goes, and with what moderators set; it gives
affiliations, the room's form and the lobby's presence.  People are remembered by what
outlives a connection (a browser's random id, an account), as digests.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from xmppconf.errors import Condition, NotAllowed, NotFound, PeerError
from xmppconf_focus.admission import Entry, Refusal, Situation, Standing, judge
from xmppconf_focus.effects import (
    Effect,
    LobbyPresence,
    RoomJid,
    SetAffiliation,
    StoreRoom,
    SubmitForm,
)
from xmppconf_focus.election import Election
from xmppconf_focus.invitations import Invitation, InvitationInvalid
from xmppconf_focus.lobby import Knock, Lobby
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.record import AccessRecord
from xmppconf_focus.room_settings import (
    MAX_MODERATORS,
    MAX_USED,
    Access,
    RoomRecord,
    RoomSettings,
)

MAX_PEOPLE = 3000  # remembered in one meeting; the oldest are forgotten


class WrongPassword(PeerError):
    condition: Condition = "not-authorized"


class NoLobby(PeerError):
    condition: Condition = "not-allowed"


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks for the conference, as far as the focus knows."""

    jid: str
    """Bare real address; empty if the request came over HTTP."""
    keys: frozenset[str] = frozenset()
    """Digests by which to know the person again: account, browser."""
    invitation: Invitation | None = None


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody is by account, whatever the room."""

    moderator: bool = False
    member: bool = False


class RoomAccess:
    """`occupants` is the conference's table; `rights_of` takes a bare real address.

    `digest` makes keys of addresses; with `elects` the first to come is moderator.  In a
    breakout room everybody is what they are in `parent`, and nothing is kept of it.
    """

    def __init__(
        self,
        room: RoomJid,
        occupants: Mapping[str, Occupant],
        record: RoomRecord,
        rights_of: Callable[[str], Rights],
        digest: Callable[[str], str],
        *,
        elects: bool,
        parent: RoomAccess | None = None,
    ) -> None:
        self.settings = record.settings
        self.lobby = Lobby(room)
        self._room = room
        self._occupants = occupants
        self._rights_of = rights_of
        self._digest = digest
        self._elects = elects and parent is None
        self._parent = parent
        self._moderators = set(record.moderators)
        self._used = dict(record.used_invitations)
        self._stored = record
        self._admitted: set[str] = set()
        self._removed: set[str] = set()
        self._demoted: set[str] = set()
        """Moderators by account who are none in this meeting: another took it away."""
        self._banned: set[str] = set()
        self._keys: dict[str, frozenset[str]] = {}
        """What we know of a bare real address, from its request."""
        self._owners: set[str] = set()
        """Bare real addresses that we made owner, whether they know yet or not."""
        self._early: set[str] = set()
        """Bare real addresses that were made member and have not come in yet."""
        self._election = Election()
        self._effects: deque[Effect] = deque()

    # -- another focus's life ----------------------------------------------------------
    def record(self) -> AccessRecord:
        return AccessRecord(
            moderators=frozenset(self._moderators),
            admitted=frozenset(self._admitted),
            removed=frozenset(self._removed),
            demoted=frozenset(self._demoted),
            banned=frozenset(self._banned),
            keys=dict(self._keys),
            had_moderator=self._election.had_moderator,
        )

    def restore(self, record: AccessRecord) -> None:
        """Go on from what another focus knew."""
        self._moderators |= record.moderators
        self._admitted |= record.admitted
        self._removed |= record.removed
        self._demoted |= record.demoted
        self._banned |= record.banned
        self._keys.update(record.keys)
        self._election.had_moderator = record.had_moderator

    # -- entering ----------------------------------------------------------------------
    def request(self, requester: Requester, *, full: bool) -> Entry:
        """Somebody asks for the conference; affiliations are given before the answer.

        Raises `InvitationInvalid` if a single-use invitation was used by another.
        """
        keys = self._remember(requester)
        if requester.invitation is not None:
            self._invited(requester.invitation, keys, requester.keys or keys)
        entry = self._judge(requester.jid, keys, full=full)
        self._give(requester.jid, entry)
        new = requester.jid and keys.isdisjoint(self._admitted)
        if new and entry.affiliation == "member":
            self._early.add(requester.jid)
        return entry

    def _judge(self, jid: str, keys: frozenset[str], *, full: bool) -> Entry:
        situation = Situation(self.host_present(), full)
        return judge(self._standing(jid, keys), self.settings, situation)

    def _standing(self, jid: str, keys: frozenset[str]) -> Standing:
        if self._parent is not None:
            return self._parent._standing(jid, keys | self._parent._keys_of(jid))
        rights = self._rights_of(jid)
        if not keys.isdisjoint(self._banned):
            return Standing.BANNED
        if rights.moderator and keys.isdisjoint(self._demoted):
            return Standing.MODERATOR
        for known, standing in (
            (self._removed, Standing.REMOVED),
            (self._moderators, Standing.MODERATOR),
            (self._admitted, Standing.ADMITTED),
        ):
            if not keys.isdisjoint(known):
                return standing
        return Standing.MEMBER if rights.member else Standing.GUEST

    def _give(self, jid: str, entry: Entry) -> None:
        if jid and entry.affiliation is not None:
            if entry.affiliation == "owner":
                self._owners.add(jid)
            else:
                self._owners.discard(jid)
            self._effects.append(SetAffiliation(self._room, jid, entry.affiliation))

    def _remember(self, requester: Requester) -> frozenset[str]:
        own = frozenset({self._digest(f"jid:{requester.jid}")} if requester.jid else ())
        keys = requester.keys | own
        if requester.jid:
            self._keys.pop(requester.jid, None)
            self._keys[requester.jid] = keys
            if len(self._keys) > MAX_PEOPLE:
                here = {occupant.bare_jid for occupant in self._occupants.values()}
                oldest = next((one for one in self._keys if one not in here), requester.jid)
                del self._keys[oldest]
                if oldest in self._early:
                    self._early.discard(oldest)
                    self._give(oldest, Entry(affiliation="none"))
        return keys

    def _keys_of(self, jid: str | None) -> frozenset[str]:
        if not jid:
            return frozenset()
        return self._keys.get(jid) or frozenset({self._digest(f"jid:{jid}")})

    def person(self, occupant: Occupant) -> frozenset[str]:
        """Digests by which to know an occupant again."""
        parents = frozenset() if self._parent is None else self._parent.person(occupant)
        known = self._keys_of(occupant.bare_jid) | parents
        return known or frozenset({self._digest(f"nick:{occupant.nick}")})

    def _invited(
        self, invitation: Invitation, keys: frozenset[str], lasting: frozenset[str]
    ) -> None:
        if not keys or not keys.isdisjoint(self._banned | self._removed):
            return
        if invitation.single_use:
            user = self._used.get(invitation.id)
            if user is not None and user not in keys:
                raise InvitationInvalid("used")
            if user is None:
                if len(self._used) >= MAX_USED:
                    raise InvitationInvalid("too many are used")
                self._used[invitation.id] = min(lasting)
                self._store()
        self._add(self._moderators if invitation.moderator else self._admitted, keys)

    # -- who is there ------------------------------------------------------------------
    def host_present(self) -> bool:
        return any(occupant.is_moderator for occupant in self._occupants.values())

    def seen(self, occupant: Occupant, before: Occupant | None) -> None:
        """Somebody came in, or changed."""
        jid = occupant.bare_jid
        if jid is None:
            return
        keys = self._keys_of(jid)
        if before is None:
            self.lobby.depart(occupant.real_jid or "")
            if self.settings.access is Access.LOBBY:
                self._removed -= keys  # a moderator has let them in again
            if self._standing(jid, keys) in (Standing.BANNED, Standing.REMOVED):
                self._give(jid, Entry(affiliation="outcast"))
                return
            self._add(self._admitted, keys)
            self._early.discard(jid)
            if occupant.affiliation == "none":
                self._give(jid, Entry(affiliation="member"))
        if occupant.is_moderator:
            self._election.moderator_seen()
            self._demoted -= keys
            if keys.isdisjoint(self._moderators):
                self._add(self._moderators, keys)
                self._store()
        elif before is not None and before.is_moderator:
            # Somebody took it away, and it stays away.
            self._moderators -= keys
            self._add(self._demoted, keys)
            self._store()
        elif self._standing(jid, keys) is Standing.MODERATOR:
            self._give(jid, Entry(affiliation="owner"))

    def refuses(self, occupant: Occupant, *, full: bool) -> Refusal | None:
        """Why somebody who has come in has to go again.

        Rooms' servers know neither hosts nor numbers, and not everybody asks us first.
        """
        jid = occupant.bare_jid
        if jid is None or occupant.is_moderator:
            return None
        keys = self._keys_of(jid)
        if self._standing(jid, keys) is Standing.ADMITTED:
            return None
        refusal = self._judge(jid, keys, full=full).refusal
        if refusal is Refusal.WAIT and jid in self._early:
            return None  # the host was there when it asked
        return refusal if refusal in (Refusal.WAIT, Refusal.FULL) else None

    def left(self, occupant: Occupant, *, kicked: bool, banned: bool) -> None:
        self.lobby.depart(occupant.real_jid or "")
        self._owners.discard(occupant.bare_jid or "")
        if kicked or banned:
            self.forbid(occupant, banned=banned)

    def forbid(self, occupant: Occupant, *, banned: bool) -> None:
        """That person is to be out, and to stay out."""
        if self._parent is not None:
            self._parent.forbid(occupant, banned=banned)
        jid = occupant.bare_jid
        keys = self._keys_of(jid)
        self._moderators -= keys
        self._admitted -= keys
        self._add(self._banned if banned else self._removed, keys)
        self._store()
        if jid is not None and self._standing(jid, keys) is not Standing.MODERATOR:
            self._give(jid, self._judge(jid, keys, full=False))

    def rights_changed(self, jid: str) -> None:
        """Somebody who is here signed in, or is no member any more."""
        for occupant in self._occupants.values():
            if occupant.bare_jid != jid:
                continue
            keys = self._keys_of(jid)
            if self._rights_of(jid).moderator:
                if not occupant.is_moderator:
                    self._give(jid, Entry(affiliation="owner"))
            elif occupant.is_moderator or jid in self._owners:
                self._moderators -= keys
                self._store()
                self._give(jid, Entry(affiliation="member"))

    # -- moderators --------------------------------------------------------------------
    def elect(self, candidates: Iterable[Occupant], now: float) -> None:
        """Make the first candidate moderator if there is none."""
        if self.host_present() or not self._elects or self.settings.wait_for_host:
            self._election.put_off()
        elif (elected := self._election.hold(candidates, now)) is not None:
            self._give(elected.bare_jid or "", Entry(affiliation="owner"))

    def next_timeout(self) -> float | None:
        return self._election.due

    # -- settings ----------------------------------------------------------------------
    def change(self, settings: RoomSettings) -> None:
        """A moderator's wish; the room's form follows."""
        before, self.settings = self.settings, settings
        if settings.members_only and not before.members_only:
            # Nobody who is here may be put out by it.
            for occupant in self._occupants.values():
                if occupant.affiliation == "none" and occupant.bare_jid is not None:
                    self._give(occupant.bare_jid, Entry(affiliation="member"))
            self._close()
        if settings.form != before.form:
            fields = tuple(settings.form.items())
            self._effects.append(SubmitForm(self._room, fields))
        self._settings_changed(before)

    def _close(self) -> None:
        """Who asked while the room was open, and did not come, does not get in later."""
        for jid in sorted(self._early):
            self._give(jid, Entry(affiliation="none"))
        self._early.clear()

    def form_seen(self, fields: Mapping[str, str]) -> None:
        """What the room's form says now: stock clients change it by themselves."""
        members_only = fields.get("muc#roomconfig_membersonly") in ("1", "true")
        before = self.settings
        access = before.access
        if members_only and not before.members_only:
            self._close()
        if members_only != before.members_only:
            access = Access.LOBBY if members_only else Access.OPEN
        try:
            password = fields.get("muc#roomconfig_roomsecret", "")
            self.settings = replace(before, access=access, password=password)
        except PeerError:
            return  # longer than we keep; the server has it all the same
        self._settings_changed(before)

    def _settings_changed(self, before: RoomSettings) -> None:
        if self.settings.access is not before.access and before.access is Access.LOBBY:
            self.lobby.close(ended=self.settings.access is not Access.OPEN)
        if self.settings != before:
            self._store()

    def _store(self) -> None:
        if self._parent is not None:
            return
        moderators = frozenset(sorted(self._moderators)[:MAX_MODERATORS])
        record = RoomRecord(self.settings, moderators, dict(self._used))
        if record != self._stored:
            worth = record.is_worth_keeping()
            if worth or self._stored.is_worth_keeping():
                self._effects.append(StoreRoom(self._room, record if worth else None))
            self._stored = record

    # -- lobby -------------------------------------------------------------------------
    def knock(self, knock: Knock, password: str, *, full: bool) -> None:
        """Somebody joins the lobby; raises `PeerError`."""
        jid = knock.bare_jid
        keys = self._keys_of(jid)
        mine = [o for o in self._occupants.values() if o.real_jid == knock.jid]
        if any(occupant.is_moderator for occupant in mine):
            if self.settings.access is not Access.LOBBY:
                raise NoLobby("lobby is off")
            self.lobby.watch(knock.jid, knock.nick)
            return
        if mine:
            raise NotAllowed("in the room already")
        entry = self._judge(jid, keys, full=full)
        if entry.refusal is Refusal.REMOVED:
            raise NotAllowed("removed from this meeting")
        if self.settings.access is not Access.LOBBY:
            raise NoLobby("lobby is off")
        if password and password != self.settings.password:
            raise WrongPassword("password")
        self.lobby.knock(knock)
        # The password opens no room that is full, or whose host has not come.
        known = bool(password) or entry.affiliation in ("owner", "member")
        if known and entry.refusal is None:
            self._give(jid, Entry(affiliation=entry.affiliation or "member"))
            self.lobby.open_for(jid)

    def deny(self, jid: str, nick: str) -> None:
        """`jid` is the full real address of who says so; raises `PeerError`."""
        if not any(o.real_jid == jid and o.is_moderator for o in self._occupants.values()):
            raise NotAllowed("not a moderator of the room")
        if not len(self.lobby):
            raise NotFound("nobody waits")
        self.lobby.deny(nick)

    def end(self) -> None:
        self.lobby.close(ended=True)

    # -- the machine -------------------------------------------------------------------
    def _add(self, known: set[str], keys: frozenset[str]) -> None:
        if len(known) + len(keys) <= 2 * MAX_PEOPLE:
            known |= keys

    def effects(self) -> Iterator[Effect]:
        while self._effects:
            yield self._effects.popleft()
        lobby: Iterator[LobbyPresence] = self.lobby.effects()
        yield from lobby
