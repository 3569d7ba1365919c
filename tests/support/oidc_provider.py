"""An OpenID Connect provider of other people's making."""

from __future__ import annotations

import http.cookiejar
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from xmppconf.serve.ports import free_ports

START_TIMEOUT = 20.0  # seconds


class Provider:
    """Another project's provider as a process of its own, and a browser that goes there."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"

    def log_in(self, url: str, user: str) -> dict[str, str]:
        """Go where we are sent, log in, and bring back what the provider sends along."""
        opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), _Stay()
        )
        form = urllib.parse.urlencode({"sub": user}).encode()
        with opener.open(url, form, timeout=10) as answer:
            back = answer.headers["Location"]
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back).query))


class _Stay(urllib.request.HTTPRedirectHandler):
    def http_error_302(self, req: Any, fp: Any, *_: Any) -> Any:
        return fp


PROGRAM = "from oidc_provider_mock.__main__ import run; run()"
#: Of itself it takes clients with a secret only; what it is made of can do both.
WITHOUT_SECRETS = (
    "from oidc_provider_mock import _app;"
    " _app.AuthorizationCodeGrant.TOKEN_ENDPOINT_AUTH_METHODS = ['none'];"
)


@contextmanager
def running_provider(log: Path, before: str = "") -> Iterator[Provider]:
    """`before` is what its process does first."""
    [port] = free_ports(1)
    claims = (
        '{"sub": "ann", "name": "Ann", "groups": ["staff", "chairs"]}',
        '{"sub": "bob", "groups": ["staff"]}',
        '{"sub": "eve", "groups": ["others"]}',
    )
    program = [sys.executable, "-c", before + PROGRAM]
    options = [word for claim in claims for word in ("--user-claims", claim)]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [*program, "--port", str(port), "--require-nonce", "true", *options],
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        yield Provider(port)
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with running_provider(tmp_path_factory.mktemp("oidc") / "log") as running:
        yield running
