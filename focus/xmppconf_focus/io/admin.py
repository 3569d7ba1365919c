"""What the operator sees and does over HTTP, with the token of the settings.

Rooms have names in here, people do not: who ends or locks a room has to say which, and
nobody needs to know who is in it.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from xmppconf import clock
from xmppconf.errors import PeerError
from xmppconf.local_request import is_local
from xmppconf.log import ConferenceLog
from xmppconf_focus.conference import Conference
from xmppconf_focus.effects import RoomJid
from xmppconf_focus.focus import Focus

MAX_ROOM = 1023  # bytes of a room's name (RFC 7622, 3.3)

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Operator:
    """`pump` carries out what the machine wants after an order."""

    focus: Focus
    token: str
    """Empty: there are no orders."""
    rooms: str
    """The rooms' host."""
    pump: Callable[[], None]


OPERATOR: web.AppKey[Operator] = web.AppKey("operator", Operator)


def figures(handler: Handler) -> Handler:
    """For this machine, or with the token."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        local = is_local(request.remote, request.headers)
        if not local and not _has_token(request):
            raise web.HTTPForbidden
        return await handler(request)

    return guarded


def orders(handler: Handler) -> Handler:
    """With the token only; without one in the settings there is no such page."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        if not request.app[OPERATOR].token:
            raise web.HTTPNotFound
        if not _has_token(request):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        return await handler(request)

    return guarded


async def list_rooms(request: web.Request) -> web.Response:
    operator = request.app[OPERATOR]
    listed = [
        {
            "room": room.partition("@")[0],
            "meeting": conference.media.meeting_id,
            "participants": len(conference.media.participants),
            "bridges": conference.media.bridge_count,
            "access": conference.access.settings.access.value,
            "password": bool(conference.access.settings.password),
            "reports": conference.features.reports.total,
        }
        for room, conference in sorted(operator.focus.conferences.items())
    ]
    return web.json_response({"rooms": listed}, headers={"Cache-Control": "no-store"})


async def end_room(request: web.Request) -> web.Response:
    return _order(request, "ended", lambda focus, room: focus.end_room(room))


async def lock_room(request: web.Request) -> web.Response:
    now = clock.monotonic()
    return _order(request, "locked", lambda focus, room: focus.lock_room(room, True, now))


async def unlock_room(request: web.Request) -> web.Response:
    now = clock.monotonic()
    return _order(
        request, "unlocked", lambda focus, room: focus.lock_room(room, False, now)
    )


def _order(
    request: web.Request, done: str, order: Callable[[Focus, RoomJid], None]
) -> web.Response:
    operator = request.app[OPERATOR]
    name = request.match_info["room"]
    if len(name.encode(errors="surrogatepass")) > MAX_ROOM:
        raise web.HTTPNotFound
    room = RoomJid(f"{name.lower()}@{operator.rooms}")
    try:
        order(operator.focus, room)
    except PeerError:
        return web.json_response({"error": "no such room"}, status=404)
    meeting = operator.focus.conferences[room].media.meeting_id
    ConferenceLog(log, meeting).info("%s by the operator", done)
    operator.pump()
    return web.json_response({"done": done})


async def debug(request: web.Request) -> web.Response:
    """The state of conferences by their meeting ids, without a name or an address."""
    focus = request.app[OPERATOR].focus
    state = {c.media.meeting_id: _state(c) for c in focus.conferences.values()}
    return web.json_response({"conferences": state})


def _state(conference: Conference) -> dict[str, Any]:
    sessions = [
        participant.session.state.value if participant.session is not None else "none"
        for participant in conference.media.participants.values()
    ]
    roles = [occupant.role for occupant in conference.occupants.values()]
    return {
        "state": conference.state.value,
        "occupants": {role: roles.count(role) for role in sorted(set(roles))},
        "sessions": {state: sessions.count(state) for state in sorted(set(sessions))},
        "bridges": conference.media.bridge_count,
        "bridge_missing": conference.media.bridge_missing,
        "access": conference.access.settings.access.value,
    }


def routes() -> list[web.RouteDef]:
    return [
        web.get("/admin/rooms", orders(list_rooms)),
        web.post("/admin/rooms/{room}/end", orders(end_room)),
        web.post("/admin/rooms/{room}/lock", orders(lock_room)),
        web.post("/admin/rooms/{room}/unlock", orders(unlock_room)),
        web.get("/debug", orders(debug)),
    ]


def _has_token(request: web.Request) -> bool:
    token = request.app[OPERATOR].token
    kind, _, shown = request.headers.get("Authorization", "").partition(" ")
    if not token or kind.lower() != "bearer":
        return False
    # Digests have one length, so the time says nothing about the token's.
    digests = (
        hashlib.sha256(text.encode(errors="surrogateescape")).digest()
        for text in (shown, token)
    )
    return hmac.compare_digest(*digests)
