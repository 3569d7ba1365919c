"""The focus with an account, as the page about an existing server says, word for word."""

from __future__ import annotations

import asyncio
import functools
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from tests.serve import account
from tests.serve.existing import ROOT, Prepared, existing_service, prepare, process
from tests.support.peer import peers
from tests.support.rtc_peer import Colour, use_loopback
from xmppconf.config import Settings
from xmppconf.config_file import load
from xmppconf.jid import split
from xmppconf.names import Names
from xmppconf.xmpp.conference_request import (
    ConferenceAnswer,
    ConferenceRequest,
    answer_from_xml,
    request_to_xml,
)
from xmppconf.xmpp.disco import info_from_xml, info_query
from xmppconf.xmpp.json_message import json_message_from_xml
from xmppconf.xmpp.muc import presence_from_xml, presence_to_xml
from xmppconf.xmpp.stanza import StanzaError
from xmppconf.xmpp.stream import GuardedClient
from xmppconf.xmpp.xml import JITMEET, STREAM, build

RED: Colour = (200, 30, 30)
BLUE: Colour = (30, 60, 210)
ROOM = "urn:xmppconf:room"

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(150)]


@pytest.fixture(
    scope="module", params=[account.prosody, account.prosody_with_proxy, account.ejabberd]
)
def prepared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prepared]:
    change = functools.partial(
        account.settings_lines, proxy=request.param is account.prosody_with_proxy
    )
    made = prepare(tmp_path_factory.mktemp("account"), request.param, change=change)
    with existing_service(made):
        yield made


@pytest.fixture(scope="module")
def settings(prepared: Prepared) -> Settings:
    return load(prepared.settings_file)


class Guest:
    """Somebody who asks the focus and its services, and says nothing in the room."""

    def __init__(self, settings: Settings, room: str) -> None:
        self.names = Names.of(settings)
        self.room = f"{room}@{self.names.rooms}"
        self.stream = GuardedClient(self.names.guests, "", verify=False)
        self.messages: asyncio.Queue[Element] = asyncio.Queue()
        self._leads = asyncio.Event()
        self.stream.listen(presence=self._presence, message=self.messages.put_nowait)
        self.stream.open(settings.xmpp.host, settings.xmpp.client_port)

    def _presence(self, element: Element) -> None:
        own = element.get("from") == f"{self.room}/guest"
        if own and presence_from_xml(element).role == "moderator":
            self._leads.set()

    async def ask(self, address: str) -> ConferenceAnswer:
        await self.stream.session.wait()
        request = request_to_xml(ConferenceRequest(split(self.room)))
        return answer_from_xml(await self.stream.ask(address, "set", request))

    async def enter(self) -> None:
        """Come first, and be made moderator."""
        self.stream.write(presence_to_xml(f"{self.room}/guest", join=True))
        await self._leads.wait()

    async def message(self, sender: str) -> Element:
        while (message := await self.messages.get()).get("from") != sender:
            pass
        return message


@pytest.fixture
async def guest(settings: Settings) -> AsyncIterator[Guest]:
    made = Guest(settings, f"room-{secrets.token_hex(4)}")
    try:
        async with asyncio.timeout(20):
            yield made
    finally:
        await made.stream.close()


async def test_people_talk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use_loopback(monkeypatch)
    people = [(secrets.token_hex(4), RED, 440.0), (secrets.token_hex(4), BLUE, 880.0)]
    async with peers(settings, "tea", *people) as (ann, ben), asyncio.timeout(30):
        await ben.media.see(RED)
        await ann.media.see(BLUE)
        await ann.media.listen(880)


async def test_a_guest_is_served_by_the_account_itself(guest: Guest) -> None:
    focus = guest.names.focus
    assert focus == "focus@auth.localhost/focus"
    answer = await guest.ask(focus)
    assert (answer.ready, answer.focus_jid) == (True, "focus@auth.localhost")
    found = info_from_xml(await guest.stream.ask(focus, "get", info_query()))
    kinds = {one.type: one.name for one in found.identities}
    assert kinds["polls"] == kinds["breakout_rooms"] == focus
    assert "lobbyrooms" not in kinds

    await guest.enter()
    asked = build(JITMEET, "speakerstats", {"room": guest.room})
    guest.stream.write(build(STREAM, "message", {"to": focus}, asked))
    told = json_message_from_xml(await guest.message(focus))
    assert told is not None
    # Metadata may come first: it is told to whoever enters.
    while told.get("type") != "speakerstats":
        told = json_message_from_xml(await guest.message(focus))
        assert told is not None
    assert "guest" in told["users"]


async def test_there_is_no_lobby(guest: Guest) -> None:
    await guest.ask(guest.names.focus)
    await guest.enter()
    wanted = build(ROOM, "settings", {"access": "lobby"})
    with pytest.raises(StanzaError) as caught:
        await guest.stream.ask(f"{guest.room}/focus", "set", wanted)
    assert caught.value.condition == "feature-not-implemented"
    wanted = build(ROOM, "settings", {"access": "locked"})
    assert await guest.stream.ask(f"{guest.room}/focus", "set", wanted) is None


async def test_requests_come_through_a_client_proxy(
    guest: Guest, settings: Settings
) -> None:
    proxy = settings.focus.client_proxy
    if not proxy:
        pytest.skip("this server has none")
    answer = await guest.ask(proxy)
    assert (answer.ready, answer.focus_jid) == (True, "focus@auth.localhost")
    await guest.enter()
    # The focus answers only who is in a room or may come, so it knew whose request it was;
    # what the proxy does not pass on is sent to the account.
    assert (await guest.ask(proxy)).ready
    found = info_from_xml(await guest.stream.ask(guest.names.focus, "get", info_query()))
    assert any(one.type == "polls" for one in found.identities)


def test_the_doctor_finds_it_well(prepared: Prepared, tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-m", "xmppconf", "doctor"),
            *("--config", str(prepared.settings_file), "--state", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "XMPP server accepts clients and HTTP" in done.stdout, done.stdout
    assert done.returncode == 0, done.stdout


async def test_a_proxy_finds_the_focus_again_when_the_server_restarts(
    tmp_path: Path,
) -> None:
    change = functools.partial(account.settings_lines, proxy=True)
    made = prepare(tmp_path, account.prosody_with_proxy, change=change)
    server = made.commands.pop("server")
    with ExitStack() as stack:
        for part, command in made.commands.items():
            stack.enter_context(process(tmp_path / f"{part}.log", *command))
        for _ in range(2):
            with process(tmp_path / "server.log", *server):
                async with asyncio.timeout(60):
                    while not await asyncio.to_thread(made.is_whole):  # noqa: ASYNC110
                        await asyncio.sleep(0.1)
                    settings = load(made.settings_file)
                    guest = Guest(settings, f"room-{secrets.token_hex(4)}")
                    try:
                        # The proxy is told a little later than the focus is there.
                        while not await served(guest, settings.focus.client_proxy):  # noqa: ASYNC110
                            await asyncio.sleep(0.1)
                    finally:
                        await guest.stream.close()


async def served(guest: Guest, address: str) -> bool:
    try:
        return (await guest.ask(address)).ready
    except StanzaError:
        return False
