"""Hosts with ports as they are written in settings and URLs."""

from __future__ import annotations

import pytest

from xmppconf.host_port import join_address, split_address


@pytest.mark.parametrize(
    ("host", "port", "text"),
    [("192.0.2.1", 80, "192.0.2.1:80"), ("2001:db8::1", 80, "[2001:db8::1]:80")],
)
def test_there_and_back(host: str, port: int, text: str) -> None:
    assert join_address(host, port) == text
    assert split_address(text) == (host, port)


def test_names_go_into_urls_only() -> None:
    assert join_address("localhost", 5280) == "localhost:5280"
    with pytest.raises(ValueError, match="localhost"):
        split_address("localhost:5280")


@pytest.mark.parametrize("text", ["::1:80", "192.0.2.1", "192.0.2.1:0", "[::1]:x"])
def test_what_is_no_address_with_a_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"brackets|port"):
        split_address(text)
