"""What one forwarded packet costs the bridge: one sender, many receivers, real sockets.

The engine runs in this process on one core, the load generator (`load.rs`, native) on the
other.  CPU is this process's user and system time, which over loopback includes the
kernel's delivery to the receivers' sockets.  Microseconds a packet are CPU seconds per
million packets.  Compare runs only with runs beside them, and with `floor.rs`.

Where packets are lost the load generator is the slower side: one thread sends, receives and
decrypts for everybody.  Delays are then the time that packets wait for it in their sockets,
and the packets it never read have cost the bridge as much: `us/packet` is per packet sent.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import secrets
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "bridge/native/target/release"
CORES = sorted(os.sched_getaffinity(0))
CONFERENCE, SOURCE, SSRC = 1, 1, 1000
CONNECT_TIMEOUT = 10.0  # seconds

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


def load_engine(library: Path) -> ModuleType:
    """Import the engine from a file: the one in the tree has no counters per stage."""
    spec = importlib.util.spec_from_file_location("_native", library)
    if spec is None or spec.loader is None:
        raise ImportError(f"not a Python extension: {library}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Bridge:
    """An engine with one sender and some receivers, and the load that talks to it."""

    def __init__(self, native: ModuleType, load: Path, run: Run) -> None:
        self.run = run
        self.engine = native.Engine([("127.0.0.1", 0)])
        [(host, port)] = self.engine.local_addresses()
        self.address = f"{host}:{port}"
        self.load = subprocess.Popen(  # noqa: S603 -- our own program
            [load],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, CORES[-1:]),
        )

    def connect(self) -> None:
        self.engine.add_conference(CONFERENCE, 1, 2)
        keys = {}
        for transport in range(1, self.run.receivers + 2):
            keys[transport] = self._add_peer(transport)
        self._say("connect")
        waiting = set(keys)
        while waiting:
            if not select.select([self.engine.event_fd()], [], [], CONNECT_TIMEOUT)[0]:
                raise TimeoutError(f"no pair for {len(waiting)} transports")
            for event in self.engine.take_events():
                if event[0] == "ice-valid":
                    self.engine.set_srtp(event[1], 7, *keys[event[1]])
                    waiting.discard(event[1])
        self._answer()
        media = "video" if self.run.kind == "vp8" else "audio"
        self.engine.set_sources(1, [(SOURCE, media, [(SSRC, None)])])
        for receiver in range(2, self.run.receivers + 2):
            self.engine.set_route(receiver, SOURCE, 5000 + receiver, None, 0, 7, 7)

    def measure(self, seconds: float) -> dict[str, Any]:
        self._say(f"run {self.run.kind} {self.run.size} {self.run.rate} 1")
        self._answer()  # warm
        before, stages = cpu_seconds(), self.engine.stats()
        self._say(f"run {self.run.kind} {self.run.size} {self.run.rate} {seconds:.0f}")
        result = self._answer()
        used, after = cpu_seconds() - before, self.engine.stats()
        forwarded = after["packets_sent"] - stages["packets_sent"]
        result["cpu_us_per_packet"] = used * 1e6 / max(forwarded, 1)
        result["cpu_share"] = used / result["seconds"]
        result["packets_per_second"] = forwarded / result["seconds"]
        result["stages"] = {
            name.removesuffix("_ns"): (after[name] - stages[name]) / 1e3 / max(forwarded, 1)
            for name in after
            if name.endswith("_ns")
        }
        self.engine.take_events()
        return result

    def close(self) -> None:
        if self.load.stdin:
            self.load.stdin.close()
        self.load.wait(5)
        if self.load.stdout:
            self.load.stdout.close()
        self.engine.close()

    def _add_peer(self, transport: int) -> tuple[bytes, bytes, bytes, bytes]:
        ufrag, pwd, remote_ufrag, remote_pwd = (secrets.token_hex(12) for _ in range(4))
        keys = tuple(secrets.token_bytes(n) for n in (16, 12, 16, 12))
        self.engine.add_transport(transport, CONFERENCE, ufrag, pwd, controlling=True)
        self.engine.set_payload_types(transport, PAYLOAD_TYPES)
        self.engine.set_header_extensions(transport, [])
        self.engine.set_remote_ice(transport, remote_ufrag, remote_pwd, [])
        hexed = [keys[i].hex() for i in (2, 3, 0, 1)]
        names = f"{remote_ufrag} {remote_pwd} {ufrag} {pwd}"
        self._say(f"peer {names} {self.address} {' '.join(hexed)}")
        return keys[0], keys[1], keys[2], keys[3]

    def _say(self, line: str) -> None:
        assert self.load.stdin is not None
        self.load.stdin.write(line + "\n")
        self.load.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self.load.stdout is not None
        line = self.load.stdout.readline()
        if not line:
            raise RuntimeError("the load generator ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each run")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--engine", type=Path, default=BUILD / "libxmppconf_native.so", help="the library"
    )
    parser.add_argument(
        "--load", type=Path, default=BUILD / "examples/load", help="the peers"
    )
    arguments = parser.parse_args()
    native = load_engine(arguments.engine)
    os.sched_setaffinity(0, CORES[:1])
    if not arguments.json:
        print(
            f"{'load':28}{'out/s':>9}{'loss':>8}{'p50 us':>8}{'p99 us':>8}{'CPU':>6}"
            f"{'us/packet':>11}"
        )
    for run in RUNS:
        bridge = Bridge(native, arguments.load, run)
        try:
            bridge.connect()
            result = bridge.measure(arguments.seconds)
        finally:
            bridge.close()
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
    stages = {k: v for k, v in result["stages"].items() if k != "worker_cpu"}
    if any(stages.values()):
        text += "   " + ", ".join(f"{name} {cost:.2f}" for name, cost in stages.items())
    return text


if __name__ == "__main__":
    sys.exit(main())
