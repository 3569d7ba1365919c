"""Anything may happen in any order: the focus neither breaks nor leaves anything behind."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from xmppconf_focus.effects import (
    AnswerRequest,
    BridgeJid,
    ConferenceEnded,
    ConfigureRoom,
    JoinRoom,
    LeaveRoom,
    SendColibri,
    SendOffer,
    SendTerminate,
)
from xmppconf_focus.participant import Stage as ParticipantStage

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
from xmppconf.colibri2 import ColibriRefused, Reason
from xmppconf.errors import Condition, PeerError
from xmppconf.ids import EndpointId
from xmppconf.jingle import Action, Received

NICKS = ("ann", "bob", "cid", "jvb", "Not An Id")

nicks = st.sampled_from(NICKS)
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

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("join"), nicks),
        st.tuples(st.just("join"), nicks),
        st.tuples(st.just("leave"), nicks),
        st.tuples(
            st.just("features"), nicks, st.sampled_from([BASIC, MODERN, frozenset()])
        ),
        st.tuples(st.just("answer")),
        st.tuples(st.just("answer")),
        st.tuples(st.just("refuse"), st.sampled_from(REFUSALS)),
        st.tuples(
            st.just("jingle"),
            nicks,
            st.sampled_from(Action),
            st.booleans(),
            st.integers(1, 3),
        ),
        st.tuples(
            st.just("jingle"),
            nicks,
            st.just(Action.SESSION_ACCEPT),
            st.just(False),
            st.integers(1, 3),
        ),
        st.tuples(st.just("offer refused"), nicks),
        st.tuples(
            st.just("bridge"), st.sampled_from([BRIDGE, OTHER_BRIDGE]), st.booleans()
        ),
        st.tuples(st.just("ill"), st.sampled_from([BRIDGE, OTHER_BRIDGE])),
        st.tuples(st.just("time"), st.sampled_from([0.1, 6.0, 25.0])),
        st.tuples(st.just("removed")),
        st.tuples(st.just("request")),
        st.tuples(st.just("room")),
        st.tuples(st.just("lost")),
    ),
    max_size=60,
)


class World:
    """Carries out effects as a well-behaved world would, and checks them on the way."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.asked: deque[SendColibri] = deque()
        self.on_bridge: dict[tuple[BridgeJid, str], set[str]] = {}
        self.sids: dict[str, str] = {}
        self.open_sids: dict[str, str] = {}
        self.tickets = 0
        self.answered = 0
        self.to_configure = 0

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
                    assert self.open_sids.pop(effect.endpoint) == effect.sid
                case AnswerRequest():
                    self.answered += 1
                case ConfigureRoom():
                    self.to_configure += 1
                case ConferenceEnded():
                    self.open_sids.clear()
                case JoinRoom() | LeaveRoom():
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
            return
        if modify.create:
            assert not self.on_bridge.get(key), "created over a conference"
            self.on_bridge[key] = set()
        for endpoint in modify.endpoints:
            if endpoint.create:
                assert endpoint.id not in self.on_bridge[key], "created over an endpoint"
                self.on_bridge[key].add(endpoint.id)
            elif endpoint.expire:
                self.on_bridge[key].discard(endpoint.id)
            else:
                assert endpoint.id in self.on_bridge[key], "updated a lost endpoint"

    def step(self, kind: str, *args: Any) -> None:
        focus, now = self.stage.focus, self.stage.now
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
                        del self.on_bridge[key]
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
                    focus.room_configured(ROOM, None, now)
                else:
                    focus.joined(ROOM, "owner", now)
            case ("lost",):
                focus.connection_lost()
                self.asked.clear()
                self.on_bridge.clear()
        self.watch()

    def _jingle(self, nick: str, action: Action, restart: bool, base: int) -> None:
        sid = self.sids.get(nick, "?")
        conference = self.stage.focus.conferences.get(ROOM)
        bridge = conference.media._bridge if conference else None
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
@given(STEPS)
def test_nothing_breaks_and_nothing_is_left(steps: list[tuple[Any, ...]]) -> None:
    world = World()
    for step in [("bridge", BRIDGE, True), ("request",), ("room",), ("room",), *steps]:
        world.step(*step)
    for nick in NICKS:
        world.step("leave", nick)
    world.step("time", 60.0)
    assert world.stage.focus.conferences == {}
    assert {key: left for key, left in world.on_bridge.items() if left} == {}
    assert world.answered == world.tickets
