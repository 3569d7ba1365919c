"""The focus on its XMPP stream: stanzas become inputs of the machine."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element

import xmppconf
from xmppconf.config import Names, Settings, public_url
from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId
from xmppconf.jid import Jid, split
from xmppconf.xmpp import mute
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
from xmppconf.xmpp.disco import serve_disco
from xmppconf.xmpp.external_services import services_to_xml, wanted_type
from xmppconf.xmpp.jingle import (
    jingle_from_xml,
)
from xmppconf.xmpp.json_message import json_message_to_xml
from xmppconf.xmpp.muc import (
    BANNED,
    CONFIGURED,
    CREATED,
    SELF,
    presence_from_xml,
    status_codes,
)
from xmppconf.xmpp.stanza import StanzaError
from xmppconf.xmpp.stream import GuardedStream, Request, iq_handler
from xmppconf.xmpp.stream import Kind as StanzaKind
from xmppconf.xmpp.xml import build
from xmppconf_focus import effects as do
from xmppconf_focus.admission import Refusal
from xmppconf_focus.domains import Domains
from xmppconf_focus.effects import RoomJid, Ticket
from xmppconf_focus.focus import Focus
from xmppconf_focus.handlers import HANDLERS, Handler, Kind, authorise, origin_of
from xmppconf_focus.invitations import InvitationInvalid
from xmppconf_focus.io.account import Account
from xmppconf_focus.io.brewery import (
    Announcements,
    BreweryRoom,
    BridgeAnnouncements,
    ServiceAnnouncements,
)
from xmppconf_focus.io.counters import Counters
from xmppconf_focus.io.disco import COMPONENT_NODES, DISCO_NODE, disco_of
from xmppconf_focus.io.members.admission import Members
from xmppconf_focus.io.members.fetch import SourceUnavailable
from xmppconf_focus.io.performer import GOOD_BYE, Performer
from xmppconf_focus.io.presence import (
    occupant_from_presence,
    sent_from_presence,
    start_muted_from,
)
from xmppconf_focus.io.records import RecordStore
from xmppconf_focus.io.rooms import RoomsOnXmpp, refused_entry
from xmppconf_focus.membership import MIN_MACHINE_UID, Identity, SessionInvalid
from xmppconf_focus.muting import MuteRequest
from xmppconf_focus.occupant import FOCUS_NICK
from xmppconf_focus.rate import Pace
from xmppconf_focus.room_access import Requester
from xmppconf_focus.service_pool import ServiceKind
from xmppconf_focus.services import services

#: Seconds from a change to its record; what happens together is recorded once, and what
#: is large not so often that calls wait for it.
SAVE_DELAY, LONGEST_SAVE_DELAY = 0.02, 2.0
SAVE_SHARE = 0.05  # of the time

log = logging.getLogger(__name__)


class FocusOnXmpp:
    """Construct before the stream connects; `stream` is that of `make_stream`.

    `store` is called when what is kept of rooms has changed.
    """

    def __init__(
        self,
        settings: Settings,
        focus: Focus,
        stream: GuardedStream,
        counters: Counters,
        members: Members,
        store: Callable[[], None] = lambda: None,
        records: RecordStore | None = None,
    ) -> None:
        self.names = Names.of(settings)
        self._lobby_module = settings.rooms.lobby_module
        self.members = members
        self._settings = settings
        self._public_url = public_url(settings)
        self._domains = Domains.of(settings.members, self.names)
        self._properties = {
            "authentication": "false" if settings.members.open else "true",
            "sipGatewayEnabled": "false",
        }
        self.jid = self.names.focus_full_jid
        self.machine = focus
        self.stream = stream
        self._account = Account(settings, stream)
        self._counters = counters
        self._leaving: set[RoomJid] = set()
        """Rooms whose good-bye the server has not confirmed yet."""
        self._out = Performer(
            *(focus, stream, self.names, counters),
            self._answer_request,
            self._leaving.add,
            store,
            self._acted,
            has_module=self._lobby_module,
        )
        self._rooms = RoomsOnXmpp(
            self.names,
            focus,
            stream,
            self._check,
            lambda error: counters.refused(error.condition),
            self._out.driver.now,
        )
        self._records = records
        self._saving: asyncio.TimerHandle | None = None
        self._unrecorded = False
        self._save_pace = Pace(SAVE_SHARE, SAVE_DELAY, LONGEST_SAVE_DELAY)
        self._handing_over = False
        if records is not None:
            focus.recording = True
            bad = focus.restore(records.load())
            log.info("conferences found running: %d", len(focus.conferences))
            if bad:
                log.warning("conferences whose record contradicts itself: %d", bad)
        self._tickets = itertools.count(1)
        self._requests: dict[Ticket, asyncio.Future[do.AnswerRequest]] = {}
        self._left_behind: set[RoomJid] = set()
        self._brewery = self._brewery_room(
            settings.focus.brewery, BridgeAnnouncements(focus)
        )
        self._breweries: dict[str, BreweryRoom] = {self._brewery.room: self._brewery}
        for kind, name in (
            (ServiceKind.RECORDER, settings.focus.recorder_brewery),
            (ServiceKind.PHONE, settings.focus.phone_brewery),
        ):
            if name:
                pool = focus.services[kind]
                room = self._brewery_room(name, ServiceAnnouncements(kind, pool))
                self._breweries[room.room] = room
        stream.add_event_handler("session_start", self._connected)
        stream.add_event_handler("disconnected", self._disconnected)
        stream.listen(presence=self._presence, message=self._message)
        self._register()
        members.start(self._identity_changed)

    def _brewery_room(self, name: str, announcements: Announcements) -> BreweryRoom:
        return BreweryRoom(
            f"{name}@{self.names.internal}",
            self.names.accounts,
            self.jid,
            announcements,
            self.stream,
            self._out.tell,
        )

    def hand_over(self) -> None:
        """At the end leave running conferences as they are, for the next focus.

        Does nothing if they are not recorded: then nobody would know of them.
        """
        self._handing_over = self._records is not None

    async def close(self) -> None:
        """Leave rooms and bridges, or hand them over; then drop what is still waiting."""
        await self.members.close()
        if not self._handing_over:
            self._leave_breweries()
            self.machine.stop()
            self._out.driver.pump()
        self._save()
        await self._out.close()

    def pump(self) -> None:
        """Carry out what an input that did not come through here has caused."""
        self._out.driver.pump()

    def is_connected(self) -> bool:
        """Whether requests can be served: on the stream and in the brewery."""
        return self.stream.session.is_set() and self._brewery.joined

    # -- connection -------------------------------------------------------------------
    def _connected(self, _: object) -> None:
        if not self._account.begin():
            return
        # The server does not notice that a component's addresses went: say it.
        for room in self._left_behind:
            self._out.leave(room)
        self._left_behind.clear()
        for brewery in self._breweries.values():
            brewery.connected()
        self.machine.connected(self._out.driver.now())
        self._out.driver.pump()

    def _leave_breweries(self) -> None:
        for brewery in self._breweries.values():
            brewery.disconnected()

    def _disconnected(self, _: object) -> None:
        self._leaving.clear()
        before = set(self.machine.conferences)
        self._leave_breweries()
        self.machine.connection_lost()
        self._left_behind |= before - set(self.machine.conferences)
        self._out.driver.pump()

    def _acted(self) -> None:
        if self._records is not None and self._saving is None:
            loop = asyncio.get_running_loop()
            self._saving = loop.call_later(self._save_pace.pause, self._save)

    def _save(self) -> None:
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        if self._records is not None:
            began = time.perf_counter()
            try:
                self._records.save(self.machine.take_changed())
            except OSError as exc:
                # Calls go on all the same; only a restart of ours would end them.
                if not self._unrecorded:
                    log.warning("running calls cannot be recorded: %s", exc.strerror)
                self._unrecorded = True
            else:
                self._unrecorded = False
            self._save_pace.took(time.perf_counter() - began)

    # -- conference requests ------------------------------------------------------------
    async def serve(self, asked: ConferenceRequest, sender: Jid) -> ConferenceAnswer:
        """Make a room ready; raises `PeerError`.

        `sender` is as stamped by servers, or empty for a request that came over HTTP.
        """
        if asked.room.domain != self.names.rooms:
            raise PeerError("room is not on our rooms' host")
        # What lets somebody into a room, such as a token, is for its breakout rooms too.
        main = split(self.machine.main_of(RoomJid(asked.room.bare)))
        try:
            admission = await self.members.admit(replace(asked, room=main), sender)
        except SessionInvalid:
            raise session_invalid() from None
        except SourceUnavailable:
            # Clients give up at an error; this one may be over when they ask again.
            return ConferenceAnswer(asked.room.bare, False, self.names.focus_jid)
        answer: do.AnswerRequest | None = None
        room = RoomJid(asked.room.bare)
        if self.stream.session.is_set():
            ticket = Ticket(next(self._tickets))
            self._requests[ticket] = asyncio.get_running_loop().create_future()
            try:
                start_muted = start_muted_from(asked.properties)
                now = self._out.driver.now()
                requester = self._requester(asked, sender, room, admission.identity)
                self.machine.request(
                    ticket, room, requester, now, start_muted, admission.identity
                )
                self._out.driver.pump()
                answer = await self._requests[ticket]
            finally:
                del self._requests[ticket]
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
            self.names.focus_jid,
            admission.session_id,
            admission.shown,
            properties,
        )

    def _tell_newcomer(self, room: RoomJid, sender: Jid) -> None:
        """Say before the answer what stock clients heed only until they are in the room."""
        if muted := self.machine.starts_muted(room):
            value = {"type": "room_metadata", "metadata": {"startMuted": muted}}
            message = json_message_to_xml(str(sender), value, sender=self.names.focus)
            self.stream.write(message)

    def _requester(
        self, asked: ConferenceRequest, sender: Jid, room: RoomJid, identity: Identity
    ) -> Requester:
        """What the focus may know somebody by.  Raises `InvitationInvalid`."""
        memory, keys = self.machine.memory, set()
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

    def _identity_changed(self, bare_jid: str) -> None:
        self.machine.identity_changed(bare_jid, self._out.driver.now())
        self._out.driver.pump()

    def _answer_request(self, answer: do.AnswerRequest) -> None:
        future = self._requests.get(answer.ticket)
        if future is not None:
            # Behind what has to be sent before it, such as the affiliation to enter with.
            asyncio.get_running_loop().call_soon(_resolve, future, answer)

    async def _conference_request(self, request: Request) -> Element:
        asked = request_from_xml(request.payload)
        return answer_to_xml(await self.serve(asked, request.sender))

    async def _login_url(self, request: Request) -> Element:
        """Where a stock client sends its user: to its password dialog, or to our page."""
        room = login_room_from_xml(request.payload)
        if self._settings.members.accounts:
            return login_url_to_xml(f"./{quote(room.local)}?login=true")
        return login_url_to_xml(f"{self._public_url}/login?room={quote(room.local)}")

    async def _logout(self, request: Request) -> Element:
        try:
            self.members.sign_out(session_from_logout(request.payload))
        except SessionInvalid:
            raise session_invalid() from None
        return logout_to_xml()

    async def _external_services(self, request: Request) -> Element:
        only = wanted_type(request.payload)
        return services_to_xml(services(self._settings, self.machine.memory.unix()), only)

    # -- other requests -------------------------------------------------------------------
    def _register(self) -> None:
        components = disco_of(self.names, lobby_module=self._lobby_module)
        serve_disco(self.stream, components, DISCO_NODE, COMPONENT_NODES)
        answers = {
            Kind.CONFERENCE_REQUEST: self._conference_request,
            Kind.LOGIN_URL: self._login_url,
            Kind.LOGOUT: self._logout,
            Kind.JINGLE: self._jingle,
            Kind.MUTE_AUDIO: self._mute,
            Kind.MUTE_VIDEO: self._mute,
            Kind.MUTE_DESKTOP: self._mute,
            Kind.VERSION: _version,
            Kind.EXTERNAL_SERVICES: self._external_services,
            Kind.MUTE_ALL: self._rooms.command,
            Kind.ASK_TO_UNMUTE: self._rooms.command,
            Kind.REMOVE: self._rooms.command,
            Kind.INVITE: self._rooms.invite,
            Kind.REPORT: self._rooms.command,
            Kind.LOBBY_ADMIN: self._rooms.lobby_admin,
        }
        for handler in HANDLERS:
            if handler.kind is Kind.SETTINGS:
                get = handler.type == "get"
                self._add(handler, self._rooms.settings if get else self._rooms.command)
            elif handler.kind in answers:
                self._add(handler, answers[handler.kind])

    def _add(self, handler: Handler, answer: Any) -> None:
        async def checked(request: Request) -> Element | None:
            request = replace(request, sender=self._account.asker(request.sender))
            try:
                self._check(handler, request.sender)
                result: Element | None = await answer(request)
            except PeerError as error:
                self._counters.refused(error.condition)
                raise
            finally:
                self._out.driver.pump()
            # What it led to is queued, and shall be on its way before the answer.
            await asyncio.sleep(0)
            return result

        kind: StanzaKind = "get" if handler.type == "get" else "set"
        iq_handler(self.stream, handler.kind.value, (kind,), checked)

    def _check(self, handler: Handler, sender: Jid) -> None:
        self._counters.received(handler.kind)
        machine = self.machine
        origin = origin_of(
            sender,
            self.names,
            self._domains,
            machine.is_occupant,
            machine.presences.__contains__,
        )
        authorise(handler, origin)

    async def _jingle(self, request: Request) -> None:
        received = jingle_from_xml(request.payload)
        room, endpoint = RoomJid(request.sender.bare), EndpointId(request.sender.resource)
        try:
            self.machine.jingle(room, endpoint, received, self._out.driver.now())
        finally:
            self._out.driver.pump()

    async def _mute(self, request: Request) -> None:
        asked = mute.mute_from_xml(request.payload)
        room = RoomJid(request.sender.bare)
        # Somebody in another room is nobody here.
        target = asked.target.resource if asked.target.bare == room else ""
        self.machine.mute(
            room,
            EndpointId(request.sender.resource),
            MuteRequest(EndpointId(target), asked.medium, asked.muted),
        )
        self._out.driver.pump()

    # -- presence -----------------------------------------------------------------------
    def _presence(self, element: Element) -> None:
        """Raises `PeerError` if a room's presence cannot be read."""
        address = element.get("from", "")
        room = RoomJid(address.partition("/")[0])
        now = self._out.driver.now()
        if self._rooms.presence(element) or self._account.presence(element):
            pass
        elif (brewery := self._breweries.get(room)) is not None:
            brewery.presence(presence_from_xml(element), element, now)
        elif room in self.machine.conferences:
            self._room_presence(room, element, now)
        elif element.get("type") is None:
            self._adopt(element, now)
        elif address == f"{room}/{FOCUS_NICK}":
            self._leaving.discard(room)
        self._out.driver.pump()

    def _message(self, element: Element) -> None:
        if element.get("type") == "groupchat":
            self._adopt(element, self._out.driver.now())
            room = element.get("from", "")
            # Without a nickname it is the room that speaks.
            if room in self.machine.conferences and CONFIGURED in status_codes(element):
                self.machine.form_changed(RoomJid(room))
        else:
            self._rooms.message(element)
        self._out.driver.pump()

    def _adopt(self, element: Element, now: float) -> None:
        """Serve a room that still has us in it from the life of a process that was killed.

        The server does not notice such a death, and nobody there can ask for us again.
        """
        sender = split(element.get("from", ""))
        room = RoomJid(sender.bare)
        if sender.domain != self.names.rooms or element.get("to") != self.jid:
            return
        if room not in self._leaving and self._brewery.joined:
            self.machine.adopt(room, now)

    def _room_presence(self, room: RoomJid, element: Element, now: float) -> None:
        presence = presence_from_xml(element)
        if presence.nick == FOCUS_NICK:
            if presence.error is not None and element.get("id") == GOOD_BYE:
                return
            if presence.error is not None:
                self.machine.room_failed(room, presence.error.condition)
            elif presence.destroyed and presence.real_jid is None:
                self.machine.removed(room)  # ejabberd does not say whom it tells
            elif SELF not in presence.status and presence.real_jid != self.jid:
                return  # somebody who took our nickname while we were away
            elif presence.available:
                self.machine.joined(
                    room, presence.affiliation, now, created=CREATED in presence.status
                )
            else:
                self.machine.removed(room)
        elif presence.error is not None or not presence.nick:
            return
        elif presence.real_jid == self.jid:
            return  # the name under which we threw out a namesake
        elif presence.available:
            occupant = occupant_from_presence(presence)
            self.machine.occupant_seen(room, occupant, now, sent_from_presence(presence))
        else:
            self.machine.occupant_left(
                room,
                presence.nick,
                now,
                kicked=presence.was_kicked,
                banned=BANNED in presence.status,
            )


def _resolve(future: asyncio.Future[do.AnswerRequest], answer: do.AnswerRequest) -> None:
    if future.done():
        return
    if answer.error is not None:
        future.set_exception(StanzaError(answer.error))
    else:
        future.set_result(answer)


async def _version(_: Request) -> Element:
    namespace = "jabber:iq:version"
    return build(
        namespace,
        "query",
        None,
        build(namespace, "name", text="xmppconf focus"),
        build(namespace, "version", text=xmppconf.__version__),
    )
