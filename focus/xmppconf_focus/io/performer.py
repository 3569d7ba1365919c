"""Carries out the machine's effects on the XMPP stream.

Everything is sent through the event loop's queue, so that it leaves in the order of the
effects; nothing that waits for an answer holds anything else up.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, assert_never
from xml.etree.ElementTree import Element

from xmppconf.colibri2 import ColibriRefused
from xmppconf.driver import Driver
from xmppconf.errors import LimitExceeded, PeerError
from xmppconf.jid import split
from xmppconf.log import ConferenceLog, Personal
from xmppconf.names import Names
from xmppconf.xmpp import mute
from xmppconf.xmpp.colibri2 import modified_from_xml, modify_to_xml, refused_from_error
from xmppconf.xmpp.disco import info_from_xml, info_query, verification_string
from xmppconf.xmpp.healthcheck import healthcheck_to_xml
from xmppconf.xmpp.jingle import (
    offer_to_xml,
    sources_changed_to_xml,
    terminate_to_xml,
    transport_to_xml,
)
from xmppconf.xmpp.json_message import json_message_to_xml
from xmppconf.xmpp.muc import (
    affiliation_to_xml,
    configuration_from_xml,
    configuration_query,
    configuration_to_xml,
    destroy_to_xml,
    presence_to_xml,
    role_to_xml,
    subject_to_xml,
)
from xmppconf.xmpp.stanza import StanzaError
from xmppconf.xmpp.stream import GuardedStream, Kind
from xmppconf_focus import effects as do
from xmppconf_focus.brewery import ANSWER_TIMEOUT
from xmppconf_focus.effects import Effect, RoomJid
from xmppconf_focus.features import ASSUMED
from xmppconf_focus.focus import Focus
from xmppconf_focus.io.counters import Counters
from xmppconf_focus.io.presence import shown_presence
from xmppconf_focus.io.rooms import lobby_presence
from xmppconf_focus.occupant import FOCUS_NICK

#: Clients that do not answer must not use up the questions that bridges are asked.
MAX_ASKED_FEATURES = 2000
#: Id of our leaving; an error that has it means that we were not there.
GOOD_BYE = "good-bye"

log = logging.getLogger(__name__)

#: Every room's configuration (XEP-0045, 10.2).  In a moderated one ejabberd lets people in
#: by the role that they had once, also those who were banned since.
_ALWAYS = {"muc#roomconfig_whois": "anyone", "muc#roomconfig_moderatedroom": "0"}


class Performer:
    """`answer` gets the answers of conference requests.

    With `has_module` the rooms' server has our module, which shows what we tell of rooms.
    `leaving` gets the rooms that are about to be left, `store` is called when what is kept
    of rooms has changed, and `acted` after each effect; `driver` drives the machine: pump
    it after every input.
    """

    def __init__(
        self,
        machine: Focus,
        stream: GuardedStream,
        names: Names,
        counters: Counters,
        answer: Callable[[do.AnswerRequest], None],
        leaving: Callable[[RoomJid], None],
        store: Callable[[], None],
        acted: Callable[[], None],
        *,
        has_module: bool,
    ) -> None:
        self.driver: Driver[Effect] = Driver(machine, self._perform)
        self._machine = machine
        self._stream = stream
        self._jid = names.focus_full_jid
        self._names = names
        self._store = store
        self._counters = counters
        self._answer = answer
        self._leaving = leaving
        self._acted = acted
        self._has_module = has_module
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asking = 0

    async def close(self) -> None:
        """Send what is queued, then drop what still waits for an answer."""
        self.driver.close()
        await asyncio.sleep(0)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def tell(self, to: str, payload: Element) -> None:
        """Send a request whose answer changes nothing."""
        self._loop.call_soon(
            partial(self._stream.tell, to, "set", payload, sender=self._jid)
        )

    def _perform(self, effect: Effect) -> None:
        match effect:
            case do.JoinRoom(room, password):
                self._write(self._good_bye(room))
                self._enter(room, password)
            case do.ReturnToRoom(room, password):
                self._enter(room, password)
            case do.EvictNamesake(room):
                self._spawn(self._evict(room))
            case do.LeaveRoom(room):
                self.leave(room)
            case do.ShowPresence():
                self._write(shown_presence(effect, self._jid))
            case do.AnswerRequest():
                self._answer(effect)
            case do.ConferenceEnded():
                ConferenceLog(log, effect.meeting_id).info("ended: %s", effect.reason)
            case do.ConfigureRoom(room, fields):
                self._spawn(self._configure(room, dict(fields)))
            case do.SubmitForm(room, fields):
                self.tell(room, configuration_to_xml(dict(fields)))
            case do.ReadForm(room):
                self._spawn(self._read_form(room))
            case do.SetAffiliation(room, jid, affiliation):
                self.tell(room, affiliation_to_xml(jid, affiliation))
            case do.KickOccupant(room, nick, reason):
                self.tell(room, role_to_xml(nick, "none", reason))
            case do.CountReport(kind):
                self._counters.reported(kind)
            case do.SetSubject(room, subject):
                self._write(subject_to_xml(room, subject, sender=self._jid))
            case do.DestroyRoom(room, reason):
                self.tell(room, destroy_to_xml(reason))
            case do.SendJson(to, value):
                for jid in to:
                    self._write(json_message_to_xml(jid, value, sender=self._names.focus))
            case do.LobbyPresence():
                self._write(lobby_presence(effect, self._names.lobbies))
            case do.StoreRoom():
                self._store()
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
                    self._jid,
                    effect.sources,
                    as_json=effect.json_sources,
                )
                self.tell(f"{effect.room}/{effect.endpoint}", changed)
            case do.SendTransport():
                self._counters.sent("transport-info")
                info = transport_to_xml(effect.sid, self._jid, effect.transport)
                self.tell(f"{effect.room}/{effect.endpoint}", info)
            case do.SendTerminate():
                self._counters.sent("session-terminate")
                end = terminate_to_xml(effect.sid, self._jid, effect.reason, effect.text)
                self.tell(f"{effect.room}/{effect.endpoint}", end)
            case do.SendMute():
                target = f"{effect.room}/{effect.endpoint}"
                order = mute.MuteRequest(effect.media, split(target), True)
                actor = f"{effect.room}/{effect.actor}" if effect.actor else None
                self.tell(target, mute.mute_to_xml(order, actor))
            case do.CheckHealth():
                self._spawn(self._check_health(effect))
            case _:
                assert_never(effect)
        self._acted()

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

    def _enter(self, room: RoomJid, password: str) -> None:
        address = f"{room}/{FOCUS_NICK}"
        self._write(
            presence_to_xml(address, join=True, password=password, sender=self._jid)
        )

    def leave(self, room: RoomJid) -> None:
        self._leaving(room)
        self._write(self._good_bye(room))

    def _good_bye(self, room: RoomJid, nick: str = FOCUS_NICK) -> Element:
        address = f"{room}/{nick}"
        return presence_to_xml(address, available=False, sender=self._jid, id=GOOD_BYE)

    async def _ask(self, to: str, payload: Element, kind: Kind = "set") -> Element | None:
        return await self._stream.ask(to, kind, payload, sender=self._jid)

    async def _configure(self, room: RoomJid, fields: dict[str, str]) -> None:
        if self._has_module:
            fields |= self._machine.info(room)
        visible = configuration_to_xml({**_ALWAYS, **fields})
        # Both are on their way at once: everybody who joins waits for this.
        form, done = await asyncio.gather(
            self._ask(room, configuration_query(), "get"),
            self._ask(room, visible),
            return_exceptions=True,
        )
        if isinstance(done, PeerError):
            self._machine.room_failed(room, done.condition)
        else:
            self._machine.room_configured(room, _form(form), self.driver.now())
        self.driver.pump()

    async def _read_form(self, room: RoomJid) -> None:
        try:
            form = _form(await self._ask(room, configuration_query(), "get"))
        except PeerError:
            form = {}
        self._machine.form_read(room, form, self.driver.now())
        self.driver.pump()

    async def _evict(self, room: RoomJid) -> None:
        # Only moderators in the room may do this, so we come in under another name.
        nick = f"{FOCUS_NICK}-{secrets.token_hex(4)}"
        self._stream.write(presence_to_xml(f"{room}/{nick}", join=True, sender=self._jid))
        try:
            await self._ask(room, role_to_xml(FOCUS_NICK, "none"))
        except PeerError as error:
            log.warning("the focus's nickname stays taken: %s", error.condition)
        self._stream.write(self._good_bye(room, nick))
        self._machine.namesake_evicted(room)
        self.driver.pump()

    async def _ask_features(self, effect: do.AskFeatures) -> None:
        features, verified = ASSUMED, None
        try:
            if self._asking >= MAX_ASKED_FEATURES:
                raise LimitExceeded("clients asked for their features", MAX_ASKED_FEATURES)
            self._asking += 1
            try:
                answer = await self._ask(
                    f"{effect.room}/{effect.endpoint}", info_query(), "get"
                )
            finally:
                self._asking -= 1
            info = info_from_xml(answer)
            features = info.features
            if effect.hash and effect.ver == verification_string(info, effect.hash):
                verified = effect.ver
        except PeerError as error:
            log.debug("features are not known: %s", error.condition)
        self._machine.features_known(
            effect.room, effect.endpoint, features, self.driver.now(), verified=verified
        )
        self.driver.pump()

    async def _offer(self, effect: do.SendOffer) -> None:
        to = f"{effect.room}/{effect.endpoint}"
        try:
            await self._ask(to, offer_to_xml(effect.offer))
        except PeerError as error:
            if error.condition == "remote-server-timeout":
                return  # a slow client still answers with session-accept
            who = Personal(effect.endpoint)
            log.info("endpoint %s refuses its offer: %s", who, error.condition)
            self._machine.offer_refused(
                effect.room, effect.endpoint, effect.offer.sid, self.driver.now()
            )
            self.driver.pump()

    async def _colibri(self, effect: do.SendColibri) -> None:
        try:
            answer = await self._ask(effect.bridge, modify_to_xml(effect.modify))
            modified = modified_from_xml(answer)
        except StanzaError as error:
            silent = error.condition == "remote-server-timeout"
            refused = None if silent else refused_from_error(error)
        except LimitExceeded:
            refused = (
                None  # thousands of questions are open: the bridge is as good as silent
            )
        except PeerError as error:
            log.warning("a bridge's answer cannot be read: %s", error)
            refused = ColibriRefused("bad-request", None)
        else:
            self._machine.colibri_answered(
                effect.room, effect.request, modified, self.driver.now()
            )
            self.driver.pump()
            return
        self._counters.bridge_refused()
        why = "no answer" if refused is None else f"{refused.condition} {refused.reason}"
        meeting = ConferenceLog(log, effect.modify.meeting_id)
        meeting.warning("a bridge failed a request: %s", why)
        self._machine.colibri_refused(
            effect.room, effect.request, refused, self.driver.now()
        )
        self.driver.pump()

    async def _check_health(self, effect: do.CheckHealth) -> None:
        try:
            await self._stream.ask(
                effect.bridge,
                "get",
                healthcheck_to_xml(),
                sender=self._jid,
                timeout=ANSWER_TIMEOUT,
            )
        except PeerError as error:
            self._machine.health_failed(effect.bridge, error.condition, self.driver.now())
        else:
            self._machine.health_answered(effect.bridge, self.driver.now())
        self.driver.pump()


def _form(answer: Element | BaseException | None) -> dict[str, str]:
    if answer is None or isinstance(answer, BaseException):
        return {}
    try:
        return configuration_from_xml(answer)
    except PeerError:
        return {}
