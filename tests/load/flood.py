"""Hostile signalling through the gateway, as fast as it takes it, until SIGTERM.

It is a process of its own, so that reading what it causes delays nobody who is measured.
At the end it prints as JSON what it sent, and what of that came out at the other end.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import signal
from contextlib import suppress
from dataclasses import asdict, dataclass

import aiohttp

from xmppconf.config_file import parse
from xmppconf.names import Names

HOSTILE = 5
PRESENCES = 200  # a second, of each
REQUESTS = 200  # a second
TICK = 0.05  # seconds; so many stanzas go out at once
FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND = "urn:ietf:params:xml:ns:xmpp-bind"
CLIENT = "jabber:client"
FOCUS = "http://jitsi.org/protocol/focus"


@dataclass(slots=True)
class Sent:
    presences: int = 0
    requests: int = 0
    shown: int = 0
    """Presences that the room showed to one of the hostile occupants, of all of them."""
    answered: int = 0


class Guest:
    """An anonymous client that writes whatever it likes (RFC 7395)."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, names: Names) -> None:
        self._socket = socket
        self._names = names
        self._write = socket.send_str

    async def _until(self, part: str) -> None:
        """Read to a text with this in it."""
        while part not in await self._socket.receive_str(timeout=10):
            pass

    async def log_in(self) -> None:
        begin = f"<open xmlns='{FRAMING}' to='{self._names.guests}' version='1.0'/>"
        await self._write(begin)
        await self._until("ANONYMOUS")
        await self._write(f"<auth xmlns='{SASL}' mechanism='ANONYMOUS'/>")
        await self._until("<success")
        await self._write(begin)
        await self._until(BIND)
        await self._write(
            f"<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='{BIND}'/></iq>"
        )
        await self._until("<jid>")

    def _request(self, room: str, id: str) -> str:
        return (
            f"<iq xmlns='{CLIENT}' type='set' id='{id}' to='{self._names.focus}'>"
            f"<conference xmlns='{FOCUS}' room='{room}@{self._names.rooms}'/></iq>"
        )

    async def enter(self, nick: str) -> str:
        """Its address in the room."""
        await self._write(self._request("flooded", "in"))
        await self._until("ready=")
        to = f"flooded@{self._names.rooms}/{nick}"
        await self._show(to, "<x xmlns='http://jabber.org/protocol/muc'/>")
        return to

    async def _show(self, to: str, inner: str) -> None:
        await self._write(f"<presence xmlns='{CLIENT}' to='{to}'>{inner}</presence>")

    async def presences(self, to: str, sent: Sent) -> None:
        """Be an occupant that changes its presence without end."""
        for count in itertools.count():
            for index in range(int(PRESENCES * TICK)):
                text = f"{count}.{index}" + "x" * 100
                await self._show(to, f"<status>{text}</status>")
                sent.presences += 1
            await asyncio.sleep(TICK)

    async def requests(self, sent: Sent) -> None:
        """Ask for room after room, and never enter one."""
        for count in itertools.count():
            for index in range(int(REQUESTS * TICK)):
                await self._write(self._request(f"flood-{count}-{index}", f"f{count}"))
                sent.requests += 1
            await asyncio.sleep(TICK)

    async def count(self, sent: Sent) -> None:
        async for message in self._socket:
            text = str(message.data)
            sent.shown += text.startswith("<presence")
            sent.answered += text.startswith("<iq")


async def flood(url: str, domain: str) -> Sent:
    stop, sent, unheard = asyncio.Event(), Sent(), Sent()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    names = Names.of(parse({"domain": domain}))
    async with aiohttp.ClientSession() as http:
        tasks: list[asyncio.Task[None]] = []
        for number in range(HOSTILE + 1):
            socket = await http.ws_connect(f"{url}xmpp-websocket", protocols=("xmpp",))
            guest = Guest(socket, names)
            await guest.log_in()
            if number < HOSTILE:
                work = guest.presences(await guest.enter(f"hostile{number}"), sent)
            else:
                work = guest.requests(sent)
            tasks.append(asyncio.create_task(work))
            # All occupants see the same; the stranger sees its answers.
            counted = sent if number in (0, HOSTILE) else unheard
            tasks.append(asyncio.create_task(guest.count(counted)))
        await asyncio.wait(
            [asyncio.create_task(stop.wait()), *tasks], return_when="FIRST_COMPLETED"
        )
        for task in tasks:
            if task.done():
                raise AssertionError("a flood ended by itself") from task.exception()
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)
    return sent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("domain")
    options = parser.parse_args()
    print(json.dumps(asdict(asyncio.run(flood(options.url, options.domain)))))


if __name__ == "__main__":
    main()
