"""Bridge channel messages: refused, or read and written without loss (Z12)."""

from __future__ import annotations

from xmppconf.bridge_channel import parse, serialize
from xmppconf.errors import PeerError


def one_input(data: bytes) -> None:
    try:
        message = parse(data.decode(errors="replace"))
    except PeerError:
        return
    assert parse(serialize(message)) == message
