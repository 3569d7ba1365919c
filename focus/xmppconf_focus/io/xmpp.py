"""The focus on its XMPP stream: stanzas become inputs of the machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree.ElementTree import Element

import xmppconf
from xmppconf.config import Settings
from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId
from xmppconf.jid import Jid, split
from xmppconf.names import Names
from xmppconf.xmpp import mute
from xmppconf.xmpp.conference_request import ConferenceAnswer, ConferenceRequest
from xmppconf.xmpp.disco import serve_disco
from xmppconf.xmpp.external_services import services_to_xml, wanted_type
from xmppconf.xmpp.jingle import jingle_from_xml
from xmppconf.xmpp.muc import (
    BANNED,
    CONFIGURED,
    CREATED,
    SELF,
    presence_from_xml,
    status_codes,
)
from xmppconf.xmpp.stream import GuardedStream, Request, iq_handler
from xmppconf.xmpp.stream import Kind as StanzaKind
from xmppconf.xmpp.xml import build
from xmppconf_focus.domains import Domains
from xmppconf_focus.effects import RoomJid
from xmppconf_focus.focus import Focus
from xmppconf_focus.handlers import HANDLERS, Handler, Kind, authorise, origin_of
from xmppconf_focus.io.account import Account
from xmppconf_focus.io.brewery import (
    Announcements,
    BreweryRoom,
    BridgeAnnouncements,
    ServiceAnnouncements,
)
from xmppconf_focus.io.conference_requests import ConferenceRequests
from xmppconf_focus.io.counters import Counters
from xmppconf_focus.io.disco import COMPONENT_NODES, DISCO_NODE, disco_of
from xmppconf_focus.io.members.admission import Members
from xmppconf_focus.io.performer import GOOD_BYE, Performer
from xmppconf_focus.io.presence import occupant_from_presence, sent_from_presence
from xmppconf_focus.io.record_keeping import RecordKeeping
from xmppconf_focus.io.records import RecordStore
from xmppconf_focus.io.rooms import RoomsOnXmpp
from xmppconf_focus.muting import MuteRequest
from xmppconf_focus.occupant import FOCUS_NICK
from xmppconf_focus.service_pool import ServiceKind
from xmppconf_focus.services import services


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
        self._domains = Domains.of(settings.members, self.names)
        self.jid = self.names.focus_full_jid
        self.machine = focus
        self.stream = stream
        self._account = Account(settings, stream)
        self._counters = counters
        self._leaving: set[RoomJid] = set()
        """Rooms whose good-bye the server has not confirmed yet."""
        self._requests = ConferenceRequests(settings, focus, stream, members, self.pump)
        self._records = RecordKeeping(focus, records)
        self._out = Performer(
            *(focus, stream, self.names, counters),
            self._requests.answer,
            self._leaving.add,
            store,
            self._records.changed,
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
        self._handing_over = False
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
        self._handing_over = self._records.active

    async def close(self) -> None:
        """Leave rooms and bridges, or hand them over; then drop what is still waiting."""
        await self.members.close()
        if not self._handing_over:
            self._leave_breweries()
            self.machine.stop()
            self._out.driver.pump()
        self._records.save()
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

    def _identity_changed(self, bare_jid: str) -> None:
        self.machine.identity_changed(bare_jid, self._out.driver.now())
        self._out.driver.pump()

    # -- requests ----------------------------------------------------------------------
    async def serve(self, asked: ConferenceRequest, sender: Jid) -> ConferenceAnswer:
        """Make a room ready, also when that is asked by HTTP; raises `PeerError`."""
        return await self._requests.serve(asked, sender)

    def _register(self) -> None:
        components = disco_of(self.names, lobby_module=self._lobby_module)
        serve_disco(self.stream, components, DISCO_NODE, COMPONENT_NODES)
        answers = {
            Kind.CONFERENCE_REQUEST: self._requests.conference,
            Kind.LOGIN_URL: self._requests.login_url,
            Kind.LOGOUT: self._requests.logout,
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

    async def _external_services(self, request: Request) -> Element:
        only = wanted_type(request.payload)
        return services_to_xml(services(self._settings, self.machine.memory.unix()), only)

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


async def _version(_: Request) -> Element:
    namespace = "jabber:iq:version"
    return build(
        namespace,
        "query",
        None,
        build(namespace, "name", text="xmppconf focus"),
        build(namespace, "version", text=xmppconf.__version__),
    )
