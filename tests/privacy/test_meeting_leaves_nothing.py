"""P1, P2, P5: a meeting in which everything is used, with a word planted in each thing.

Members sign in; a room has a password, a lobby, invitations and a breakout room; people
write, vote, raise hands, connect to each other, are reported, removed and banned.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from xml.etree.ElementTree import Element

import aiohttp
import pytest

from tests.privacy.canary import Searcher, canary
from tests.privacy.everywhere import everywhere
from tests.privacy.processes import is_memory
from tests.stack.rooms import Person, until
from tests.support import figures
from tests.support.figures import Figure
from tests.support.service import ROOT, Service, running_service
from xmppconf.xmpp.muc import MUC_USER
from xmppconf.xmpp.stanza import StanzaError
from xmppconf.xmpp.xml import STREAM, build

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

AFTERWARDS = 5.0  # seconds in which late lines would be written
SETTINGS = "[log]\nlevel = 'debug'\n[members]\nopen = false\n"
KINDS = (
    *("member", "password", "room", "secret", "side", "metadata", "subject", "report"),
    *("question", "choice", "poll", "said", "whisper", "hand", "kicked", "banned"),
    *("jingle", "screen", "ann", "bob", "eve", "zoe", "last"),
)
MACHINE = "5f2c" * 8


class Meeting:
    """The people, by what they are called when nothing is searched for."""

    def __init__(self, service: Service, words: dict[str, str]) -> None:
        self.words, self.service = words, service
        self.room = f"{words['room']}@muc.{service.settings.domain}"
        self.people = {
            name: Person(service.settings, self.room, words[name])
            for name in ("ann", "bob", "eve", "zoe")
        }
        self.invitation = ""
        self.session = ""

    def __getitem__(self, name: str) -> Person:
        return self.people[name]

    async def gather(self) -> None:
        """A member opens the room and shuts it; the others come in by each way there is."""
        ann, bob, eve, zoe = self.people.values()
        ann.uid, ann.session = MACHINE, self.session
        await ann.join()
        await until(lambda: ann.roles.get(ann.nick) == "moderator", ann.shown)
        await ann.ask("settings", access="lobby", password=self.words["secret"])
        invite = await ann.ask("invite", expires="600", single_use="true")
        assert invite is not None
        self.invitation = invite.get("token", "")
        await bob.join(invite=self.invitation)
        await eve.request()
        assert await eve.refused() == "registration-required"
        ann.enter(to=ann.lobby)
        eve.enter(to=eve.lobby)
        there = f"{ann.lobby}/{eve.nick}"
        await until(lambda: any(p.get("from") == there for p in ann.presences))
        ann.admit(eve.jid)
        await until(lambda: any(m.find(f".//{{{MUC_USER}}}x") for m in eve.messages))
        await eve.join(self.words["secret"])
        await zoe.request()
        zoe.enter(self.words["secret"], to=zoe.lobby)
        await until(lambda: any(p.get("type") == "unavailable" for p in zoe.presences))
        await zoe.join(self.words["secret"])
        for person in self.people.values():
            await until(lambda p=person: len(p.roles) == 5, person.shown)  # type: ignore[misc]

    async def talk(self) -> None:
        """All that people say to everybody, to one, and by signs."""
        ann, bob = self["ann"], self["bob"]
        bob.stream.write(self._message(self.room, "groupchat", self.words["said"]))
        whisper = self._message(f"{self.room}/{ann.nick}", "chat", self.words["whisper"])
        bob.stream.write(whisper)
        heard = {self.words["said"], self.words["whisper"]}
        body = f"{{{STREAM}}}body"
        await until(lambda: heard <= {m.findtext(body) for m in ann.messages})
        poll = {
            "type": "polls",
            "command": "new-poll",
            "pollId": self.words["poll"],
            "question": self.words["question"],
            "answers": [{"name": self.words["choice"]}, {"name": "no"}],
        }
        bob.tell("json-message", json.dumps(poll))
        await ann.told(type="polls", command="new-poll")
        vote = {**poll, "command": "answer-poll", "answers": [True, False]}
        ann.tell("json-message", json.dumps(vote))
        await bob.told(type="polls", command="answer-poll")
        sources = {f"{bob.nick}-v1": {"videoType": "desktop", "x": self.words["screen"]}}
        signs = (
            build(STREAM, "jitsi_participant_raisedHand", text=self.words["hand"]),
            build(STREAM, "SourceInfo", text=json.dumps(sources)),
        )
        head = {"to": f"{self.room}/{bob.nick}"}
        bob.stream.write(build(STREAM, "presence", head, *signs))
        await until(
            lambda: any(
                p.findtext(f"{{{STREAM}}}jitsi_participant_raisedHand")
                for p in ann.presences
            )
        )
        # What two people need to connect without us.
        candidate = {"ip": "198.51.100.77", "ufrag": self.words["jingle"]}
        jingle = build("urn:xmpp:jingle:1", "jingle", {"sid": self.words["jingle"]})
        jingle.append(build("urn:xmpp:jingle:transports:ice-udp:1", "x", candidate))
        with pytest.raises(StanzaError):  # nobody takes it here, but it is passed on
            await bob.stream.ask(f"{self.room}/{ann.nick}", "set", jingle)

    async def moderate(self) -> None:
        """What moderators do, and what is told of it."""
        ann, bob, eve, zoe = self.people.values()
        ann.tell("av_moderation", bare=True, enable="true", mediaType="audio")
        await bob.told(type="av_moderation", enabled=True)
        await ann.ask("ask-to-unmute", media="audio", nick=bob.nick)
        await bob.told(type="ask_to_unmute")
        await ann.ask("mute-all", media="audio")
        note = {"key": self.words["metadata"], "data": self.words["metadata"]}
        ann.tell("room_metadata", json.dumps({"type": "room_metadata", **note}))
        while (
            self.words["metadata"] not in (await bob.told(type="room_metadata"))["metadata"]
        ):
            pass
        head = {"to": self.room, "type": "groupchat"}
        subject = build(STREAM, "subject", text=self.words["subject"])
        ann.stream.write(build(STREAM, "message", head, subject))
        await until(lambda: bob.subject == self.words["subject"])
        eve.tell("speakerstats", silence="false")
        eve.json.clear()
        eve.tell("speakerstats")
        assert (await eve.told(type="speakerstats"))["users"]
        await self._report(bob, zoe, "harassment")
        assert (await ann.told(type="report"))["nick"] == zoe.nick
        with pytest.raises(StanzaError):
            await self._report(bob, zoe, self.words["report"])
        await self._remove(zoe, self.words["kicked"])
        await self._remove(eve, self.words["banned"], ban="true")
        with pytest.raises(StanzaError):
            await eve.request()

    async def _report(self, person: Person, whom: Person, kind: str) -> None:
        report = build("urn:xmppconf:room", "report", {"nick": whom.nick, "kind": kind})
        await person.stream.ask(f"{self.room}/focus", "set", report)

    async def _remove(self, person: Person, reason: str, **how: str) -> None:
        remove = build("urn:xmppconf:room", "remove", {"nick": person.nick, **how})
        remove.append(build("urn:xmppconf:room", "reason", text=reason))
        await self["ann"].stream.ask(f"{self.room}/focus", "set", remove)
        await person.gone()

    async def part(self) -> None:
        """Into a breakout room, and the end for all."""
        ann, bob = self["ann"], self["bob"]
        add = "features/breakout-rooms/add"
        ann.tell("breakout_rooms", bare=True, type=add, subject=self.words["side"])
        told = await bob.told(type="breakout_rooms")
        [side] = [one for one in told["rooms"].values() if not one["isMainRoom"]]
        bob.leave()
        await until(lambda: bob.nick not in bob.roles)
        bob.room = side["jid"]
        await bob.join()
        await until(lambda: bob.subject == self.words["side"])
        ann.tell("end_conference", text=self.words["last"])
        await ann.gone()
        await bob.gone()

    def _message(self, to: str, kind: str, text: str) -> Element:
        return build(
            STREAM, "message", {"to": to, "type": kind}, build(STREAM, "body", text=text)
        )


@asynccontextmanager
async def meeting(service: Service, words: dict[str, str]) -> AsyncIterator[Meeting]:
    made = Meeting(service, words)
    try:
        yield made
    finally:
        for person in made.people.values():
            await person.stream.close()


async def sign_in(service: Service, user: str, password: str) -> str:
    """The list has a member more, who signs in at the page; the session."""
    command = [sys.executable, "-m", "xmppconf", "member", "add", user]
    adding = await asyncio.create_subprocess_exec(
        *command, "--state", str(service.state), stdin=subprocess.PIPE, cwd=ROOT
    )
    await adding.communicate(f"{password}\n".encode())
    assert adding.returncode == 0
    connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
    asked = {"user": user, "password": password, "machineUid": MACHINE}
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        http.post(f"{service.url}login", json=asked) as answer,
    ):
        assert answer.status == 200
        return str((await answer.json())["sessionId"])


async def test_nothing_of_a_whole_meeting_is_written_or_shown(tmp_path: Path) -> None:
    words = {kind: canary(kind) for kind in KINDS}
    with running_service(tmp_path, settings=SETTINGS) as service:
        session = await sign_in(service, words["member"], words["password"])
        async with meeting(service, words) as held:
            held.session = session
            for step in (held.gather, held.talk, held.moderate):
                await step()
            planted = [*words.values(), session, held.invitation]
            planted += [p.bare_jid for p in held.people.values()]
            searcher = Searcher(planted)
            # What a focus that is killed leaves to the next is in memory only.
            during = [
                sighting
                for sighting in everywhere(service, tmp_path, searcher)
                if not is_memory(sighting.place)
            ]
            await held.part()
        await asyncio.sleep(AFTERWARDS)
        after = everywhere(service, tmp_path, searcher)
        log = service.log_text()
    found = [*during, *after, *searcher.search_tree(tmp_path)]
    # The list of members is the operator's, and names them.
    listed = {s for s in found if s.word == words["member"]}
    assert {Path(s.place).name for s in listed} == {"members.json"}
    other = [s for s in found if s not in listed]
    what = f"{len(planted)} words of a meeting with every feature, at debug level: found"
    figures.record(Figure("privacy", "P1/P2 meeting", what, len(other), "", "0"))
    assert other == []
    assert log.count("\n") > 10, "a silent log proves nothing"
