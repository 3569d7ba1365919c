"""LiveKit's server, as one node, from its Go module."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import time
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
PING_INTERVAL = 5.0  # seconds; who is silent for fifteen is put out
KEY, SECRET = "load", "0123456789abcdef0123456789abcdef"


def token(identity: str) -> str:
    """What lets a participant in (a JWT, RFC 7519)."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    now = int(time.time())
    claims = {
        "iss": KEY,
        "sub": identity,
        "nbf": now - 10,
        "exp": now + 3600,
        "video": {"room": "load", "roomJoin": True},
    }
    parts = [json.dumps(one).encode() for one in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signed = ".".join(part(one) for one in parts)
    digest = hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{part(digest)}"


def _fields(data: bytes) -> dict[int, Any]:
    """The fields of a message of Protocol Buffers, numbers and octets, the last of each."""
    found: dict[int, Any] = {}
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            octet = data[at]
            value |= (octet & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if octet < 0x80:
                return value

    while at < len(data):
        key = number()
        value: Any = number()
        if key & 7 == 2:
            value, at = data[at : at + value], at + value
        found[key >> 3] = value
    return found


def _early(data: bytes) -> dict[str, Any]:
    """The binary messages that matter: the first offer, and a candidate for it."""
    message = _fields(data)
    if 3 in message:
        offer = _fields(message[3])
        return {"offer": {"sdp": offer[2].decode(), "id": offer.get(3, 0)}}
    if 4 in message:
        trickle = _fields(message[4])
        target = "SUBSCRIBER" if trickle.get(2) else "PUBLISHER"
        return {"trickle": {"candidateInit": trickle[1].decode(), "target": target}}
    return {}


class Signals:
    """The WebSocket of one participant; the server speaks JSON to who does."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._came: dict[str, asyncio.Queue[Any]] = {}
        self._tasks = [asyncio.create_task(one) for one in (self._read(), self._ping())]

    async def say(self, **message: Any) -> None:
        await self._socket.send_json(message)

    async def next(self, kind: str) -> Any:
        return await self._queue(kind).get()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()

    def _queue(self, kind: str) -> asyncio.Queue[Any]:
        return self._came.setdefault(kind, asyncio.Queue())

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_INTERVAL)
            await self.say(ping=int(time.time() * 1000))

    async def _read(self) -> None:
        async for frame in self._socket:
            # What it says before it has seen that we speak JSON is binary.
            early = frame.type is aiohttp.WSMsgType.BINARY
            message = _early(frame.data) if early else frame.json()
            for kind, value in message.items():
                if kind == "trickle":
                    kind += value.get("target", "PUBLISHER")
                self._queue(kind).put_nowait(value)


class LiveKit(Target):
    """Each participant has a connection to send and one to receive."""

    name = "LiveKit"

    async def start(self) -> None:
        binary = self.cache / "livekit/livekit-server"
        if not binary.exists():
            raise NotInstalled(self.name)
        asked = await asyncio.create_subprocess_exec(
            *(str(binary), "--version"), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await asked.communicate()
        self.name = f"LiveKit {said.decode().split()[-1]}"
        self._port = free_port()
        config = {
            "port": self._port,
            "bind_addresses": ["127.0.0.1"],
            "keys": {KEY: SECRET},
            "logging": {"level": "warn"},
            "rtc": {
                "udp_port": free_port(),
                "tcp_port": 0,
                "node_ip": ADDRESS,
                "use_external_ip": False,
                "use_ice_lite": True,
                "stun_servers": [],
                "interfaces": {"includes": ["load0"]},
            },
        }
        path = self.folder / "config.yaml"  # JSON is YAML
        path.write_text(json.dumps(config))
        await self.spawn(str(binary), "--config", str(path))

    async def connect(self, scenario: Scenario) -> None:
        self._http = aiohttp.ClientSession()
        self._people = [await self._enter(number) for number in range(len(scenario.people))]
        self._sids: dict[Any, str] = {}
        for number in range(len(scenario.people)):
            if sends(scenario, number):
                async with asyncio.timeout(TIMEOUT):
                    await self._publish(scenario, number)
        self._tasks: list[asyncio.Task[None]] = []
        for number in range(len(scenario.people)):
            wanted = [self._sids[track] for track in watches(scenario, number)]
            there = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(self._subscribe(number, wanted, there))
            self._tasks.append(task)
            async with asyncio.timeout(TIMEOUT):
                await there

    async def _enter(self, number: int) -> Signals:
        query = {
            "access_token": token(f"person{number}"),
            "auto_subscribe": "0",
            "protocol": "9",
            "sdk": "js",
        }
        url = f"http://127.0.0.1:{self._port}/rtc"
        for _ in range(100):
            try:
                socket = await self._http.ws_connect(url, params=query)
                break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)
        else:
            raise NotInstalled("livekit does not start: see its log")
        signals = Signals(socket)
        await signals.say(ping=1)
        return signals

    async def _publish(self, scenario: Scenario, number: int) -> None:
        signals, tracks = self._people[number], sends(scenario, number)
        for index, (track, layer) in enumerate(tracks):
            request: dict[str, Any] = {
                "cid": f"t{index}",
                "name": f"t{index}",
                "type": track.kind.upper(),
            }
            if track.kind == "video":
                width, height = layer.picture
                size = {"width": width, "height": height}
                request |= {"source": "CAMERA", **size}
                request["layers"] = [{"quality": "HIGH", **size}]
            else:
                request |= {"source": "MICROPHONE", "disableRed": True}
            await signals.say(addTrack=request)
            published = await signals.next("trackPublished")
            self._sids[track] = published["track"]["sid"]
        ufrag, pwd = self.peers.credentials()
        own = sdp.Own(ufrag, pwd, self.peers.fingerprint)
        offered = sdp.offer(own, [sdp.Section(one.kind, one.ssrc) for one, _ in tracks])
        await signals.say(offer={"type": "offer", "sdp": offered})
        answer = await signals.next("answer")
        theirs = await self._theirs(signals, "PUBLISHER", answer["sdp"])
        peer = self.peers.begin(
            theirs.remote, ufrag, pwd, theirs.fingerprints, server=theirs.they_begin
        )
        await self.peers.connected(peer)
        for track, layer in tracks:
            wire = stream(track, layer, sdp.PAYLOAD_TYPES, theirs.remote.transport_cc)
            self.peers.native.add_stream(peer, wire)

    async def _theirs(self, signals: Signals, target: str, text: str) -> sdp.Theirs:
        """Their side; the candidate comes in the SDP or after it."""
        while True:
            try:
                return sdp.read(text, controlling=True)
            except ValueError:
                one = json.loads((await signals.next(f"trickle{target}"))["candidateInit"])
                text += f"\na={one['candidate']}"

    async def _subscribe(
        self, number: int, wanted: list[str], there: asyncio.Future[None]
    ) -> None:
        """Take offers for ever: there is one whenever tracks were added.

        `there` is told of the one that has all that is wanted.
        """
        signals = self._people[number]
        await signals.say(subscription={"trackSids": wanted, "subscribe": True})
        ufrag, pwd = self.peers.credentials()
        own = sdp.Own(ufrag, pwd, self.peers.fingerprint)
        begun = False
        while True:
            offered = await signals.next("offer")
            answer = {"type": "answer", "sdp": sdp.answer(offered["sdp"], own)}
            await signals.say(answer={**answer, "id": offered.get("id", 0)})
            sections = re.findall(r"^m=(?:audio|video) [1-9]", offered["sdp"], re.MULTILINE)
            # The first has no media, so no header extensions; but who connects to nothing,
            # since it watches nobody, is put out after fifteen seconds.
            if (sections or not wanted) and not begun:
                theirs = await self._theirs(signals, "SUBSCRIBER", offered["sdp"])
                peer = self.peers.begin(theirs.remote, ufrag, pwd, theirs.fingerprints)
                await self.peers.connected(peer)
                begun = True
            if len(sections) >= len(wanted) and not there.done():
                there.set_result(None)

    async def disconnect(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for one in self._people:
            await one.close()
        await self._http.close()
