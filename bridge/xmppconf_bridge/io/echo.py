"""Sends the bridge's question to itself over a real socket."""

from __future__ import annotations

import asyncio
import secrets

from xmppconf_bridge import echo

RESEND = 0.2  # seconds until a question that got no answer is asked again


class _Asker(asyncio.DatagramProtocol):
    def __init__(self, transaction: bytes, password: str) -> None:
        self._transaction = transaction
        self._password = password
        self.answered = asyncio.Event()

    def datagram_received(self, data: bytes, _: object) -> None:
        if echo.is_answer(data, self._transaction, self._password):
            self.answered.set()


async def answers(
    address: tuple[str, int], ufrag: str, password: str, within: float
) -> bool:
    """Whether the agent of that user fragment answers at `address`, `within` seconds."""
    transaction = secrets.token_bytes(echo.TRANSACTION_LENGTH)
    question = echo.request(transaction, ufrag, password)
    try:
        transport, asker = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Asker(transaction, password), remote_addr=address
        )
    except OSError:
        return False
    try:
        async with asyncio.timeout(within):
            while not asker.answered.is_set():
                transport.sendto(question)
                try:
                    await asyncio.wait_for(asker.answered.wait(), RESEND)
                except TimeoutError:
                    continue
    except TimeoutError:
        return False
    finally:
        transport.close()
    return True
