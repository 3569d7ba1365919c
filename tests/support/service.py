"""The whole service as `xmppconf serve` runs it, on ports from the kernel, for tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from xmppconf.config import Settings
from xmppconf.config_file import load
from xmppconf.serve.ports import free_ports

ROOT = Path(__file__).parent.parent.parent
START_TIMEOUT = 60.0  # seconds; a busy machine is slow to import
STOP_TIMEOUT = 6.0  # seconds; the promise is 5


@dataclass(frozen=True, slots=True)
class Service:
    """A running service."""

    url: str
    """Where people go, with a slash at the end."""
    state: Path
    log: Path
    process: subprocess.Popen[bytes]
    settings: Settings
    """What the parts run with: ports and secrets included."""

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def children(self) -> dict[str, int]:
        """Process ids by the name of the part."""
        found = {}
        pid = self.process.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            known = {"focus", "bridge", "web"} & set(words)
            found[known.pop() if known else "prosody"] = int(child)
        return found

    def memory(self, part: str) -> int:
        """Resident bytes of a part."""
        statm = Path(f"/proc/{self.children()[part]}/statm").read_text()
        return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu(self, part: str) -> float:
        """Seconds of processor that a part has had."""
        stat = Path(f"/proc/{self.children()[part]}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def page(self, part: str, path: str) -> str:
        """A page of a part's own HTTP server, whatever its status."""
        ports = {
            "bridge": self.settings.bridge.http_port,
            "focus": self.settings.focus.http_port,
            "web": self.settings.web.port,
        }
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{ports[part]}{path}", timeout=5
            ) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return str(error.read().decode())

    def is_whole(self) -> bool:
        """Whether every part is well, and the focus has a bridge."""
        return is_whole(self.state / "run.toml")

    def counter(self, name: str) -> float:
        """A figure of the bridge's metrics."""
        for line in self.page("bridge", "/metrics").splitlines():
            if line.startswith(f"jitsi_jvb_{name} "):
                return float(line.split()[1])
        raise KeyError(name)


def is_whole(run_file: Path) -> bool:
    """Whether each part of the service with these settings says that it is well.

    The gateway is well without a bridge, and a part that was killed is not at once missed
    by the others: a test that has killed one waits for this, or the next finds it gone.
    """
    settings = load(run_file, {})
    for port, path in (
        (settings.web.port, "/health"),
        (settings.bridge.http_port, "/health"),
        (settings.focus.http_port, "/about/health"),
    ):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).close()
        except OSError:
            return False
    return True


@contextmanager
def running_service(folder: Path, *, settings: str = "") -> Iterator[Service]:
    """Start it with this TOML, wait until it is healthy, and end it as Ctrl-C would.

    A service that does not end in time, or ends with another code than 0, fails the test.
    """
    [port] = free_ports(1)
    state, log, config = folder / "state", folder / "log", folder / "settings.toml"
    config.touch(mode=0o600)
    config.write_text(settings)
    places = [ROOT, ROOT / "bridge", ROOT / "focus", ROOT / "web"]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [
                *(sys.executable, "-m", "xmppconf", "serve", "--config", str(config)),
                *("--state", str(state), "--port", str(port)),
                *("--udp-port", str(_free_udp_port())),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))},
            start_new_session=True,
        )
    url = f"http://localhost:{port}/"
    try:
        _wait_until_healthy(process, url, log)
        yield Service(url, state, log, process, load(state / "run.toml", {}))
    finally:
        code = _stop(process)
    assert code == 0, f"serve ended with {code}: {log.read_text(errors='replace')[-2000:]}"


def _wait_until_healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}health", timeout=2) as answer:  # noqa: S310
                # The gateway is well before the bridge has announced itself.
                if answer.status == 200 and b"Ready: " in log.read_bytes():
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.1)
    raise AssertionError(f"not healthy: {log.read_text(errors='replace')[-3000:]}")


def _stop(process: subprocess.Popen[bytes]) -> int:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        return process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def _free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        port: int = sock.getsockname()[1]
        return port
