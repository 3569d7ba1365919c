"""Rooms on real servers: who gets in, who is moderator, and what is remembered."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import tostring

import pytest
from xmppconf_focus.effects import RoomJid

from tests.stack.rooms import FOCUS, House, Person, condition_of, house, until
from xmppconf.config import Settings
from xmppconf.xmpp.conference_request import ConferenceRequest, request_to_xml
from xmppconf.xmpp.disco import info_from_xml, info_query
from xmppconf.xmpp.jids import parse_bare_jid
from xmppconf.xmpp.muc import MUC_USER, configuration_to_xml, presence_from_xml
from xmppconf.xmpp.stanza import StanzaError
from xmppconf.xmpp.xml import JINGLE, build, child, tag

pytestmark = pytest.mark.stack


async def test_the_lobby_lets_in_turns_away_and_forgets_who_went(
    server: Settings,
) -> None:
    async with house(server) as here:
        (ann,) = await here.joined("ann")
        await ann.ask("settings", access="lobby")
        await ann.told(type="room_metadata")
        ann.enter(to=ann.lobby)
        bob, eve, kim = (here.person(nick) for nick in ("bob", "eve", "kim"))
        for person in (bob, eve, kim):
            assert (await person.request()).ready
            assert await person.refused() == "registration-required"
            person.enter(to=person.lobby)
        waiting = [f"{ann.lobby}/{nick}" for nick in ("bob", "eve", "kim")]
        await until(lambda: set(waiting) <= {p.get("from") for p in ann.presences})
        # Who waits sees itself and nobody else; it is told nothing of the room.
        for person in (bob, eve, kim):
            own = [p for p in person.presences if p.get("type") is None]
            assert {p.get("from") for p in own} == {f"{person.lobby}/{person.nick}"}
            assert person.json == []

        ann.admit(bob.jid)
        await until(lambda: any(m.get("from") == here.room for m in bob.messages))
        bob.enter()
        await until(lambda: bob.roles.get("bob") == "participant")

        await ann.kick("eve", ann.lobby)
        assert (await eve.gone(eve.lobby))[0] == {110, 307}
        assert await eve.refused() == "registration-required"

        await here.disconnect(kim)
        for nick in ("bob", "eve", "kim"):
            address = f"{ann.lobby}/{nick}"
            await until(
                lambda a=address: any(  # type: ignore[misc]
                    p.get("from") == a and p.get("type") == "unavailable"
                    for p in ann.presences
                )
            )
        assert len(here.focus.machine.conferences[RoomJid(here.room)].access.lobby) == 0


async def test_who_waits_gets_no_media_and_no_secret(
    server: Settings,
) -> None:
    """S23: by direct Jingle, by another nickname, by speaking to the components."""
    async with house(server) as here:
        (ann,) = await here.joined("ann")
        await ann.ask("settings", access="lobby", password="earl grey")
        await ann.ask("settings", access="locked")
        await ann.ask("settings", access="lobby")
        eve = here.person("eve")
        await eve.request()
        eve.enter(to=eve.lobby)
        await until(lambda: bool(eve.presences))
        jingle = build(JINGLE, "jingle", {"action": "session-accept", "sid": "s"})
        for to in (f"{here.room}/focus", f"{here.room}/ann", FOCUS):
            with pytest.raises(StanzaError):
                await eve.stream.ask(to, "set", jingle, timeout=5)
        with pytest.raises(StanzaError):
            await eve.ask("settings")
        for name in ("ann", "focus", "other"):
            eve.nick = name
            assert await eve.refused() == "registration-required"
        eve.tell("speakerstats", room=here.room)
        eve.tell("room_metadata", '{"key":"k","data":1}', room=here.room)
        await until(lambda: len(eve.messages) == 2)
        assert {m.get("type") for m in eve.messages} == {"error"}
        everything = b"".join(tostring(e) for e in [*eve.presences, *eve.messages])
        assert b"earl" not in everything
        assert b"Name of ann" not in everything
        conference = here.focus.machine.conferences[RoomJid(here.room)]
        assert set(conference.occupants) == set(conference.media.participants) == {"ann"}


async def test_who_begins_muted_is_told_before_it_enters(
    server: Settings,
) -> None:
    """Stock clients do not heed it any more once they are in the room."""
    async with house(server) as here:
        (ann,) = await here.joined("ann")
        bob, eve = here.person("bob"), here.person("eve")
        assert (await bob.request()).ready
        assert bob.json == []
        await ann.ask("settings", **{"start-audio-muted": "true"})
        assert (await eve.request()).ready
        muted = {"startMuted": {"audio": True, "video": False}}
        assert eve.json == [{"type": "room_metadata", "metadata": muted}]


async def test_a_failed_second_session_leaves_the_first_alone(
    server: Settings,
) -> None:
    """S24: the same browser asks again, with what is not good."""
    async with house(server) as here:
        ann, bob = await here.joined("ann", "bob")
        await ann.ask("settings", password="earl grey")
        second = here.person("ann2", ann.uid)
        with pytest.raises(StanzaError):
            await second.request(invite="x" * 40)
        asked = ConferenceRequest(
            parse_bare_jid(here.room), machine_uid=ann.uid, session_id="forged"
        )
        with pytest.raises(StanzaError) as invalid:
            await second.stream.ask(FOCUS, "set", request_to_xml(asked))
        assert condition_of(invalid.value) == "not-acceptable"
        assert await second.refused("wrong") == "not-authorized"
        second.leave()
        await here.disconnect(second)
        assert ann.roles["ann"] == bob.roles["ann"] == "moderator"
        await ann.ask("settings", password="")


async def test_switching_the_lobby_off_opens_it_for_all(
    server: Settings,
) -> None:
    async with house(server) as here:
        (ann,) = await here.joined("ann")
        await ann.ask("settings", access="lobby")
        bob = here.person("bob")
        await bob.request()
        bob.enter(to=bob.lobby)
        await until(lambda: bool(bob.presences))
        await ann.ask("settings", access="open")
        status, last = await bob.gone(bob.lobby)
        user = child(last, tag(MUC_USER, "x"))
        assert user is not None
        destroyed = child(user, tag(MUC_USER, "destroy"))
        assert destroyed is not None
        assert (status, destroyed.get("jid")) == ({110}, here.room)
        await bob.join()


async def test_hosts_are_not_locked_out_by_their_own_lobby(
    server: Settings,
    tmp_path: Path,
) -> None:
    """And nobody who comes early goes round it, after a restart neither."""
    async with house(server, str(tmp_path)) as here:
        (ann,) = await here.joined("ann")
        await ann.ask("settings", access="lobby", password="tea time")
        await until(
            lambda: here.focus.machine.memory.get(RoomJid(here.room)).is_worth_keeping()
        )
        await here.all_left(ann)
        room, uid = here.room, ann.uid
    kept = (tmp_path / "rooms.json").read_text()
    assert "tea" not in kept
    assert room not in kept
    assert (tmp_path / "rooms.json").stat().st_mode & 0o777 == 0o600
    async with house(server, str(tmp_path)) as here:
        early = here.person("early", room=room)
        assert (await early.request()).ready
        assert await early.refused() == "registration-required"
        early.enter(to=early.lobby)
        await until(lambda: bool(early.presences))
        assert "moderator" not in early.roles.values()
        back = here.person("ann", uid, room)
        answer = await back.request()
        assert answer.properties["password"] == "tea time"
        await back.join()
        await until(lambda: back.roles["ann"] == "moderator")
        # Those who know the password need nobody to let them in.
        friend = here.person("friend", room=room)
        await friend.request()
        assert await friend.refused("wrong", to=friend.lobby) == "not-authorized"
        friend.enter("tea time", to=friend.lobby)
        await friend.gone(friend.lobby)
        await friend.join("tea time")


async def test_a_password_set_by_a_stock_client_is_kept(
    server: Settings,
) -> None:
    async with house(server) as here:
        ann, bob = await here.joined("ann", "bob")
        form = configuration_to_xml(
            {
                "muc#roomconfig_roomsecret": "s3cret",
                "muc#roomconfig_passwordprotectedroom": "1",
                "muc#roomconfig_whois": "anyone",
            }
        )
        await ann.stream.ask(here.room, "set", form)
        told = await ann.told(type="room_metadata")
        while not told["metadata"]["room"]["password"]:
            told = await ann.told(type="room_metadata")
        await here.all_left(ann, bob)
        eve = here.person("eve")
        assert "password" not in (await eve.request()).properties
        assert await eve.refused() == "not-authorized"
        assert await eve.refused("wrong") == "not-authorized"
        await eve.join("s3cret")


async def test_kicked_people_do_not_come_back(server: Settings) -> None:
    async with house(server) as here:
        ann, bob, eve = await here.joined("ann", "bob", "eve")
        await ann.kick("bob")
        assert 307 in (await bob.gone())[0]
        await ann.ask("remove", nick="eve", ban="true")
        assert (await eve.gone())[0] & {301, 307}
        for person in (bob, eve):
            again = here.person(person.nick, person.uid)
            with pytest.raises(StanzaError) as refused:
                await again.request()
            assert condition_of(refused.value) == "forbidden"
            assert "removed" in refused.value.extensions[0].tag
            # With the old connection the server itself refuses.
            assert await person.refused() == "forbidden"


async def test_roles_survive_a_reconnect_and_revoking_lasts(
    server: Settings,
) -> None:
    async with house(server) as here:
        ann, bob, eve = await here.joined("ann", "bob", "eve")
        await ann.set_affiliation(bob.bare_jid, "owner")
        await until(lambda: ann.roles["bob"] == "moderator")
        assert ann.roles["eve"] == "participant"
        for person in (ann, bob):
            await here.disconnect(person)
        await until(lambda: set(eve.roles) == {"eve", "focus"})
        ann, bob = (here.person(p.nick, p.uid) for p in (ann, bob))
        await ann.join()
        await bob.join()
        await until(lambda: ann.roles == {**ann.roles, "ann": "moderator"})
        await until(lambda: ann.roles["bob"] == "moderator")
        assert ann.roles["eve"] == "participant"  # not everybody is one

        await ann.set_affiliation(bob.bare_jid, "none")
        await until(lambda: ann.roles["bob"] == "participant")
        await here.disconnect(bob)
        await until(lambda: "bob" not in ann.roles)
        bob = here.person("bob", bob.uid)
        await bob.join()
        await until(lambda: bob.roles["bob"] == "participant")


async def test_invitations(server: Settings) -> None:
    async with house(server) as here:
        (ann,) = await here.joined("ann")
        await ann.ask("settings", access="locked")

        async def invite(**attributes: str) -> str:
            answer = await ann.ask("invite", **attributes)
            assert answer is not None
            return answer.get("token", "")

        once, many = await invite(single_use="true"), await invite()
        chair = await invite(role="moderator", expires="3600")
        bob, eve, kim, zoe = (here.person(n) for n in ("bob", "eve", "kim", "zoe"))
        await bob.join(invite=once)
        with pytest.raises(StanzaError) as used:
            await eve.request(invite=once)
        assert condition_of(used.value) == "not-acceptable"
        assert (await bob.request(invite=once)).ready  # its own user, once more
        await eve.join(invite=many)
        await kim.join(invite=chair)
        await until(lambda: ann.roles.get("kim") == "moderator")
        assert ann.roles["eve"] == ann.roles["bob"] == "participant"
        for bad in (once[:-1], once[::-1], "x", "", f"{many}=="):
            if bad:
                with pytest.raises(StanzaError):
                    await zoe.request(invite=bad)
        await zoe.request()
        assert await zoe.refused() == "registration-required"
        assert await zoe.refused(to=zoe.lobby) == "not-allowed"


async def test_full_rooms_and_rooms_without_their_host(
    server: Settings,
) -> None:
    async with house(server) as here:
        ann, bob = await here.joined("ann", "bob")
        await ann.ask("settings", max_participants="2")
        eve = here.person("eve")
        with pytest.raises(StanzaError) as full:
            await eve.request()
        assert condition_of(full.value) == "service-unavailable"
        assert "full" in full.value.extensions[0].tag
        await ann.ask("settings", max_participants="0", wait_for_host="true")
        await here.disconnect(ann)
        await until(lambda: "ann" not in bob.roles)
        with pytest.raises(StanzaError) as waits:
            await eve.request()
        assert condition_of(waits.value) == "not-authorized"
        assert "waiting-for-host" in waits.value.extensions[0].tag
        ann = here.person("ann", ann.uid)
        await ann.join()
        await until(lambda: ann.roles["ann"] == "moderator")
        await eve.join()


async def test_a_meeting_is_ended_for_everybody(server: Settings) -> None:
    async with house(server) as here:
        ann, bob = await here.joined("ann", "bob")
        bob.tell("end_conference", bare=True)
        await until(lambda: any(m.get("type") == "error" for m in bob.messages))
        ann.tell("end_conference", bare=True)
        for person in (ann, bob):
            _, last = await person.gone()
            assert presence_from_xml(last).destroyed
        await until(lambda: here.room not in here.focus.machine.conferences)


async def test_breakout_rooms(server: Settings) -> None:
    async with house(server) as here:
        ann, bob, eve = await here.joined("ann", "bob", "eve")
        event = "features/breakout-rooms/{}".format
        ann.tell("breakout_rooms", bare=True, type=event("add"), subject="One")
        told = await bob.told(type="breakout_rooms", event=event("update"))
        [side] = [one for one in told["rooms"].values() if not one["isMainRoom"]]
        assert side["name"] == "One"
        ann.tell(
            "breakout_rooms",
            bare=True,
            type=event("move-to-room"),
            participantJid=bob.jid,
            roomJid=side["jid"],
        )
        told = await bob.told(type="breakout_rooms", event=event("move-to-room"))
        assert told["roomJid"] == side["jid"]
        # People of the main room get in, as what they are there; nobody else does.
        for person in (bob, ann):
            person.leave()
            await until(lambda p=person: p.nick not in p.roles)  # type: ignore[misc]
            person.roles.clear()
            person.room = side["jid"]
            await person.join()
        await until(lambda: bob.roles.get("ann") == "moderator")
        assert bob.roles["bob"] == "participant"
        stranger = here.person("zoe", room=side["jid"])
        await stranger.request()
        assert await stranger.refused() == "registration-required"
        told = await eve.told(type="breakout_rooms")
        while len(told["rooms"][side["id"]]["participants"]) < 2:
            told = await eve.told(type="breakout_rooms")
        # The main room outlives its last occupant while others are elsewhere.
        eve.leave()
        await until(
            lambda: here.focus.machine.conferences[RoomJid(here.room)].occupants == {}
        )
        ann.tell(
            "breakout_rooms", bare=True, type=event("remove"), breakoutRoomJid=side["jid"]
        )
        told = await bob.told(type="breakout_rooms", event=event("move-to-room"))
        assert told["roomJid"] == here.room
        await bob.gone(side["jid"])
        bob.roles.clear()
        bob.room = here.room
        await bob.join()


async def test_features_of_a_room(server: Settings) -> None:
    async with house(server) as here:
        ann, bob, eve = await here.joined("ann", "bob", "eve")
        await moderation(here, ann, bob, eve)
        await polls(ann, bob)
        await speaker_stats(here, ann, bob)
        ann.tell(
            "room_metadata",
            '{"type":"room_metadata","key":"agenda","data":["one"]}',
            room=here.room,
        )
        told = await bob.told(type="room_metadata")
        assert told["metadata"]["agenda"] == ["one"]
        new = here.person("new")
        await new.join()
        told = await new.told(type="room_metadata")
        assert told["metadata"]["agenda"] == ["one"]
        assert (await new.told(type="polls"))["command"] == "old-polls"


async def moderation(here: House, ann: Person, bob: Person, eve: Person) -> None:
    bob.tell("av_moderation", bare=True, enable="true", mediaType="audio")
    await until(lambda: any(m.get("type") == "error" for m in bob.messages))
    ann.tell("av_moderation", bare=True, enable="true", mediaType="audio")
    for person in (ann, bob, eve):
        told = await person.told(type="av_moderation", enabled=True)
        assert told["actor"] == f"{here.room}/ann"
    ann.tell(
        "av_moderation",
        bare=True,
        jidToWhitelist=f"{here.room}/bob",
        mediaType="audio",
    )
    await bob.told(type="av_moderation", approved=True, mediaType="audio")
    told = await ann.told(type="av_moderation", mediaType="audio")
    assert told["whitelists"] == {"audio": [f"{here.room}/bob"]}
    assert not any("approved" in value for value in eve.json)
    new = here.person("late")
    await new.join()
    await new.told(type="av_moderation", enabled=True, mediaType="audio")
    await here.disconnect(new)
    await ann.ask("ask-to-unmute", media="audio", nick="eve")
    await eve.told(type="av_moderation", approved=True)
    await eve.told(type="ask_to_unmute", actor=f"{here.room}/ann")


async def polls(ann: Person, bob: Person) -> None:
    bob.tell(
        "json-message",
        '{"type":"polls","command":"new-poll","pollId":"p1","question":"Tea?",'
        '"answers":[{"name":"yes"},{"name":"no"}],"senderId":"ann"}',
    )
    told = await ann.told(type="polls", command="new-poll")
    assert (told["senderId"], told["question"]) == ("bob", "Tea?")
    ann.tell(
        "json-message",
        '{"type":"polls","command":"answer-poll","pollId":"p1","answers":[true,false]}',
    )
    told = await bob.told(type="polls", command="answer-poll")
    assert (told["senderId"], told["answers"]) == ("ann", [True, False])


async def speaker_stats(here: House, ann: Person, bob: Person) -> None:
    bob.tell("speakerstats", room=here.room, silence="false")
    bob.tell("speakerstats", room=here.room, silence="true")
    ann.json.clear()
    ann.tell("speakerstats", room=here.room)
    told = await ann.told(type="speakerstats")
    assert set(told["users"]) >= {"ann", "bob", "eve"}
    assert told["users"]["bob"]["displayName"] == "Name of bob"


async def test_the_focus_names_its_components(server: Settings) -> None:
    async with house(server) as here:
        ann = here.person("ann")
        await ann.request()
        info = info_from_xml(await ann.stream.ask(FOCUS, "get", info_query()))
        components = {i.type: i.name for i in info.identities if i.type != "generic"}
        assert components == dict.fromkeys(
            (
                *("av_moderation", "breakout_rooms", "end_conference", "polls"),
                *("room_metadata", "speakerstats"),
            ),
            FOCUS,
        )
