"""Signing in and out over HTTP, as JSON.  The gateway passes it on and limits addresses.

Every failure to sign in looks the same; nothing here tells whether somebody is a member.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from xmppconf.errors import LimitExceeded, NotFound, PeerError
from xmppconf.jid import split
from xmppconf.strict_json import as_object, as_text, dumps, loads
from xmppconf_focus.io.members.admission import Members
from xmppconf_focus.io.members.fetch import SourceUnavailable
from xmppconf_focus.membership import SessionInvalid, SignedIn
from xmppconf_focus.tokens import MAX_TOKEN

MAX_BODY = 16 * 1024  # bytes

MEMBERS: web.AppKey[Members] = web.AppKey("members", Members)


async def show_ways(request: web.Request) -> web.Response:
    ways = request.app[MEMBERS].ways
    return _json({"open": ways.open, "password": ways.password, "oidc": ways.oidc})


async def sign_in(request: web.Request) -> web.Response:
    async def answer(body: dict[str, Any], members: Members) -> dict[str, Any]:
        signed_in = await members.sign_in(
            as_text(body.get("user"), "user"),
            as_text(body.get("password"), "password", 4096),
            as_text(body.get("machineUid"), "machineUid"),
        )
        return _signed_in(signed_in)

    return await _answer(request, answer)


async def sign_out(request: web.Request) -> web.Response:
    async def answer(body: dict[str, Any], members: Members) -> dict[str, Any]:
        members.sign_out(as_text(body.get("sessionId"), "sessionId", 4096))
        return {}

    return await _answer(request, answer)


async def start_oidc(request: web.Request) -> web.Response:
    async def answer(body: dict[str, Any], members: Members) -> dict[str, Any]:
        url = await members.start_oidc(
            as_text(body.get("machineUid"), "machineUid"),
            as_text(body.get("redirectUri"), "redirectUri", 2048),
            as_text(body.get("room", ""), "room"),
        )
        return {"url": url}

    return await _answer(request, answer)


async def finish_oidc(request: web.Request) -> web.Response:
    async def answer(body: dict[str, Any], members: Members) -> dict[str, Any]:
        signed_in, room = await members.finish_oidc(
            as_text(body.get("code"), "code", 4096),
            as_text(body.get("state"), "state"),
            as_text(body.get("machineUid"), "machineUid"),
        )
        return {**_signed_in(signed_in), "room": room}

    return await _answer(request, answer)


async def keep_token(request: web.Request) -> web.Response:
    """The gateway tells which address a socket with a token got."""

    async def answer(body: dict[str, Any], members: Members) -> dict[str, Any]:
        jid = split(as_text(body.get("jid"), "jid", 3071))
        if not jid.local or not jid.domain:
            raise PeerError("jid")
        await members.keep(as_text(body.get("token"), "token", MAX_TOKEN), jid.bare)
        return {}

    return await _answer(request, answer)


def routes() -> list[web.RouteDef]:
    return [
        web.get("/members/ways", show_ways),
        web.post("/members/sign-in", sign_in),
        web.post("/members/socket", keep_token),
        web.post("/members/sign-out", sign_out),
        web.post("/members/oidc/start", start_oidc),
        web.post("/members/oidc/finish", finish_oidc),
    ]


async def _answer(request: web.Request, answer: Any) -> web.Response:
    try:
        body = as_object(loads((await request.read()).decode(), MAX_BODY), "body")
        return _json(await answer(body, request.app[MEMBERS]))
    except LimitExceeded:
        return _json({"error": "later"}, 429)
    except SourceUnavailable:
        return _json({"error": "unavailable"}, 503)
    except NotFound:
        return _json({"error": "off"}, 404)
    except SessionInvalid:
        return _json({"error": "session"}, 400)
    except PeerError as error:
        refused = error.condition == "not-authorized"
        return _json({"error": "refused" if refused else "bad"}, 403 if refused else 400)
    except UnicodeDecodeError:
        return _json({"error": "bad"}, 400)


def _signed_in(signed_in: SignedIn) -> dict[str, Any]:
    member = signed_in.member
    return {
        "sessionId": signed_in.session_id,
        "identity": member.user,
        "name": member.name,
        "moderator": member.moderator,
        "expires": int(signed_in.expires),
    }


def _json(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(
        text=dumps(body),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
