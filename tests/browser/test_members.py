"""Members open rooms and guests come by link: our client, and somebody else's."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.call import Caller, by_testid, new_room, sit_down
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, KIM, Person
from tests.support.oidc_provider import Provider
from tests.support.service import ROOT, Service, running_service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN)
FIREFOX = KIM

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def closed(
    stock_page: str,
    provider: Provider,
) -> Iterator[Service]:
    """A service on which members open rooms: Ann is on its list, Mia has an account."""
    settings = (
        f'[web]\norigins = ["{stock_page.rstrip("/")}"]\n'
        "max_requests_per_minute = 100000\nmax_sign_ins_per_minute = 1000\n"
        '[members]\nopen = false\ninternal_hosts = ["127.0.0.1"]\n'
        f'[members.oidc]\nissuer = "{provider.issuer}"\nclient_id = "xmppconf"\n'
        'client_secret = "client-secret"\n'
    )
    with (
        tempfile.TemporaryDirectory(prefix="xmppconf-members-") as folder,
        running_service(Path(folder), settings=settings) as service,
    ):
        state = str(service.state)
        subprocess.run(  # noqa: S603
            [sys.executable, "-m", "xmppconf", "member", "add", "ann", "--state", state],
            input=f"{PASSWORD}\n".encode(),
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        configuration = str(service.state / "prosody" / "prosody.cfg.lua")
        register = ["register", "mia", "localhost", PASSWORD]
        subprocess.run(  # noqa: S603
            ["prosodyctl", "--config", configuration, *register],  # noqa: S607
            check=True,
            stdout=subprocess.DEVNULL,
        )
        yield service


async def test_a_guest_waits_until_a_member_has_signed_in(
    people: Browsers, closed: Service
) -> None:
    room = new_room()
    guest = Caller(BEN, await people.page(BEN))
    host = Caller(ANN, await people.page(ANN))
    for caller in (guest, host):
        # Being refused is what this is about.
        caller.page.observed.forgiven.append("403")
        await caller.open(closed.url, room)
        await caller.page.fill(by_testid("display-name"), caller.person.name)
        await caller.page.click(by_testid("join"))
        await caller.page.wait_for(
            f"!!document.querySelector('{by_testid('waiting-page')}[data-for=host]')",
            what="waiting for the host",
        )
    await host.page.click(by_testid("open-sign-in"))
    for password in ("wrong password", PASSWORD):
        await host.page.fill(by_testid("sign-in-user"), "Ann")
        await host.page.fill(by_testid("sign-in-password"), password)
        await host.page.click(by_testid("sign-in-go"))
        if password != PASSWORD:
            await host.page.wait_for(
                f"!!document.querySelector('{by_testid('sign-in-failed')}')",
                what="the refusal",
            )
    for caller in (host, guest):
        await caller.page.wait_for("xmppconf.participants.length === 1", what="the call")
        caller.id = await caller.page.evaluate("xmppconf.endpointId")
    await host.sees([guest])
    await guest.sees([host])


async def signed_in(caller: Caller, name: str) -> None:
    text = f"document.querySelector('{by_testid('signed-in')}')?.textContent"
    await caller.page.wait_for(f"{text}?.includes({name!r})", what=f"signed in as {name}")


@pytest.mark.parametrize("person", [ANN, KIM], ids=["chromium", "firefox"])
async def test_a_single_sign_on_leads_there_and_back(
    people: Browsers, closed: Service, person: Person
) -> None:
    host = await sit_down(people, person)
    page, room = host.page, new_room()
    await host.open(closed.url, room)
    # The provider's page is not ours, and in vain wants to look better.
    page.observed.forgiven += ["ERR_NAME_NOT_RESOLVED", "favicon.ico"]
    for one in ("member", "sign-in-oidc"):
        await page.click(by_testid(one))
    await page.wait_for("!!document.querySelector('input[name=sub]')", what="the provider")
    await page.fill("input[name=sub]", "ann")
    await page.click("button[type=submit], input[type=submit], form button")
    await page.wait_for(
        f"window.xmppconf && !!document.querySelector('{by_testid('preview')}')",
        what="the room again",
    )
    page.observed.outside.clear()
    assert await page.evaluate("location.pathname + location.search") == f"/{room}"
    await signed_in(host, "Ann")
    await host.join()
    await page.click(by_testid("leave"))
    await page.click(by_testid("return"))
    await signed_in(host, "Ann")
    await page.click(by_testid("sign-out"))
    await page.wait_for(f"!document.querySelector('{by_testid('signed-in')}')")
    assert "sessionId" not in await page.evaluate("JSON.stringify(localStorage)")


async def test_a_single_sign_on_that_failed_is_no_dead_end(
    people: Browsers, closed: Service
) -> None:
    ann = await sit_down(people, ANN)
    ann.page.observed.forgiven += ["403", "400"]
    await ann.page.go(f"{closed.url}login/callback?code=wrong&state=wrong")
    await ann.page.wait_for("!!document.querySelector('[role=alert]')", what="why not")
    assert await ann.page.evaluate("location.search") == "", "the code is in no history"
    await ann.page.click(by_testid("home"))
    await ann.page.wait_for(f"!!document.querySelector('{by_testid('start-page')}')")


#: What an application on the stock library does when its user says: I am the host.
LOGIN = """async (user, password) => {
    try {
        await conference.authenticateAndUpgradeRole({ id: user, password });
    } catch (error) {
        return JSON.stringify(error);
    }
    return "";
}"""


async def test_a_stock_client_signs_in_with_an_xmpp_account(
    people: Browsers, closed: Service, stock_page: str
) -> None:
    room = new_room()
    pages = []
    for person in (ANN, BEN):
        page = await people.page(person)
        # What is refused here on purpose, in the words of an older and of a newer build.
        page.observed.forgiven.extend(["authentication", "onTrackRtcMuted", "CONFERENCE"])
        page.observed.forgiven.append("StropheErrorHandler")
        await page.go(stock_page)
        start = {
            "websocket": f"{closed.url.replace('http', 'ws')}xmpp-websocket",
            "domain": "localhost",
            "room": room,
            "name": person.name,
            "codec": "VP8",
        }
        await page.call("start", start)
        await page.wait_for(
            "stock.error === 'conference.authenticationRequired'",
            what="being asked to sign in",
        )
        pages.append(page)
    host, guest = pages
    # Of the second connection, over which it signs in.
    host.observed.forgiven.append("XMPP connection dropped")
    wrong = await host.call(LOGIN, "mia@localhost", "wrong password")
    assert "authenticationError" in wrong or "passwordRequired" in wrong
    assert await host.call(LOGIN, "mia@localhost", PASSWORD) == ""
    await host.evaluate("conference.join()")
    await host.wait_for("stock.state === 'joined'", what="the host in the room")
    await host.wait_for("conference.isModerator()", what="the host is moderator")
    await guest.evaluate("conference.join()")
    await guest.wait_for("stock.state === 'joined'", what="the guest in the room")
    await host.wait_for("stock.names.length === 1", what="the guest is seen")
    assert await guest.evaluate("conference.isModerator()") is False
