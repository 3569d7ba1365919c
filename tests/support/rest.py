"""A bridge behind its HTTP, for tests that ask it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
from aiohttp import web
from xmppconf_bridge import colibri
from xmppconf_bridge.io.http import Reports, make_application
from xmppconf_bridge.io.rest import Orders
from xmppconf_bridge.operation import State

from tests.support.fake_engine import BridgeBench


class Rig:
    """A bridge behind its HTTP, on loopback."""

    def __init__(self) -> None:
        self.bench = BridgeBench(relay_id="bridge-1")
        bridge = self.bench.bridge
        self.orders = Orders(
            partial(colibri.modify, bridge), bridge.operation, self.drain, self.shut_down
        )
        self.session: aiohttp.ClientSession

    def drain(self, on: bool) -> None:
        self.bench.bridge.operation.drain = on

    def shut_down(self, graceful: bool) -> None:
        self.bench.bridge.operation.shut_down(0.0, graceful=graceful)

    def state(self) -> State:
        return self.bench.bridge.operation.state

    async def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        data = body if isinstance(body, str | None) else json.dumps(body)
        async with self.session.request(
            method,
            path,
            data=data,
            headers={k.replace("_", "-"): v for k, v in headers.items()},
        ) as response:
            text = await response.text()
            is_json = response.content_type == "application/json"
            return response.status, json.loads(text) if is_json else text


@asynccontextmanager
async def serving(
    *,
    rest: bool = True,
    packet_headers: bool = False,
    trusted: tuple[str, ...] = ("127.0.0.0/8",),
) -> AsyncIterator[Rig]:
    rig = Rig()
    reports = Reports(dict, lambda: True, dict)
    application = make_application(
        rig.bench.bridge,
        reports,
        rig.orders,
        trusted,
        rest=rest,
        packet_headers=packet_headers,
    )
    connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
    # As the bridge has it; a `TestServer` cancels what was asked by who went away.
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        [(host, port)] = runner.addresses
        base = f"http://{host}:{port}/"
        async with aiohttp.ClientSession(base, connector=connector) as session:
            rig.session = session
            yield rig
    finally:
        await runner.cleanup()
