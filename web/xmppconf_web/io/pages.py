"""The client's files, the page of a room, and `/config.js`.

The files are listed once at start and looked up by their whole path, so a path from
outside never touches the file system.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from xmppconf.config import Settings
from xmppconf_web.client_config import client_config
from xmppconf_web.io.state import GATEWAY, base_url
from xmppconf_web.rooms import room_name

MAX_FILES = 2000

#: A build puts a hash of the content into such names, so they never change.
_HASHED = re.compile(r".*[-.][A-Za-z0-9_-]{8,}\.[a-z0-9.]+")

#: Types that the system may not know.
_TYPES = {".webmanifest": "application/manifest+json"}

FILES: web.AppKey[dict[str, Path]] = web.AppKey("files", dict)


def list_files(folder: Path) -> dict[str, Path]:
    """URL path to file, for everything the build made."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())[:MAX_FILES]
    return {"/" + path.relative_to(folder).as_posix(): path for path in files}


async def show_page(request: web.Request) -> web.StreamResponse:
    files = request.app[FILES]
    path = request.path
    if found := files.get(path):
        return _file(
            found, hashed=path.startswith("/assets/") and bool(_HASHED.fullmatch(path))
        )
    if path != "/":
        text = path.removeprefix("/")
        name = room_name(text)
        if name is None or "/" in text:
            raise web.HTTPNotFound(text="no such page\n")
        if name != text:
            raise web.HTTPFound("/" + quote(name))
    return page(request)


def page(request: web.Request) -> web.StreamResponse:
    """The one page that the client is; its script looks at the path."""
    index = request.app[FILES].get("/index.html")
    if index is None:
        raise web.HTTPServiceUnavailable(
            text="the client is not built: run script/bootstrap\n"
        )
    return _file(index, hashed=False)


async def show_config(request: web.Request) -> web.Response:
    settings = request.app[GATEWAY].settings
    text = client_config(settings, base_url(request), sign_in=_can_sign_in(settings))
    return web.Response(
        text=text,
        content_type="text/javascript",
        charset="utf-8",
        headers={"Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"},
    )


def routes() -> list[web.RouteDef]:
    # The last route: it answers every path that nobody else wanted.
    return [web.get("/config.js", show_config), web.get("/{path:.*}", show_page)]


def _file(path: Path, *, hashed: bool) -> web.FileResponse:
    caching = "public, max-age=31536000, immutable" if hashed else "no-cache"
    headers = {"Cache-Control": caching}
    if path.suffix in _TYPES:
        headers["Content-Type"] = _TYPES[path.suffix]
    return web.FileResponse(path, headers=headers)


def _can_sign_in(settings: Settings) -> bool:
    """Whether a page of ours would be of use: tokens and accounts come from elsewhere."""
    members = settings.members
    sources = (members.oidc.issuer, members.ldap.url, members.sql.url, members.hook.url)
    return any(sources) or (bool(members.file) and Path(members.file).exists())
