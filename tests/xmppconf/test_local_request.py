"""Who gets pages that are for this machine only."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from xmppconf.local_request import is_local


@pytest.mark.parametrize(
    ("remote", "header", "local"),
    [
        ("127.0.0.1", "Accept", True),
        ("127.9.9.9", "Accept", True),
        ("::1", "Accept", True),
        ("::1", "x-forwarded-for", False),
        ("127.0.0.1", "Forwarded", False),
        ("127.0.0.1", "Via", False),
        ("127.0.0.1", "X-Real-IP", False),
        ("192.0.2.1", "Accept", False),
        ("localhost", "Accept", False),
        (None, "Accept", False),
    ],
)
def test_only_loopback_without_a_proxy_is_local(
    remote: str | None, header: str, local: bool
) -> None:
    assert is_local(remote, CIMultiDict({header: "x"})) is local
