"""Two participants without browsers, through the whole service."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.privacy.canary import Searcher, canary
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


async def test_strangers_do_nothing_to_a_call(service: Service) -> None:
    """S1 to S6: seven thousand datagrams of nobody, at the port of a live call."""
    port = service.settings.bridge.udp_port
    async with peers(service.settings, *two("live")) as (ann, ben):
        await they_see_and_hear_each_other(ann, ben)
        memory = _bridge_memory(service)
        answered = await hostile.pester(
            ("127.0.0.1", port), hostile.stranger(secrets.randbits(32), user="x:y")
        )
        assert answered.received == 0, "nobody is answered without a known user fragment"
        await they_see_and_hear_each_other(ann, ben)
        assert _bridge_memory(service) - memory < 8 * 1024 * 1024
        assert service.log_text().count("\n") < 200


async def test_a_stranger_with_the_right_user_gets_nothing_out(service: Service) -> None:
    """S6: the user fragment is known, the password is not."""
    async with peers(service.settings, *two("known")) as (ann, ben):
        offer = await ann._offer
        assert offer.transport is not None
        user = f"{offer.transport.ufrag}:xxxx"
        checks = (check for _ in range(50) for check in hostile.wrong_checks(user))
        port = service.settings.bridge.udp_port
        answered = await hostile.pester(("127.0.0.1", port), checks)
        assert answered.received <= answered.sent
        await they_see_and_hear_each_other(ann, ben)


async def test_hostile_stanzas_do_not_end_the_focus(service: Service) -> None:
    settings = service.settings
    room = f"hostile@muc.{settings.domain}"
    eve = await hostile.RawClient.login(
        settings.xmpp.host, settings.xmpp.client_port, f"guest.{settings.domain}"
    )
    async with peers(settings, *two("hostile")) as (ann, ben):
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
    await eve.close()
    async with peers(settings, *two("afterwards")) as (ann, ben):
        await they_see_and_hear_each_other(ann, ben)


async def test_nothing_of_a_call_is_written_anywhere(tmp_path: Path) -> None:
    """P1: room, nickname and words of a call are in no file, even at debug level."""
    words = {kind: canary(kind) for kind in ("room", "nick", "said", "sent")}
    with running_service(tmp_path, settings='[log]\nlevel = "debug"\n') as service:
        people = (words["nick"], RED, 440.0), (secrets.token_hex(4), BLUE, 880.0)
        async with peers(service.settings, words["room"], *people) as (ann, ben):
            ann.say(words["said"])
            async with asyncio.timeout(PATIENCE):
                assert await ben.messages.get() == (ann.id, words["said"])
                await ann.media.opened.wait()
                await ben.media.opened.wait()
                payload = {"text": words["sent"]}
                ann.media.say(colibriClass="EndpointMessage", to="", msgPayload=payload)
                await ben.media.hear("EndpointMessage")
        found = Searcher(words.values()).search_tree(tmp_path)
    assert found == []
    assert Searcher(words.values()).search_tree(tmp_path) == []
    assert (tmp_path / "log").stat().st_size > 0


def _bridge_memory(service: Service) -> int:
    """Resident bytes of the bridge's process."""
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
    for pid in children.read_text().split():
        if b"\0bridge\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")
    raise AssertionError("no bridge runs")
