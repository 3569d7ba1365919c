"""Who is in the room of a conference: who may stay, and whom the focus serves with media.

Occupants are seen before the room is ready, also before we are in it ourselves; what that
means for access and features is found out once it is.
"""

from __future__ import annotations

from collections.abc import Callable

from xmppconf.config import FocusSettings
from xmppconf.errors import PeerError
from xmppconf.ids import BRIDGE_OWNER, EndpointId, parse_endpoint_id
from xmppconf_focus.awaited import Awaited
from xmppconf_focus.effects import AskFeatures, Effect, KickOccupant, RoomJid
from xmppconf_focus.features import FeatureCache
from xmppconf_focus.media_sessions import MediaSessions
from xmppconf_focus.muting import Muting
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.room_access import RoomAccess
from xmppconf_focus.room_features import RoomFeatures
from xmppconf_focus.sender_limits import SenderLimits, Sent


class Attendance:
    """`occupants` is the conference's table, written here only; `tell` takes effects."""

    def __init__(
        self,
        room: RoomJid,
        settings: FocusSettings,
        cache: FeatureCache,
        occupants: dict[str, Occupant],
        media: MediaSessions,
        limits: SenderLimits,
        access: RoomAccess,
        features: RoomFeatures,
        muting: Muting,
        awaited: Awaited,
        tell: Callable[[Effect], None],
    ) -> None:
        self._room = room
        self._max = settings.max_participants
        self._cache = cache
        self._occupants = occupants
        self._media = media
        self._limits = limits
        self._access = access
        self._features = features
        self._muting = muting
        self._awaited = awaited
        self._tell = tell
        self._entered = False
        """Whether we are in the room, or were."""
        self._ready = False

    def is_full(self) -> bool:
        limit = self._access.settings.max_participants or self._max
        return len(self._occupants) >= limit

    # -- us ----------------------------------------------------------------------------
    def entered(self) -> None:
        """We are in the room, for the first time."""
        self._entered = True
        for occupant in self._occupants.values():
            self._ask_features(occupant)

    def ready(self, now: float) -> None:
        """The room is ready."""
        self._ready = True
        for occupant in self._occupants.values():
            self._note(occupant, None, now)

    def forget_all(self) -> None:
        """We are away, and see everybody anew."""
        self._ready = False
        self._occupants.clear()
        self._muting.forget()
        self._limits.forget()

    # -- others ------------------------------------------------------------------------
    def seen(self, occupant: Occupant, now: float) -> bool:
        """An occupant joined or changed: whether that makes a difference."""
        before = self._occupants.get(occupant.nick)
        if before == occupant:
            return False  # muting and the like, which happens often
        known = before is not None
        if not known and self._ready:
            refusal = self._access.refuses(occupant, full=self.is_full())
            if refusal is not None:
                # Not known to us, it can come back: nobody has put it out.
                self._tell(KickOccupant(self._room, occupant.nick, refusal.value))
                return False
        if not known and len(self._occupants) >= self._max:
            return False
        self._occupants[occupant.nick] = occupant
        if not known:
            self._serve(occupant, now)
        if self._ready:
            self._note(occupant, before, now)
        return True

    def sends(self, nick: str, sent: frozenset[Sent]) -> bool:
        """What an occupant says that it sends: whether others may send less or more."""
        before = self._limits.reached()
        if nick not in self._occupants or not self._limits.sends(nick, sent):
            return False
        return bool(before or self._limits.reached())

    def _note(self, occupant: Occupant, before: Occupant | None, now: float) -> None:
        participant = self._media.participants.get(EndpointId(occupant.nick))
        if before is None and participant is not None and not occupant.is_moderator:
            settings = self._access.settings
            participant.starts_muted = (
                settings.start_audio_muted,
                settings.start_video_muted,
            )
        self._access.seen(occupant, before)
        self._features.seen(occupant, before, now)

    def _serve(self, occupant: Occupant, now: float) -> None:
        # An occupant may call itself what it likes; not every nickname can be an endpoint.
        try:
            endpoint = parse_endpoint_id(occupant.nick)
        except PeerError:
            return
        if endpoint == BRIDGE_OWNER:
            return
        goes_on = self._awaited.seen(endpoint, occupant)
        if goes_on:
            return
        if goes_on is not None:
            # Another life of that client, or another client.
            self._drop(endpoint, now)
        self._media.add(endpoint, self._cache.get(occupant.ver), occupant.region)
        # What is asked before we are in the room, or while we throw somebody out of it
        # under another name, is answered to nobody.
        if self._entered:
            self._ask_features(occupant)

    def _ask_features(self, occupant: Occupant) -> None:
        endpoint = EndpointId(occupant.nick)
        if self._media.is_unknown(endpoint):
            self._tell(AskFeatures(self._room, endpoint, occupant.ver, occupant.hash))

    # -- going -------------------------------------------------------------------------
    def left(self, nick: str, now: float, *, kicked: bool, banned: bool) -> bool:
        """Whether it was one whom we knew."""
        if nick not in self._occupants:
            return False
        occupant = self.forget(nick)
        self._features.left(nick, now)
        self._access.left(occupant, kicked=kicked, banned=banned)
        return True

    def forget(self, nick: str) -> Occupant:
        """It is none of ours: nothing follows for access and features."""
        occupant = self._occupants.pop(nick)
        self._muting.left(EndpointId(nick))
        self._limits.left(nick)
        self._media.remove(EndpointId(nick))
        return occupant

    def give_up_missing(self, now: float) -> None:
        """Those who have not come back are waited for no more."""
        for endpoint in self._awaited.give_up():
            self._drop(endpoint, now)

    def _drop(self, endpoint: EndpointId, now: float) -> None:
        self._features.left(endpoint, now)
        self._media.remove(endpoint)
