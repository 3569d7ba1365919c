"""mediasoup: its worker, commanded through the little server of mediasoup.cjs."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

from xmppconf_bridge.generator.native import Remote
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
from xmppconf.transport import Fingerprint, Setup

TIMEOUT = 20.0  # seconds
_FEEDBACK = (("nack", ""), ("nack", "pli"), ("transport-cc", ""))


class Connection:
    """To mediasoup.cjs."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._task = asyncio.create_task(self._read(reader))

    async def ask(self, call: str, **values: Any) -> Any:
        number = next(self._numbers)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        line = json.dumps({"number": number, "call": call, **values})
        self._writer.write(line.encode() + b"\n")
        async with asyncio.timeout(TIMEOUT):
            answer = await future
        if "error" in answer:
            raise RuntimeError(f"mediasoup: {answer['error']}")
        return answer

    def close(self) -> None:
        self._task.cancel()
        self._writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            answer = json.loads(line)
            self._asked.pop(answer["number"]).set_result(answer)


class Mediasoup(Target):
    """One worker; each participant has a transport to send and one to receive."""

    async def start(self) -> None:
        root = self.cache / "mediasoup"
        worker, modules = root / "mediasoup-worker", root / "node_modules"
        self.name = "mediasoup"
        if not worker.exists():
            raise NotInstalled(self.name)
        package = json.loads((modules / "mediasoup/package.json").read_text())
        self.name = f"mediasoup {package['version']}"
        port = free_port()
        script = Path(__file__).with_suffix(".cjs")
        await self.spawn(
            *("node", str(script), str(port), ADDRESS),
            NODE_PATH=str(modules),
            MEDIASOUP_WORKER_BIN=str(worker),
        )
        for _ in range(100):
            try:
                streams = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
                break
            except OSError:
                await asyncio.sleep(0.1)
        else:
            raise NotInstalled("mediasoup does not start")
        self._connection = Connection(*streams)
        about = await self._connection.ask("about")
        self._worker: int = about["pid"]
        self._wanted = self._capabilities(about["capabilities"])

    @property
    def pids(self) -> tuple[int, ...]:
        return (self._worker,)

    def _capabilities(self, router: dict[str, Any]) -> dict[str, Any]:
        """Ours: what the router has, less what the participants do not speak."""
        extensions = [
            one
            for one in router["headerExtensions"]
            if one["uri"] in (sdp.TRANSPORT_CC, sdp.AUDIO_LEVEL)
        ]
        self._transport_cc = next(
            one["preferredId"] for one in extensions if one["uri"] == sdp.TRANSPORT_CC
        )
        codecs = [one for one in router["codecs"] if not one["mimeType"].endswith("/rtx")]
        return {"codecs": codecs, "headerExtensions": extensions}

    async def _transport(self, transport_cc: int = 0) -> tuple[int, str]:
        """A connected transport: our number of it, and mediasoup's."""
        theirs = await self._connection.ask("transport")
        ice, candidate = theirs["iceParameters"], theirs["iceCandidates"][0]
        remote = Remote(
            *(candidate["address"], candidate["port"]),
            *(ice["usernameFragment"], ice["password"]),
            transport_cc=transport_cc,
            controlling=True,
        )
        fingerprints = tuple(
            Fingerprint(one["algorithm"], one["value"].upper(), Setup.PASSIVE)
            for one in theirs["dtlsParameters"]["fingerprints"]
            if one["algorithm"] == "sha-256"
        )
        own = self.peers.fingerprint
        fingerprint = {"algorithm": own.hash, "value": own.value}
        await self._connection.ask(
            "connect",
            transport=theirs["id"],
            dtlsParameters={"role": "client", "fingerprints": [fingerprint]},
        )
        peer = self.peers.begin(remote, *self.peers.credentials(), fingerprints)
        await self.peers.connected(peer)
        return peer, theirs["id"]

    async def connect(self, scenario: Scenario) -> None:
        producers: dict[Any, str] = {}
        for number in range(len(scenario.people)):
            tracks = sends(scenario, number)
            if not tracks:
                continue
            peer, transport = await self._transport()
            for track, layer in tracks:
                answer = await self._connection.ask(
                    "produce",
                    transport=transport,
                    kind=track.kind,
                    rtpParameters=_parameters(track.kind, track.ssrc),
                )
                producers[track] = answer["id"]
                ids = (sdp.PAYLOAD_TYPES, sdp.IDS[sdp.TRANSPORT_CC])
                self.peers.native.add_stream(peer, stream(track, layer, *ids))
        for number in range(len(scenario.people)):
            wanted = watches(scenario, number)
            if not wanted:
                continue
            _, transport = await self._transport(self._transport_cc)
            for track in wanted:
                await self._connection.ask(
                    "consume",
                    transport=transport,
                    producerId=producers[track],
                    rtpCapabilities=self._wanted,
                )

    async def disconnect(self) -> None:
        self._connection.close()


def _parameters(kind: str, ssrc: int) -> dict[str, Any]:
    """What a participant sends, as mediasoup wants to know it."""
    video = kind == "video"
    codec = {
        "mimeType": "video/VP8" if video else "audio/opus",
        "payloadType": sdp.PAYLOAD_TYPES[kind],
        "clockRate": 90000 if video else 48000,
        "rtcpFeedback": [
            {"type": one, "parameter": parameter}
            for one, parameter in _FEEDBACK
            if video or one == "transport-cc"
        ],
    }
    if not video:
        codec["channels"] = 2
    extensions = [
        {"uri": uri, "id": number}
        for uri, number in sdp.IDS.items()
        if not video or uri == sdp.TRANSPORT_CC
    ]
    return {
        "codecs": [codec],
        "headerExtensions": extensions,
        "encodings": [{"ssrc": ssrc}],
        "rtcp": {"cname": "load"},
    }
