"""What a server has to be able to do to be compared."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from xmppconf_bridge.generator.io.peers import Peers
from xmppconf_bridge.generator.native import Stream
from xmppconf_bridge.generator.plan import Layer, Scenario

#: The server has one core to itself, the load generator the other.
SERVER_CORE, LOAD_CORE = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
#: Of an interface in the network namespace that `script/compare` makes, for servers that do
#: not use loopback.  Packets go the same way.
ADDRESS = "198.18.0.1"


class NotInstalled(Exception):
    """The server is not here; `script/compare --install` may bring it."""


def built(variable: str, name: str, program: str) -> Path:
    """The folder in which somebody has built a server that no package registry has.

    `variable` of the environment says where it is; raises `NotInstalled` without `program`.
    """
    folder = os.environ.get(variable)
    if not folder:
        raise NotInstalled(f"{name}: {variable} names no folder with a build of it")
    path = Path(folder).resolve()
    if not (path / program).exists():
        raise NotInstalled(f"{name}: there is no {program} in {variable}")
    return path


@dataclass(frozen=True, slots=True)
class Track:
    """Something that a participant sends; `layer` counts the encodings of its picture."""

    owner: int
    kind: str
    layer: int = 0

    @property
    def ssrc(self) -> int:
        return 1_000_000 + 16 * self.owner + (0 if self.kind == "audio" else 1 + self.layer)


def sends(scenario: Scenario, number: int) -> list[tuple[Track, Layer]]:
    """What a participant sends, each layer as a track of its own."""
    person = scenario.people[number]
    tracks = [(Track(number, "video", n), layer) for n, layer in enumerate(person.video)]
    if person.audio is not None:
        tracks.append((Track(number, "audio"), person.audio))
    return tracks


def watches(scenario: Scenario, number: int) -> list[Track]:
    """What our bridge would choose for a participant, for servers that are told."""
    people, person = scenario.people, scenario.people[number]
    cameras = [n for n, one in enumerate(people) if one.video and n != number]
    tracks: list[Track] = []
    if person.large is not None:
        tracks.append(Track(person.large, "video", len(people[person.large].video) - 1))
        cameras.remove(person.large)
    after = [n for n in cameras if n > number] + [n for n in cameras if n < number]
    tracks += [Track(n, "video") for n in after[: person.videos_expected - len(tracks)]]
    voices = [n for n, one in enumerate(people) if one.audio and n != number]
    tracks += [Track(n, "audio") for n in voices[: person.audios_expected]]
    return tracks


def stream(track: Track, layer: Layer, ids: dict[str, int], transport_cc: int) -> Stream:
    """A track on the wire, under the payload types that were agreed."""
    return Stream(
        *(track.ssrc, ids[track.kind], layer.size, layer.rate),
        picture=layer.picture if track.kind == "video" else None,
        transport_cc=transport_cc,
    )


class Target(ABC):
    """One server.  `connect` and `disconnect` may be repeated."""

    name: str

    def __init__(self, cache: Path, folder: Path) -> None:
        """`cache` has what was installed, `folder` is for what it writes."""
        self.cache = cache
        self.folder = folder
        self.peers = Peers({ADDRESS}, verify=16)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that carry packets."""
        return () if self._process is None else (self._process.pid,)

    @abstractmethod
    async def start(self) -> None:
        """Run the server; raises `NotInstalled`."""

    @abstractmethod
    async def connect(self, scenario: Scenario) -> None:
        """Let all participants come, and subscribe each to what it watches."""

    @abstractmethod
    async def disconnect(self) -> None: ...

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), 5)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def spawn(self, *command: str, **environment: str) -> None:
        """Run a program on the servers' core, its output in a file."""
        with (self.folder / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *("taskset", "-c", str(SERVER_CORE), *command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                cwd=self.folder,
            )


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
