"""The module that shows stock clients the way to the lobby, in a real Prosody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from xmppconf_focus.effects import RoomJid

from tests.stack.rooms import FOCUS, house, until
from tests.support.prosody import RunningProsody, running_prosody
from xmppconf.config import RoomsSettings, Settings
from xmppconf.xmpp.disco import DiscoInfo, info_from_xml, info_query
from xmppconf.xmpp.muc import configuration_to_xml
from xmppconf.xmpp.xml import JITMEET, STREAM, tag

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def server() -> Iterator[RunningProsody]:
    settings = Settings(rooms=RoomsSettings(lobby_module=True))
    with running_prosody(settings) as running:
        yield running


def fields(info: DiscoInfo) -> dict[str, tuple[str, ...]]:
    return {name: values for form in info.forms for name, values in form}


async def test_the_refusal_and_the_room_name_the_lobby(server: RunningProsody) -> None:
    async with house(server.settings) as here:
        (ann,) = await here.joined("ann")
        info = info_from_xml(await ann.stream.ask(here.room, "get", info_query()))
        assert "muc#roominfo_lobbyroom" not in fields(info)
        await ann.ask("settings", access="lobby")
        info = info_from_xml(await ann.stream.ask(here.room, "get", info_query()))
        assert fields(info)["muc#roominfo_lobbyroom"] == (ann.lobby,)

        bob = here.person("bob")
        await bob.request()
        assert await bob.refused() == "registration-required"
        [error] = [p for p in bob.presences if p.get("type") == "error"]
        named = error.find(f"{tag(STREAM, 'error')}/{tag(JITMEET, 'lobbyroom')}")
        assert named is not None
        assert named.text == bob.lobby
        bob.enter(to=bob.lobby)
        await until(lambda: any(not p.get("type") for p in bob.presences))


async def test_who_knows_the_password_need_not_wait(server: RunningProsody) -> None:
    async with house(server.settings) as here:
        (ann,) = await here.joined("ann")
        await ann.ask("settings", access="lobby", password="tea time")
        bob, eve = here.person("bob"), here.person("eve")
        await eve.request()
        assert await eve.refused("coffee") == "registration-required"
        await bob.join("tea time")
        await ann.ask("remove", nick="bob", ban="true")
        await bob.gone()
        # The server looks at membership before it looks at bans.
        assert await bob.refused("tea time") == "registration-required"
        assert await bob.refused("tea time", to=bob.lobby) == "forbidden"


async def test_the_focus_says_that_there_is_a_lobby(server: RunningProsody) -> None:
    async with house(server.settings, lobby_module=True) as here:
        ann = here.person("ann")
        await ann.request()
        info = info_from_xml(await ann.stream.ask(FOCUS, "get", info_query()))
        assert ("lobbyrooms", FOCUS) in {(i.type, i.name) for i in info.identities}
        node = await ann.stream.ask(FOCUS, "get", info_query("lobbyrooms"))
        assert any(
            f.endswith("#displayname_required") for f in info_from_xml(node).features
        )


async def test_the_room_says_when_it_began_and_that_it_is_a_breakout_room(
    server: RunningProsody,
) -> None:
    async with house(server.settings, lobby_module=True) as here:
        ann, bob = await here.joined("ann", "bob")
        info = info_from_xml(await ann.stream.ask(here.room, "get", info_query()))
        [began] = fields(info)["muc#roominfo_created_timestamp"]
        conference = here.focus.machine.conferences[RoomJid(here.room)]
        assert conference.info() == {"muc#roominfo_created_timestamp": began}
        assert "muc#roominfo_isbreakout" not in fields(info)

        kind = "features/breakout-rooms/add"
        ann.tell("breakout_rooms", bare=True, type=kind, subject="One")
        told = await bob.told(type="breakout_rooms")
        [side] = [one for one in told["rooms"].values() if not one["isMainRoom"]]
        bob.leave()
        await until(lambda: "bob" not in bob.roles)
        bob.room = side["jid"]
        await bob.join()
        info = info_from_xml(await bob.stream.ask(side["jid"], "get", info_query()))
        assert fields(info)["muc#roominfo_isbreakout"] == ("true",)
        assert fields(info)["muc#roominfo_breakout_main_room"] == (here.room,)
        await until(lambda: bob.subject == "One")


async def test_nobody_but_the_focus_says_it(server: RunningProsody) -> None:
    async with house(server.settings, lobby_module=True) as here:
        (ann,) = await here.joined("ann")
        await until(lambda: ann.roles["ann"] == "moderator")
        name = "muc#roominfo_created_timestamp"
        await ann.stream.ask(here.room, "set", configuration_to_xml({name: "1"}))
        info = info_from_xml(await ann.stream.ask(here.room, "get", info_query()))
        assert fields(info)[name] != ("1",)
