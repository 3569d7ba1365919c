"""The focus on its XMPP stream: stanzas become inputs of the machine, effects stanzas.

Everything is sent through the event loop's queue, so that it leaves in the order of the
effects; nothing that waits for an answer holds anything else up.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Coroutine
from typing import Any, assert_never
from xml.etree.ElementTree import Element

import xmppconf
from xmppconf.colibri2 import ColibriRefused
from xmppconf.config import Names, Settings
from xmppconf.driver import Driver
from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId
from xmppconf.jid import Jid, split
from xmppconf.log import ConferenceLog
from xmppconf.xmpp import mute
from xmppconf.xmpp.colibri2 import modified_from_xml, modify_to_xml, refused_from_error
from xmppconf.xmpp.conference_request import (
    ConferenceAnswer,
    ConferenceRequest,
    answer_to_xml,
    request_from_xml,
)
from xmppconf.xmpp.disco import (
    DiscoInfo,
    Identity,
    info_from_xml,
    info_query,
    serve_disco,
    verification_string,
)
from xmppconf.xmpp.healthcheck import healthcheck_to_xml
from xmppconf.xmpp.jingle import (
    jingle_from_xml,
    offer_to_xml,
    sources_changed_to_xml,
    terminate_to_xml,
)
from xmppconf.xmpp.muc import (
    SELF,
    Caps,
    affiliation_to_xml,
    configuration_from_xml,
    configuration_query,
    configuration_to_xml,
    presence_from_xml,
    presence_to_xml,
)
from xmppconf.xmpp.stanza import StanzaError
from xmppconf.xmpp.stream import GuardedStream, Request, iq_handler
from xmppconf.xmpp.xml import build
from xmppconf_focus import effects as do
from xmppconf_focus.conference import MuteRequest
from xmppconf_focus.effects import Effect, RoomJid, Ticket
from xmppconf_focus.features import ASSUMED
from xmppconf_focus.focus import Focus
from xmppconf_focus.handlers import HANDLERS, Handler, Kind, authorise, origin_of
from xmppconf_focus.io.brewery import BreweryRoom
from xmppconf_focus.io.counters import Counters
from xmppconf_focus.io.presence import occupant_from_presence, shown_presence
from xmppconf_focus.occupant import FOCUS_NICK

DISCO_NODE = "urn:xmppconf:focus"
INFO = DiscoInfo(
    (Identity("component", "generic", "xmppconf focus"),),
    frozenset(
        {
            "http://jabber.org/protocol/disco#info",
            "https://jitsi.org/meet/jicofo/terminate-restart",
            "jabber:iq:version",
            "urn:xmpp:ping",
        }
    ),
)

log = logging.getLogger(__name__)


class FocusOnXmpp:
    """Construct before the stream connects; `stream` must be the focus's component."""

    def __init__(
        self, settings: Settings, focus: Focus, stream: GuardedStream, counters: Counters
    ) -> None:
        self.names = Names.of(settings)
        self.jid = f"{self.names.focus_jid}/focus"
        self.machine = focus
        self._stream = stream
        self._counters = counters
        self._driver: Driver[Effect] = Driver(focus, self._perform)
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._tickets = itertools.count(1)
        self._requests: dict[Ticket, asyncio.Future[bool]] = {}
        self._caps: dict[tuple[RoomJid, str], Caps] = {}
        self._left_behind: set[RoomJid] = set()
        self._brewery = BreweryRoom(
            f"{settings.focus.brewery}@{self.names.internal}",
            self.names.accounts,
            self.jid,
            focus,
            stream,
            lambda to, payload: self._spawn(self._tell(to, payload)),
        )
        stream.add_event_handler("session_start", self._connected)
        stream.add_event_handler("disconnected", self._disconnected)
        stream.listen(presence=self._presence)
        self._register()

    async def close(self) -> None:
        """Leave rooms and bridges, then drop what is still waiting."""
        self._brewery.disconnected()
        self.machine.stop()
        self._driver.pump()
        self._driver.close()
        await asyncio.sleep(0)  # what was queued for sending is sent
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def is_connected(self) -> bool:
        """Whether requests can be served: on the stream and in the brewery."""
        return self._stream.session.is_set() and self._brewery.joined

    # -- connection -------------------------------------------------------------------
    def _connected(self, _: object) -> None:
        # The server does not notice that a component's addresses went: say it.
        for room in self._left_behind:
            self._leave(room)
        self._left_behind.clear()
        self._brewery.connected()

    def _disconnected(self, _: object) -> None:
        self._left_behind.update(self.machine.conferences)
        self._brewery.disconnected()
        self.machine.connection_lost()
        self._driver.pump()

    # -- conference requests ------------------------------------------------------------
    async def serve(self, asked: ConferenceRequest, requester: str) -> ConferenceAnswer:
        """Make a room ready; raises `PeerError`.

        `requester` is a bare address, or empty for a request that came over HTTP.
        """
        if asked.room.domain != self.names.rooms:
            raise PeerError("room is not on our rooms' host")
        ready = False
        if self._stream.session.is_set():
            ticket = Ticket(next(self._tickets))
            self._requests[ticket] = self._loop.create_future()
            try:
                room = RoomJid(asked.room.bare)
                self.machine.request(ticket, room, requester, self._driver.now())
                self._driver.pump()
                ready = await self._requests[ticket]
            finally:
                del self._requests[ticket]
        return ConferenceAnswer(
            asked.room.bare,
            ready,
            self.names.focus_jid,
            properties={"authentication": "false", "sipGatewayEnabled": "false"},
        )

    async def _conference_request(self, request: Request) -> Element:
        asked = request_from_xml(request.payload)
        return answer_to_xml(await self.serve(asked, request.sender.bare))

    # -- other requests -------------------------------------------------------------------
    def _register(self) -> None:
        serve_disco(self._stream, INFO, DISCO_NODE)
        answers = {
            Kind.CONFERENCE_REQUEST: self._conference_request,
            Kind.JINGLE: self._jingle,
            Kind.MUTE_AUDIO: self._mute,
            Kind.MUTE_VIDEO: self._mute,
            Kind.MUTE_DESKTOP: self._mute,
            Kind.VERSION: _version,
        }
        for handler in HANDLERS:
            if handler.kind is not Kind.DISCO_INFO:
                self._add(handler, answers[handler.kind])

    def _add(self, handler: Handler, answer: Any) -> None:
        async def checked(request: Request) -> Element | None:
            self._counters.received(handler.kind)
            try:
                authorise(handler, self._origin(request.sender))
                result: Element | None = await answer(request)
            except PeerError as error:
                self._counters.refused(error.condition)
                raise
            return result

        iq_handler(self._stream, handler.kind.value, (handler.type,), checked)

    def _origin(self, sender: Jid) -> Any:
        return origin_of(sender, self.names, self.machine.is_occupant)

    async def _jingle(self, request: Request) -> None:
        received = jingle_from_xml(request.payload)
        room, endpoint = RoomJid(request.sender.bare), EndpointId(request.sender.resource)
        try:
            self.machine.jingle(room, endpoint, received, self._driver.now())
        finally:
            self._driver.pump()

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
        self._driver.pump()

    # -- presence -----------------------------------------------------------------------
    def _presence(self, element: Element) -> None:
        """Raises `PeerError` if a room's presence cannot be read."""
        address = element.get("from", "")
        room = RoomJid(address.partition("/")[0])
        now = self._driver.now()
        if room == self._brewery.room:
            self._brewery.presence(presence_from_xml(element), element, now)
        elif room in self.machine.conferences:
            self._room_presence(room, element, now)
        self._driver.pump()

    def _room_presence(self, room: RoomJid, element: Element, now: float) -> None:
        presence = presence_from_xml(element)
        if presence.nick == FOCUS_NICK:
            if presence.error is not None:
                self.machine.room_failed(room, presence.error.condition)
            elif SELF not in presence.status and presence.real_jid != self.jid:
                return  # somebody who took our nickname while we were away
            elif presence.available:
                self.machine.joined(room, presence.affiliation, now)
            else:
                self.machine.removed(room)
        elif presence.error is not None or not presence.nick:
            return
        elif presence.available:
            if presence.caps is not None:
                self._caps[room, presence.nick] = presence.caps
            self.machine.occupant_seen(room, occupant_from_presence(presence), now)
        else:
            self._caps.pop((room, presence.nick), None)
            self.machine.occupant_left(room, presence.nick, now)

    # -- effects --------------------------------------------------------------------------
    def _perform(self, effect: Effect) -> None:
        match effect:
            case do.JoinRoom(room):
                join = presence_to_xml(f"{room}/{FOCUS_NICK}", join=True, sender=self.jid)
                self._write(join)
            case do.LeaveRoom(room):
                self._leave(room)
            case do.ShowPresence():
                self._write(shown_presence(effect, self.jid))
            case do.AnswerRequest():
                self._answer_request(effect)
            case do.ConferenceEnded():
                ConferenceLog(log, effect.meeting_id).info("ended: %s", effect.reason)
                for key in [key for key in self._caps if key[0] == effect.room]:
                    del self._caps[key]
            case do.ConfigureRoom(room):
                self._spawn(self._configure(room))
            case do.GrantOwner():
                grant = affiliation_to_xml(effect.jid, "owner")
                self._spawn(self._tell(effect.room, grant))
            case do.AskFeatures():
                self._spawn(self._ask_features(effect))
            case do.SendColibri():
                self._spawn(self._colibri(effect))
            case do.SendOffer():
                self._counters.sent("session-initiate")
                self._spawn(self._offer(effect))
            case do.SendSources():
                self._counters.sent(effect.action.value)
                changed = sources_changed_to_xml(
                    effect.action,
                    effect.sid,
                    self.jid,
                    effect.sources,
                    as_json=effect.json_sources,
                )
                self._spawn(self._tell(f"{effect.room}/{effect.endpoint}", changed))
            case do.SendTerminate():
                self._counters.sent("session-terminate")
                end = terminate_to_xml(effect.sid, self.jid, effect.reason, effect.text)
                self._spawn(self._tell(f"{effect.room}/{effect.endpoint}", end))
            case do.SendMute():
                target = f"{effect.room}/{effect.endpoint}"
                order = mute.MuteRequest(effect.media, split(target), True)
                actor = f"{effect.room}/{effect.actor}"
                self._spawn(self._tell(target, mute.mute_to_xml(order, actor)))
            case do.CheckHealth():
                self._spawn(self._check_health(effect))
            case _:
                assert_never(effect)

    def _write(self, stanza: Element) -> None:
        self._loop.call_soon(self._stream.write, stanza)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("an effect was not carried out", exc_info=task.exception())

    def _leave(self, room: RoomJid) -> None:
        address = f"{room}/{FOCUS_NICK}"
        self._write(presence_to_xml(address, available=False, sender=self.jid))

    def _answer_request(self, answer: do.AnswerRequest) -> None:
        future = self._requests.get(answer.ticket)
        if future is None or future.done():
            return
        if answer.error is not None:
            future.set_exception(StanzaError(answer.error))
        else:
            future.set_result(answer.ready)

    async def _ask(self, to: str, payload: Element, kind: Any = "set") -> Element | None:
        return await self._stream.ask(to, kind, payload, sender=self.jid)

    async def _tell(self, to: str, payload: Element) -> None:
        """Send a request whose answer changes nothing."""
        try:
            await self._ask(to, payload)
        except PeerError as error:
            log.debug("a request was refused: %s", error.condition)

    async def _configure(self, room: RoomJid) -> None:
        visible = configuration_to_xml({"muc#roomconfig_whois": "anyone"})
        # Both are on their way at once: everybody who joins waits for this.
        form, done = await asyncio.gather(
            self._ask(room, configuration_query(), "get"),
            self._ask(room, visible),
            return_exceptions=True,
        )
        if isinstance(done, PeerError):
            self.machine.room_failed(room, done.condition)
        else:
            self.machine.room_configured(room, _meeting_id(form), self._driver.now())
        self._driver.pump()

    async def _ask_features(self, effect: do.AskFeatures) -> None:
        features, verified = ASSUMED, None
        caps = self._caps.get((effect.room, effect.endpoint))
        try:
            answer = await self._ask(
                f"{effect.room}/{effect.endpoint}", info_query(), "get"
            )
            info = info_from_xml(answer)
            features = info.features
            if caps is not None and caps.ver == verification_string(info, caps.hash):
                verified = caps.ver
        except PeerError as error:
            log.debug("features are not known: %s", error.condition)
        self.machine.features_known(
            effect.room, effect.endpoint, features, self._driver.now(), verified=verified
        )
        self._driver.pump()

    async def _offer(self, effect: do.SendOffer) -> None:
        to = f"{effect.room}/{effect.endpoint}"
        try:
            await self._ask(to, offer_to_xml(effect.offer))
        except PeerError as error:
            if error.condition == "remote-server-timeout":
                return  # a slow client still answers with session-accept
            log.info("endpoint %s refuses its offer: %s", effect.endpoint, error.condition)
            self.machine.offer_refused(
                effect.room, effect.endpoint, effect.offer.sid, self._driver.now()
            )
            self._driver.pump()

    async def _colibri(self, effect: do.SendColibri) -> None:
        try:
            answer = await self._ask(effect.bridge, modify_to_xml(effect.modify))
            modified = modified_from_xml(answer)
        except StanzaError as error:
            silent = error.condition == "remote-server-timeout"
            refused = None if silent else refused_from_error(error)
        except PeerError as error:
            log.warning("a bridge's answer cannot be read: %s", error)
            refused = ColibriRefused("bad-request", None)
        else:
            self.machine.colibri_answered(
                effect.room, effect.request, modified, self._driver.now()
            )
            self._driver.pump()
            return
        self._counters.bridge_refused()
        why = "no answer" if refused is None else f"{refused.condition} {refused.reason}"
        meeting = ConferenceLog(log, effect.modify.meeting_id)
        meeting.warning("a bridge failed a request: %s", why)
        self.machine.colibri_refused(
            effect.room, effect.request, refused, self._driver.now()
        )
        self._driver.pump()

    async def _check_health(self, effect: do.CheckHealth) -> None:
        try:
            await self._ask(effect.bridge, healthcheck_to_xml(), "get")
        except PeerError as error:
            self.machine.health_failed(effect.bridge, error.condition, self._driver.now())
        else:
            self.machine.health_answered(effect.bridge, self._driver.now())
        self._driver.pump()


def _meeting_id(form: Element | BaseException | None) -> str | None:
    if form is None or isinstance(form, BaseException):
        return None
    try:
        return configuration_from_xml(form).get("muc#roominfo_meetingId")
    except PeerError:
        return None


async def _version(_: Request) -> Element:
    namespace = "jabber:iq:version"
    return build(
        namespace,
        "query",
        None,
        build(namespace, "name", text="xmppconf focus"),
        build(namespace, "version", text=xmppconf.__version__),
    )
