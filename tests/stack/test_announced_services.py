"""Recorders and phone gateways announce themselves beside a real Prosody."""

from __future__ import annotations

from dataclasses import replace
from xml.etree.ElementTree import Element

import pytest
from xmppconf_focus.app import running
from xmppconf_focus.service_pool import ServiceKind, ServiceStatus

from tests.stack.test_focus import http_session, until
from tests.support.prosody import RunningProsody
from xmppconf.config import Settings
from xmppconf.serve.ports import free_ports
from xmppconf.xmpp.brewery import stats_to_xml
from xmppconf.xmpp.muc import presence_to_xml
from xmppconf.xmpp.stream import GuardedClient
from xmppconf.xmpp.xml import RECORDER, RECORDER_HEALTH, build

pytestmark = pytest.mark.stack

RECORDERS = "jibribrewery@internal.localhost"
PHONES = "jigasibrewery@internal.localhost"


class Service:
    """One account that says what it is told to say."""

    def __init__(self, settings: Settings, account: str, password: str) -> None:
        self.stream = GuardedClient(account, password, verify=False)
        self.ready = False
        self.stream.add_event_handler("session_start", self._started)
        self.stream.open(settings.xmpp.host, settings.xmpp.client_port)

    def _started(self, _: object) -> None:
        self.ready = True

    def announce(self, room: str, status: Element) -> None:
        self.stream.write(presence_to_xml(f"{room}/one", [status], join=True))


def recorder(busy: str) -> Element:
    return build(
        RECORDER,
        "jibri-status",
        None,
        build(RECORDER, "busy-status", {"status": busy}),
        build(RECORDER_HEALTH, "health-status", {"status": "healthy"}),
    )


async def test_the_focus_knows_who_of_them_is_there(
    prosody: RunningProsody,
) -> None:
    settings = prosody.settings
    [port] = free_ports(1)
    focus_settings = replace(
        settings.focus,
        http_port=port,
        recorder_brewery="jibribrewery",
        phone_brewery="jigasibrewery",
    )
    settings = replace(settings, focus=focus_settings)
    account = f"{settings.bridge.id}@auth.{settings.domain}"
    async with running(settings) as focus:
        pools = focus.machine.services
        recorders, phones = pools[ServiceKind.RECORDER], pools[ServiceKind.PHONE]
        service = Service(settings, account, settings.bridge.password)
        try:
            await until(lambda: service.ready and focus.is_connected())
            service.announce(RECORDERS, recorder("idle"))
            await until(lambda: recorders.available() == 1)
            figures = stats_to_xml({"supports_sip": True, "participants": 3})
            service.announce(PHONES, figures)
            await until(lambda: phones.available() == 1)
            async with (
                http_session() as http,
                http.get(f"http://127.0.0.1:{port}/stats") as answer,
            ):
                stats = await answer.json()
            assert stats["recorders"] == {"count": 1, "available": 1, "participants": 0}
            assert stats["phones"] == {"count": 1, "available": 1, "participants": 3}
            assert focus.machine.brewery.bridges == {}, "neither is a bridge"
            service.announce(RECORDERS, recorder("busy"))
            await until(lambda: recorders.available() == 0)
            assert recorders.services == {f"{RECORDERS}/one": ServiceStatus()}
            focus.stream.abort()
            await until(lambda: phones.services == {})
            await until(lambda: len(recorders.services) == len(phones.services) == 1)
            await service.stream.close()
            await until(lambda: not recorders.services and not phones.services)
        finally:
            await service.stream.close()
