"""A published build of other people's client in our rooms: what its methods do, and see.

One browser, one service; the checks go from an empty room to the end of the meeting, and
each is a row of the table that the test prints and `FIGURES` keeps.  Another build has a
table of its own.  What the published one has no methods for goes over its connection.
"""

from __future__ import annotations

import asyncio
import secrets
import urllib.request
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from aiohttp import web

from tests.browser import stock
from tests.browser.conftest import Browsers
from tests.browser.people import ANN
from tests.browser.stock_rooms import PAGE, Stock
from tests.support.figures import Figure, record
from tests.support.service import Service, running_service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN,)
FIREFOX = None
PORT = web.AppKey("port", int)


class Table:
    """Counts what was seen to work; a check that fails ends the test."""

    def __init__(self, *, recorded: bool = True) -> None:
        self.rows = 0
        self._area = "stock-client-current" if stock.other_build() else "stock-client"
        self._recorded = recorded

    def row(self, what: str) -> None:
        self.rows += 1
        if self._recorded:
            record(Figure(self._area, f"C{self.rows:02}", what, 1, "passed", "= 1"))


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
        return str(answer.read().decode())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pages() -> AsyncIterator[tuple[str, list[str]]]:
    """The page's address, and a list whose one item will be the service's."""
    script = await stock.library()
    service_url: list[str] = []

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def library(_: web.Request) -> web.Response:
        return web.Response(text=script, content_type="text/javascript")

    async def config(_: web.Request) -> web.Response:
        # Exactly what the service tells clients, from which they learn everything.
        text = await asyncio.to_thread(read, f"{service_url[0]}config.js")
        return web.Response(text=text, content_type="text/javascript")

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/library.js", library)
    app.router.add_get("/config.js", config)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://localhost:{runner.addresses[0][1]}/", service_url
    finally:
        await runner.cleanup()


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, pages: tuple[str, list[str]]
) -> Iterator[Service]:
    """A service whose Prosody has our lobby module."""
    url, service_url = pages
    settings = (
        f'[web]\norigins = ["{url.rstrip("/")}"]\nmax_requests_per_minute = 100000\n'
        "[rooms]\nlobby_module = true\n"
    )
    with running_service(tmp_path_factory.mktemp("rooms"), settings=settings) as service:
        service_url.append(service.url)
        yield service


class Cast:
    def __init__(self, people: Browsers, url: str) -> None:
        self._people, self._url = people, url
        self.room = f"r{secrets.token_hex(4)}"

    async def person(self, name: str, uid: str = "") -> Stock:
        made = Stock(await self._people.page(ANN), name, uid or secrets.token_hex(16))
        await made.open(self._url)
        return made

    async def joined(self, name: str, uid: str = "", *, media: bool = False) -> Stock:
        person = await self.person(name, uid)
        await person.enter(self.room, media=media)
        await person.saw("CONFERENCE_JOINED")
        return person


async def test_a_stock_client_and_the_features_of_a_room(
    people: Browsers, house: Service, pages: tuple[str, list[str]]
) -> None:
    cast, table = Cast(people, pages[0]), Table()
    ann = await cast.joined("Ann", media=True)
    table.row("joins as a guest, with what /config.js says and no more")
    await ann.holds("conference.isModerator()")
    table.row("the first to come is moderator")
    ben = await cast.joined("Ben", media=True)
    await ann.saw("USER_JOINED", await ben.id)
    table.row("sees another come")
    assert await ben.ask("isModerator") is False
    table.row("the second is no moderator")
    await moderation(ann, ben, table)
    await muting(ann, ben, table)
    await roles(ann, ben, table)
    await subject_and_hand(ann, ben, table)
    await statistics_and_newer(ann, ben, table)
    await breakout(ann, ben, table)
    ben = await password(cast, ann, ben, table)
    ben = await lobby(cast, ann, ben, table)
    await removal(cast, ann, ben, table)
    await end(cast, ann, table)
    print(f"{table.rows} checks")
    assert table.rows >= 40


async def moderation(ann: Stock, ben: Stock, table: Table) -> None:
    await ann.holds("conference.isAVModerationSupported()")
    table.row("finds A/V moderation")
    for media in ("audio", "video"):
        await ann.do("enableAVModeration", media)
        for person in (ann, ben):
            await person.saw("AV_MODERATION_CHANGED", {"enabled": True, "mediaType": media})
        table.row(f"switches A/V moderation of {media} on; everybody sees it")
    await ann.do("avModerationApprove", "audio", await ben.id)
    await ben.saw("AV_MODERATION_APPROVED", {"mediaType": "audio"})
    table.row("lets somebody unmute, who is told")
    await ann.saw(
        "AV_MODERATION_PARTICIPANT_APPROVED",
        {"participant": await ben.id, "mediaType": "audio"},
    )
    table.row("sees as moderator whom it let unmute")
    await ann.do("avModerationReject", "audio", await ben.id)
    await ben.saw("AV_MODERATION_REJECTED", {"mediaType": "audio"})
    table.row("takes it back, who is told")
    for media in ("audio", "video"):
        await ann.do("disableAVModeration", media)
        await ben.saw("AV_MODERATION_CHANGED", {"enabled": False, "mediaType": media})
        table.row(f"switches A/V moderation of {media} off; everybody sees it")


async def muting(ann: Stock, ben: Stock, table: Table) -> None:
    # Two are there, so each has a session; A/V moderation has muted Ben's microphone.
    await ben.holds("conference.getLocalAudioTrack()?.isMuted()")
    table.row("is muted by A/V moderation")
    await ben.page.evaluate("conference.getLocalAudioTrack().unmute()")
    await ben.holds("!conference.getLocalAudioTrack().isMuted()")
    table.row("unmutes itself when it may")
    await ben.page.evaluate("seen.length = 0")
    await ann.do("muteParticipant", await ben.id, "audio")
    await ben.holds("conference.getLocalAudioTrack().isMuted()")
    table.row("is muted by a moderator")
    await ben.saw("TRACK_MUTE_CHANGED", "audio", await ann.id)
    table.row("is told by whom")
    await ben.page.evaluate("conference.getLocalAudioTrack().unmute()")
    await ben.do("muteParticipant", await ann.id, "audio")
    await ben.holds("!conference.getLocalAudioTrack().isMuted()")
    assert await ann.page.evaluate("conference.getLocalAudioTrack().isMuted()") is False
    table.row("mutes nobody without being moderator")


async def roles(ann: Stock, ben: Stock, table: Table) -> None:
    await ann.do("grantOwner", await ben.id)
    await ben.holds("conference.isModerator()")
    table.row("makes another moderator")
    await ann.saw("USER_ROLE_CHANGED", await ben.id, "moderator")
    table.row("sees the new role")
    await ann.do("revokeOwner", await ben.id)
    await ben.holds("!conference.isModerator()")
    table.row("takes the role away")


async def subject_and_hand(ann: Stock, ben: Stock, table: Table) -> None:
    await ann.do("setSubject", "Tea")
    await ben.saw("SUBJECT_CHANGED", "Tea")
    table.row("sets the subject; others see it")
    await ben.do("setLocalParticipantProperty", "raisedHand", "1700000000000")
    await ann.saw("PARTICIPANT_PROPERTY_CHANGED", await ben.id, "raisedHand")
    table.row("raises a hand; others see it")
    await ben.do("sendTextMessage", "hello")
    await ann.saw("MESSAGE_RECEIVED", await ben.id, "hello")
    table.row("writes to all")
    await ben.do("sendPrivateTextMessage", await ann.id, "psst")
    await ann.saw("PRIVATE_MESSAGE_RECEIVED", await ben.id, "psst")
    table.row("writes to one")
    await ben.do("setDisplayName", "Benedict")
    await ann.saw("DISPLAY_NAME_CHANGED", await ben.id, "Benedict")
    table.row("changes its name; others see it")


async def statistics_and_newer(ann: Stock, ben: Stock, table: Table) -> None:
    stats = await ann.ask("getSpeakerStats")
    assert await ben.id in stats
    table.row("has speaker statistics of the others")
    if await ann.page.evaluate("!!conference.getPolls"):
        await newer(ann, ben, table)
    else:
        await newer_by_hand(ann, ben, table)


async def newer(ann: Stock, ben: Stock, table: Table) -> None:
    await ben.page.evaluate(
        "conference.getPolls().createPoll('p', 'Tea?', [{ name: 'yes' }, { name: 'no' }])"
    )
    await ann.saw("POLL_RECEIVED", {"pollId": "p", "senderId": await ben.id})
    table.row("asks a poll; others get it, with the true sender")
    await ann.page.evaluate("conference.getPolls().answerPoll('p', [true, false])")
    await ben.saw("POLL_ANSWER_RECEIVED", {"pollId": "p", "answers": [True, False]})
    table.row("answers a poll; others get it")
    write = "(data) => conference.getMetadataHandler().setMetadata('agenda', data)"
    await ann.page.call(write, ["tea"])
    await ben.saw("METADATA_UPDATED", {"agenda": ["tea"]})
    table.row("writes room metadata; others get it")
    await ben.page.call(write, ["coffee"])
    await ben.tell("speakerstats")
    await ben.was_told(type="speakerstats")
    kept = await ann.page.evaluate("conference.getMetadataHandler().getMetadata().agenda")
    assert kept == ["tea"]
    table.row("writes no metadata without being moderator")


async def newer_by_hand(ann: Stock, ben: Stock, table: Table) -> None:
    poll = (
        '{"type":"polls","command":"new-poll","pollId":"p","question":"Tea?",'
        '"answers":[{"name":"yes"},{"name":"no"}]}'
    )
    await ben.tell("json-message", poll)
    told = await ann.was_told(type="polls", command="new-poll")
    assert told["senderId"] == await ben.id
    table.row("newer: asks a poll; others get it, with the true sender")
    await ann.tell(
        "json-message",
        '{"type":"polls","command":"answer-poll","pollId":"p","answers":[true,false]}',
    )
    await ben.was_told(type="polls", command="answer-poll", answers=[True, False])
    table.row("newer: answers a poll; others get it")
    await ann.tell("room_metadata", '{"key":"agenda","data":["tea"]}')
    await ben.holds("told.some((one) => one.metadata?.agenda?.[0] === 'tea')")
    table.row("newer: writes room metadata; others get it")
    await ben.tell("room_metadata", '{"key":"agenda","data":["coffee"]}')
    await ben.tell("speakerstats")
    await ben.was_told(type="speakerstats")
    assert (
        await ann.page.evaluate(
            "told.some((one) => one.metadata?.agenda?.[0] === 'coffee')"
        )
        is False
    )
    table.row("newer: writes no metadata without being moderator")


async def breakout(ann: Stock, ben: Stock, table: Table) -> None:
    await ann.holds("conference.getBreakoutRooms().isSupported()")
    table.row("finds breakout rooms")
    await ann.page.evaluate("conference.getBreakoutRooms().createBreakoutRoom('One')")
    update = await ben.saw("BREAKOUT_ROOMS_UPDATED")
    [side] = [room for room in update[1]["rooms"].values() if not room["isMainRoom"]]
    assert side["name"] == "One"
    table.row("makes a breakout room; everybody is told")
    await ann.page.call(
        "(id, room) => conference.getBreakoutRooms().sendParticipantToRoom("
        "conference.room.members[`${conference.room.roomjid}/${id}`].jid, room)",
        await ben.id,
        side["jid"],
    )
    await ben.saw("BREAKOUT_ROOMS_MOVE_TO_ROOM", side["jid"])
    table.row("sends somebody to a breakout room, who is told")
    await ann.page.call(
        "(room) => conference.getBreakoutRooms().removeBreakoutRoom(room)", side["jid"]
    )
    await ben.holds(
        "seen.some(([name, value]) => name === 'BREAKOUT_ROOMS_UPDATED'"
        " && Object.keys(value.rooms).length === 1)"
    )
    table.row("removes a breakout room; everybody is told")


async def password(cast: Cast, ann: Stock, ben: Stock, table: Table) -> Stock:
    await ann.do("lock", "tea time")
    await ben.saw("LOCK_STATE_CHANGED", True)
    table.row("sets a password; others see that there is one")
    number = await ben.id
    await ben.page.evaluate("conference.leave().then(() => connection.disconnect())")
    await ann.saw("USER_LEFT", number)
    table.row("sees another go")
    eva = await cast.person("Eva")
    await eva.enter(cast.room)
    await eva.saw("CONFERENCE_FAILED", "conference.passwordRequired")
    table.row("is asked for the password")
    await eva.do("join", "coffee")
    await eva.saw("CONFERENCE_FAILED", "conference.passwordRequired")
    table.row("does not get in with a wrong one")
    await eva.do("join", "tea time")
    await eva.saw("CONFERENCE_JOINED")
    table.row("gets in with the right one")
    await ann.do("lock", "")
    await eva.saw("LOCK_STATE_CHANGED", False)
    table.row("takes the password off")
    return eva


async def lobby(cast: Cast, ann: Stock, eva: Stock, table: Table) -> Stock:
    await ann.holds("conference.isLobbySupported()")
    table.row("finds the lobby")
    await ann.do("enableLobby")
    await eva.saw("MEMBERS_ONLY_CHANGED", True)
    table.row("switches the lobby on; others see it")
    await ann.holds("conference.isModerator() && conference.isMembersOnly()")
    people = []
    for name in ("Kim", "Zoe"):
        person = await cast.person(name)
        await person.enter(cast.room)
        await person.saw("CONFERENCE_FAILED", "conference.connectionError.membersOnly")
        await person.do("joinLobby", name)
        knock = await ann.saw("LOBBY_USER_JOINED")
        assert knock[2] == name
        people.append((person, knock[1]))
    (kim, kim_id), (zoe, zoe_id) = people
    table.row("is sent to the lobby and knocks; the moderator sees who")
    await ann.do("lobbyApproveAccess", kim_id)
    await kim.saw("CONFERENCE_JOINED")
    table.row("is let in")
    await ann.saw("LOBBY_USER_LEFT", kim_id)
    table.row("sees the lobby without who was let in")
    await ann.do("lobbyDenyAccess", zoe_id)
    await zoe.saw("CONFERENCE_FAILED", "conference.connectionError.accessDenied")
    table.row("is turned away")
    await ann.do("disableLobby")
    await kim.saw("MEMBERS_ONLY_CHANGED", False)
    table.row("switches the lobby off; others see it")
    return kim


async def removal(cast: Cast, ann: Stock, kim: Stock, table: Table) -> None:
    number = await kim.id
    await ann.do("kickParticipant", number, "noise")
    await kim.saw("KICKED")
    table.row("is removed by a moderator")
    await ann.saw("USER_LEFT", number)
    table.row("sees who was removed go")
    again = await cast.person("Kim", kim.uid)
    await again.enter(cast.room)
    # Newer builds say of a refused request that the connection failed.
    await again.holds(
        "seen.some(([name]) => ['CONFERENCE_FAILED', 'CONNECTION_FAILED'].includes(name))"
    )
    joined = "seen.some(([name]) => name === 'CONFERENCE_JOINED')"
    assert await again.page.evaluate(joined) is False
    table.row("does not come back after being removed")


async def end(cast: Cast, ann: Stock, table: Table) -> None:
    leo = await cast.joined("Leo")
    uid = ann.uid
    await ann.page.evaluate("conference.leave().then(() => connection.disconnect())")
    await leo.saw("USER_LEFT")
    ann = await cast.joined("Ann", uid)
    await ann.holds("conference.isModerator()")
    table.row("is moderator again after a reconnect")
    assert await leo.ask("isModerator") is False
    table.row("is not made moderator by another's reconnect")
    if await ann.page.evaluate("!!conference.end"):
        await ann.do("end")
        by = ""
    else:
        await ann.tell("end_conference")
        by = "newer: "
    await leo.saw("CONFERENCE_FAILED", "conference.destroyed")
    table.row(f"{by}ends the meeting for everybody")
