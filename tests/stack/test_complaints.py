"""Why there is no session: the operator is told, once, and told nothing about people."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.prosody import RunningProsody
from xmppconf.serve.ports import free_ports
from xmppconf.xmpp.stream import GuardedClient, GuardedComponent, GuardedStream

pytestmark = pytest.mark.stack


async def complaints(
    stream: GuardedStream, port: int, caplog: pytest.LogCaptureFixture
) -> list[str]:
    """What is said in the time of several attempts."""
    stream.open("127.0.0.1", port)
    try:
        await asyncio.sleep(3.0)
    finally:
        await stream.close()
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "xmppconf.xmpp.stream"
    ]


async def test_a_server_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    [port] = free_ports(1)
    stream = GuardedComponent("focus.localhost", "secret")
    [said] = await complaints(stream, port, caplog)
    assert said.startswith("the XMPP server does not answer")


async def test_a_wrong_secret(
    prosody: RunningProsody,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = GuardedComponent(prosody.names.focus, "wrong")
    [said] = await complaints(stream, prosody.settings.xmpp.component_port, caplog)
    assert said.startswith("the XMPP server ended the stream: see the secret")


async def test_a_wrong_password(
    prosody: RunningProsody,
    caplog: pytest.LogCaptureFixture,
) -> None:
    address = f"bridge-1@{prosody.names.accounts}/bridge"
    stream = GuardedClient(address, "wrong", verify=False)
    [said] = await complaints(stream, prosody.settings.xmpp.client_port, caplog)
    assert said.startswith("the XMPP server refuses the account")
