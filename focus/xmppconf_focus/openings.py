"""Which conferences come to be: because of whom, how many, and what each is made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from xmppconf.config import Settings
from xmppconf.errors import LimitExceeded, PeerError
from xmppconf.ids import MeetingId, parse_meeting_id
from xmppconf.names import Names
from xmppconf_focus.admission import Refusal
from xmppconf_focus.brewery import Brewery
from xmppconf_focus.conference import Conference
from xmppconf_focus.effects import AnswerRequest, RoomJid, Ticket
from xmppconf_focus.families import Families
from xmppconf_focus.features import FeatureCache
from xmppconf_focus.membership import Identity, Membership, NotAuthorized
from xmppconf_focus.record import ConferenceRecord
from xmppconf_focus.room_memory import RoomMemory

MAX_EMPTY_PER_REQUESTER = 10  # rooms that one address had opened and nobody joined


class Openings:
    """`conferences` is the focus's own table; what comes to be is put into it here."""

    def __init__(
        self,
        settings: Settings,
        conferences: dict[RoomJid, Conference],
        brewery: Brewery,
        membership: Membership,
        memory: RoomMemory,
        families: Families,
        cache: FeatureCache,
        new_id: Callable[[], str],
    ) -> None:
        self.created = 0
        """Conferences since the start."""
        self._settings = settings.focus
        self._initiator = Names.of(settings).focus_full_jid
        self._conferences = conferences
        self._brewery = brewery
        self._membership = membership
        self._memory = memory
        self._families = families
        self._cache = cache
        self._new_id = new_id
        self._requesters: dict[RoomJid, str] = {}

    def open(
        self, ticket: Ticket, room: RoomJid, requester: str, identity: Identity, now: float
    ) -> Conference | AnswerRequest:
        """A conference that begins, or what to answer because there can be none now.

        `requester` is a bare real address, or empty.  Raises `LimitExceeded`, and
        `NotAuthorized` if `identity` may not open the room.
        """
        is_breakout = self._families.main_of(room) is not None
        if not is_breakout and not self._membership.may_open(identity):
            raise NotAuthorized("only members open rooms")
        if self._is_at_limit():
            # Somebody will leave: clients ask again by themselves.
            return AnswerRequest(ticket, ready=False)
        if not is_breakout and self._brewery.is_full(now):
            # Who is in a call moves to its breakout rooms; nobody new comes by that.
            return AnswerRequest(ticket, ready=False, refusal=Refusal.OVERLOADED)
        self._check_requester(requester)
        return self._begin(room, requester, now)

    def adopt(self, room: RoomJid, now: float) -> Conference | None:
        """Serve a room in which we are already; None if we do, or cannot."""
        if room in self._conferences or self._is_at_limit():
            return None
        return self._begin(room, "", now)

    def restore(self, record: ConferenceRecord) -> None:
        """Go on where another focus stopped; raises `PeerError`."""
        conference = self._new(record.room)
        conference.restore(record)
        self._add(conference, "")

    def choose_meeting_id(self, proposed: str | None) -> MeetingId:
        """The one that is proposed, if it can be and no other conference has it."""
        try:
            meeting_id = parse_meeting_id(proposed or "")
        except PeerError:
            return MeetingId(self._new_id())
        if any(c.media.meeting_id == meeting_id for c in self._conferences.values()):
            return MeetingId(self._new_id())
        return meeting_id

    def ended(self, room: RoomJid) -> None:
        self._conferences.pop(room, None)
        self._requesters.pop(room, None)

    def _begin(self, room: RoomJid, requester: str, now: float) -> Conference:
        conference = self._new(room)
        self._add(conference, requester)
        self.created += 1
        conference.start(now)
        return conference

    def _new(self, room: RoomJid) -> Conference:
        return Conference(
            room,
            self._settings,
            self._brewery,
            self._cache,
            self._initiator,
            self._new_id,
            self._membership,
            self._memory,
            partial(self._families.others, room),
            self._families.parent_of(room),
        )

    def _add(self, conference: Conference, requester: str) -> None:
        self._conferences[conference.room] = conference
        self._requesters[conference.room] = requester

    def _is_at_limit(self) -> bool:
        return len(self._conferences) >= self._settings.max_conferences

    def _check_requester(self, requester: str) -> None:
        empty = sum(
            1
            for room, other in self._requesters.items()
            if other == requester and not self._conferences[room].occupants
        )
        if requester and empty >= MAX_EMPTY_PER_REQUESTER:
            raise LimitExceeded("empty rooms of one address", MAX_EMPTY_PER_REQUESTER)
