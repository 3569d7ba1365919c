"""The operator's pages of the focus: who may see them, what they say and do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector, ThreadedResolver
from aiohttp.test_utils import TestServer
from xmppconf_focus.brewery import BridgeStats
from xmppconf_focus.effects import DestroyRoom, SubmitForm
from xmppconf_focus.fullness import SUSTAINED
from xmppconf_focus.io.admin import Operator
from xmppconf_focus.io.http import make_app
from xmppconf_focus.io.members.admission import Members

from tests.focus.support import BRIDGE, ROOM, Stage
from xmppconf.config import MembersSettings
from xmppconf.metrics import Metrics

TOKEN = "0123456789abcdef0123456789abcdef"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Connection:
    connected = True

    def is_connected(self) -> bool:
        return self.connected

    async def serve(self, *_: Any) -> Any:
        raise NotImplementedError


class Stand:
    def __init__(self, token: str = TOKEN) -> None:
        self.stage = Stage()
        self.stage.call("ann", "bob")
        self.connection = Connection()
        self.members = Members(MembersSettings(), self.stage.membership)
        self.pumped = 0
        operator = Operator(self.stage.focus, token, "muc.localhost", self._pump)
        self.server = TestServer(
            make_app(
                self.connection, self.stage.focus, Metrics("t"), self.members, operator
            )
        )

    def _pump(self) -> None:
        self.pumped += 1

    async def __aenter__(self) -> Stand:
        await self.server.start_server()
        connector = TCPConnector(resolver=ThreadedResolver())
        self.http = ClientSession(self.server.make_url("/"), connector=connector)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
        await self.server.close()
        await self.members.close()

    async def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        async with self.http.request(method, path, headers=headers) as answer:
            text = await answer.text()
            try:
                return answer.status, json.loads(text)
            except ValueError:
                return answer.status, text


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with Stand() as made:
        yield made


ORDERS = [
    ("GET", "/admin/rooms"),
    ("POST", "/admin/rooms/tea/end"),
    ("POST", "/admin/rooms/tea/lock"),
    ("POST", "/admin/rooms/tea/unlock"),
    ("GET", "/debug"),
]


@pytest.mark.parametrize(("method", "path"), ORDERS)
async def test_orders_need_the_token(stand: Stand, method: str, path: str) -> None:
    for headers in (
        None,
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
    ):
        assert (await stand.ask(method, path, headers))[0] == 401
    assert stand.pumped == 0
    assert stand.stage.take(DestroyRoom) == []


@pytest.mark.parametrize(("method", "path"), ORDERS)
async def test_without_a_token_in_the_settings_there_are_no_orders(
    method: str, path: str
) -> None:
    async with Stand(token="") as stand:
        for headers in (None, BEARER, {"Authorization": "Bearer "}):
            assert (await stand.ask(method, path, headers))[0] == 404


async def test_nothing_is_done_by_a_get(stand: Stand) -> None:
    for method, path in ORDERS:
        if method == "POST":
            assert (await stand.ask("GET", path, BEARER))[0] == 405
    assert stand.pumped == 0


async def test_rooms_are_listed_without_anybody_in_them(stand: Stand) -> None:
    status, answer = await stand.ask("GET", "/admin/rooms", BEARER)
    assert status == 200
    [room] = answer["rooms"]
    assert room.pop("meeting")
    assert room == {
        "room": "tea",
        "participants": 2,
        "bridges": 1,
        "access": "open",
        "password": False,
        "reports": 0,
    }
    for path in ("/admin/rooms", "/debug", "/stats"):
        _, answer = await stand.ask("GET", path, BEARER)
        assert "ann" not in json.dumps(answer)
        assert "localhost" not in json.dumps(answer)


async def test_a_room_is_ended_and_locked(stand: Stand) -> None:
    stand.stage.take(object)
    assert await stand.ask("POST", "/admin/rooms/Tea/lock", BEARER) == (
        200,
        {"done": "locked"},
    )
    [form] = stand.stage.take(SubmitForm)
    assert ("muc#roomconfig_membersonly", "1") in form.fields
    assert (await stand.ask("POST", "/admin/rooms/tea/unlock", BEARER))[0] == 200
    [form] = stand.stage.take(SubmitForm)
    assert ("muc#roomconfig_membersonly", "0") in form.fields
    assert (await stand.ask("POST", "/admin/rooms/tea/end", BEARER))[0] == 200
    assert stand.stage.take(DestroyRoom) == [DestroyRoom(ROOM, "ended by the operator")]
    assert stand.pumped == 3


@pytest.mark.parametrize(
    "room", ["coffee", "tea@muc.localhost", "x" * 2000, "%2e%2e", "%00"]
)
async def test_what_is_no_room_is_not_found(stand: Stand, room: str) -> None:
    assert (await stand.ask("POST", f"/admin/rooms/{room}/end", BEARER))[0] == 404
    assert stand.pumped == 0


async def test_the_state_of_conferences_goes_by_meeting_ids(stand: Stand) -> None:
    _, answer = await stand.ask("GET", "/debug", BEARER)
    [state] = answer["conferences"].values()
    assert state["occupants"] == {"participant": 2}
    assert state["sessions"] == {"active": 2}


async def test_figures_are_for_this_machine_or_for_the_token(stand: Stand) -> None:
    for path in ("/stats", "/metrics"):
        assert (await stand.ask("GET", path))[0] == 200
        for header in ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"):
            assert (await stand.ask("GET", path, {header: "192.0.2.1"}))[0] == 403
            assert (await stand.ask("GET", path, {header: "192.0.2.1", **BEARER}))[0] == 200


async def test_health_tells_hard_from_soft_failure(stand: Stand) -> None:
    assert (await stand.ask("GET", "/about/health"))[0] == 200
    stand.stage.focus.bridge_left(BRIDGE, stand.stage.now)
    assert (await stand.ask("GET", "/about/health"))[0] == 503
    stand.connection.connected = False
    assert (await stand.ask("GET", "/about/health"))[0] == 500


async def test_overload_is_told_and_is_no_illness(stand: Stand) -> None:
    stage = stand.stage
    busy = BridgeStats(stress=0.8, newcomer_stress=1.0, drain=False)
    for at in (0.0, SUSTAINED):
        stage.focus.bridge_announced(BRIDGE, busy, at)
    assert await stand.ask("GET", "/about/health") == (200, "overloaded\n")
    _, stats = await stand.ask("GET", "/stats")
    assert stats["bridge_selector"]["overloaded"]
    assert [one["full"] for one in stats["bridge_selector"]["bridges"]] == [True]
    stage.focus.bridge_announced(BRIDGE, BridgeStats(drain=False), stage.now)
    assert await stand.ask("GET", "/about/health") == (200, "OK\n")
    _, stats = await stand.ask("GET", "/stats")
    assert not stats["bridge_selector"]["overloaded"]


async def test_labels_of_the_metrics_are_a_closed_list(stand: Stand) -> None:
    _, text = await stand.ask("GET", "/metrics")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) <= 200
    assert "tea" not in text
    assert "ann" not in text
