"""Signing in at the gateway: where requests may come from, how many, and what goes on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector, ThreadedResolver, web
from aiohttp.test_utils import BaseTestServer, TestServer
from xmppconf_web.app import make_app

from xmppconf.config import Settings

ACTIONS = {
    "/login": "sign-in",
    "/logout": "sign-out",
    "/login/oidc": "oidc/start",
    "/login/oidc/finish": "oidc/finish",
}


class Focus:
    """Notes what it is asked; answers with `status`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.status = 200

    async def answer(self, request: web.Request) -> web.Response:
        text = await request.text()
        self.asked.append((request.match_info["path"], json.loads(text) if text else None))
        return web.json_response({"sessionId": "s"}, status=self.status)


@pytest.fixture
async def focus() -> AsyncIterator[tuple[Focus, str]]:
    focus = Focus()
    app = web.Application()
    app.router.add_route("*", "/members/{path:.*}", focus.answer)
    async with TestServer(app) as server:
        yield focus, str(server.make_url("")).rstrip("/")


@pytest.fixture
async def gateway(
    focus: tuple[Focus, str], tmp_path: Path
) -> AsyncIterator[BaseTestServer]:
    (tmp_path / "index.html").write_text("<!doctype html><title>page</title>")
    settings = Settings()
    settings = replace(
        settings,
        web=replace(settings.web, focus_url=focus[1], origins=("https://friend.example",)),
    )
    async with TestServer(make_app(settings, tmp_path)) as server:
        yield server


@pytest.fixture
async def browser(gateway: BaseTestServer) -> AsyncIterator[ClientSession]:
    connector = TCPConnector(resolver=ThreadedResolver())
    async with ClientSession(gateway.make_url("/"), connector=connector) as opened:
        yield opened


async def test_what_a_page_of_ours_sends_goes_to_the_focus(
    focus: tuple[Focus, str], browser: ClientSession, gateway: BaseTestServer
) -> None:
    own = str(gateway.make_url("")).rstrip("/")
    for path in ACTIONS:
        async with browser.post(
            path,
            json={"user": "ann", "redirectUri": "https://evil.example"},
            headers={"Origin": own},
        ) as answer:
            assert answer.status == 200
            assert await answer.json() == {"sessionId": "s"}
            assert answer.headers["Cache-Control"] == "no-store"
            assert "Set-Cookie" not in answer.headers
            assert "Access-Control-Allow-Origin" not in answer.headers
    assert [path for path, _ in focus[0].asked] == list(ACTIONS.values())
    started = focus[0].asked[2][1]
    assert started["redirectUri"] == f"{own}/login/callback"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://friend.example", "null"]
)
async def test_no_other_site_signs_anybody_in_or_out(
    focus: tuple[Focus, str], browser: ClientSession, origin: str
) -> None:
    for path in ACTIONS:
        async with browser.post(path, json={}, headers={"Origin": origin}) as answer:
            assert answer.status == 403
    assert focus[0].asked == []


async def test_what_a_form_can_send_is_refused(
    focus: tuple[Focus, str], browser: ClientSession
) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        async with browser.post(
            "/login", data=b'{"user":"a"}', headers={"Content-Type": kind}
        ) as answer:
            assert answer.status == 415
    assert focus[0].asked == []


async def test_nothing_changes_by_a_get(
    focus: tuple[Focus, str], browser: ClientSession
) -> None:
    for path in ("/logout", "/login/oidc", "/login/oidc/finish"):
        async with browser.get(path) as answer:
            assert "sessionId" not in await answer.text()
    for path in ("/login", "/login/callback?code=c&state=s"):
        async with browser.get(path) as answer:
            assert "<title>page" in await answer.text()
    assert focus[0].asked == []
    async with browser.get("/login/ways") as answer:
        assert answer.status == 200
    assert focus[0].asked == [("ways", None)]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"\xff", 400),
        (b'{"user":1,"user":2}', 400),
        (b'{"user":"' + b"x" * 20_000 + b'"}', 413),
    ],
)
async def test_bad_bodies_stop_here(
    focus: tuple[Focus, str], browser: ClientSession, body: bytes, status: int
) -> None:
    async with browser.post(
        "/login", data=body, headers={"Content-Type": "application/json"}
    ) as answer:
        assert answer.status == status
    assert focus[0].asked == []


async def test_an_address_has_few_tries(
    focus: tuple[Focus, str],
    browser: ClientSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xmppconf_web.io.login.source_of", lambda _: "192.0.2.1")
    found = []
    for _ in range(8):
        async with browser.post("/login", json={}) as answer:
            found.append(answer.status)
    assert found == [200] * 5 + [429] * 3
    async with browser.post("/logout", json={}) as answer:
        assert answer.status == 200


async def test_the_focus_decides_and_its_absence_is_no_refusal(
    focus: tuple[Focus, str], browser: ClientSession
) -> None:
    focus[0].status = 403
    async with browser.post("/login", json={}) as answer:
        assert answer.status == 403


async def test_without_a_focus_one_may_try_later(tmp_path: Path) -> None:
    settings = replace(
        Settings(), web=replace(Settings().web, focus_url="http://127.0.0.1:9")
    )
    connector = TCPConnector(resolver=ThreadedResolver())
    async with (
        TestServer(make_app(settings, tmp_path)) as server,
        ClientSession(server.make_url("/"), connector=connector) as browser,
        browser.post("/login", json={}) as answer,
    ):
        assert answer.status == 503
        assert await answer.json() == {"error": "unavailable"}
