"""Rooms' features and lobbies on the stream: requests, messages and presence of people.

Components and lobbies are addresses of the focus itself; who asks is known by the address
that servers stamped.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmppconf.errors import Condition, NotAllowed, NotFound, PeerError
from xmppconf.jid import Jid, split
from xmppconf.names import Names
from xmppconf.xmpp.muc import MUC, MUC_ADMIN, MUC_USER, NICK
from xmppconf.xmpp.stanza import StanzaError, error_element
from xmppconf.xmpp.stream import GuardedStream, Request
from xmppconf.xmpp.xml import (
    JITMEET,
    STREAM,
    build,
    child,
    content,
    flag,
    local_name,
    namespace_of,
    required,
    tag,
)
from xmppconf_focus.admission import Refusal
from xmppconf_focus.commands import ChangeSettings
from xmppconf_focus.effects import LobbyPresence, RoomJid
from xmppconf_focus.focus import Focus
from xmppconf_focus.handlers import HANDLERS, Handler, Kind
from xmppconf_focus.invitations import MAX_SINGLE_USE, Invitation
from xmppconf_focus.io.commands import ROOM, command_from, lifetime_of, room_named
from xmppconf_focus.lobby import MAX_EMAIL, MAX_NAME, Knock
from xmppconf_focus.occupant import FOCUS_NICK
from xmppconf_focus.room_settings import Access

_MESSAGES = {
    handler.kind.value: handler for handler in HANDLERS if handler.type == "message"
}
(_KNOCK,) = [handler for handler in HANDLERS if handler.type == "presence"]

#: How a refused request looks: the stanza error, and what says which it is.
_REFUSALS: dict[Refusal, tuple[Condition, str, str]] = {
    Refusal.WAIT: ("not-authorized", JITMEET, "waiting-for-host"),
    Refusal.FULL: ("service-unavailable", ROOM, "full"),
    Refusal.REMOVED: ("forbidden", ROOM, "removed"),
    Refusal.INVITATION: ("not-acceptable", ROOM, "invitation"),
    Refusal.OVERLOADED: ("resource-constraint", ROOM, "overloaded"),
}

Check = Callable[[Handler, Jid], None]


class RoomsOnXmpp:
    """`check` counts a request and raises `NotAllowed` if its sender may not make it."""

    def __init__(
        self,
        names: Names,
        focus: Focus,
        stream: GuardedStream,
        check: Check,
        refused: Callable[[PeerError], None],
        now: Callable[[], float],
    ) -> None:
        self._names = names
        self._own = names.focus_full_jid
        self._focus = focus
        self._stream = stream
        self._check = check
        self._refused = refused
        self._now = now

    # -- messages ----------------------------------------------------------------------
    def message(self, element: Element) -> None:
        """A message to the components; what is refused is answered with an error."""
        if element.get("to") != self._names.focus or element.get("type") == "error":
            return
        sender = split(element.get("from", ""))
        found = next((one for one in map(_handler, element) if one is not None), None)
        if found is None:
            return
        handler, payload = found
        try:
            self._check(handler, sender)
            here = self._focus.presences.find(str(sender), room_named(payload))
            if here is None:
                raise NotAllowed("not in that room")
            room, nick = here
            command = command_from(handler.kind, payload, room)
            self._focus.take(room, nick, command, self._now())
        except PeerError as error:
            self._refused(error)
            self._refuse(element, "message", error)

    # -- requests ----------------------------------------------------------------------
    async def command(self, request: Request) -> None:
        room, nick = RoomJid(request.sender.bare), request.sender.resource
        command = command_from(Kind(str(request.payload.tag)), request.payload, room)
        wants_lobby = isinstance(command, ChangeSettings) and command.access is Access.LOBBY
        if wants_lobby and not self._names.lobbies:
            raise StanzaError("feature-not-implemented")
        self._focus.take(room, nick, command, self._now())

    async def settings(self, request: Request) -> Element:
        room, nick = RoomJid(request.sender.bare), request.sender.resource
        settings = self._focus.settings_for(room, nick)
        attributes = {
            "access": settings.access.value,
            "password": settings.password or None,
            "wait-for-host": str(settings.wait_for_host).lower(),
            "max-participants": settings.max_participants,
            "start-audio-muted": str(settings.start_audio_muted).lower(),
            "start-video-muted": str(settings.start_video_muted).lower(),
        }
        return build(ROOM, "settings", attributes)

    async def invite(self, request: Request) -> Element:
        lifetime = lifetime_of(request.payload)
        single_use = flag(request.payload, "single-use")
        if single_use:
            lifetime = min(lifetime or MAX_SINGLE_USE, MAX_SINGLE_USE)
        role = request.payload.get("role", "participant")
        if role not in ("participant", "moderator"):
            raise PeerError("attribute role is unknown")
        invitation = Invitation(
            secrets.token_hex(8),
            int(self._focus.memory.unix()) + lifetime if lifetime else 0,
            role == "moderator",
            single_use,
        )
        room, nick = RoomJid(request.sender.bare), request.sender.resource
        return build(ROOM, "invite", {"token": self._focus.invite(room, nick, invitation)})

    # -- lobby -------------------------------------------------------------------------
    def presence(self, element: Element) -> bool:
        """Whether it was somebody's presence in a lobby."""
        to, sender = split(element.get("to", "")), split(element.get("from", ""))
        # What rooms tell us comes to our own full address.
        if to.domain != self._names.lobbies or str(to) == self._own:
            return False
        room = RoomJid(f"{to.local}@{self._names.rooms}")
        kind = element.get("type")
        if kind == "unavailable":
            self._focus.left_lobby(room, str(sender))
        elif kind is None and to.local:
            try:
                self._check(_KNOCK, sender)
                self._knock(element, room, to, sender)
            except PeerError as error:
                self._refused(error)
                self._refuse(element, "presence", error)
        return True

    def _knock(self, element: Element, room: RoomJid, to: Jid, sender: Jid) -> None:
        if not to.resource or to.resource == FOCUS_NICK or not sender.resource:
            raise PeerError("nickname")
        join = child(element, tag(MUC, "x"))
        name, email = (
            child(element, tag(NICK, "nick")),
            child(element, tag(STREAM, "email")),
        )
        password = None if join is None else child(join, tag(MUC, "password"))
        knock = Knock(
            str(sender),
            to.resource,
            "" if name is None else content(name)[:MAX_NAME],
            "" if email is None else content(email)[:MAX_EMAIL],
        )
        secret = "" if password is None else content(password)
        self._focus.knock(room, knock, secret, self._now())

    async def lobby_admin(self, request: Request) -> None:
        """Turn somebody away: a kick from the lobby."""
        item = child(request.payload, tag(MUC_ADMIN, "item"))
        if item is None or item.get("role") != "none" or not request.to.local:
            raise PeerError("only role none of a nickname")
        room = RoomJid(f"{request.to.local}@{self._names.rooms}")
        if room not in self._focus.conferences:
            raise NotFound("room")
        self._focus.deny(room, str(request.sender), required(item, "nick"))

    # -- answers -----------------------------------------------------------------------
    def _refuse(self, element: Element, name: str, error: PeerError) -> None:
        head = {
            "type": "error",
            "to": element.get("from"),
            "from": element.get("to"),
            "id": element.get("id", "")[:256] or None,
        }
        self._stream.write(build(STREAM, name, head, error_element(error)))


def refused_entry(refusal: Refusal) -> StanzaError:
    condition, namespace, name = _REFUSALS[refusal]
    return StanzaError(condition, build(namespace, name))


def _handler(payload: Element) -> tuple[Handler, Element] | None:
    if namespace_of(payload) not in (STREAM, JITMEET):
        return None
    handler = _MESSAGES.get(tag(JITMEET, local_name(payload)))
    return None if handler is None else (handler, payload)


def lobby_presence(effect: LobbyPresence, lobbies: str) -> Element:
    """How one presence in the lobby looks (XEP-0045, 7)."""
    lobby = f"{split(effect.room).local}@{lobbies}"
    role = ("moderator", "owner") if effect.moderator else ("visitor", "none")
    item = {
        "jid": effect.jid,
        "role": role[0] if effect.available else "none",
        "affiliation": role[1],
    }
    user = build(MUC_USER, "x", None, build(MUC_USER, "item", item))
    user.extend(build(MUC_USER, "status", {"code": code}) for code in effect.status)
    if effect.destroyed:
        user.append(build(MUC_USER, "destroy", {"jid": effect.to_room}))
    head = {
        "from": f"{lobby}/{effect.nick}",
        "to": effect.to,
        "type": None if effect.available else "unavailable",
    }
    element = build(STREAM, "presence", head, user)
    if effect.name:
        element.append(build(NICK, "nick", text=effect.name))
    if effect.email:
        element.append(build(STREAM, "email", text=effect.email))
    return element
