"""Anything may happen in any order: the focus neither breaks nor leaves anything behind."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from xmppconf_focus.effects import (
    AnswerRequest,
    BridgeJid,
    ConferenceEnded,
    ConfigureRoom,
    JoinRoom,
    LeaveRoom,
    ReturnToRoom,
    RoomJid,
    SendColibri,
    SendOffer,
    SendTerminate,
)
from xmppconf_focus.participant import Stage as ParticipantStage
from xmppconf_focus.record import decode, encode
from xmppconf_focus.selection import Strategy

from tests.focus.support import (
    BASIC,
    BRIDGE,
    CLIENT_TRANSPORT,
    MODERN,
    OTHER_BRIDGE,
    ROOM,
    Stage,
    camera,
)
from xmppconf.colibri2 import ColibriRefused, Reason, RelayRequest
from xmppconf.config import FocusSettings
from xmppconf.errors import Condition, PeerError
from xmppconf.ids import EndpointId
from xmppconf.jingle import Action, Received

NICKS = ("ann", "bob", "cid", "jvb", "Not An Id")

REFUSALS: list[ColibriRefused | None] = [
    None,
    *(
        ColibriRefused(condition, reason, endpoint=EndpointId("ann"))
        for condition in (
            "bad-request",
            "conflict",
            "item-not-found",
            "service-unavailable",
        )
        for reason in (None, *Reason)
    ),
]

PEOPLE = ("ann", "bob", "cid")
ACCEPT = (Action.SESSION_ACCEPT, False)


def some_steps(random: Random, count: int) -> Iterator[tuple[Any, ...]]:
    """Mostly a call as calls go, with all that can come between."""
    for _ in range(count):
        nick, bridge = random.choice(NICKS), random.choice([BRIDGE, OTHER_BRIDGE])
        who, base = random.choice(PEOPLE), random.randint(1, 3)
        action = (random.choice(list(Action)), random.random() < 0.5)
        steps: dict[tuple[Any, ...], int] = {
            ("join", nick): 20,
            ("features", nick, random.choice([BASIC, MODERN, MODERN, frozenset()])): 20,
            ("answer",): 40,
            ("jingle", who, *ACCEPT, base): 20,
            ("jingle", who, *action, base): 20,
            ("leave", nick): 6,
            ("refuse", random.choice(REFUSALS)): 6,
            ("offer refused", nick): 1,
            ("bridge", bridge, random.random() < 0.6): 3,
            ("ill", bridge): 1,
            ("time", random.choice([0.1, 6.0, 25.0, 70.0])): 4,
            ("request",): 8,
            ("room",): 8,
            ("removed",): 1,
            ("lost", random.random() < 0.5): 2,
            ("killed",): 2,
        }
        yield random.choices(list(steps), list(steps.values()))[0]


class World:
    """Carries out effects as a well-behaved world would, and checks them on the way."""

    def __init__(self, strategy: Strategy) -> None:
        self.stage = Stage(FocusSettings(bridge_strategy=strategy))
        self.asked: deque[SendColibri] = deque()
        self.on_bridge: dict[tuple[BridgeJid, str], set[str]] = {}
        self.behind: dict[tuple[BridgeJid, str], dict[str, set[str]]] = {}
        """By bridge and meeting: relay to the endpoints told of behind it."""
        self.sids: dict[str, str] = {}
        self.open_sids: dict[str, str] = {}
        self.tickets = 0
        self.answered = 0
        self.to_configure = 0
        self.stage.focus.recording = True
        self.records: dict[RoomJid, bytes] = {}
        self.server_restarted = False
        self.was_away = False

    def watch(self) -> None:
        for effect in self.stage.take(object):
            match effect:
                case SendColibri():
                    self.asked.append(effect)
                    self._apply(effect)
                case SendOffer():
                    assert effect.endpoint not in self.open_sids, "offered over an offer"
                    self.sids[effect.endpoint] = effect.offer.sid
                    self.open_sids[effect.endpoint] = effect.offer.sid
                case SendTerminate():
                    sid = self.open_sids.pop(effect.endpoint, None)
                    # Who left while we were away may still be told of its session's end.
                    assert sid == effect.sid or (self.was_away and sid is None)
                case AnswerRequest():
                    self.answered += 1
                case ConfigureRoom():
                    self.to_configure += 1
                case ConferenceEnded():
                    self.open_sids.clear()
                case JoinRoom() | ReturnToRoom() | LeaveRoom():
                    self.to_configure = 0
        for conference in self.stage.focus.conferences.values():
            for participant in conference.media.participants.values():
                in_session = participant.stage is ParticipantStage.IN_SESSION
                assert in_session == (participant.session is not None)

    def _apply(self, request: SendColibri) -> None:
        modify = request.modify
        key = (request.bridge, modify.meeting_id)
        if modify.expire:
            self.on_bridge.pop(key, None)
            self.behind.pop(key, None)
            return
        if modify.create:
            assert not self.on_bridge.get(key), "created over a conference"
            self.on_bridge[key] = set()
            self.behind[key] = {}
        for relay in modify.relays:
            self._apply_relay(key, relay)
        for endpoint in modify.endpoints:
            if endpoint.create:
                assert endpoint.id not in self.on_bridge[key], "created over an endpoint"
                self.on_bridge[key].add(endpoint.id)
            elif endpoint.expire:
                self.on_bridge[key].discard(endpoint.id)
            else:
                assert endpoint.id in self.on_bridge[key], "updated a lost endpoint"

    def _apply_relay(self, key: tuple[BridgeJid, str], relay: RelayRequest) -> None:
        relays = self.behind[key]
        if relay.create:
            assert relay.id not in relays, "created over a relay"
            relays[relay.id] = set()
        elif relay.expire:
            del relays[relay.id]
            return
        for endpoint in relay.endpoints:
            if endpoint.create:
                assert endpoint.id not in relays[relay.id], "told of twice"
                relays[relay.id].add(endpoint.id)
            elif endpoint.expire:
                relays[relay.id].remove(endpoint.id)
            else:
                assert endpoint.id in relays[relay.id], "updated one it does not know"

    def check_mesh(self) -> None:
        """Every bridge of the conference knows of every other's endpoints."""
        for (bridge, meeting), relays in self.behind.items():
            others = {
                other.rpartition("/")[2]: endpoints
                for (other, its_meeting), endpoints in self.on_bridge.items()
                if its_meeting == meeting and other != bridge and endpoints
            }
            if self.on_bridge[bridge, meeting]:
                assert relays == others

    def _kill(self) -> None:
        """A new focus takes over."""
        self.asked.clear()
        self.answered = self.tickets
        focus = self.stage.focus = self.stage.new_focus()
        focus.recording = True
        assert focus.restore(decode(data) for data in self.records.values()) == 0
        self.server_restarted, self.was_away = False, True
        focus.connected(self.stage.now)
        for bridge in {bridge for bridge, _ in self.on_bridge}:
            self.stage.add_bridge(bridge)

    def _record(self) -> None:
        for room, record in self.stage.focus.take_changed():
            if record is None:
                self.records.pop(room, None)
            else:
                self.records[room] = encode(record)

    def forget_missing(self) -> None:
        """Who was given up while we were away is told nothing, and expects nothing."""
        conference = self.stage.focus.conferences.get(ROOM)
        there = conference.media.participants if conference else {}
        for nick in self.open_sids.keys() - there.keys():
            del self.open_sids[nick]

    def step(self, kind: str, *args: Any) -> None:
        focus, now = self.stage.focus, self.stage.now
        self._record()
        match kind, *args:
            case "join", nick:
                self.stage.join(nick, None)
            case "leave", nick:
                focus.occupant_left(ROOM, nick, now)
                self.open_sids.pop(nick, None)
            case "features", nick, features:
                focus.features_known(ROOM, EndpointId(nick), features, now)
            case ("answer",):
                if self.asked:
                    self.stage.answer(self.asked.popleft())
            case "refuse", refused:
                if self.asked:
                    request = self.asked.popleft()
                    focus.colibri_refused(ROOM, request.request, refused, now)
            case "jingle", nick, action, restart, base:
                self._jingle(nick, action, restart, base)
            case "offer refused", nick:
                focus.offer_refused(ROOM, EndpointId(nick), self.sids.get(nick, "?"), now)
            case "bridge", bridge, here:
                if here:
                    self.stage.add_bridge(bridge)
                else:
                    focus.bridge_left(bridge, now)
                    for key in [key for key in self.on_bridge if key[0] == bridge]:
                        del self.on_bridge[key], self.behind[key]
            case "ill", bridge:
                condition: Condition = "internal-server-error"
                focus.health_failed(bridge, condition, now)
            case "time", seconds:
                self.stage.pass_time(seconds)
            case ("removed",):
                focus.removed(ROOM)
            case ("request",):
                self.tickets += 1
                self.stage.request(ticket=self.tickets)
            case ("room",):
                if self.to_configure:
                    focus.room_configured(ROOM, {}, now)
                else:
                    focus.joined(ROOM, "owner", now, created=self.server_restarted)
            case "lost", server_restarted:
                focus.connection_lost()
                self.watch()
                self.asked.clear()
                self.server_restarted, self.was_away = server_restarted, True
                focus.connected(now)
                for bridge in {bridge for bridge, _ in self.on_bridge}:
                    self.stage.add_bridge(bridge)
            case ("killed",):
                self._kill()
        self.watch()
        if self.was_away:
            self.forget_missing()
        self.check_mesh()

    def _jingle(self, nick: str, action: Action, restart: bool, base: int) -> None:
        sid = self.sids.get(nick, "?")
        conference = self.stage.focus.conferences.get(ROOM)
        participant = conference and conference.media.participants.get(EndpointId(nick))
        bridge = participant.bridge if participant else None
        if action is Action.SESSION_TERMINATE and self.open_sids.get(nick) == sid:
            self.open_sids.pop(nick)
        received = Received(
            action,
            sid,
            transport=CLIENT_TRANSPORT,
            sources=camera(nick, 1000 * base),
            restart=restart,
            bridge_session_id=bridge.id if bridge else None,
            session_info="failed" if restart else None,
        )
        before = self.stage.focus.conferences.get(ROOM)
        with contextlib.suppress(PeerError):
            self.stage.focus.jingle(ROOM, EndpointId(nick), received, self.stage.now)
            return
        # A refused accept ends the session; the client knows by the error.
        if before is not None and action is Action.SESSION_ACCEPT:
            participant = before.media.participants.get(EndpointId(nick))
            if participant is not None and participant.session is None:
                self.open_sids.pop(nick, None)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([Strategy.OVERLOAD, Strategy.SPLIT]))
@example(1_460_456_868, Strategy.OVERLOAD)  # a bridge lost while we were away ourselves
def test_nothing_breaks_and_nothing_is_left(seed: int, strategy: Strategy) -> None:
    world = World(strategy)
    opening: list[tuple[Any, ...]] = [
        ("bridge", BRIDGE, True),
        ("bridge", OTHER_BRIDGE, True),
        ("request",),
        ("room",),
        ("room",),
        *(("join", nick) for nick in PEOPLE),
        *(("features", nick, MODERN) for nick in PEOPLE),
    ]
    for step in (*opening, *some_steps(Random(seed), 80)):
        world.step(*step)
    for nick in NICKS:
        world.step("leave", nick)
    world.step("time", 60.0)
    assert world.stage.focus.conferences == {}
    assert {key: left for key, left in world.on_bridge.items() if left} == {}
    assert world.answered == world.tickets
