"""Members open rooms and guests come by link, on a plain Prosody."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from xmppconf_focus.membership import Member

from tests.stack.test_focus import Client, clients, focus_and_bridge, until
from tests.support.prosody import running_prosody
from xmppconf import clock
from xmppconf.config import MembersSettings, Settings
from xmppconf.errors import PeerError
from xmppconf.serve import prosody as private
from xmppconf.xmpp.conference_request import (
    ConferenceAnswer,
    ConferenceRequest,
    answer_from_xml,
    request_to_xml,
)
from xmppconf.xmpp.jids import parse_bare_jid
from xmppconf.xmpp.stream import GuardedClient

pytestmark = pytest.mark.stack

ROOM = "tea@muc.localhost"
MACHINE = "5f2c" * 8
OTHER_MACHINE = "0a1b" * 8
CLOSED = Settings(members=MembersSettings(open=False))


async def ask(
    stream: GuardedClient, session_id: str | None = None, machine_uid: str = MACHINE
) -> ConferenceAnswer:
    async with asyncio.timeout(5):
        await stream.session.wait()
    request = ConferenceRequest(parse_bare_jid(ROOM), machine_uid, session_id)
    return answer_from_xml(
        await stream.ask("focus.localhost", "set", request_to_xml(request))
    )


async def test_a_stock_host_signs_in_on_the_main_domain_and_guests_follow() -> None:
    with running_prosody(CLOSED) as server:
        folder = private.Files(server.log.parent)
        _make_account(folder.data / "localhost" / "accounts", "mia", "member-password")
        async with (
            focus_and_bridge(server) as (settings, _, _),
            clients(settings, ROOM, "ann", "bob") as (ann, bob),
        ):
            for guest in (ann, bob):
                with pytest.raises(PeerError) as refused:
                    await ask(guest.stream)
                assert refused.value.condition == "not-authorized"
            login = GuardedClient("mia@localhost", "member-password", verify=False)
            login.open(settings.xmpp.host, settings.xmpp.client_port)
            try:
                answer = await ask(login)
            finally:
                await login.close()
            assert answer.ready
            assert answer.properties["authentication"] == "true"
            assert answer.identity == "mia@localhost"
            assert answer.session_id is not None
            # The first connection goes on as a guest's that has the session.
            await _join(ann, answer.session_id)
            await ann.until("ann", role="moderator")
            await _join(bob, None, OTHER_MACHINE)
            async with asyncio.timeout(5):
                await bob.offers.get()
            assert bob.seen["bob"].role == "participant"
            with pytest.raises(PeerError) as refused:
                await ask(bob.stream, answer.session_id, OTHER_MACHINE)
            assert refused.value.condition == "not-acceptable"
            assert bob.seen["bob"].role == "participant"
            assert ann.seen["ann"].role == "moderator"


async def test_moderation_ends_with_the_membership() -> None:
    short = replace(CLOSED, members=replace(CLOSED.members, session_lifetime=60.0))
    with running_prosody(short) as server:
        async with (
            focus_and_bridge(server) as (settings, focus, _),
            clients(settings, ROOM, "ann") as (ann,),
        ):
            membership = focus.members.membership
            member = Member("list", "ann", expires=_soon())
            signed_in = membership.sign_in(member, MACHINE, _soon() - 2)
            await _join(ann, signed_in.session_id)
            await ann.until("ann", role="moderator")
            await until(lambda: ann.seen["ann"].role == "participant")


def _soon() -> float:
    return clock.wall() + 2.0


async def _join(client: Client, session_id: str | None, machine_uid: str = MACHINE) -> None:
    assert (await ask(client.stream, session_id, machine_uid)).ready
    client.enter()
    await client.until(client.nick)


def _make_account(folder: Path, user: str, password: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{user}.dat"
    file.write_text(private.account(password, salt="00112233"))
