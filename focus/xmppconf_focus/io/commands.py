"""What people write to the features of their room, read into commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args
from xml.etree.ElementTree import Element

from xmppconf.errors import LimitExceeded, PeerError
from xmppconf.ids import EndpointId
from xmppconf.strict_json import as_flag, as_list, as_object, as_text, loads
from xmppconf.xmpp.jids import parse_jid
from xmppconf.xmpp.xml import attribute, child, content, flag, integer, required, tag
from xmppconf_focus import commands as ask
from xmppconf_focus.effects import Abuse, MutedMedia, RoomJid
from xmppconf_focus.handlers import Kind
from xmppconf_focus.invitations import MAX_LIFETIME
from xmppconf_focus.metadata import MAX_SIZE
from xmppconf_focus.polls import MAX_ANSWERS, MAX_ID, MAX_TEXT
from xmppconf_focus.room_settings import MAX_PARTICIPANTS, MAX_PASSWORD, access_from

ROOM = "urn:xmppconf:room"
MAX_POLL = 8 * 1024  # characters of one poll's JSON
MAX_REASON = 256  # characters
_MAX_JID = 3071


def command_from(
    kind: Kind, payload: Element, room: RoomJid
) -> ask.Command | ask.BreakoutCommand:
    """Read what an occupant of `room` asks; raises `PeerError`."""
    match kind:
        case Kind.AV_MODERATION:
            return _av_moderation(payload, room)
        case Kind.SPEAKER_STATS:
            if "silence" in payload.attrib:
                return ask.Speaks(flag(payload, "silence"))
            return ask.AskSpeakerStats()
        case Kind.ROOM_METADATA:
            value = as_object(loads(content(payload, MAX_SIZE), MAX_SIZE), "metadata")
            return ask.WriteMetadata(as_text(value.get("key"), "key"), value.get("data"))
        case Kind.JSON:
            return _json(as_object(loads(content(payload, MAX_POLL), MAX_POLL), "message"))
        case Kind.END_CONFERENCE:
            return ask.EndConference()
        case Kind.BREAKOUT:
            return _breakout(payload)
        case Kind.MUTE_ALL:
            return ask.MuteAll(_media(payload, "media"))
        case Kind.ASK_TO_UNMUTE:
            return ask.AskToUnmute(_media(payload, "media"), required(payload, "nick"))
        case Kind.REMOVE:
            return _remove(payload)
        case Kind.REPORT:
            return _report(payload)
        case Kind.SETTINGS:
            return _settings(payload)
    raise PeerError("not a command")


def room_named(payload: Element) -> RoomJid | None:
    """The room that a message names, if it names one; raises `PeerError`."""
    named = attribute(payload, "room", limit=_MAX_JID)
    return RoomJid(parse_jid(named).bare) if named else None


def lifetime_of(payload: Element) -> int:
    """For how many seconds an invitation shall be good; 0: for ever."""
    return integer(payload, "expires", 0, MAX_LIFETIME, 0)


def _media(payload: Element, name: str) -> MutedMedia:
    text = required(payload, name)
    if text not in ("audio", "video", "desktop"):
        raise PeerError(f"attribute {name} is unknown")
    return cast(MutedMedia, text)


def _av_moderation(payload: Element, room: RoomJid) -> ask.Command:
    media = _media(payload, "mediaType")
    if "enable" in payload.attrib:
        return ask.SwitchAvModeration(media, flag(payload, "enable"))
    for name, allowed in (("jidToWhitelist", True), ("jidToBlacklist", False)):
        if name in payload.attrib:
            target = parse_jid(required(payload, name, limit=_MAX_JID))
            # Somebody in another room is nobody here.
            nick = target.resource if target.bare == room else ""
            return ask.AllowUnmute(media, nick, allowed)
    raise PeerError("neither enable nor a list")


def _json(value: Mapping[str, Any]) -> ask.Command:
    if value.get("type") != "polls":
        raise PeerError("type of the message is unknown")
    poll = as_text(value.get("pollId"), "pollId", MAX_ID)
    answers = as_list(value.get("answers"), "answers", MAX_ANSWERS)
    if value.get("command") == "answer-poll":
        return ask.AnswerPoll(poll, tuple(as_flag(item, "answer") for item in answers))
    if value.get("command") != "new-poll" or not poll or len(answers) < 2:
        raise PeerError("not a poll")
    names = tuple(
        as_text(as_object(item, "answer").get("name"), "answer", MAX_TEXT)
        for item in answers
    )
    return ask.AskPoll(poll, as_text(value.get("question"), "question", MAX_TEXT), names)


def _breakout(payload: Element) -> ask.BreakoutCommand:
    name = attribute(payload, "subject", "")

    def address(attribute_name: str) -> RoomJid:
        return RoomJid(parse_jid(required(payload, attribute_name, limit=_MAX_JID)).bare)

    match required(payload, "type").rpartition("/")[2]:
        case "add":
            return ask.AddBreakout(name)
        case "remove":
            return ask.RemoveBreakout(address("breakoutRoomJid"))
        case "rename":
            return ask.RenameBreakout(address("breakoutRoomJid"), name)
        case "move-to-room":
            participant = required(payload, "participantJid", limit=_MAX_JID)
            return ask.MoveToRoom(participant, address("roomJid"))
    raise PeerError("type is unknown")


def _remove(payload: Element) -> ask.RemoveOccupant:
    reason = child(payload, tag(ROOM, "reason"))
    return ask.RemoveOccupant(
        EndpointId(required(payload, "nick")),
        flag(payload, "ban"),
        "" if reason is None else content(reason, MAX_REASON),
    )


def _report(payload: Element) -> ask.Report:
    kind = required(payload, "kind")
    if kind not in get_args(Abuse):
        raise PeerError("attribute kind is unknown")
    return ask.Report(required(payload, "nick"), cast(Abuse, kind))


def _settings(payload: Element) -> ask.ChangeSettings:
    def optional(name: str) -> bool | None:
        return flag(payload, name) if name in payload.attrib else None

    password = payload.get("password")
    if password is not None and len(password) > MAX_PASSWORD:
        raise LimitExceeded("length of the password", MAX_PASSWORD)
    access = attribute(payload, "access")
    return ask.ChangeSettings(
        None if access is None else access_from(access),
        password,
        optional("wait-for-host"),
        integer(payload, "max-participants", 0, MAX_PARTICIPANTS),
        optional("start-audio-muted"),
        optional("start-video-muted"),
    )
