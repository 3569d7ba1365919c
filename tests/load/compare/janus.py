"""Janus and its VideoRoom, from Debian's package."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import aiohttp
from xmppconf_bridge.generator.plan import Scenario

from tests.load.compare import sdp
from tests.load.compare.target import (
    ADDRESS,
    NotInstalled,
    Target,
    free_port,
    sends,
    stream,
    watches,
)

TIMEOUT = 20.0  # seconds


class Handle:
    """A plugin handle: one PeerConnection on the server."""

    def __init__(self, connection: Connection, session: int, handle: int) -> None:
        self._connection = connection
        self._ids = {"session_id": session, "handle_id": handle}
        self.candidates: list[str] = []

    async def say(self, body: dict[str, Any], jsep: dict[str, Any] | None = None) -> Any:
        """Send a request to the plugin; returns its event with data and jsep."""
        message: dict[str, Any] = {"janus": "message", "body": body, **self._ids}
        if jsep is not None:
            message["jsep"] = jsep
        answer = await self._connection.ask(message, final=("event", "success"))
        data = answer["plugindata"]["data"]
        if "error" in data:
            raise RuntimeError(f"janus: {data['error']}")
        return answer


class Connection:
    """The WebSocket to one server."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._asked: dict[str, tuple[tuple[str, ...], asyncio.Future[Any]]] = {}
        self._reader = asyncio.create_task(self._read())

    async def ask(self, message: dict[str, Any], final: tuple[str, ...]) -> Any:
        transaction = secrets.token_hex(6)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[transaction] = (final, future)
        await self._socket.send_json({**message, "transaction": transaction})
        async with asyncio.timeout(TIMEOUT):
            return await future

    async def attach(self, session: int) -> Handle:
        message = {"janus": "attach", "plugin": "janus.plugin.videoroom"}
        answer = await self.ask({**message, "session_id": session}, ("success",))
        return Handle(self, session, answer["data"]["id"])

    async def close(self) -> None:
        self._reader.cancel()
        await self._socket.close()

    async def _read(self) -> None:
        async for frame in self._socket:
            message = frame.json()
            known = self._asked.get(message.get("transaction", ""))
            if known is None or known[1].done():
                continue
            final, future = known
            if message["janus"] in final:
                future.set_result(message)
            elif message["janus"] == "error":
                future.set_exception(RuntimeError(f"janus: {message['error']['reason']}"))


class Janus(Target):
    """With a thread for each PeerConnection, as it comes, or event loops."""

    def __init__(self, *arguments: Any, loops: int = 0) -> None:
        super().__init__(*arguments)
        self._loops = loops
        self.name = f"Janus 1.1.2, {loops} event loop" if loops else "Janus 1.1.2"

    async def start(self) -> None:
        root = self.cache / "janus"
        if not (root / "usr/bin/janus").exists():
            raise NotInstalled(self.name)
        port, library = free_port(), root / "usr/lib/x86_64-linux-gnu"
        (self.folder / "janus.jcfg").write_text(
            "general: { debug_level = 2, session_timeout = 600"
            + (f", event_loops = {self._loops}" if self._loops else "")
            + f'\nplugins_folder = "{library}/janus/plugins"'
            f'\ntransports_folder = "{library}/janus/transports"'
            f'\nevents_folder = "{self.folder}"\nloggers_folder = "{self.folder}" }}\n'
            f'nat: {{ ice_enforce_list = "{ADDRESS}" }}\n'
            "media: { ipv6 = false }\n"
            'plugins: { disable = "'
            + ",".join(
                f"libjanus_{name}.so"
                for name in (
                    *("audiobridge", "duktape", "echotest", "lua", "nosip", "recordplay"),
                    *("sip", "streaming", "textroom", "videocall", "voicemail"),
                )
            )
            + '" }\ntransports: { disable = "libjanus_http.so,libjanus_mqtt.so,'
            'libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so" }\n'
        )
        (self.folder / "janus.transport.websockets.jcfg").write_text(
            f'general: {{ ws = true, ws_port = {port}, ws_ip = "127.0.0.1" }}\n'
        )
        await self.spawn(
            *(str(root / "usr/bin/janus"), "-F", str(self.folder), "-o"),
            LD_LIBRARY_PATH=str(library),
        )
        self._url = f"ws://127.0.0.1:{port}"

    async def connect(self, scenario: Scenario) -> None:
        self._http = aiohttp.ClientSession()
        for _ in range(100):
            try:
                socket = await self._http.ws_connect(
                    self._url, protocols=("janus-protocol",)
                )
                break
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
        else:
            raise NotInstalled("janus does not start: see its log")
        self._connection = Connection(socket)
        created = await self._connection.ask({"janus": "create"}, ("success",))
        session = created["data"]["id"]
        room = {"room": secrets.randbelow(1 << 30), "ptype": "publisher"}
        first = await self._connection.attach(session)
        await first.say(
            {
                "request": "create",
                "room": room["room"],
                "publishers": len(scenario.people),
                "bitrate": 0,
                "videocodec": "vp8",
                "transport_wide_cc_ext": True,
                "audiolevel_ext": True,
                "notify_joining": False,
            }
        )
        feeds: dict[int, Any] = {}
        for number in range(len(scenario.people)):
            if sends(scenario, number):
                feeds[number] = await self._publish(session, room, scenario, number)
        for number in range(len(scenario.people)):
            await self._subscribe(session, room, scenario, number, feeds)

    async def _publish(
        self, session: int, room: dict[str, Any], scenario: Scenario, number: int
    ) -> tuple[int, list[Any]]:
        handle = await self._connection.attach(session)
        joined = await handle.say({"request": "join", **room})
        feed: int = joined["plugindata"]["data"]["id"]
        tracks = sends(scenario, number)
        ufrag, pwd = self.peers.credentials()
        own = sdp.Own(ufrag, pwd, self.peers.fingerprint)
        offered = sdp.offer(own, [sdp.Section(one.kind, one.ssrc) for one, _ in tracks])
        answer = await handle.say(
            {"request": "configure"}, {"type": "offer", "sdp": offered}
        )
        theirs = sdp.read(answer["jsep"]["sdp"], controlling=True)
        peer = self.peers.begin(
            theirs.remote, ufrag, pwd, theirs.fingerprints, server=theirs.they_begin
        )
        await self.peers.connected(peer)
        for track, layer in tracks:
            wire = stream(track, layer, sdp.PAYLOAD_TYPES, theirs.remote.transport_cc)
            self.peers.native.add_stream(peer, wire)
        return feed, [track for track, _ in tracks]

    async def _subscribe(
        self,
        session: int,
        room: dict[str, Any],
        scenario: Scenario,
        number: int,
        feeds: dict[int, Any],
    ) -> None:
        wanted = [
            {"feed": feeds[one.owner][0], "mid": str(feeds[one.owner][1].index(one))}
            for one in watches(scenario, number)
        ]
        if not wanted:
            return
        handle = await self._connection.attach(session)
        request = {"request": "join", "room": room["room"], "ptype": "subscriber"}
        offered = await self._joined(handle, {**request, "streams": wanted})
        theirs = sdp.read(offered["jsep"]["sdp"], controlling=False)
        ufrag, pwd = self.peers.credentials()
        own = sdp.Own(ufrag, pwd, self.peers.fingerprint)
        accepted = sdp.answer(offered["jsep"]["sdp"], own)
        peer = self.peers.begin(theirs.remote, ufrag, pwd, theirs.fingerprints)
        await handle.say({"request": "start"}, {"type": "answer", "sdp": accepted})
        await self.peers.connected(peer)

    async def _joined(self, handle: Handle, request: dict[str, Any]) -> Any:
        """Subscribe; a feed is there once the server, too, has seen its handshake end."""
        for _ in range(50):
            try:
                return await handle.say(request)
            except RuntimeError as error:
                if "No such feed" not in str(error):
                    raise
                await asyncio.sleep(0.1)
        raise RuntimeError("janus: a feed never appeared")

    async def disconnect(self) -> None:
        await self._connection.close()
        await self._http.close()
