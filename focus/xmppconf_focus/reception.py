"""Who asks for a room: answered when it is ready, and waiting until then."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from xmppconf.errors import Condition, LimitExceeded
from xmppconf_focus.admission import Entry, Refusal
from xmppconf_focus.effects import AnswerRequest, Effect, Ticket
from xmppconf_focus.invitations import InvitationInvalid
from xmppconf_focus.room_access import Requester, RoomAccess

MAX_WAITING = 1000  # requests that wait for the same room


class Reception:
    def __init__(self, access: RoomAccess, is_full: Callable[[], bool]) -> None:
        self._access = access
        self._is_full = is_full
        self._waiting: list[tuple[Ticket, Requester]] = []

    def wait(self, ticket: Ticket, requester: Requester) -> None:
        """The room is not ready yet; raises `LimitExceeded`."""
        if len(self._waiting) >= MAX_WAITING:
            raise LimitExceeded("requests for one room", MAX_WAITING)
        self._waiting.append((ticket, requester))

    def answer(self, ticket: Ticket, requester: Requester) -> Iterator[Effect]:
        access = self._access
        try:
            entry = access.request(requester, full=self._is_full())
        except InvitationInvalid:
            entry = Entry(Refusal.INVITATION)
        # Who may enter can do so by the time the answer is there.
        yield from access.effects()
        told = entry.knows_password and access.settings.password
        yield AnswerRequest(
            ticket,
            ready=entry.refusal is None,
            refusal=entry.refusal,
            password=access.settings.password if told else None,
        )

    def open(self) -> Iterator[Effect]:
        """The room is ready."""
        waiting, self._waiting = self._waiting, []
        for ticket, requester in waiting:
            yield from self.answer(ticket, requester)

    def close(self, error: Condition | None) -> Iterator[Effect]:
        """There will be no room; without `error` those who wait are told to ask again."""
        for ticket, _ in self._waiting:
            yield AnswerRequest(ticket, ready=False, error=error)
        self._waiting.clear()
