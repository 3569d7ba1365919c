"""The whole focus as one machine: conferences by room, and the bridges they share.

Inputs name the room they are about; a room without a conference is no error, because
stanzas cross on the wire.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from xmppconf.colibri2 import ColibriRefused, ConferenceModified
from xmppconf.config import Settings
from xmppconf.errors import Condition, NotFound, PeerError
from xmppconf.ids import EndpointId
from xmppconf.jingle import Received
from xmppconf.names import Names
from xmppconf_focus.brewery import Brewery, BridgeLost, BridgeStats, BridgeUsable
from xmppconf_focus.commands import BreakoutCommand, Command
from xmppconf_focus.conference import Conference, State
from xmppconf_focus.deadlines import Deadlines
from xmppconf_focus.domains import Domains
from xmppconf_focus.effects import (
    AnswerRequest,
    BridgeJid,
    ConferenceEnded,
    Effect,
    RoomJid,
    SendColibri,
    SetAffiliation,
    StoreRoom,
    Ticket,
)
from xmppconf_focus.families import Families
from xmppconf_focus.features import FeatureCache
from xmppconf_focus.held import HeldRequests
from xmppconf_focus.invitations import Invitation
from xmppconf_focus.lobby import Knock
from xmppconf_focus.membership import GUEST, Identity, Membership
from xmppconf_focus.muting import MuteRequest
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.openings import Openings
from xmppconf_focus.participant import StartMuted
from xmppconf_focus.presences import Presences
from xmppconf_focus.record import ConferenceRecord
from xmppconf_focus.room_access import Requester
from xmppconf_focus.room_memory import RoomMemory
from xmppconf_focus.room_settings import RoomSettings
from xmppconf_focus.sender_limits import Sent
from xmppconf_focus.service_pool import ServiceKind, ServicePool


class Focus:
    """`new_id` makes random ids of at most 64 letters, digits and hyphens.

    `membership` says who somebody is; whoever feeds it tells `identity_changed`.
    """

    def __init__(
        self,
        settings: Settings,
        new_id: Callable[[], str],
        membership: Membership,
        memory: RoomMemory,
    ) -> None:
        self.conferences: dict[RoomJid, Conference] = {}
        self.brewery = Brewery(settings.focus.refuse_stress)
        self.services = {kind: ServicePool() for kind in ServiceKind}
        self.memory = memory
        self.presences = Presences()
        self._families = Families(self.conferences, new_id)
        self._cache = FeatureCache()
        self._openings = Openings(
            *(settings, self.conferences, self.brewery, membership, memory),
            *(self._families, self._cache, new_id),
        )
        self.recording = False
        """Whether somebody calls `take_changed` after effects."""
        self.settings = settings.focus
        self._domains = Domains.of(settings.members, Names.of(settings))
        self._changed: set[RoomJid] = set()
        self._deadlines = Deadlines(self.conferences)
        self._effects: deque[Effect] = deque()
        self._held = HeldRequests(self.brewery)

    # -- requests ----------------------------------------------------------------------
    def request(
        self,
        ticket: Ticket,
        room: RoomJid,
        requester: Requester,
        now: float,
        start_muted: StartMuted | None = None,
        identity: Identity = GUEST,
    ) -> None:
        """Ask for a room; `AnswerRequest` follows.

        A room is not opened while there is no bridge with room for it.
        `start_muted` counts in the request that opens the room.  Raises `LimitExceeded`,
        and `NotAuthorized` if the room is not open and `identity` may not open it.
        """
        conference = self.conferences.get(room)
        if conference is None:
            opened = self._openings.open(ticket, room, requester.jid, identity, now)
            if isinstance(opened, AnswerRequest):
                self._effects.append(opened)
                return
            conference = opened
            conference.media.offers.start_muted = start_muted or StartMuted()
        conference.request(ticket, requester, now)
        self._settle(conference)

    @property
    def created(self) -> int:
        """Conferences since the start."""
        return self._openings.created

    def main_of(self, room: RoomJid) -> RoomJid:
        """The room itself, or that whose breakout room it is."""
        main = self._families.main_of(room)
        return room if main is None else main.room

    def identity_changed(self, bare_jid: str, now: float) -> None:
        """Somebody signed in, or is no member any more."""
        for conference in list(self.conferences.values()):
            conference.identity_changed(bare_jid, now)
            self._settle(conference)

    def adopt(self, room: RoomJid, now: float) -> None:
        """Serve a room in which we are already, for nobody has to ask for it again."""
        if (conference := self._openings.adopt(room, now)) is not None:
            self._settle(conference)

    # -- rooms -------------------------------------------------------------------------
    def joined(
        self, room: RoomJid, affiliation: str, now: float, *, created: bool = False
    ) -> None:
        if (conference := self.conferences.get(room)) is not None:
            conference.joined(affiliation, now, created=created)
            self._settle(conference)

    def room_configured(self, room: RoomJid, form: Mapping[str, str], now: float) -> None:
        """`form` is what the room's said before, empty if it could not be read."""
        if (conference := self.conferences.get(room)) is not None:
            proposed = form.get("muc#roominfo_meetingId")
            meeting_id = self._openings.choose_meeting_id(proposed)
            conference.configured(meeting_id, form, now)
            self._settle(conference)

    def info(self, room: RoomJid) -> dict[str, str]:
        """What the room's disco#info shall say, where its server can be told."""
        conference = self.conferences.get(room)
        return {} if conference is None else conference.info()

    def form_changed(self, room: RoomJid) -> None:
        if (conference := self.conferences.get(room)) is not None:
            conference.form_changed()
            self._settle(conference)

    def form_read(self, room: RoomJid, form: Mapping[str, str], now: float) -> None:
        if (conference := self.conferences.get(room)) is not None:
            conference.form_read(form, now)
            self._settle(conference)

    def room_failed(self, room: RoomJid, condition: Condition) -> None:
        if (conference := self.conferences.get(room)) is not None:
            conference.room_failed(condition)
            self._settle(conference)

    def namesake_evicted(self, room: RoomJid) -> None:
        if (conference := self.conferences.get(room)) is not None:
            conference.namesake_evicted()
            self._settle(conference)

    def removed(self, room: RoomJid) -> None:
        if (conference := self.conferences.get(room)) is not None:
            for occupant in conference.occupants.values():
                self.presences.remove(occupant.real_jid or "", room)
            conference.removed()
            self._settle(conference)

    def occupant_seen(
        self,
        room: RoomJid,
        occupant: Occupant,
        now: float,
        sent: frozenset[Sent] = frozenset(),
    ) -> None:
        """`sent` is what it says that it sends."""
        jid = occupant.bare_jid
        if jid is not None and not self._domains.may_come(jid.rpartition("@")[2]):
            # It came past us, into a room that is open: servers ask nobody about domains.
            if room in self.conferences:
                self._effects.append(SetAffiliation(room, jid, "outcast"))
            return
        if (conference := self.conferences.get(room)) is not None:
            before = conference.occupants.get(occupant.nick)
            if before is not None and before.real_jid != occupant.real_jid:
                self.presences.remove(before.real_jid or "", room)
            conference.occupant_seen(occupant, now)
            conference.sends(occupant.nick, sent, now)
            if occupant.real_jid and conference.occupants.get(occupant.nick) == occupant:
                self.presences.add(occupant.real_jid, room, occupant.nick)
            if before != occupant:
                self._families.changed(room, now)
            self._settle(conference)

    def occupant_left(
        self,
        room: RoomJid,
        nick: str,
        now: float,
        *,
        kicked: bool = False,
        banned: bool = False,
    ) -> None:
        if (conference := self.conferences.get(room)) is not None:
            occupant = conference.occupants.get(nick)
            if occupant is not None and occupant.real_jid is not None:
                self.presences.remove(occupant.real_jid, room)
            conference.occupant_left(nick, now, kicked=kicked, banned=banned)
            self._families.changed(room, now)
            self._settle(conference)

    def features_known(
        self,
        room: RoomJid,
        endpoint: EndpointId,
        features: frozenset[str],
        now: float,
        *,
        verified: str | None = None,
    ) -> None:
        """`verified` is the verification string if it was found to fit the features."""
        if verified is not None:
            self._cache.put(verified, features)
        if (conference := self.conferences.get(room)) is not None:
            conference.features_known(endpoint, features, now)
            self._settle(conference)

    # -- what participants ask ---------------------------------------------------------
    def jingle(
        self, room: RoomJid, endpoint: EndpointId, received: Received, now: float
    ) -> None:
        """Raises `PeerError` to refuse it."""
        conference = self._serving(room)
        try:
            conference.jingle(endpoint, received, now)
        finally:
            self._settle(conference)

    def mute(self, room: RoomJid, endpoint: EndpointId, request: MuteRequest) -> None:
        """Raises `PeerError` to refuse it."""
        conference = self._serving(room)
        conference.mute(endpoint, request)
        self._settle(conference)

    def take(
        self, room: RoomJid, nick: str, command: Command | BreakoutCommand, now: float
    ) -> None:
        """Do what an occupant asks of its room; raises `PeerError` to refuse it."""
        conference = self._serving(room)
        try:
            if isinstance(command, BreakoutCommand):
                conference.check_moderator(nick)
                conference.features.count(nick, now)
                self._families.take(room, command, now)
            else:
                conference.take(nick, command, now)
        finally:
            self._settle(conference)
            if (main := self._families.main_of(room)) is not None:
                self._settle(main)  # removed from one room is removed from all

    def settings_for(self, room: RoomJid, nick: str) -> RoomSettings:
        """What an occupant may know of its room's settings; raises `PeerError`."""
        conference = self._serving(room)
        settings = conference.access.settings
        occupant = conference.occupants.get(nick)
        if occupant is not None and occupant.is_moderator:
            return settings
        return replace(settings, password="")

    def starts_muted(self, room: RoomJid) -> dict[str, bool]:
        """Which media newcomers begin muted with; empty: none."""
        conference = self.conferences.get(room)
        if conference is None:
            return {}
        settings, reached = conference.access.settings, conference.limits.reached()
        muted = {
            "audio": settings.start_audio_muted or "audio" in reached,
            "video": settings.start_video_muted or "video" in reached,
        }
        return muted if any(muted.values()) else {}

    def invite(self, room: RoomJid, nick: str, invitation: Invitation) -> str:
        """The token of an invitation that a moderator makes; raises `PeerError`."""
        self._serving(room).check_moderator(nick)
        return self.memory.invitations.token(room, invitation)

    # -- the lobby ---------------------------------------------------------------------
    def knock(self, room: RoomJid, knock: Knock, password: str, now: float) -> None:
        """Somebody joins the lobby; raises `PeerError`."""
        conference = self._serving(room)
        try:
            conference.knock(knock, password, now)
        finally:
            self._settle(conference)

    def left_lobby(self, room: RoomJid, jid: str) -> None:
        if (conference := self.conferences.get(room)) is not None:
            conference.left_lobby(jid)
            self._settle(conference)

    def deny(self, room: RoomJid, jid: str, nick: str) -> None:
        """`jid` is who wants it; raises `PeerError`."""
        conference = self._serving(room)
        conference.deny(jid, nick)
        self._settle(conference)

    def is_occupant(self, room: RoomJid, nick: str) -> bool:
        conference = self.conferences.get(room)
        return conference is not None and nick in conference.occupants

    # -- what the operator wants -------------------------------------------------------
    def end_room(self, room: RoomJid) -> None:
        """End it for everybody; raises `NotFound`."""
        conference = self._serving(room)
        conference.end_for_all()
        self._settle(conference)

    def lock_room(self, room: RoomJid, locked: bool, now: float) -> None:
        """Let in nobody new, or everybody; raises `NotFound`."""
        conference = self._serving(room)
        conference.lock(locked, now)
        self._settle(conference)

    def _serving(self, room: RoomJid) -> Conference:
        conference = self.conferences.get(room)
        if conference is None or conference.state is not State.READY:
            raise NotFound("conference")
        return conference

    def offer_refused(
        self, room: RoomJid, endpoint: EndpointId, sid: str, now: float
    ) -> None:
        if (conference := self.conferences.get(room)) is not None:
            conference.offer_refused(endpoint, sid, now)
            self._settle(conference)

    # -- bridges -----------------------------------------------------------------------
    def bridge_announced(
        self, bridge: BridgeJid, stats: BridgeStats | None, now: float
    ) -> None:
        self.brewery.announced(bridge, stats, now)
        self._settle_brewery(now)

    def bridge_left(self, bridge: BridgeJid, now: float) -> None:
        self.brewery.left(bridge)
        self._settle_brewery(now)

    def health_answered(self, bridge: BridgeJid, now: float) -> None:
        self.brewery.health_answered(bridge, now)
        self._settle_brewery(now)

    def health_failed(self, bridge: BridgeJid, condition: Condition, now: float) -> None:
        self.brewery.health_failed(bridge, condition, now)
        self._settle_brewery(now)

    def colibri_answered(
        self, room: RoomJid, request: int, answer: ConferenceModified, now: float
    ) -> None:
        if (conference := self.conferences.get(room)) is not None:
            conference.colibri_answered(request, answer, now)
            self._settle(conference)

    def colibri_refused(
        self, room: RoomJid, request: int, refused: ColibriRefused | None, now: float
    ) -> None:
        """`refused` is None if no answer came in time."""
        if (conference := self.conferences.get(room)) is not None:
            conference.colibri_refused(request, refused, now)
            self._settle(conference)

    def _settle_brewery(self, now: float) -> None:
        self._effects.extend(self._held.release())
        for effect in self.brewery.effects():
            if not isinstance(effect, BridgeLost | BridgeUsable):
                self._effects.append(effect)
                continue
            for conference in list(self.conferences.values()):
                if isinstance(effect, BridgeLost):
                    conference.bridge_lost(effect.bridge, now)
                else:
                    conference.bridge_usable(effect.bridge, now)
                self._settle(conference)

    # -- the connection ----------------------------------------------------------------
    def restore(self, records: Iterable[ConferenceRecord]) -> int:
        """Go on where another focus stopped, once connected.  Returns how many were bad."""
        bad = 0
        for record in records:
            try:
                self._openings.restore(record)
            except PeerError:
                bad += 1
        return bad

    def connected(self, now: float) -> None:
        """The stream is there, for the first time or again."""
        for conference in self.conferences.values():
            for bridge in conference.media.bridges:
                self.brewery.expect(bridge, now)
            conference.come_back(now)
            self._settle(conference)

    def brewery_entered(self, now: float, *, created: bool) -> None:
        self.brewery.entered(created=created)
        self._settle_brewery(now)

    def take_changed(self) -> list[tuple[RoomJid, ConferenceRecord | None]]:
        """Records of conferences that changed since the last time; None: it ended."""
        changed, self._changed = self._changed, set()
        records: list[tuple[RoomJid, ConferenceRecord | None]] = []
        for room in changed:
            conference = self.conferences.get(room)
            if conference is None:
                records.append((room, None))
            elif (record := conference.record()) is not None:
                records.append((room, record))
        return records

    def connection_lost(self) -> None:
        """Forget the bridges, and what has not become a session yet."""
        self._held.forget()
        self.brewery.all_left()
        self.presences = Presences()
        for conference in list(self.conferences.values()):
            conference.connection_lost()
            self._settle(conference)

    def stop(self) -> None:
        """Leave all rooms and free all bridges: this process ends."""
        for conference in list(self.conferences.values()):
            conference.stop()
            self._settle(conference)

    # -- the machine -------------------------------------------------------------------
    def _settle(self, conference: Conference) -> None:
        if self.recording:
            self._changed.add(conference.room)
        for effect in conference.effects():
            if isinstance(effect, SendColibri) and self._held.hold(effect):
                continue
            self._effects.append(effect)
            if isinstance(effect, StoreRoom):
                self.memory.put(effect.room, effect.record)
            elif isinstance(effect, ConferenceEnded):
                self._openings.ended(effect.room)
                for occupant in conference.occupants.values():
                    self.presences.remove(occupant.real_jid or "", effect.room)
                self._families.ended(effect.room)
        self._effects.extend(self._families.effects())
        self._deadlines.changed(conference)

    def next_timeout(self) -> float | None:
        first = self._deadlines.next_timeout()
        brewery = self.brewery.next_timeout()
        dues = (first, brewery, self._families.next_timeout())
        return min((due for due in dues if due is not None), default=None)

    def timeout(self, now: float) -> None:
        self.brewery.timeout(now)
        self._settle_brewery(now)
        self._families.timeout(now)
        self._effects.extend(self._families.effects())
        for conference in self._deadlines.due(now):
            conference.timeout(now)
            self._settle(conference)

    def effects(self) -> Iterator[Effect]:
        while self._effects:
            yield self._effects.popleft()
