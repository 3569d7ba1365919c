"""One conference: the room's set-up, what follows from who is there, and its end.

The media are `MediaSessions`; this machine tells them who is there and why to talk.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from xmppconf.colibri2 import ColibriRefused, ConferenceModified
from xmppconf.config import FocusSettings
from xmppconf.errors import Condition, NotAllowed, NotFound
from xmppconf.ids import EndpointId, MeetingId
from xmppconf.jingle import Received
from xmppconf_focus.attendance import Attendance
from xmppconf_focus.awaited import RETURN_TIME, Awaited
from xmppconf_focus.brewery import Brewery
from xmppconf_focus.bridge_answers import BridgeAnswers
from xmppconf_focus.commands import Command
from xmppconf_focus.continuation import Continuation
from xmppconf_focus.effects import (
    BridgeJid,
    ConferenceEnded,
    ConfigureRoom,
    DestroyRoom,
    Effect,
    LeaveRoom,
    ReadForm,
    RoomJid,
    SetSubject,
    ShowPresence,
    Ticket,
)
from xmppconf_focus.entering import Entering
from xmppconf_focus.features import FeatureCache
from xmppconf_focus.jingle_requests import JingleRequests
from xmppconf_focus.lobby import Knock
from xmppconf_focus.media_sessions import MediaSessions
from xmppconf_focus.membership import GUEST, Membership
from xmppconf_focus.muting import MuteRequest, Muting
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.parent import Parent
from xmppconf_focus.patience import Patience
from xmppconf_focus.reception import Reception
from xmppconf_focus.record import ConferenceRecord
from xmppconf_focus.room_access import Requester, Rights, RoomAccess
from xmppconf_focus.room_features import RoomFeatures
from xmppconf_focus.room_memory import RoomMemory
from xmppconf_focus.room_settings import Access, RoomRecord, RoomSettings
from xmppconf_focus.sender_limits import SenderLimits, Sent

MIN_TALKERS = 2

#: Only who has been in the main room gets into a breakout room.
BREAKOUT = RoomRecord(RoomSettings(Access.LOCKED))


class State(enum.Enum):
    JOINING = "joining"
    CONFIGURING = "configuring"
    RETURNING = "returning"  # we were away, and sessions may go on
    READY = "ready"
    ENDED = "ended"


class Conference:
    def __init__(
        self,
        room: RoomJid,
        settings: FocusSettings,
        brewery: Brewery,
        cache: FeatureCache,
        initiator: str,
        new_id: Callable[[], str],
        membership: Membership,
        memory: RoomMemory,
        family: Callable[[], Iterable[Occupant]],
        parent: Parent | None = None,
    ) -> None:
        """`parent` if this is a breakout room; `family` tells who is in the main room and
        its breakout rooms, this one excepted."""
        self.room = room
        self.state = State.JOINING
        self.occupants: dict[str, Occupant] = {}
        self.limits = SenderLimits(settings.max_audio_senders, settings.max_video_senders)
        self.media = MediaSessions(room, settings, brewery, self.limits, initiator, new_id)
        self._jingle = JingleRequests(self.media, self.limits)
        self._bridge_answers = BridgeAnswers(self.media, brewery)
        self.patience = Patience(settings)
        self._membership = membership
        self._parent = parent
        self._created = memory.unix()
        self._record = memory.get(room) if parent is None else BREAKOUT
        self.access = RoomAccess(
            room,
            self.occupants,
            self._record,
            self._rights_of,
            memory.digest,
            elects=membership.may_open(GUEST),
            parent=None if parent is None else parent.access,
        )
        self.features = RoomFeatures(
            room,
            self.occupants,
            self.access,
            self._created,
            family,
            parent,
        )
        self._awaited = Awaited()
        self._continuation = Continuation(
            *(room, self.occupants, self.media, self.access, self.features),
            *(membership, self._awaited),
        )
        self._entering = Entering(room)
        self._muting = Muting(room, self.occupants, self.media, self.features, self.limits)
        self._effects: deque[Effect] = deque()
        self._attendance = Attendance(
            *(room, settings, cache, self.occupants, self.media, self.limits),
            *(self.access, self.features, self._muting, self._awaited),
            self._effects.append,
        )
        self._reception = Reception(self.access, self._attendance.is_full)
        self._shown: ShowPresence | None = None

    # -- requests and set-up -----------------------------------------------------------
    def start(self, now: float) -> None:
        self._effects.append(self._entering.begin(now))

    def request(self, ticket: Ticket, requester: Requester, now: float) -> None:
        """Answer when the room is ready; raises `LimitExceeded`."""
        if self.state is State.READY:
            if not self.occupants:
                self.patience.opened(now)
            self._effects.extend(self._reception.answer(ticket, requester))
        else:
            self._reception.wait(ticket, requester)

    def _rights_of(self, jid: str) -> Rights:
        identity = self._membership.identity_of(jid, self.room)
        return Rights(identity.moderator, identity.is_member)

    def joined(self, affiliation: str, now: float, *, created: bool = False) -> None:
        """Our own presence came back, at the join or later.

        It comes after everybody else's.  `created` if there was no such room before.
        """
        if affiliation != "owner":
            self._end("not owner of the room", "service-unavailable", leave=True)
        elif self.state is State.JOINING:
            self.state = State.CONFIGURING
            kept = self._record.is_worth_keeping()
            form = self.access.settings.form if kept else {}
            self._effects.append(ConfigureRoom(self.room, tuple(form.items())))
            self._attendance.entered()
        elif self.state is State.RETURNING and created:
            # The server lost the room, and with it everybody: they are on their way too.
            self.state = State.CONFIGURING
            self._awaited.deadline = now + RETURN_TIME
            fields = tuple(self.access.settings.form.items())
            self._effects.append(ConfigureRoom(self.room, fields))
        elif self.state is State.RETURNING:
            self._attendance.give_up_missing(now)
            self._ready(now)
            self._effects.append(ReadForm(self.room))

    def configured(
        self, meeting_id: MeetingId, form: Mapping[str, str], now: float
    ) -> None:
        """`form` is the room's as it was before."""
        if self.state is not State.CONFIGURING:
            return
        returned = bool(self.media.meeting_id)
        if form and not returned and not self._record.is_worth_keeping():
            self.access.form_seen(form)
        if not returned:
            self.media.meeting_id = meeting_id
        self._ready(now)

    def info(self) -> dict[str, str]:
        """What the room's disco#info shall say, for stock clients; a server that has our
        module takes it in the room's form."""
        told = {"muc#roominfo_created_timestamp": str(round(self._created * 1000))}
        if self._parent is not None:
            told["muc#roominfo_isbreakout"] = "true"
            told["muc#roominfo_breakout_main_room"] = self._parent.room
        return told

    def _ready(self, now: float) -> None:
        self.state = State.READY
        if self._parent is not None and self._parent.name:
            self._effects.append(SetSubject(self.room, self._parent.name))
        self._entering.end()
        if not self.occupants:
            self.patience.opened(now, self._awaited.deadline)
        self._show()
        self.media.resume(now)
        self.features.publish()
        self._attendance.ready(now)
        self._effects.extend(self._reception.open())
        self._reconsider(now)

    def room_failed(self, condition: Condition) -> None:
        """Joining or configuring was refused."""
        if self.state in (State.JOINING, State.RETURNING):
            remedy = self._entering.refused(condition)
            if remedy is not None:
                self._effects.append(remedy)
                return
        elif self.state is not State.CONFIGURING:
            return
        self._end("room could not be set up", condition, leave=True)

    def form_read(self, form: Mapping[str, str], now: float) -> None:
        """The room's form as it is now; empty if it could not be read."""
        if self.state in (State.JOINING, State.RETURNING):
            self._effects.append(self._entering.again(form))
        elif self.state is State.READY and form:
            self.access.form_seen(form)
            self.features.publish()
            self._reconsider(now)

    def form_changed(self) -> None:
        """The room says that its settings are others (XEP-0045, 10.2.1)."""
        if self.state is State.READY:
            self._effects.append(ReadForm(self.room))

    def namesake_evicted(self) -> None:
        if self.state in (State.JOINING, State.RETURNING):
            self._effects.append(self._entering.again())

    def removed(self) -> None:
        """We are out of the room: it was destroyed, or somebody threw us out."""
        if self.state is State.JOINING:
            # That was our leaving it before; whoever we saw since belonged to then.
            for nick in list(self.occupants):
                self._attendance.forget(nick)
        else:
            self._end("removed from the room", "service-unavailable", leave=False)

    # -- occupants ---------------------------------------------------------------------
    def occupant_seen(self, occupant: Occupant, now: float) -> None:
        """An occupant joined or changed."""
        if self._attendance.seen(occupant, now):
            self.patience.somebody_came()
            self._reconsider(now)

    def sends(self, nick: str, sent: frozenset[Sent], now: float) -> None:
        """What an occupant says that it sends."""
        if self._attendance.sends(nick, sent):
            self._reconsider(now)

    def features_known(
        self, endpoint: EndpointId, features: frozenset[str], now: float
    ) -> None:
        self.media.features_known(endpoint, features)
        self._reconsider(now)

    def occupant_left(
        self, nick: str, now: float, *, kicked: bool = False, banned: bool = False
    ) -> None:
        if not self._attendance.left(nick, now, kicked=kicked, banned=banned):
            return
        if (
            self.occupants
            or self.state is not State.READY
            or self.patience.emptied(now, lobby=bool(self.access.lobby))
        ):
            self._reconsider(now)
        else:
            self._end("everybody left", "service-unavailable", leave=True)

    def identity_changed(self, bare_jid: str, now: float) -> None:
        """Somebody signed in, or is no member any more."""
        if self.state is State.READY:
            self.access.rights_changed(bare_jid)
        self._reconsider(now)

    # -- lobby -------------------------------------------------------------------------
    def knock(self, knock: Knock, password: str, now: float) -> None:
        """Somebody joins the lobby; raises `PeerError`."""
        if self.state is not State.READY:
            raise NotFound("conference")
        self.access.knock(knock, password, full=self._attendance.is_full())
        if not self.occupants:
            self.patience.somebody_waits(now)

    def left_lobby(self, jid: str) -> None:
        """`jid` is a full real address."""
        self.access.lobby.depart(jid)

    def deny(self, jid: str, nick: str) -> None:
        """`jid` is the full real address of who wants it; raises `PeerError`."""
        self.access.deny(jid, nick)

    # -- what participants ask ---------------------------------------------------------
    def jingle(self, endpoint: EndpointId, received: Received, now: float) -> None:
        """Take a Jingle request; raises `PeerError` to refuse it."""
        try:
            self._jingle.receive(endpoint, received, now)
        finally:
            self._reconsider(now)

    def mute(self, endpoint: EndpointId, request: MuteRequest) -> None:
        """Pass a moderator's wish on; raises `PeerError` to refuse it."""
        order = self._muting.ask(endpoint, request)
        if order is not None:
            self._effects.append(order)

    def check_moderator(self, nick: str) -> None:
        """Raises `NotAllowed`."""
        occupant = self.occupants.get(nick)
        if occupant is None or not occupant.is_moderator:
            raise NotAllowed("not a moderator")

    def take(self, nick: str, command: Command, now: float) -> None:
        """Do what an occupant asks of the room's features; raises `PeerError`."""
        self.features.take(nick, command, now)
        self._reconsider(now)

    # -- what the operator wants -------------------------------------------------------
    def end_for_all(self) -> None:
        self._effects.append(DestroyRoom(self.room, "ended by the operator"))

    def lock(self, locked: bool, now: float) -> None:
        """Let in nobody who has not been here, or everybody again."""
        access = Access.LOCKED if locked else Access.OPEN
        self.access.change(replace(self.access.settings, access=access))
        self.features.publish()
        self._reconsider(now)

    # -- being away ----------------------------------------------------------------------
    def record(self) -> ConferenceRecord | None:
        """What a focus after us needs to go on; None: nothing goes on yet."""
        return self._continuation.record()

    def restore(self, record: ConferenceRecord) -> None:
        """Go on, from `come_back` on, where another focus stopped; raises `PeerError`."""
        self._continuation.restore(record)
        self._attendance.entered()
        self.state = State.RETURNING

    def connection_lost(self) -> None:
        """Our stream broke: media go on without us, and we come back for them."""
        if self.state is State.RETURNING:
            self._entering.end()  # and away again
            return
        if self.state is not State.READY or not self._continuation.suspend():
            self._end("connection lost", None, leave=False)
            return
        self.state = State.RETURNING
        self._attendance.forget_all()
        self._shown = None
        self._entering.forget()
        self.patience.forget()

    def come_back(self, now: float) -> None:
        """The stream is there again."""
        if self.state is State.RETURNING:
            self._effects.append(self._entering.begin(now, returns=True))

    # -- bridges -----------------------------------------------------------------------
    def offer_refused(self, endpoint: EndpointId, sid: str, now: float) -> None:
        self.media.offer_refused(endpoint, sid, now)
        self._reconsider(now)

    def colibri_answered(
        self, request: int, answer: ConferenceModified, now: float
    ) -> None:
        self._bridge_answers.answered(request, answer, now)
        self._reconsider(now)

    def colibri_refused(
        self, request: int, refused: ColibriRefused | None, now: float
    ) -> None:
        self._bridge_answers.refused(request, refused, now)
        self._reconsider(now)

    def bridge_lost(self, bridge: BridgeJid, now: float) -> None:
        self.media.bridge_lost(bridge, now)
        self._reconsider(now)

    def bridge_usable(self, bridge: BridgeJid, now: float) -> None:
        self.media.bridge_usable(bridge, now)
        self._reconsider(now)

    # -- decisions ---------------------------------------------------------------------
    def _reconsider(self, now: float) -> None:
        """Bring everything in line with who is in the room."""
        if self.state is not State.READY:
            return
        if self.media.talkers() >= MIN_TALKERS:
            self.patience.not_alone()
            self.media.inviting = True
            self.media.invite_idle(now)
        else:
            self.media.inviting = False
            self.media.bridge_missing = False
            if self.media.bridge_count == 0:
                self.patience.not_alone()
            else:
                self.patience.alone(now)
        candidates = (
            o for o in self.occupants.values() if o.nick in self.media.participants
        )
        self.access.elect(candidates, now)
        self._effects.extend(self._muting.moderate())
        self._show()

    def _show(self) -> None:
        presence = ShowPresence(
            self.room,
            not self.media.bridge_missing,
            self.media.bridge_count,
            self.limits.reached(),
        )
        if presence != self._shown:
            self._shown = presence
            self._effects.append(presence)

    def _end(self, reason: str, error: Condition | None, *, leave: bool) -> None:
        """Without `error` those who wait are told to ask again."""
        if self.state is State.ENDED:
            return
        self.state = State.ENDED
        self._effects.extend(self._reception.close(error))
        self.media.inviting = False
        self.media.abandon()
        self._entering.end()
        self.patience.forget()
        self.access.end()
        self._effects.extend(self.media.effects())
        self._effects.extend(self.access.effects())
        if leave:
            self._effects.append(LeaveRoom(self.room))
        self._effects.append(ConferenceEnded(self.room, self.media.meeting_id, reason))

    def stop(self) -> None:
        """This process ends."""
        self._end("stopped", None, leave=True)

    # -- time --------------------------------------------------------------------------
    def next_timeout(self) -> float | None:
        if self.state is State.ENDED:
            return None
        deadlines = [
            self._entering.deadline,
            self.patience.next_timeout(),
            self._awaited.deadline,
        ]
        if self.state is State.READY:
            deadlines += [self.access.next_timeout(), self.media.next_timeout()]
        return min((due for due in deadlines if due is not None), default=None)

    def timeout(self, now: float) -> None:
        if self._awaited.is_over(now):
            self._attendance.give_up_missing(now)
        due = self._entering.deadline
        if due is not None and now >= due:
            self._end("set-up took too long", None, leave=True)
        elif self.patience.is_given_up(now):
            self._end("nobody came", "service-unavailable", leave=True)
        elif self.state is State.READY:
            if self.patience.was_alone(now):
                self.media.end_all("expired", "Idle session timeout", now)
            self.media.timeout(now)
            self._reconsider(now)

    def effects(self) -> Iterator[Effect]:
        """Own effects first: who is answered and shown; then what the media need."""
        while self._effects:
            yield self._effects.popleft()
        yield from self.features.effects()
        yield from self.access.effects()
        yield from self.media.effects()
