"""A stock Jitsi Videobridge and our bridge carry one conference together.

Three people, whom the focus puts on the two bridges in turn: what one sends crosses.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import people as folk
from tests.browser.call import Caller, new_room
from tests.browser.conftest import Browsers
from tests.browser.namespace import run
from tests.browser.people import ANN, BEN, EVA, Person
from tests.interop import set_up

pytestmark = [
    pytest.mark.skipif(
        "OWN_NETWORK" not in os.environ,
        reason="makes an address: OWN_NETWORK, in a namespace as README.md has it",
    ),
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN, EVA)
FIREFOX = None
#: Seconds.  A JVM that has just begun takes ten for a conference where others work, too.
PATIENCE = 90.0
FOCUSES = ("ours", *(("jicofo",) if "XMPPCONF_JICOFO" in os.environ else ()))


@pytest.fixture(scope="module")
def network() -> None:
    run("ip link add stock0 type veth peer name stock1")
    run(f"ip address add {set_up.ADDRESS}/24 dev stock0")
    run("ip link set stock0 up")
    run("ip link set stock1 up")


@pytest.fixture(params=FOCUSES)
def bridges(
    request: pytest.FixtureRequest, tmp_path: Path, network: None
) -> Iterator[set_up.Running]:
    jicofo = Path(os.environ["XMPPCONF_JICOFO"]) if request.param == "jicofo" else None
    jvb = Path(os.environ["XMPPCONF_JVB"])
    with set_up.running(tmp_path, jicofo=jicofo, jvb=jvb) as running:
        yield running


async def everybody(people: Browsers, bridges: set_up.Running) -> list[Caller]:
    """All of the cast in a room, silent, on both bridges."""
    room = new_room()
    callers = [await enter(people, bridges, room, person) for person in CAST]
    for caller in callers:
        others = [other for other in callers if other is not caller]
        await caller.sees(others, seconds=PATIENCE)
    assert bridges.stock_endpoints() in (1, 2)
    return callers


async def enter(
    people: Browsers, bridges: set_up.Running, room: str, person: Person
) -> Caller:
    caller = Caller(person, await people.page(person))
    await caller.open(bridges.url, room)
    await caller.join()
    return caller


async def speak(callers: list[Caller], on: bool) -> None:
    for caller in callers:
        await folk.speak(caller.page, on)


async def talking(callers: list[Caller]) -> None:
    """Everybody sees and hears all the others."""
    for caller in callers:
        others = [other for other in callers if other is not caller]
        await caller.sees(others)
        await caller.hears([other.person for other in others])


async def test_people_on_both_talk_and_one_leaves(
    bridges: set_up.Running, people: Browsers
) -> None:
    callers = await everybody(people, bridges)
    for speaker in callers:
        await folk.speak(speaker.page, True)
        for caller in callers:
            await caller.page.wait_for(
                f"xmppconf.dominantSpeaker === {speaker.id!r}",
                what=f"{caller.person.name} to see {speaker.person.name} speak",
            )
        await folk.speak(speaker.page, False)
    await speak(callers, True)
    await talking(callers)
    # The last who came shares a bridge with one of the others, if not with both.
    gone = callers.pop()
    await gone.leave()
    for caller in callers:
        await caller.wait_for_tile(gone, "tile === null")
    await talking(callers)
    await callers.pop().leave()
    await callers[0].hears([])


@pytest.mark.parametrize("dying", ["jvb", "bridge"])
async def test_a_bridge_dies(bridges: set_up.Running, people: Browsers, dying: str) -> None:
    callers = await everybody(people, bridges)
    await speak(callers, True)
    await talking(callers)
    bridges.processes[dying].kill()
    began = time.monotonic()
    # The last pictures stay for a while; tones do not.
    while True:
        try:
            await talking(callers)
        except AssertionError:
            assert time.monotonic() - began < PATIENCE
        else:
            break
    print(f"{dying} died, all talk again after {time.monotonic() - began:.1f} s at most")
