"""Who asks for a conference, or signs out: answered on the stream and by HTTP."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote
from xml.etree.ElementTree import Element

from xmppconf import clock
from xmppconf.config import Settings
from xmppconf.errors import PeerError
from xmppconf.jid import Jid, split
from xmppconf.names import Names, public_url
from xmppconf.xmpp.conference_request import (
    ConferenceAnswer,
    ConferenceRequest,
    answer_to_xml,
    login_room_from_xml,
    login_url_to_xml,
    logout_to_xml,
    request_from_xml,
    session_from_logout,
    session_invalid,
)
from xmppconf.xmpp.json_message import json_message_to_xml
from xmppconf.xmpp.stanza import StanzaError
from xmppconf.xmpp.stream import GuardedStream, Request
from xmppconf_focus.admission import Refusal
from xmppconf_focus.effects import AnswerRequest, RoomJid, Ticket
from xmppconf_focus.focus import Focus
from xmppconf_focus.invitations import InvitationInvalid
from xmppconf_focus.io.members.admission import Members
from xmppconf_focus.io.members.fetch import SourceUnavailable
from xmppconf_focus.io.presence import start_muted_from
from xmppconf_focus.io.rooms import refused_entry
from xmppconf_focus.membership import MIN_MACHINE_UID, Identity, SessionInvalid
from xmppconf_focus.room_access import Requester


class ConferenceRequests:
    """`pump` carries out what the machine wants."""

    def __init__(
        self,
        settings: Settings,
        focus: Focus,
        stream: GuardedStream,
        members: Members,
        pump: Callable[[], None],
    ) -> None:
        self._names = Names.of(settings)
        self._accounts = settings.members.accounts
        self._public_url = public_url(settings)
        self._properties = {
            "authentication": "false" if settings.members.open else "true",
            "sipGatewayEnabled": "false",
        }
        self._focus = focus
        self._stream = stream
        self._members = members
        self._pump = pump
        self._tickets = itertools.count(1)
        self._waiting: dict[Ticket, asyncio.Future[AnswerRequest]] = {}

    async def serve(self, asked: ConferenceRequest, sender: Jid) -> ConferenceAnswer:
        """Make a room ready; raises `PeerError`.

        `sender` is as stamped by servers, or empty for a request that came over HTTP.
        """
        if asked.room.domain != self._names.rooms:
            raise PeerError("room is not on our rooms' host")
        # What lets somebody into a room, such as a token, is for its breakout rooms too.
        main = split(self._focus.main_of(RoomJid(asked.room.bare)))
        try:
            admission = await self._members.admit(replace(asked, room=main), sender)
        except SessionInvalid:
            raise session_invalid() from None
        except SourceUnavailable:
            # Clients give up at an error; this one may be over when they ask again.
            return ConferenceAnswer(asked.room.bare, False, self._names.focus_jid)
        answer: AnswerRequest | None = None
        room = RoomJid(asked.room.bare)
        if self._stream.session.is_set():
            answer = await self._ask(room, asked, sender, admission.identity)
        if answer is not None and answer.refusal is not None:
            raise refused_entry(answer.refusal)
        if answer is not None and answer.ready and sender.local:
            self._tell_newcomer(room, sender)
        properties = self._properties
        if answer is not None and answer.password is not None:
            properties = {**properties, "password": answer.password}
        return ConferenceAnswer(
            asked.room.bare,
            answer is not None and answer.ready,
            self._names.focus_jid,
            admission.session_id,
            admission.shown,
            properties,
        )

    async def _ask(
        self, room: RoomJid, asked: ConferenceRequest, sender: Jid, identity: Identity
    ) -> AnswerRequest:
        ticket = Ticket(next(self._tickets))
        self._waiting[ticket] = asyncio.get_running_loop().create_future()
        try:
            self._focus.request(
                ticket,
                room,
                self._requester(asked, sender, room, identity),
                clock.monotonic(),
                start_muted_from(asked.properties),
                identity,
            )
            self._pump()
            return await self._waiting[ticket]
        finally:
            del self._waiting[ticket]

    def answer(self, answer: AnswerRequest) -> None:
        """What the machine says to one of the requests."""
        future = self._waiting.get(answer.ticket)
        if future is not None:
            # Behind what has to be sent before it, such as the affiliation to enter with.
            asyncio.get_running_loop().call_soon(_resolve, future, answer)

    def _tell_newcomer(self, room: RoomJid, sender: Jid) -> None:
        """Say before the answer what stock clients heed only until they are in the room."""
        if muted := self._focus.starts_muted(room):
            value = {"type": "room_metadata", "metadata": {"startMuted": muted}}
            message = json_message_to_xml(str(sender), value, sender=self._names.focus)
            self._stream.write(message)

    def _requester(
        self, asked: ConferenceRequest, sender: Jid, room: RoomJid, identity: Identity
    ) -> Requester:
        """What the focus may know somebody by.  Raises `StanzaError`."""
        memory, keys = self._focus.memory, set()
        # Shorter ones are no random ids, and could be somebody else's.
        if len(asked.machine_uid or "") >= MIN_MACHINE_UID:
            keys.add(memory.digest(f"uid:{asked.machine_uid}"))
        if identity.user:
            keys.add(memory.digest(f"user:{identity.user}"))
        token = asked.properties.get("invite")
        try:
            invitation = (
                memory.invitations.read(room, token, memory.unix()) if token else None
            )
        except InvitationInvalid:
            raise refused_entry(Refusal.INVITATION) from None
        return Requester(sender.bare if sender.local else "", frozenset(keys), invitation)

    # -- on the stream -----------------------------------------------------------------
    async def conference(self, request: Request) -> Element:
        asked = request_from_xml(request.payload)
        return answer_to_xml(await self.serve(asked, request.sender))

    async def login_url(self, request: Request) -> Element:
        """Where a stock client sends its user: to its password dialog, or to our page."""
        room = login_room_from_xml(request.payload)
        if self._accounts:
            return login_url_to_xml(f"./{quote(room.local)}?login=true")
        return login_url_to_xml(f"{self._public_url}/login?room={quote(room.local)}")

    async def logout(self, request: Request) -> Element:
        try:
            self._members.sign_out(session_from_logout(request.payload))
        except SessionInvalid:
            raise session_invalid() from None
        return logout_to_xml()


def _resolve(future: asyncio.Future[AnswerRequest], answer: AnswerRequest) -> None:
    if future.done():
        return
    if answer.error is not None:
        future.set_exception(StanzaError(answer.error))
    else:
        future.set_result(answer)
