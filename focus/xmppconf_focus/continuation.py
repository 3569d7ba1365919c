"""How a conference goes on after its focus was away: this one, or another before it.

Media go on meanwhile.  Of the people only who had a session is waited for.
"""

from __future__ import annotations

from collections.abc import Mapping

from xmppconf.ids import EndpointId
from xmppconf_focus.awaited import Awaited, Session
from xmppconf_focus.effects import RoomJid
from xmppconf_focus.media_sessions import MediaSessions
from xmppconf_focus.membership import Membership
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.record import ConferenceRecord
from xmppconf_focus.room_access import RoomAccess
from xmppconf_focus.room_features import RoomFeatures


class Continuation:
    """`occupants` is the conference's own table, read and never written here."""

    def __init__(
        self,
        room: RoomJid,
        occupants: Mapping[str, Occupant],
        media: MediaSessions,
        access: RoomAccess,
        features: RoomFeatures,
        membership: Membership,
        awaited: Awaited,
    ) -> None:
        self._awaited = awaited
        self._room = room
        self._occupants = occupants
        self._media = media
        self._access = access
        self._features = features
        self._membership = membership

    def record(self) -> ConferenceRecord | None:
        """What a focus after us needs to go on; None: nothing goes on yet."""
        if not self._media.meeting_id:
            return None
        return ConferenceRecord(
            room=self._room,
            media=self._media.record(self._awaited.addresses() | self._addresses()),
            access=self._access.record(),
            moderation=self._features.moderation.record(),
            members={
                jid: sealed
                for occupant in self._occupants.values()
                if (jid := occupant.bare_jid) is not None
                and (sealed := self._membership.sealed(jid, self._room)) is not None
            },
        )

    def _addresses(self) -> dict[EndpointId, str]:
        """Real addresses of those who are there."""
        return {EndpointId(o.nick): o.real_jid or "" for o in self._occupants.values()}

    def restore(self, record: ConferenceRecord) -> None:
        """Take over what another focus had; raises `PeerError`."""
        self._media.restore(record.media)
        self._access.restore(record.access)
        self._features.moderation.restore(record.moderation)
        for jid, sealed in record.members.items():
            self._membership.restore(jid, sealed)
        self._awaited.expect(
            {p.id: Session(p.real_jid, p.sid) for p in record.media.participants}
        )

    def suspend(self) -> bool:
        """We are away from now on: whether anything goes on without us."""
        addresses = self._addresses()
        kept = self._media.suspend()
        if not kept:
            return False
        self._awaited.expect(
            {
                endpoint: Session(addresses.get(endpoint, ""), sid)
                for endpoint, sid in kept.items()
            }
        )
        return True
