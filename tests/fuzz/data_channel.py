"""SCTP chunks into the data channel, on a fresh and on an open association (Z10).

An input is one octet (odd: open first), then chunk lists with a 16-bit length before each.
They go in packets with a right tag and checksum, as an authenticated peer could send them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from google_crc32c import value as crc32c
from xmppconf_bridge.io.sctp import MAX_MESSAGE, PORT

from tests.bridge.test_sctp import Wire
from tests.fuzz.dtls import datagrams


def one_input(data: bytes) -> None:
    if data:
        asyncio.run(_feed(data))


async def _feed(data: bytes) -> None:
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, info: failures.append(info))
    wire = Wire()
    try:
        if data[0] % 2:
            await wire.open()
            await asyncio.wait_for(wire.opened.wait(), 5)
        wire.cut = True
        tag = wire.bridge._sctp._local_verification_tag
        for chunks in datagrams(data[1:]):
            wire.bridge.receive(_packet(tag, chunks))
            await asyncio.sleep(0)
        for _ in range(4):
            await asyncio.sleep(0)
        while not wire.messages.empty():
            assert len(wire.messages.get_nowait()) <= MAX_MESSAGE
    finally:
        # As `Wire.end`, without its sleep, which thousands of inputs would add up.
        wire.bridge.close()
        wire._task.cancel()
        await asyncio.gather(wire._task, wire.bridge._task, return_exceptions=True)
        await wire.peer.stop()
    assert not failures, failures


def _packet(tag: int, chunks: bytes) -> bytes:
    # The first chunk of an association, INIT, goes without tag (RFC 9260, 8.5.1).
    tag = 0 if chunks[:1] == b"\x01" else tag
    head = PORT.to_bytes(2) + PORT.to_bytes(2) + tag.to_bytes(4)
    checksum: int = crc32c(head + bytes(4) + chunks)
    return head + checksum.to_bytes(4, "little") + chunks
