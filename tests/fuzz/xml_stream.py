"""The guarded stream: fed whole, in halves and by the byte, it sees the same (Z8)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from functools import cache

from tests.support.xmpp import OPEN, Wire
from xmppconf.xmpp.stream import GuardedComponent


@cache
def _component() -> GuardedComponent:
    # Making one reads the system's certificates; a connection made anew forgets the old.
    return GuardedComponent("focus.example", "secret")


def one_input(data: bytes) -> None:
    logging.getLogger("slixmpp").setLevel(logging.CRITICAL)
    asyncio.run(_compare(data))


async def _compare(data: bytes) -> None:
    stream = _component()
    stream.loop = asyncio.get_running_loop()
    half = len(data) // 2
    whole = _feed(stream, iter([data]))
    assert _feed(stream, iter([data[:half], data[half:]])) == whole
    if len(data) <= 4096:
        assert _feed(stream, (bytes([octet]) for octet in data)) == whole
    stream.transport = None
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _feed(stream: GuardedComponent, chunks: Iterator[bytes]) -> list[str]:
    """What reached the listeners, and how many stanzas were refused."""
    seen: list[str] = []
    stream.listen(
        presence=lambda element: seen.append(f"presence {len(element)}"),
        message=lambda element: seen.append(f"message {len(element)}"),
    )
    refused = stream.stanzas_refused
    stream.connection_made(Wire())
    stream.data_received(OPEN)
    for chunk in chunks:
        if stream.transport is None or stream.transport.is_closing():
            break
        stream.data_received(chunk)
    return [*seen, f"refused {stream.stanzas_refused - refused}"]
