"""Jitsi Videobridge as it comes, built from its sources, commanded by Colibri2 (HTTP)."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import replace
from typing import Any

import aiohttp
from xmppconf_bridge.generator.native import Remote, Stream
from xmppconf_bridge.generator.plan import Person, Scenario

from tests.load.compare import sdp
from tests.load.compare.target import (
    ADDRESS,
    NotInstalled,
    Target,
    built,
    free_port,
    sends,
    stream,
)
from xmppconf.transport import Fingerprint, Setup

FOLDER = "XMPPCONF_COMPARE_JVB"
TIMEOUT = 20.0  # seconds
START_TIMEOUT = 60.0  # seconds; on one core a JVM takes a while
#: Before the first turn everybody sends every other half second for that long: what a JVM
#: has not compiled yet is many times slower, and it compiles while there is less to do.
WARM_UP = 25.0  # seconds
WARM_UP_STEP = 0.5  # seconds
_FEEDBACK = {
    "audio": [{"type": "transport-cc"}],
    "video": [
        {"type": "ccm", "subtype": "fir"},
        {"type": "nack"},
        {"type": "nack", "subtype": "pli"},
        {"type": "transport-cc"},
    ],
}
_CODECS: dict[str, dict[str, Any]] = {
    "audio": {"name": "opus", "clockrate": "48000", "channels": "2"},
    "video": {"name": "VP8", "clockrate": "90000"},
}


def _media(kind: str) -> dict[str, Any]:
    """What each participant understands of a medium."""
    payload_type = {"id": str(sdp.PAYLOAD_TYPES[kind]), **_CODECS[kind]}
    extensions = [sdp.TRANSPORT_CC, *([sdp.AUDIO_LEVEL] if kind == "audio" else [])]
    return {
        "type": kind,
        "payload-types": [{**payload_type, "rtcp-fbs": _FEEDBACK[kind]}],
        "rtp-hdrexts": [{"uri": uri, "id": sdp.IDS[uri]} for uri in extensions],
    }


def _id(number: int) -> str:
    return f"{number:08x}"


def _sources(scenario: Scenario, number: int) -> list[dict[str, Any]]:
    """What a participant sends, the encodings of its picture as one source."""
    found = []
    for kind in ("audio", "video"):
        ssrcs = [one.ssrc for one, _ in sends(scenario, number) if one.kind == kind]
        if not ssrcs:
            continue
        name = f"{_id(number)}-{kind[0]}0"
        source: dict[str, Any] = {
            "type": kind,
            "id": name,
            "sources": [{"ssrc": ssrc, "name": name} for ssrc in ssrcs],
        }
        if len(ssrcs) > 1:
            source["ssrc-groups"] = [{"semantics": "SIM", "sources": ssrcs}]
        found.append(source)
    return found


def _constraints(person: Person) -> dict[str, Any]:
    """What is shown, as a client says when its tiles are laid out."""
    message: dict[str, Any] = {
        "colibriClass": "ReceiverVideoConstraints",
        "lastN": person.watches,
        "defaultConstraints": {"maxHeight": 720 if person.large is None else 180},
    }
    if person.large is not None:
        large = f"{_id(person.large)}-v0"
        message["onStageSources"] = [large]
        message["constraints"] = {large: {"maxHeight": 720}}
    return message


class Jvb(Target):
    """Its start script and defaults, but for addresses and what would end a long wait."""

    async def start(self) -> None:
        self.name = "Jitsi Videobridge"
        root = built(FOLDER, self.name, "jvb.sh")
        self._port, public = free_port(), free_port()
        config = {
            "videobridge": {
                "apis": {"rest": {"enabled": True}},
                "http-servers": {
                    "private": {"host": "127.0.0.1", "port": self._port},
                    "public": {"host": "127.0.0.1", "port": public},
                },
                "websockets": {
                    "enabled": True,
                    "domains": [f"127.0.0.1:{public}"],
                    "tls": False,
                },
                "ice": {"udp": {"port": free_port()}},
                # As ours is told: a fan-out's only picture is more than a first estimate.
                "cc": {"trust-bwe": False},
                # Who waits for a turn sends nothing.
                "entity-expiration": {"timeout": "1 hour"},
            },
            "ice4j": {
                "harvest": {
                    "allowed-addresses": [ADDRESS],
                    "use-ipv6": False,
                    "use-link-local-addresses": False,
                    "mapping": {"aws": {"enabled": False}},
                }
            },
        }
        path = self.folder / "jvb.conf"  # JSON is HOCON
        path.write_text(json.dumps(config))
        await self.spawn(
            *("bash", str(root / "jvb.sh")), JAVA_SYS_PROPS=f"-Dconfig.file={path}"
        )
        async with aiohttp.ClientSession() as http, asyncio.timeout(START_TIMEOUT):
            self.name += f" {await self._version(http)}"

    async def _version(self, http: aiohttp.ClientSession) -> str:
        """Wait until it answers."""
        url = f"http://127.0.0.1:{self._port}/about/version"
        while self._process is not None and self._process.returncode is None:
            try:
                async with http.get(url) as response:
                    if response.status == 200:
                        version: str = (await response.json())["version"]
                        return version
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.2)
        raise NotInstalled("jvb does not start: see its log")

    async def connect(self, scenario: Scenario) -> None:
        self._http = aiohttp.ClientSession()
        self._meeting = secrets.token_hex(16)
        self._channels: list[aiohttp.ClientWebSocketResponse] = []
        for number in range(len(scenario.people)):
            async with asyncio.timeout(TIMEOUT):
                await self._enter(scenario, number)
        self._readers = [asyncio.create_task(_drain(one)) for one in self._channels]
        for channel, person in zip(self._channels, scenario.people, strict=True):
            await channel.send_json(_constraints(person))
        for step in range(round(WARM_UP / WARM_UP_STEP)):
            self.peers.native.set_sending(step % 2 == 0)
            await asyncio.sleep(WARM_UP_STEP)
        self.peers.native.set_sending(False)

    async def _enter(self, scenario: Scenario, number: int) -> None:
        medias = [_media(kind) for kind in _CODECS]
        endpoint = {
            "id": _id(number),
            "create": True,
            "medias": medias,
            "transport": {"ice-controlling": True},
            "capabilities": ["source-names"],
        }
        answer = await self._modify(endpoint, create=number == 0)
        (theirs,) = answer["endpoints"]
        transport = theirs["transport"]["transport"]
        (candidate,) = (
            one
            for one in transport["candidates"]
            if (one["protocol"], one["ip"]) == ("udp", ADDRESS)
        )
        remote = Remote(
            *(candidate["ip"], int(candidate["port"])),
            *(transport["ufrag"], transport["pwd"]),
            transport_cc=sdp.IDS[sdp.TRANSPORT_CC],
        )
        fingerprints = tuple(
            Fingerprint(one["hash"], one["fingerprint"].upper(), Setup.PASSIVE)
            for one in transport["fingerprints"]
        )
        ufrag, pwd = self.peers.credentials()
        peer = self.peers.begin(remote, ufrag, pwd, fingerprints)
        own = self.peers.fingerprint
        fingerprint = {
            "hash": own.hash,
            "fingerprint": own.value,
            "setup": own.setup.value,
        }
        accepted = {
            "xmlns": transport["xmlns"],  # without it the whole transport is ignored
            "ufrag": ufrag,
            "pwd": pwd,
            "fingerprints": [fingerprint],
        }
        await self._modify(
            {
                "id": _id(number),
                "transport": {"transport": accepted},
                "sources": _sources(scenario, number),
            }
        )
        await self.peers.connected(peer)
        for one in _streams(scenario, number):
            self.peers.native.add_stream(peer, one)
        channel = await self._http.ws_connect(transport["web-sockets"][0], heartbeat=20)
        self._channels.append(channel)

    async def _modify(self, *endpoints: dict[str, Any], **flags: bool) -> Any:
        """A conference-modify; raises RuntimeError if it is refused."""
        path = f"http://127.0.0.1:{self._port}/colibri/v2/conferences"
        create = flags.get("create", False)
        body = {"meeting-id": self._meeting, "endpoints": list(endpoints), **flags}
        call = self._http.post if create else self._http.patch
        url = path if create else f"{path}/{self._meeting}"
        async with call(url, json=body) as response:
            if response.status != 200:
                raise RuntimeError(f"jvb: {response.status} {await response.text()}")
            return await response.json()

    async def disconnect(self) -> None:
        for channel in self._channels:
            await channel.close()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        await self._modify(expire=True)
        await self._http.close()


def _streams(scenario: Scenario, number: int) -> list[Stream]:
    """With audio levels: the bridge finds out who speaks."""
    ids = (sdp.PAYLOAD_TYPES, sdp.IDS[sdp.TRANSPORT_CC])
    found = []
    for track, layer in sends(scenario, number):
        one = stream(track, layer, *ids)
        if track.kind == "audio":
            level = scenario.people[number].level
            one = replace(one, audio_level=sdp.IDS[sdp.AUDIO_LEVEL], level=level)
        found.append(one)
    return found


async def _drain(channel: aiohttp.ClientWebSocketResponse) -> None:
    """Read for ever: a channel that is not read is closed."""
    async for _ in channel:
        pass
