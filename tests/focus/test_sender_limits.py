"""Limits of how many send: told, refused, and held to."""

from __future__ import annotations

import pytest
from xmppconf_focus.conference import Conference
from xmppconf_focus.effects import RoomJid, SendColibri, SendMute, ShowPresence
from xmppconf_focus.io.presence import sent_from_presence, shown_presence
from xmppconf_focus.muting import MuteRequest
from xmppconf_focus.occupant import Occupant
from xmppconf_focus.sender_limits import SenderLimits, Sent

from tests.focus.support import ROOM, Stage, camera
from xmppconf.colibri2 import ForceMute
from xmppconf.config import FocusSettings
from xmppconf.errors import LimitExceeded
from xmppconf.ids import EndpointId, SourceName
from xmppconf.jingle import Action, Received
from xmppconf.media import MediaType, Ssrc
from xmppconf.sources import Source, SourceSet
from xmppconf.xmpp.muc import OccupantPresence, SourceState

AUDIO: frozenset[Sent] = frozenset({"audio"})
NOTHING: frozenset[Sent] = frozenset()


def test_who_began_first_goes_on() -> None:
    limits = SenderLimits(2, 1)
    assert limits.sends("ann", AUDIO)
    assert not limits.sends("ann", AUDIO), "nothing new"
    assert limits.reached() == NOTHING
    limits.sends("bob", frozenset({"audio", "video"}))
    assert limits.reached() == {"audio", "video"}
    limits.check("bob", "audio")
    limits.check("bob", "video")
    with pytest.raises(LimitExceeded):
        limits.check("ann", "video")
    limits.sends("cid", frozenset({"audio", "video"}))
    assert limits.excess() == {"cid": {"audio", "video"}}
    # A place that becomes free goes to who has waited longest.
    limits.sends("ann", NOTHING)
    assert limits.excess() == {"cid": {"video"}}
    limits.left("bob")
    assert limits.excess() == {}
    assert limits.reached() == {"video"}
    limits.forget()
    assert limits.reached() == NOTHING


def test_what_a_presence_says_is_sent() -> None:
    sources = {
        SourceName("ann-a0"): SourceState(muted=True),
        SourceName("ann-v0"): SourceState(muted=True),
        SourceName("ann-v1"): SourceState(muted=False),
    }
    presence = OccupantPresence("room", "ann", True, sources=sources)
    assert sent_from_presence(presence) == {"video"}
    sources[SourceName("ann-a1")] = SourceState(muted=False)
    presence = OccupantPresence("room", "ann", True, sources=sources)
    assert sent_from_presence(presence) == {"audio", "video"}
    assert sent_from_presence(OccupantPresence("room", "ann", True)) == NOTHING


def meeting(*nicks: str, audio: int = 2) -> tuple[Stage, Conference]:
    stage = Stage(FocusSettings(max_audio_senders=audio))
    stage.call(*nicks)
    return stage, stage.focus.conferences[ROOM]


def sends(stage: Stage, nick: str, sent: frozenset[Sent]) -> None:
    jid = f"{nick}@guest.localhost/web"
    occupant = Occupant(nick, jid, "participant", "member", ver=nick)
    stage.focus.occupant_seen(ROOM, occupant, stage.now, sent)


def forced(stage: Stage) -> dict[str, ForceMute]:
    return {
        endpoint.id: endpoint.force_mute
        for request in stage.take(SendColibri)
        for endpoint in request.modify.endpoints
        if endpoint.force_mute is not None
    }


def test_everybody_is_told_and_who_comes_beyond_is_muted() -> None:
    stage, _ = meeting("ann", "bob", "cid")
    sends(stage, "ann", AUDIO)
    assert stage.take(ShowPresence) == []
    sends(stage, "bob", AUDIO)
    [shown] = stage.take(ShowPresence)
    assert shown.limits_reached == AUDIO
    assert stage.focus.starts_muted(ROOM) == {"audio": True, "video": False}
    # The two pressed at once: who came second does not go on.
    sends(stage, "cid", AUDIO)
    assert stage.take(SendMute) == [SendMute(ROOM, EndpointId("cid"), "audio", actor=None)]
    assert forced(stage) == {"cid": ForceMute(audio=True)}
    sends(stage, "cid", NOTHING)
    assert stage.take(SendMute) == []
    assert forced(stage) == {"cid": ForceMute()}
    sends(stage, "ann", NOTHING)
    [shown] = stage.take(ShowPresence)
    assert shown.limits_reached == NOTHING
    assert stage.focus.starts_muted(ROOM) == {}


def test_a_place_that_becomes_free_is_the_next_ones() -> None:
    stage, _ = meeting("ann", "bob", "cid")
    for nick in ("ann", "bob", "cid"):
        sends(stage, nick, AUDIO)
    stage.take(object)
    stage.focus.occupant_left(ROOM, "ann", stage.now)
    stage.answer_all()
    assert stage.take(SendMute) == []
    assert stage.focus.conferences[ROOM].limits.excess() == {}


def test_requests_beyond_the_limit_are_refused() -> None:
    stage, conference = meeting("ann", "bob", "cid")
    for nick in ("ann", "bob"):
        sends(stage, nick, AUDIO)
    cid = EndpointId("cid")
    participant = conference.media.participants[cid]
    assert participant.session is not None
    sid = participant.session.sid
    microphone = Source(Ssrc(99), MediaType.AUDIO, SourceName("cid-a1"), "cid-audio-1 t")
    picture = Source(Ssrc(98), MediaType.VIDEO, SourceName("cid-v1"), "cid-video-1 t")

    def add(source: Source) -> None:
        received = Received(Action.SOURCE_ADD, sid, sources=SourceSet((source,), ()))
        stage.focus.jingle(ROOM, cid, received, stage.now)

    with pytest.raises(LimitExceeded) as refused:
        add(microphone)
    assert refused.value.condition == "resource-constraint"
    add(picture)
    unmute = MuteRequest(cid, "audio", False)
    with pytest.raises(LimitExceeded):
        stage.focus.mute(ROOM, cid, unmute)
    stage.focus.mute(ROOM, cid, MuteRequest(cid, "video", False))
    sends(stage, "ann", NOTHING)
    stage.focus.mute(ROOM, cid, unmute)
    add(microphone)


def test_who_sends_already_is_not_muted_by_its_own_offer() -> None:
    stage = Stage(FocusSettings(max_audio_senders=1))
    stage.add_bridge()
    stage.open_room()
    stage.join("ann")
    sends(stage, "ann", AUDIO)
    stage.join("bob")
    stage.answer_all()
    muted = {nick: offer.start_audio_muted for nick, offer in stage.offers().items()}
    assert muted == {"ann": False, "bob": True}


def test_who_comes_to_a_full_room_starts_muted() -> None:
    stage, _ = meeting("ann", "bob")
    for nick in ("ann", "bob"):
        sends(stage, nick, AUDIO)
    stage.join("cid")
    stage.answer_all()
    offer = stage.offers()[EndpointId("cid")]
    assert (offer.start_audio_muted, offer.start_video_muted) == (True, False)
    # Taking up the session with a track that is muted is not sending.
    stage.accept(EndpointId("cid"), offer, camera("cid", 5000))


def test_stock_clients_read_it_in_the_presence() -> None:
    effect = ShowPresence(RoomJid(ROOM), True, 1, AUDIO)
    presence = shown_presence(effect, "focus@focus.localhost/focus")
    found = {
        one.get("key"): one.get("value")
        for one in presence.iter()
        if one.tag.endswith("property")
    }
    assert found["audio-limit-reached"] == "true"
    assert found["video-limit-reached"] == "false"
