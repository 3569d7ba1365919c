"""Does a part answer?  Written with plain streams: the supervisor stays small."""

from __future__ import annotations

import asyncio

TIMEOUT = 3.0  # seconds for one question
INTERVAL = 0.05  # seconds between questions while a part starts


async def ports_answer(host: str, ports: tuple[int, ...]) -> bool:
    """Whether all these TCP ports accept."""
    for port in ports:
        try:
            async with asyncio.timeout(TIMEOUT):
                _, writer = await asyncio.open_connection(host, port)
        except OSError:
            return False
        writer.close()
    return True


async def is_healthy(host: str, port: int, path: str, *, tls: bool = False) -> bool:
    """Whether `GET` of `path` answers 200; our own child's certificate is not checked."""
    context = None
    if tls:
        import ssl  # several megabytes, and most runs need none of it

        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
                status = await reader.read(64)
            finally:
                writer.close()
    except OSError:
        return False
    return status.split(b" ", 2)[1:2] == [b"200"]
