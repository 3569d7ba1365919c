"""Two participants without browsers, through the whole service."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator

import pytest

from tests.support import hostile
from tests.support.peer import Peer, peers
from tests.support.rtc_peer import Colour, use_loopback
from tests.support.service import Service, running_service

pytestmark = [pytest.mark.stack, pytest.mark.timeout(150)]

RED: Colour = (200, 30, 30)
BLUE: Colour = (30, 60, 210)
PATIENCE = 20.0  # seconds


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture(autouse=True)
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    use_loopback(monkeypatch)


def two(room: str) -> tuple[str, tuple[str, Colour, float], tuple[str, Colour, float]]:
    """A room and two fresh people."""
    return (
        room,
        (secrets.token_hex(4), RED, 440.0),
        (secrets.token_hex(4), BLUE, 880.0),
    )


async def they_see_and_hear_each_other(ann: Peer, ben: Peer) -> None:
    async with asyncio.timeout(PATIENCE):
        await ben.media.see(RED)
        await ann.media.see(BLUE)
        await ben.media.listen(440)
        await ann.media.listen(880)


async def test_two_see_and_hear_each_other(service: Service) -> None:
    async with peers(service.settings, *two("tea")) as (ann, ben):
        await they_see_and_hear_each_other(ann, ben)


async def test_messages_pass_over_the_bridge_channel_and_the_room(service: Service) -> None:
    async with peers(service.settings, *two("talk")) as (ann, ben):
        async with asyncio.timeout(PATIENCE):
            await ann.media.opened.wait()
            await ben.media.opened.wait()
            ann.media.say(colibriClass="EndpointMessage", to=ben.id, msgPayload={"n": 1})
            message = await ben.media.hear("EndpointMessage")
            assert (message["from"], message["msgPayload"]) == (ann.id, {"n": 1})
            ann.say("hello")
            assert await ben.messages.get() == (ann.id, "hello")


async def test_who_leaves_is_gone_and_the_other_may_stay(service: Service) -> None:
    async with peers(service.settings, *two("leave")) as (ann, ben):
        assert {ann.id, ben.id, "focus"} <= ann.occupants
        ben.leave()
        async with asyncio.timeout(PATIENCE):
            while ben.id in ann.occupants:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert "focus" in ann.occupants


async def test_hostile_stanzas_do_not_end_the_focus(service: Service) -> None:
    settings = service.settings
    room = f"hostile@muc.{settings.domain}"
    login = hostile.logged_in(
        settings.xmpp.host, settings.xmpp.client_port, f"guest.{settings.domain}"
    )
    async with login as eve, peers(settings, *two("hostile")) as (ann, ben):
        await eve.send(
            f"<presence to='{room}/eve'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        )
        for to in (
            f"focus.{settings.domain}",
            f"{room}/focus",
            f"focus@focus.{settings.domain}/focus",
        ):
            for stanza in hostile.hostile_stanzas(to):
                await eve.send(stanza)
        ping = "<ping xmlns='urn:xmpp:ping'/>"
        await eve.send(f"<iq type='get' id='done' to='guest.{settings.domain}'>{ping}</iq>")
        await eve.read_until("id='done'")
        await they_see_and_hear_each_other(ann, ben)
    async with peers(settings, *two("afterwards")) as (ann, ben):
        await they_see_and_hear_each_other(ann, ben)
