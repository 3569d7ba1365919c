"""What one forwarded packet costs the engine alone, and in which stage.

One sender, many receivers, real sockets, keys from here instead of DTLS, no control side.
The engine runs in a process of its own on one core, the load generator on the other.  CPU
is that process's user and system time, which over loopback includes the kernel's delivery
to the receivers' sockets.  Microseconds a packet are CPU seconds per million packets.
Compare runs only with runs beside them, and with `floor.rs`.

Where packets are lost the load generator is the slower side; they have cost the engine as
much: `us/packet` is per packet sent.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import secrets
import select
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

from xmppconf_bridge.generator.io.process import usage
from xmppconf_bridge.generator.native import Generator, Keys, Remote, Stream, Valid

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "bridge/native/target/release"
CORES = sorted(os.sched_getaffinity(0))
CONFERENCE, SOURCE, SSRC = 1, 1, 1000
CONNECT_TIMEOUT = 10.0  # seconds
AES_128_GCM = 7
#: Of so many packets one is decrypted, so that the generator is not the slower side.
VERIFY = 16

#: (id, name, clock rate, retransmits, nack, pli, transport-cc)
PAYLOAD_TYPES = [
    (100, "vp8", 90000, None, True, True, False),
    (96, "rtx", 90000, 100, False, False, False),
    (111, "opus", 48000, None, False, False, False),
]


@dataclass(frozen=True)
class Run:
    kind: str
    receivers: int
    size: int
    """Octets of the RTP payload."""
    rate: int
    """Packets a second that come in."""


RUNS = (
    Run("vp8", 10, 1100, 2000),
    Run("vp8", 50, 1100, 300),
    Run("vp8", 50, 1100, 1500),
    Run("vp8", 50, 1100, 4000),
    Run("opus", 50, 160, 1500),
)


@dataclass(frozen=True)
class Participant:
    """The engine's side of one transport."""

    ufrag: str
    pwd: str
    remote_ufrag: str
    remote_pwd: str
    keys: tuple[bytes, bytes, bytes, bytes]


def load_engine(library: Path) -> ModuleType:
    """Import the engine from a file: the one in the tree has no counters per stage."""
    spec = importlib.util.spec_from_file_location("_native", library)
    if spec is None or spec.loader is None:
        raise ImportError(f"not a Python extension: {library}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def serve(
    library: Path, run: Run, participants: list[Participant], pipe: Connection
) -> None:
    """The engine's process: make everything, then answer each word with the counters."""
    os.sched_setaffinity(0, CORES[:1])
    engine = load_engine(library).Engine([("127.0.0.1", 0)])
    engine.add_conference(CONFERENCE, 1, 2)
    for transport, one in enumerate(participants, 1):
        engine.add_transport(transport, CONFERENCE, one.ufrag, one.pwd, controlling=True)
        engine.set_payload_types(transport, PAYLOAD_TYPES)
        engine.set_header_extensions(transport, [])
        engine.set_remote_ice(transport, one.remote_ufrag, one.remote_pwd, [])
        engine.set_srtp(transport, AES_128_GCM, *one.keys)
    pipe.send(engine.local_addresses()[0])
    waiting = set(range(1, len(participants) + 1))
    while waiting:
        if not select.select([engine.event_fd()], [], [], CONNECT_TIMEOUT)[0]:
            raise TimeoutError(f"no pair for {len(waiting)} transports")
        waiting -= {e[1] for e in engine.take_events() if e[0] == "ice-valid"}
    media = "video" if run.kind == "vp8" else "audio"
    engine.set_sources(1, [(SOURCE, media, [(SSRC, None)])])
    for receiver in range(2, run.receivers + 2):
        engine.set_route(receiver, SOURCE, 5000 + receiver, None, 0, 7, 7)
    pipe.send("ready")
    while pipe.recv() != "end":
        engine.take_events()
        pipe.send(engine.stats())
    engine.close()


def _participant() -> Participant:
    ufrag, pwd, remote_ufrag, remote_pwd = (secrets.token_hex(12) for _ in range(4))
    key, salt, other_key, other_salt = map(secrets.token_bytes, (16, 12, 16, 12))
    keys = (key, salt, other_key, other_salt)
    return Participant(ufrag, pwd, remote_ufrag, remote_pwd, keys)


class Bench:
    """An engine in its process, and the participants here."""

    def __init__(self, library: Path, run: Run) -> None:
        self.run = run
        self._participants = [_participant() for _ in range(run.receivers + 1)]
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(
            target=serve, args=(library, run, self._participants, theirs)
        )
        self._process.start()

    def connect(self) -> None:
        host, port = self._pipe.recv()
        self._generator = Generator()
        for one in self._participants:
            remote = Remote(host, port, one.ufrag, one.pwd)
            peer = self._generator.add_peer(
                remote, one.remote_ufrag, one.remote_pwd, VERIFY
            )
            send_key, send_salt, receive_key, receive_salt = one.keys
            keys = Keys(AES_128_GCM, receive_key, receive_salt, send_key, send_salt)
            self._generator.set_keys(peer, keys)
        waiting = len(self._participants)
        while waiting:
            waiting -= sum(isinstance(e, Valid) for e in self._generator.run(1.0))
        while not self._pipe.poll():
            self._generator.run(0.01)
        self._pipe.recv()
        is_video = self.run.kind == "vp8"
        self._generator.add_stream(
            0,
            Stream(
                *(SSRC, 100 if is_video else 111, self.run.size, self.run.rate),
                picture=(640, 360) if is_video else None,
            ),
        )

    def measure(self, seconds: float) -> dict[str, Any]:
        generator = self._generator
        generator.set_sending(True)
        generator.run(1.0)  # warm
        generator.reset()
        pid = self._process.pid or 0
        begin, before = usage(pid), self._stats()
        generator.run(seconds)
        after, end = self._stats(), usage(pid)
        delays, figures = generator.delays(), generator.figures()
        generator.set_sending(False)
        tracks = [track for one in figures for track in one.tracks.values()]
        received = sum(track.received for track in tracks)
        forwarded = max(after["packets_sent"] - before["packets_sent"], 1)
        used = end.cpu - begin.cpu
        return {
            "packets_per_second": forwarded / seconds,
            "loss": 1 - received / max(sum(track.expected for track in tracks), 1),
            "delay_p50_us": delays.p50,
            "delay_p99_us": delays.p99,
            "cpu_share": used / seconds,
            "cpu_us_per_packet": used * 1e6 / forwarded,
            "stages": {
                name.removesuffix("_ns"): (after[name] - before[name]) / 1e3 / forwarded
                for name in after
                if name.endswith("_ns")
            },
        }

    def close(self) -> None:
        self._pipe.send("end")
        self._process.join(5)

    def _stats(self) -> dict[str, int]:
        self._pipe.send("stats")
        figures: dict[str, int] = self._pipe.recv()
        return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each run")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--engine", type=Path, default=BUILD / "libxmppconf_native.so", help="the library"
    )
    arguments = parser.parse_args()
    if not arguments.json:
        print(
            f"{'load':28}{'out/s':>9}{'loss':>8}{'p50 us':>8}{'p99 us':>8}{'CPU':>6}"
            f"{'us/packet':>11}"
        )
    for run in RUNS:
        bench = Bench(arguments.engine, run)
        os.sched_setaffinity(0, CORES[-1:])
        try:
            bench.connect()
            result = bench.measure(arguments.seconds)
        finally:
            bench.close()
            os.sched_setaffinity(0, CORES)
        name = f"{run.kind} 1 to {run.receivers}, {run.size} B, {run.rate}/s"
        print(json.dumps({"load": name} | result) if arguments.json else row(name, result))
        sys.stdout.flush()
    return 0


def row(name: str, result: dict[str, Any]) -> str:
    text = (
        f"{name:28}{result['packets_per_second']:>9.0f}{result['loss']:>8.2%}"
        f"{result['delay_p50_us']:>8}{result['delay_p99_us']:>8}{result['cpu_share']:>6.0%}"
        f"{result['cpu_us_per_packet']:>11.2f}"
    )
    # What the worker had or waited for in all is no stage.
    stages = {k: v for k, v in result["stages"].items() if not k.startswith("worker_")}
    if any(stages.values()):
        text += "   " + ", ".join(f"{name} {cost:.2f}" for name, cost in stages.items())
    return text


if __name__ == "__main__":
    sys.exit(main())
