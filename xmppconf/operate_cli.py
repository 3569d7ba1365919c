"""`xmppconf status` and `xmppconf room`: what the running service says of itself.

The service on this machine is found by the file it keeps in the state folder while it runs;
parts that run alone are found by the settings.
"""

from __future__ import annotations

import argparse
import http.client
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from xmppconf.config import Settings
from xmppconf.config_file import load
from xmppconf.errors import SettingsError
from xmppconf.host_port import join_address

TIMEOUT = 5.0  # seconds
INTERVAL = 2.0  # seconds between two looks of --watch
#: Exit code if the service runs and is not well.
UNWELL = 1
#: What a focus says that has no brewery for a kind of service.
NO_SERVICES = {"count": 0, "available": 0, "participants": 0}
_CLEAR = "\033[H\033[J"


def main(options: argparse.Namespace, settings: Settings, state: Path) -> int:
    """Carry out one command; returns the exit code, raises `SettingsError`."""
    run_file = state / "run.toml"
    if run_file.exists():
        settings = load(run_file)
    if not settings.focus.http_port:
        raise SettingsError(f"no service runs on {state}; --state names another folder")
    focus = Focus(settings)
    if options.command == "room":
        return _room(options, focus)
    while True:
        figures = _figures(settings, focus)
        if options.json:
            print(json.dumps(figures), flush=True)
        else:
            print((_CLEAR if options.watch else "") + _table(figures), flush=True)
        if not options.watch:
            return 0 if figures["healthy"] else UNWELL
        time.sleep(INTERVAL)


class Focus:
    """The focus's HTTP, with the operator's token."""

    def __init__(self, settings: Settings) -> None:
        focus = settings.focus
        self._base = f"http://{join_address(focus.http_host, focus.http_port)}"
        self._token = focus.admin_token

    def ask(self, path: str, *, post: bool = False) -> tuple[int, dict[str, Any]]:
        """Status and JSON; raises `SettingsError` if nobody answers."""
        request = urllib.request.Request(  # noqa: S310  (the scheme is ours)
            self._base + path,
            data=b"" if post else None,
            headers={"Authorization": f"Bearer {self._token}"} if self._token else {},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {}
        except (OSError, http.client.HTTPException, ValueError):
            raise SettingsError("the focus does not answer") from None


def _room(options: argparse.Namespace, focus: Focus) -> int:
    if options.action == "list":
        status, answer = focus.ask("/admin/rooms")
        _check(status)
        rooms = answer["rooms"]
        if options.json:
            print(json.dumps(rooms, indent=1, ensure_ascii=False))
        else:
            print(_rows(_room_row(room) for room in rooms) or "no room is open")
        return 0
    name = urllib.parse.quote(options.room, safe="")
    status, _ = focus.ask(f"/admin/rooms/{name}/{options.action}", post=True)
    if status == 404:
        raise SettingsError("no such room is open")
    _check(status)
    return 0


def _check(status: int) -> None:
    if status in (401, 403, 404):
        raise SettingsError("focus.admin_token: missing, or not the one of the focus")
    if status != 200:
        raise SettingsError(f"the focus answers {status}")


def _room_row(room: dict[str, Any]) -> tuple[str, ...]:
    marks = ["password"] if room["password"] else []
    if room["reports"]:
        marks.append(f"{room['reports']} reports")
    people, bridges = f"{room['participants']} people", f"{room['bridges']} bridges"
    return room["room"], people, bridges, room["access"], ", ".join(marks)


def _figures(settings: Settings, focus: Focus) -> dict[str, Any]:
    try:
        _, stats = focus.ask("/stats")
    except SettingsError:
        stats = {}
    web, bridge = settings.web, settings.bridge
    tls = "https" if web.tls_certificate else "http"
    parts = {"focus": bool(stats.get("healthy"))}
    if bridge.http_port:
        parts["bridge"] = _answers(
            f"http://{join_address(bridge.http_host, bridge.http_port)}/health"
        )
    if web.port:
        host = web.host or "localhost"
        parts["web"] = _answers(f"{tls}://{join_address(host, web.port)}/health")
    selector = stats.get("bridge_selector", {})
    return {
        "healthy": all(parts.values()) and selector.get("operational_bridge_count", 0) > 0,
        "parts": parts,
        "conferences": stats.get("conferences", 0),
        "participants": stats.get("participants", 0),
        "largest_conference": stats.get("largest_conference", 0),
        "total_conferences_created": stats.get("total_conferences_created", 0),
        "bridges": selector.get("bridges", []),
        "recorders": stats.get("recorders", NO_SERVICES),
        "phones": stats.get("phones", NO_SERVICES),
    }


def _answers(url: str) -> bool:
    # The certificate is for the service's name, and this is only a knock on our own door.
    context = ssl._create_unverified_context()  # noqa: S323
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT, context=context) as answer:  # noqa: S310
            return int(answer.status) == 200
    except (OSError, http.client.HTTPException):
        return False


def _table(figures: dict[str, Any]) -> str:
    rows: list[tuple[str, ...]] = [
        (name, "well" if well else "NOT WELL") for name, well in figures["parts"].items()
    ]
    for bridge in figures["bridges"]:
        usable = "usable" if bridge["usable"] else "NOT USABLE"
        stress = f"load {100 * bridge['stress']:.0f} %"
        if bridge["full"]:
            stress += ", takes no new conferences"
        rows.append((f"  {bridge['name']}", usable, stress, bridge["region"] or ""))
    for kind in ("recorders", "phones"):
        if (services := figures[kind])["count"]:
            free = f"{services['available']} available"
            rows.append((kind, str(services["count"]), free))
    rows.append(("conferences", str(figures["conferences"])))
    largest = f"largest {figures['largest_conference']}"
    rows.append(("participants", str(figures["participants"]), largest))
    rows.append(("since the start", f"{figures['total_conferences_created']} conferences"))
    return _rows(rows)


def _rows(rows: Iterable[tuple[str, ...]]) -> str:
    """Columns as wide as they have to be; nothing in them moves the cursor."""
    table = [tuple(_plain(cell) for cell in row) for row in rows]
    width: dict[int, int] = {}
    for row in table:
        for column, cell in enumerate(row):
            width[column] = max(width.get(column, 0), len(cell))
    lines = (
        "  ".join(cell.ljust(width[column]) for column, cell in enumerate(row)).rstrip()
        for row in table
    )
    return "\n".join(lines)


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
