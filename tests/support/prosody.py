"""A private Prosody for tests, on ports from the kernel, as `serve` would run it."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from xmppconf.config import Settings
from xmppconf.names import Names
from xmppconf.serve import prosody as private
from xmppconf.serve.ports import free_ports

START_TIMEOUT = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class RunningProsody:
    """`settings` has the ports, the component's secret and the bridge's password in it."""

    settings: Settings
    names: Names
    process: subprocess.Popen[bytes]
    log: Path


def with_free_ports(settings: Settings) -> Settings:
    """Fill in the private server's ports and secrets."""
    client, component, http = free_ports(3)
    return replace(
        settings,
        xmpp=replace(
            settings.xmpp, client_port=client, component_port=component, http_port=http
        ),
        focus=replace(settings.focus, component_secret="component-secret"),
        bridge=replace(settings.bridge, password="bridge-password"),
    )


@contextmanager
def running_prosody(settings: Settings | None = None) -> Iterator[RunningProsody]:
    """Start one with these settings (ports are replaced), and end it."""
    settings = with_free_ports(settings or Settings())
    with tempfile.TemporaryDirectory(prefix="xmppconf-prosody-") as folder:
        files = private.Files(Path(folder))
        private.write(settings, files)
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603
                files.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            for port in (
                settings.xmpp.client_port,
                settings.xmpp.component_port,
                settings.xmpp.http_port,
            ):
                _wait_for(port, process, log)
            yield RunningProsody(settings, Names.of(settings), process, log)
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


@pytest.fixture(scope="module")
def prosody() -> Iterator[RunningProsody]:
    with running_prosody() as running:
        yield running


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"Prosody did not start: {log.read_text()}") from None
            time.sleep(0.02)
