"""Who is told of whose sources, and when.

In large conferences changes wait a moment (`signalling`), and with a client that is only
being invited they wait for its answer.  Whoever gets slots from its bridge is told nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from xmppconf.ids import EndpointId
from xmppconf_focus.effects import RoomJid, SendSources
from xmppconf_focus.features import Feature
from xmppconf_focus.participant import Participant, Stage
from xmppconf_focus.signalling import signalling_delay
from xmppconf_focus.source_map import SourceMap
from xmppconf_focus.source_views import strip_simulcast


class SourceChanges:
    """The tables are the conference's own, read and never written here.

    `rewrites` says whose bridge gives it slots; `tell` takes what clients are told.
    """

    def __init__(
        self,
        room: RoomJid,
        participants: Mapping[EndpointId, Participant],
        sources: SourceMap,
        rewrites: Callable[[Participant], bool],
        tell: Callable[[SendSources], None],
    ) -> None:
        self._room = room
        self._participants = participants
        self._sources = sources
        self._rewrites = rewrites
        self._tell = tell

    def announce(self, owner: EndpointId, now: float) -> None:
        """This one's sources are others now."""
        sources = strip_simulcast(self._sources.of(owner))
        due = now + signalling_delay(len(self._participants))
        for other in self._participants.values():
            if (
                other.id != owner
                and other.stage is Stage.IN_SESSION
                and not self._rewrites(other)
            ):
                other.signalling.changed(owner, sources, due)

    def owner_left(self, owner: EndpointId) -> None:
        """It left the room: clients drop its sources without being told."""
        for other in self._participants.values():
            other.signalling.owner_left(owner)

    def flush(self, now: float) -> None:
        """Tell what is due."""
        for participant in self._participants.values():
            due, session = participant.signalling.due, participant.session
            if due is None or due > now or session is None or not participant.is_active():
                continue
            json_sources = Feature.JSON_SOURCES in participant.features
            for action, sources in participant.signalling.take():
                self._tell(
                    SendSources(
                        self._room,
                        participant.id,
                        session.sid,
                        action,
                        sources,
                        json_sources,
                    )
                )

    def next_timeout(self) -> float | None:
        dues = (
            participant.signalling.due
            for participant in self._participants.values()
            if participant.is_active()
        )
        return min((due for due in dues if due is not None), default=None)
