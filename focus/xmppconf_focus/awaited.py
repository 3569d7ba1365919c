"""Whose sessions go on although we have not seen them yet, after we were away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xmppconf.ids import EndpointId
from xmppconf_focus.occupant import Occupant

RETURN_TIME = 30.0  # seconds people are given to come back to a room the server had lost


@dataclass(frozen=True, slots=True)
class Session:
    """What tells that an occupant is the one who had this session."""

    real_jid: str
    sid: str

    def is_of(self, occupant: Occupant) -> bool:
        """It never left, or says itself which session it still has.

        The nickname alone proves nothing: it is free for whoever comes first.  A false
        claim harms who makes it, for the session is not offered to it again; whose
        session it was cannot be heard under it, since the bridge knows its keys.
        """
        return self.real_jid == occupant.real_jid or self.sid == occupant.session


class Awaited:
    def __init__(self) -> None:
        self._sessions: dict[EndpointId, Session] = {}
        self.deadline: float | None = None
        """When those who are still missing are given up; None: they are not waited for."""

    def expect(self, sessions: Mapping[EndpointId, Session]) -> None:
        """Wait for these, and for nobody else."""
        self._sessions = dict(sessions)
        self.deadline = None

    def is_over(self, now: float) -> bool:
        """Whether those who are missing have had their time."""
        return self.deadline is not None and now >= self.deadline

    def seen(self, endpoint: EndpointId, occupant: Occupant) -> bool | None:
        """Whether the session goes on; None: nobody waited for it."""
        session = self._sessions.pop(endpoint, None)
        return None if session is None else session.is_of(occupant)

    def addresses(self) -> dict[EndpointId, str]:
        """Real addresses of those who are missing."""
        return {id: session.real_jid for id, session in self._sessions.items()}

    def give_up(self) -> Iterable[EndpointId]:
        """Those who have not come."""
        missing, self._sessions = list(self._sessions), {}
        self.deadline = None
        return missing
