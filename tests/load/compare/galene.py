"""Galène, from a build of its sources: no module of it is to be had."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

import aiohttp
from xmppconf_bridge.generator.plan import Layer, Scenario

from tests.load.compare import sdp
from tests.load.compare.target import (
    NotInstalled,
    Target,
    Track,
    built,
    free_port,
    sends,
    stream,
    watches,
)

FOLDER = "XMPPCONF_COMPARE_GALENE"
TIMEOUT = 20.0  # seconds
ALL_TIMEOUT = 120.0  # seconds, until the last participant receives everything
#: How long everybody sends once in the beginning: the server offers a track to others when
#: its first packet has come, and the slowest sends thirty a second.
FIRST_PACKETS = 0.3  # seconds
#: Handshakes under way at once: a thousand would outlast their own patience.
AT_ONCE = 16
GROUP = "load"


@dataclass(frozen=True, slots=True)
class Published:
    """What one connection to the server carries: at most a picture and a voice."""

    tracks: tuple[tuple[Track, Layer], ...]

    @property
    def label(self) -> str:
        """By which others ask for it."""
        track = self.tracks[0][0]
        return f"{track.owner}-{track.kind}{track.layer}"

    def wanted(self, watched: set[Track]) -> list[str]:
        """The kinds in it that somebody asks for."""
        return [track.kind for track, _ in self.tracks if track in watched]


def published(scenario: Scenario) -> list[Published]:
    """Everybody's tracks; each receiver has a connection for each of these that it takes.

    So a voice goes with that of its owner's pictures which most of its hearers watch.
    """
    watched = [set(watches(scenario, number)) for number in range(len(scenario.people))]
    found: list[Published] = []
    for number in range(len(scenario.people)):
        tracks = sends(scenario, number)
        pictures = [one for one in tracks if one[0].kind == "video"]
        voices = [one for one in tracks if one[0].kind == "audio"]
        if voices and pictures:
            (voice,) = voices
            best = max(
                pictures, key=lambda one: sum({one[0], voice[0]} <= w for w in watched)
            )
            pictures.remove(best)
            found.append(Published((best, voice)))
        elif voices:
            found.append(Published(tuple(voices)))
        found += [Published((one,)) for one in pictures]
    return found


class Signals:
    """The WebSocket of one participant."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._came: dict[tuple[str, str], asyncio.Queue[Any]] = {}
        self._task = asyncio.create_task(self._read())

    async def say(self, kind: str, /, **message: Any) -> None:
        await self._socket.send_json({"type": kind, **message})

    async def next(self, kind: str, about: str = "") -> Any:
        """The next message of a kind; `about` a connection, by its id."""
        return await self._queue(kind, about).get()

    async def theirs(self, about: str, text: str, *, controlling: bool) -> sdp.Theirs:
        """Their side; the candidate comes in the SDP or after it."""
        while True:
            try:
                return sdp.read(text, controlling=controlling)
            except ValueError:
                message = await self.next("ice", about)
                text += f"\na={message['candidate']['candidate']}"

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._socket.close()

    def _queue(self, kind: str, about: str) -> asyncio.Queue[Any]:
        return self._came.setdefault((kind, about), asyncio.Queue())

    async def _read(self) -> None:
        async for frame in self._socket:
            message = frame.json()
            match message["type"]:
                case "ping":  # who does not answer is put out
                    await self.say("pong")
                case "answer" | "ice" as kind:
                    self._queue(kind, message["id"]).put_nowait(message)
                case "offer" | "joined" as kind:
                    self._queue(kind, "").put_nowait(message)


class Galene(Target):
    """Each participant has a connection for each stream, to send or to receive."""

    async def start(self) -> None:
        self.name = "Galène"
        root = built(FOLDER, self.name, "galene")
        version = re.search(r"Galene (\d\S*)", (root / "CHANGES").read_text())
        if version is not None:
            self.name += f" {version[1]}"
        self._port = free_port()
        folders = {name: self.folder / name for name in ("data", "groups", "recordings")}
        for folder in folders.values():
            folder.mkdir()
        anybody = {"password": {"type": "wildcard"}, "permissions": "present"}
        group = {"wildcard-user": anybody, "codecs": ["vp8", "opus"]}
        (folders["groups"] / f"{GROUP}.json").write_text(json.dumps(group))
        await self.spawn(
            *(str(root / "galene"), "-insecure", "-http", f"127.0.0.1:{self._port}"),
            *("-turn", "", "-static", str(self.folder)),
            *(part for name, one in folders.items() for part in (f"-{name}", str(one))),
        )

    async def connect(self, scenario: Scenario) -> None:
        self._http = aiohttp.ClientSession()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: list[asyncio.Task[None]] = []
        all_streams = published(scenario)
        people, all_there = [], []
        for number in range(len(scenario.people)):
            watched = set(watches(scenario, number))
            request = {one.label: one.wanted(watched) for one in all_streams}
            request = {label: kinds for label, kinds in request.items() if kinds}
            signals = await self._enter(number)
            people.append(signals)
            await signals.say("request", request=request)
            there = asyncio.get_running_loop().create_future()
            missing = {label: len(kinds) for label, kinds in request.items()}
            taking = self._subscribe(signals, missing, there)
            self._tasks.append(asyncio.create_task(taking))
            if request:
                all_there.append(there)
        self._people = people
        for one in all_streams:
            async with asyncio.timeout(TIMEOUT):
                await self._publish(people[one.tracks[0][0].owner], one)
        self.peers.native.set_sending(True)
        await asyncio.sleep(FIRST_PACKETS)
        self.peers.native.set_sending(False)
        async with asyncio.timeout(ALL_TIMEOUT):
            await asyncio.gather(*all_there)

    async def _enter(self, number: int) -> Signals:
        for _ in range(100):
            try:
                socket = await self._http.ws_connect(f"ws://127.0.0.1:{self._port}/ws")
                break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)
        else:
            raise NotInstalled("galene does not start: see its log")
        signals = Signals(socket)
        name = f"person{number}"
        await signals.say("handshake", version=["2"], id=name)
        await signals.say("join", kind="join", group=GROUP, username=name, password="")
        async with asyncio.timeout(TIMEOUT):
            joined = await signals.next("joined")
        if joined["kind"] != "join":
            raise RuntimeError(f"galene: {joined.get('value')}")
        return signals

    async def _publish(self, signals: Signals, one: Published) -> None:
        ufrag, pwd = self.peers.credentials()
        own = sdp.Own(ufrag, pwd, self.peers.fingerprint)
        sections = [sdp.Section(track.kind, track.ssrc) for track, _ in one.tracks]
        offered = sdp.offer(own, sections)
        await signals.say("offer", id=one.label, label=one.label, sdp=offered)
        answer = await signals.next("answer", one.label)
        theirs = await signals.theirs(one.label, answer["sdp"], controlling=True)
        peer = self.peers.begin(
            theirs.remote, ufrag, pwd, theirs.fingerprints, server=theirs.they_begin
        )
        await self.peers.connected(peer)
        for track, layer in one.tracks:
            wire = stream(track, layer, sdp.PAYLOAD_TYPES, theirs.remote.transport_cc)
            self.peers.native.add_stream(peer, wire)

    async def _subscribe(
        self, signals: Signals, missing: dict[str, int], there: asyncio.Future[None]
    ) -> None:
        """Take offers for ever: a stream is offered again when it has another track.

        `there` is told when as many tracks of each label as in `missing` can flow.
        """
        owns: dict[str, sdp.Own] = {}
        while True:
            offer = await signals.next("offer")
            known = owns.get(offer["id"])
            own = known or sdp.Own(*self.peers.credentials(), self.peers.fingerprint)
            owns[offer["id"]] = own
            async with self._turns:
                accepted = sdp.answer(offer["sdp"], own)
                await signals.say("answer", id=offer["id"], sdp=accepted)
                if known is None:
                    theirs = await signals.theirs(
                        offer["id"], offer["sdp"], controlling=False
                    )
                    peer = self.peers.begin(
                        theirs.remote, own.ufrag, own.pwd, theirs.fingerprints
                    )
                    await self.peers.connected(peer)
            ssrcs = set(re.findall(r"^a=ssrc:(\d+)", offer["sdp"], re.MULTILINE))
            if len(ssrcs) >= missing.get(offer["label"], 0):
                missing.pop(offer["label"], None)
            if not missing and not there.done():
                there.set_result(None)

    async def disconnect(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for one in self._people:
            await one.close()
        await self._http.close()
