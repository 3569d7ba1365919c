"""Somebody with an account on another server comes to a room here, by s2s, and talks."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser.call import Caller, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN
from tests.serve.existing import (
    answers,
    existing_service,
    prepare,
    process,
    prosody,
    run_ejabberd,
)
from tests.support.certificate import make_certificate
from tests.support.peer import Peer
from tests.support.rtc_peer import use_loopback
from xmppconf.config import Settings
from xmppconf.config_file import load
from xmppconf.serve.ports import free_ports
from xmppconf.xmpp.stanza import StanzaError

CAST = (ANN,)
FIREFOX = None

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]

PASSWORD = secrets.token_urlsafe(24)

#: The other server, for the domains b.test, whose people are welcome, and c.test.
OTHER_SERVER = """
hosts: [b.test, c.test]
loglevel: warning
certfiles: ["{folder}/both.pem"]
s2s_use_starttls: required
outgoing_s2s_port: {ours}
listen:
  -
    port: {clients}
    ip: "127.0.0.1"
    module: ejabberd_c2s
  -
    port: {servers}
    ip: "127.0.0.1"
    module: ejabberd_s2s_in
modules:
  mod_disco: {{}}
  mod_s2s_dialback: {{}}
"""

#: What that server knows of names; no DNS answers it.
HOSTS = "127.0.0.1 localhost a.test muc.a.test focus.a.test\n"
NO_DNS = "nameserver 127.0.0.1\n"
#: Its own /etc/hosts and /etc/resolv.conf, in a mount namespace.
WITH_FILES = """
mount --bind "$1/hosts" /etc/hosts && mount --bind "$1/resolv.conf" /etc/resolv.conf
shift && exec "$@"
"""


@dataclass(frozen=True, slots=True)
class TwoServers:
    settings: Settings
    clients: int
    """Where people of b.test and c.test log in."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoServers]:
    here, there = tmp_path_factory.mktemp("a.test"), tmp_path_factory.mktemp("b.test")
    ours, clients, theirs = free_ports(3)
    files = make_certificate(there, "b.test")
    both = "".join(Path(file).read_text() for file in files.values())
    (there / "both.pem").write_text(both)
    (there / "hosts").write_text(HOSTS)
    (there / "resolv.conf").write_text(NO_DNS)
    yaml = OTHER_SERVER.format(folder=there, ours=ours, clients=clients, servers=theirs)
    command = run_ejabberd(
        there, yaml, ("bea", "b.test", PASSWORD), ("cid", "c.test", PASSWORD)
    )
    names = f"b.test {theirs} c.test {theirs}"
    lua = f"@{Path(__file__).parents[1] / 'serve/names.lua'}"

    def server(folder: Path, ports: dict[str, int], domain: str) -> tuple[str, ...]:
        return ("env", f"NAMES={names}", f"LUA_INIT={lua}", *prosody(folder, ports, domain))

    rules = '\n[members]\nopen = false\ndomains = ["b.test"]\n'
    namespace = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))
    erlang = (*namespace, "sh", "-ec", WITH_FILES, "sh", str(there), *command)
    prepared = prepare(here, server, "a.test", more=rules, server_port=ours)
    with (
        process(there / "server.log", *erlang),
        existing_service(prepared) as file,
    ):
        deadline = time.monotonic() + 60
        while not all(map(answers, (clients, theirs))):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield TwoServers(load(file), clients)


@asynccontextmanager
async def somebody(servers: TwoServers, account: str, room: str) -> AsyncIterator[Peer]:
    peer = Peer(
        *(servers.settings, secrets.token_hex(4), room, BEN.colour, float(BEN.tone)),
        display_name=BEN.name,
        account=(account, PASSWORD, servers.clients),
    )
    try:
        yield peer
    finally:
        await peer.close()


async def test_a_member_elsewhere_opens_a_room_and_talks_to_a_browser_here(
    servers: TwoServers, people: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_loopback(monkeypatch)
    room = new_room()
    async with somebody(servers, "bea@b.test", room) as bea:
        await bea.enter()
        ann = Caller(ANN, await people.page(ANN))
        await ann.open(f"http://localhost:{servers.settings.web.port}/", room)
        await ann.join()
        await bea.accept()
        async with asyncio.timeout(30):
            await bea.media.see(ANN.colour)
            await ann.page.evaluate("testSpeak(true)")
            await bea.media.listen(ANN.tone)
        await ann.hears([BEN])
        await ann.say("hello there")
        async with asyncio.timeout(10):
            assert await bea.messages.get() == (ann.id, "hello there")
        bea.say("hello from elsewhere")
        await ann.page.wait_for("document.body.innerText.includes('hello from elsewhere')")


async def test_others_are_refused_also_at_the_room_s_door(servers: TwoServers) -> None:
    room = new_room()
    async with (
        somebody(servers, "bea@b.test", room) as bea,
        somebody(servers, "cid@c.test", room) as cid,
    ):
        await bea.enter()
        with pytest.raises(StanzaError, match="forbidden"):
            await cid.enter()
        # The room is on a server that lets everybody in; the focus does not.
        cid.knock()
        async with asyncio.timeout(20):
            await cid.removed.wait()
        assert bea.occupants <= {bea.id, "focus", cid.id}
