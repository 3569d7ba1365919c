"""`serve` for the public: a domain, TLS, and federation switched on."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession, TCPConnector, ThreadedResolver

from tests.support.certificate import make_certificate
from xmppconf.serve.ports import free_ports

ROOT = Path(__file__).parents[2]
DOMAIN = "meet.example"
START_TIMEOUT = 60.0  # seconds, on a machine that is busy with builds

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]


@dataclass(frozen=True, slots=True)
class Public:
    url: str
    port: int
    server_port: int
    trust: ssl.SSLContext


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Public]:
    folder = tmp_path_factory.mktemp("public")
    tls = make_certificate(folder, DOMAIN)
    port, udp, server_port = free_ports(3)
    config = folder / "settings.toml"
    config.write_text(f"[xmpp]\nserver_port = {server_port}\n")
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [
                *(sys.executable, "-m", "xmppconf", "serve", "--config", str(config)),
                *("--state", str(folder / "state"), "--domain", DOMAIN),
                *("--port", str(port), "--udp-port", str(udp)),
                *("--tls-certificate", tls["tls_certificate"]),
                *("--tls-key", tls["tls_key"]),
            ],
            cwd=ROOT,
            env={**os.environ, "XDG_CONFIG_HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while "Ready: " not in (text := log.read_text()):
            assert process.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.05)
        url = text.partition("Ready: ")[2].split()[0]
        trust = ssl.create_default_context(cafile=tls["tls_certificate"])
        yield Public(url, port, server_port, trust)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def session() -> ClientSession:
    return ClientSession(connector=TCPConnector(resolver=ThreadedResolver()))


async def test_pages_come_over_tls_with_the_certificate(public: Public) -> None:
    assert public.url == f"https://{DOMAIN}:{public.port}/"
    host = {"Host": f"{DOMAIN}:{public.port}"}
    async with (
        session() as http,
        http.get(
            f"https://127.0.0.1:{public.port}/config.js",
            headers=host,
            ssl=public.trust,
            server_hostname=DOMAIN,
        ) as answer,
    ):
        text = await answer.text()
        assert f"wss://{DOMAIN}:{public.port}/xmpp-websocket" in text
        assert "max-age" in answer.headers["Strict-Transport-Security"]


async def test_sockets_come_over_tls_too(public: Public) -> None:
    async with (
        session() as http,
        http.ws_connect(
            f"wss://127.0.0.1:{public.port}/xmpp-websocket",
            protocols=["xmpp"],
            headers={"Origin": public.url.rstrip("/")},
            ssl=public.trust,
            server_hostname=DOMAIN,
        ) as socket,
    ):
        await socket.send_str(
            '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" version="1.0" '
            f'to="guest.{DOMAIN}"/>'
        )
        assert f"from='guest.{DOMAIN}'" in (await socket.receive_str()).replace('"', "'")
        assert "ANONYMOUS" in await socket.receive_str()
        connection = socket.get_extra_info("socket")
    # Whoever closes a web socket is not told when the end of TLS has been said both ways.
    while connection.fileno() != -1:  # noqa: ASYNC110  (a socket sets no event)
        await asyncio.sleep(0.01)


def test_other_servers_may_come_over_tls(public: Public) -> None:
    """RFC 6120, 5.4: an encrypted stream is the only thing on offer."""
    with socket.create_connection(("127.0.0.1", public.server_port), 5) as plain:
        plain.sendall(
            b"<stream:stream xmlns='jabber:server' version='1.0' from='other.example' "
            b"xmlns:stream='http://etherx.jabber.org/streams' to='meet.example'>"
        )
        features = b""
        while b"</stream:features>" not in features:
            part = plain.recv(4096)
            assert part, features
            features += part
        assert b"<required/>" in features
        plain.sendall(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        assert b"<proceed" in plain.recv(4096)
        with public.trust.wrap_socket(plain, server_hostname=DOMAIN) as secure:
            assert secure.version() in ("TLSv1.2", "TLSv1.3")
