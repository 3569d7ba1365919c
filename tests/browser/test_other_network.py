"""A browser that comes into another network: its old connections are dead, without a word.

Drops packets of the loopback interface, so it wants a namespace: `script/narrow`.
"""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.call import Caller, new_room
from tests.browser.conftest import Browsers
from tests.browser.firefox import Firefox
from tests.browser.namespace import add_interface, own_network, run
from tests.browser.page import Browser
from tests.browser.people import ANN, BEN, KIM, Person, pause, preload, speak
from tests.support.figures import Figure, count, record
from tests.support.service import Service, running_service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="session"),
    own_network,
]

CAST = (BEN,)
FIREFOX = None
BACK = 5.0  # seconds
UNTOLD_BACK = 20.0
TIMES = count(2, 5)

#: Our own UDP ports of all paths that carry something.
PORTS = """(async () => {
    const ports = new Set();
    for (const peer of testPeers) {
        if (peer.connectionState === "closed") continue;
        const stats = await peer.getStats();
        for (const one of stats.values())
            if (one.type === "local-candidate" && one.port) ports.add(one.port);
    }
    return [...ports];
})()"""

#: As a browser says it of a network that came, and a phone's of one of another kind.
ONLINE = "void dispatchEvent(new Event('online'))"
OTHER_KIND = (
    "navigator.connection.type = 'cellular',"
    " void navigator.connection.dispatchEvent(new Event('change'))"
)
#: A computer's browser does not tell of the kind.
PHONE = """
Object.defineProperty(navigator, "connection", {
    value: Object.assign(new EventTarget(), { type: "wifi" }),
});
"""


class Cut:
    """Loses what goes to and from certain ports of this machine, without a word."""

    def __init__(self) -> None:
        # Firefox looks for its addresses where the default route leads.
        run("ip address add 198.18.0.1/32 dev lo")
        add_interface()
        run("ip route add default dev nowhere src 198.18.0.1")
        run("tc qdisc add dev lo root handle 1: htb default 1")
        run("tc class add dev lo parent 1: classid 1:1 htb rate 10gbit quantum 60000")
        # A queue for less than any packet.
        run("tc class add dev lo parent 1: classid 1:2 htb rate 1kbit quantum 1000")
        run("tc qdisc add dev lo parent 1:2 handle 20: bfifo limit 1")

    def lose(self, protocol: int, ports: list[int]) -> None:
        for port in ports:
            for side in ("sport", "dport"):
                match = f"match ip protocol {protocol} 0xff match ip {side} {port} 0xffff"
                where = "dev lo parent 1: protocol ip prio 1"
                run(f"tc filter add {where} u32 {match} flowid 1:2")

    def forget(self) -> None:
        """Nobody has those ports any more, and others may get them."""
        run("tc filter del dev lo parent 1: protocol ip prio 1")


def connections(service: Service) -> list[int]:
    """The far ports of all TCP connections to the service's page."""
    ours = urlsplit(service.url).port
    ports = []
    lines = [
        line
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    for line in lines:
        fields = line.split()
        local, remote = (int(one.rpartition(":")[2], 16) for one in fields[1:3])
        if local == ours and fields[3] == "01":
            ports.append(remote)
    return ports


async def moves(
    browser: Browser,
    person: Person,
    people: Browsers,
    service: Service,
    cut: Cut,
    *,
    told: bool,
) -> float:
    """Somebody talks to Ben, and is in another network; seconds until both see again.

    `told` if the browser says so.
    """
    firefox = isinstance(browser, Firefox)
    room = new_room()
    before = set(connections(service))
    script = preload(person, firefox=firefox)
    page = await browser.new_page(preload=script if firefox else script + PHONE)
    mover, ben = Caller(person, page), Caller(BEN, await people.page(BEN))
    # By an address of IPv4, for which the filters are.
    await mover.open(service.url.replace("localhost", "127.0.0.1"), room)
    await mover.join()
    held = [port for port in connections(service) if port not in before]
    await ben.open(service.url, room)
    await ben.join()
    await mover.sees([ben])
    await ben.sees([mover])
    await speak(page, True)
    await ben.hears([person])
    for caller in (mover, ben):
        await caller.page.wait_for("xmppconf.path === 'direct'", seconds=30)
    for caller, other in ((mover, ben), (ben, mover)):
        await caller.page.evaluate(f"testWatchSound({other.id!r})")
    ports = await page.evaluate(PORTS)
    began = time.monotonic()
    cut.lose(6, held)
    cut.lose(17, ports)
    if told:
        await page.evaluate(ONLINE if firefox else OTHER_KIND)
    else:
        # Until it is noticed, the last pictures stand.
        await page.wait_for("xmppconf.media === 'interrupted'", seconds=30)
        await page.wait_for("xmppconf.media === 'connected'", seconds=30)
    await mover.sees([ben])
    await ben.sees([mover])
    took = time.monotonic() - began
    await pause(1)
    for caller in (mover, ben):
        silence = await caller.page.evaluate("testSilence()") / 1000
        assert silence > 1, "nothing was cut"
        took = max(took, silence)
        assert await caller.page.evaluate("xmppconf.participants.length") == 1
        # Firefox has a word of its own for a socket that dies.
        errors = caller.page.observed.errors
        assert [one for one in errors if "was interrupted while" not in one] == []
    await page.close()
    await ben.page.close()
    people.pages.clear()
    return took


async def start(people: Browsers, person: Person) -> Browser:
    if person is KIM:
        return await Firefox.start(tone=KIM.tone)
    return await people.new_chromium(person)


async def test_the_call_goes_on_in_another_network(
    people: Browsers, tmp_path: Path
) -> None:
    cut = Cut()
    await pause(3)  # until the new interface has its addresses, which browsers would notice
    with running_service(tmp_path) as service:
        for person in (ANN, KIM):
            for told, limit in ((True, BACK), (False, UNTOLD_BACK)):
                took = []
                for _ in range(TIMES if told else 1):
                    # What it keeps open for the next page is cut too: it does not know.
                    browser = await start(people, person)
                    try:
                        took.append(
                            await moves(browser, person, people, service, cut, told=told)
                        )
                    finally:
                        await browser.close()
                        cut.forget()
                name = type(browser).__name__
                row = f"B3 network{'' if told else ' unnoticed'}, {name}"
                how = "" if told else "nobody says so, "
                what = f"{name}: {how}until both see and hear, slowest of {len(took)}"
                mark = f"≤ {limit:.0f}"
                record(Figure("browser", row, what, max(took), "s", mark))
                assert max(took) <= limit
