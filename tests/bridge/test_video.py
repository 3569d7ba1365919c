"""Video in one conference, with a fake engine: what reasons lead to which routes, and what
clients and senders are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from xmppconf_bridge.colibri import modify
from xmppconf_bridge.engine_events import (
    Bandwidth,
    LayersMeasured,
    Levels,
    SourceActive,
    read_event,
)
from xmppconf_bridge.expiry import CHECK_INTERVAL
from xmppconf_bridge.layers import ALL
from xmppconf_bridge.policy import VideoPolicy
from xmppconf_bridge.reported import STEADY
from xmppconf_bridge.restraint import FIRST_WAIT, HOLD, TRIAL, TRIAL_WAIT
from xmppconf_bridge.slots import SLOTS
from xmppconf_bridge.video import MAX_AGE, PATIENCE, STATISTICS_INTERVAL, UNWANTED

from tests.bridge.test_conference_life import M1, audio, number_of, video, want
from tests.support.fake_engine import BridgeBench, RecordingCarrier
from xmppconf.colibri2 import ConferenceModify, EndpointRequest, Transport
from xmppconf.ids import EndpointId
from xmppconf.media import MediaDescription, MediaType, PayloadType, RtcpFeedback

PAUSED = (-1, ALL)
#: Kilobits per second of encodings with 180, 360 and 720 lines.
RATES = (150, 500, 2000)


def media(feedback: tuple[RtcpFeedback, ...]) -> tuple[MediaDescription, ...]:
    codec = PayloadType(100, "VP8", 90000, feedback=feedback)
    return (MediaDescription(MediaType.VIDEO, (codec,)),)


class Call(BridgeBench):
    """Everybody is there, sends three encodings of 30 frames in two temporal layers, and
    sees nothing yet."""

    def __init__(
        self,
        names: Sequence[str] = "abcd",
        policy: VideoPolicy | None = None,
        feedback: tuple[str, ...] = ("transport-cc",),
        initial_last_n: int | None = None,
    ) -> None:
        super().__init__(policy or VideoPolicy())
        self.carriers: dict[str, RecordingCarrier] = {}
        for index, name in enumerate(names):
            first = 100 * (index + 1)
            request = EndpointRequest(
                EndpointId(name),
                create=True,
                media=media(tuple(RtcpFeedback(one) for one in feedback)),
                capabilities=frozenset({"source-names", "ssrc-rewriting"}),
                transport=Transport(ice_controlling=True),
                sources=(audio(name, first), video(name, first + 1)),
                initial_last_n=initial_last_n,
            )
            create = M1 not in self.bridge.conferences
            whole = ConferenceModify(M1, create=create, endpoints=(request,))
            modify(self.bridge, whole)
            self.carriers[name] = self.connect(name)
        for name in names:
            self.measure(name)
        for carrier in self.carriers.values():
            carrier.take()

    def measure(self, owner: str, rates: tuple[int, ...] = RATES) -> None:
        number = number_of(self, f"{owner}-v0")
        layers = [
            (index, 0, temporal, 180 << index, 15.0 * (temporal + 1), rate * share)
            for index, rate in enumerate(rates)
            for temporal, share in enumerate((600, 1000))
        ]
        self.bridge.receive([LayersMeasured(number, layers)])

    def estimate(self, name: str, kbps: int) -> None:
        number = self.endpoint(name).transport.number
        self.bridge.receive([Bandwidth(number, kbps * 1000)])

    def routes(self, name: str) -> dict[str, tuple[int, int]]:
        """Since the last call: source to (encoding, temporal layer)."""
        number = self.endpoint(name).transport.number
        names = {one.number: one.name for one in self.conference.sources.values()}
        taken = self.engine.take("set_route")
        self.engine.calls += [("set_route", *call) for call in taken if call[0] != number]
        return {
            names[source]: (encoding, temporal)
            for receiver, source, _, _, encoding, _, temporal in taken
            if receiver == number
        }

    def elapse(self, seconds: float) -> None:
        end = self.clock.now + seconds
        while self.clock.now < end:
            now = self.clock.advance(CHECK_INTERVAL)
            for endpoint in self.conference.endpoints.values():
                self.engine.activity[endpoint.transport.number] = now
            self.bridge.timeout(now)

    def told(self, name: str, kind: str, field: str) -> list[Any]:
        return [message[field] for message in self.carriers[name].take(kind)]


def test_events_of_the_engine_are_read() -> None:
    assert read_event(("bandwidth", 7, 10**6, 9)) == Bandwidth(7, 10**6, 9)
    layers = [(0, 0, 0, 180, 15.0, 90_000)]
    assert read_event(("layers", 3, layers)) == LayersMeasured(3, layers)


def test_a_receiver_gets_what_its_bandwidth_allows_and_is_told_of_it() -> None:
    call = Call()
    call.estimate("a", 3000)
    want(call, "a", 180, onStageSources=["b-v0"], constraints={"b-v0": {"maxHeight": 720}})
    everything = {"b-v0": (2, ALL), "c-v0": (0, ALL), "d-v0": (0, ALL)}
    assert call.routes("a") == everything
    forwarded = [["b-v0", "c-v0", "d-v0"]]
    assert call.told("a", "ForwardedSources", "forwardedSources") == forwarded
    call.estimate("a", 600)
    assert call.routes("a") == {"b-v0": (1, ALL), "c-v0": (0, 0), "d-v0": (0, 0)}
    call.elapse(HOLD)
    assert call.routes("a") == {"d-v0": PAUSED}
    assert call.told("a", "ForwardedSources", "forwardedSources") == [["b-v0", "c-v0"]]
    call.estimate("a", 130)
    assert call.routes("a") == {"b-v0": (0, 0), "c-v0": PAUSED}
    call.estimate("a", 3000)
    assert call.routes("a") == dict.fromkeys(everything, (0, ALL))
    call.elapse(TRIAL)
    assert call.routes("a") == {"b-v0": (2, ALL)}
    assert call.told("a", "ForwardedSources", "forwardedSources")[-1:] == forwarded


def test_who_says_by_remb_what_comes_always_gets_the_smallest_picture() -> None:
    call = Call("abc", feedback=("goog-remb",))
    want(call, "a", 720)
    call.estimate("a", 300)
    call.routes("a")
    # Of nothing that comes it would have nothing to say.
    call.estimate("a", 30)
    assert call.routes("a") == {"b-v0": (0, 0), "c-v0": PAUSED}
    call.elapse(3 * MAX_AGE)
    assert PAUSED not in call.routes("a").values()


def test_what_comes_and_does_not_fall_is_no_bound() -> None:
    call = Call("ab", feedback=("goog-remb",))
    want(call, "a", 720)
    assert call.routes("a")["b-v0"] == (1, ALL)
    # Less than is sent already, but that need not last.
    call.estimate("a", 300)
    call.elapse(STEADY - 2 * CHECK_INTERVAL)
    call.estimate("a", 310)
    assert call.routes("a") == {}
    call.elapse(MAX_AGE)
    assert call.routes("a")["b-v0"] == (2, ALL)
    # It falls: that is too much.
    call.estimate("a", 280)
    assert call.routes("a")["b-v0"] == (0, ALL)
    call.elapse(STEADY - CHECK_INTERVAL)
    assert call.routes("a") == {}
    call.elapse(MAX_AGE + TRIAL + TRIAL_WAIT)
    assert call.routes("a")["b-v0"][0] == 1


def test_the_first_word_of_who_has_only_losses_is_that_there_was_too_much() -> None:
    call = Call("ab", feedback=("nack",))
    want(call, "a", 720)
    assert call.routes("a")["b-v0"] == (2, ALL)
    call.estimate("a", 1400)
    assert call.routes("a")["b-v0"] == (1, ALL)
    call.elapse(STEADY - CHECK_INTERVAL)
    assert call.routes("a") == {}
    # Grown, but to less than the larger picture costs: that is tried all the same.
    call.estimate("a", 1500)
    call.elapse(MAX_AGE + TRIAL + TRIAL_WAIT)
    assert call.routes("a")["b-v0"] == (2, ALL)


def test_a_larger_picture_is_tried_out_once_one_had_to_go() -> None:
    call = Call("ab")
    want(call, "a", 720)
    receiver = call.endpoint("a").transport.number
    call.estimate("a", 3000)
    assert call.routes("a")["b-v0"] == (2, ALL)
    call.estimate("a", 300)
    assert call.routes("a")["b-v0"] == (0, ALL)
    call.elapse(FIRST_WAIT)
    call.engine.take("set_demand")
    call.estimate("a", 2500)
    assert call.routes("a") == {}
    assert call.engine.take("set_demand") == [(receiver, 2_300_000, 2_000_000)]
    # It does not stand that.
    call.elapse(TRIAL / 2)
    call.estimate("a", 400)
    call.elapse(TRIAL)
    assert call.routes("a") == {}
    assert call.engine.take("set_demand") == [(receiver, 2_300_000, 0)]
    # At another time it does.
    call.estimate("a", 2500)
    call.elapse(TRIAL_WAIT - TRIAL)
    assert call.routes("a") == {}
    assert call.engine.take("set_demand")[-1] == (receiver, 2_300_000, 2_000_000)
    call.elapse(TRIAL)
    assert call.routes("a")["b-v0"] == (2, ALL)
    assert call.engine.take("set_demand") == [(receiver, 2_000_000, 0)]


@pytest.mark.parametrize(
    ("feedback", "expected"),
    [(("transport-cc",), (1, ALL)), (("goog-remb",), (1, ALL)), (("nack",), (2, ALL))],
)
def test_until_there_is_an_estimate_a_receiver_gets_a_cautious_share(
    feedback: tuple[str, ...], expected: tuple[int, int]
) -> None:
    call = Call("ab", feedback=feedback)
    want(call, "a", 720)
    assert call.routes("a")["b-v0"] == expected


@pytest.mark.parametrize(
    ("feedback", "patience"),
    [("nack", 0), ("transport-cc", PATIENCE), ("goog-remb", PATIENCE)],
)
def test_a_guess_is_no_reason_never_to_send_the_only_layer(
    feedback: str, patience: float
) -> None:
    call = Call("abc", feedback=(feedback,))
    for owner in "bc":
        call.measure(owner, (7000,))
    want(call, "a", 720)
    lowest = {"b-v0": (0, 0)}
    assert call.routes("a") == ({} if patience else lowest)
    call.elapse(patience + CHECK_INTERVAL)
    assert call.routes("a") == (lowest if patience else {})
    call.elapse(3 * MAX_AGE)
    assert call.routes("a") == {}, "and it stays"


def test_what_is_known_not_to_fit_is_not_sent() -> None:
    call = Call("ab")
    call.measure("b", (7000,))
    call.estimate("a", 300)
    want(call, "a", 720)
    call.elapse(3 * MAX_AGE)
    assert call.routes("a") == {}


def test_patience_begins_anew_with_what_is_wanted_anew() -> None:
    call = Call("ab")
    call.measure("b", (7000,))
    want(call, "a", 720)
    call.elapse(PATIENCE / 2)
    want(call, "a", 0)
    call.elapse(10)
    want(call, "a", 720)
    call.elapse(PATIENCE / 2)
    assert call.routes("a") == {}


def test_the_engine_is_told_what_more_bandwidth_would_be_used_for() -> None:
    call = Call("ab")
    want(call, "a", 360)
    receiver = call.endpoint("a").transport.number
    assert call.engine.take("set_demand") == [(receiver, 500_000, 0)]
    # Not all of it can be had: enough more for the estimate to count as another one.
    call.estimate("a", 100)
    assert call.engine.take("set_demand") == [(receiver, 575_000, 0)]
    call.elapse(FIRST_WAIT)
    # What is not video's takes part of the estimate.
    call.bridge.receive([Bandwidth(receiver, 900_000, 200_000)])
    assert call.engine.take("set_demand") == [(receiver, 775_000, 700_000)]
    call.elapse(TRIAL)
    assert call.engine.take("set_demand") == [(receiver, 700_000, 0)]
    call.bridge.receive([Bandwidth(receiver, 900_000, 0)])
    assert call.engine.take("set_demand") == [(receiver, 500_000, 0)]
    call.measure("b", (150, 510, 2000))
    call.elapse(2 * MAX_AGE)
    assert call.engine.take("set_demand") == [], "as good as the same"
    want(call, "a", 720)
    assert call.engine.take("set_demand") == [(receiver, 2_300_000, 0)]
    want(call, "a", 0)
    assert call.engine.take("set_demand") == [(receiver, 0, 0)]


def test_what_is_held_back_for_bandwidth_still_counts_as_wanted() -> None:
    call = Call("ab")
    want(call, "a", 720)
    assert call.told("b", "SenderSourceConstraints", "maxHeight") == [720]
    call.estimate("a", 50)
    assert call.told("a", "ForwardedSources", "forwardedSources")[-1] == []
    call.elapse(2 * MAX_AGE)
    assert call.told("b", "SenderSourceConstraints", "maxHeight") == []
    call.estimate("a", 5000)
    assert call.routes("a")["b-v0"] == (0, ALL)
    call.elapse(TRIAL)
    assert call.routes("a")["b-v0"] == (2, ALL)


@pytest.mark.parametrize(
    ("policy", "feedback", "routes"),
    [
        (VideoPolicy(), ("transport-cc",), {}),
        (VideoPolicy(), ("nack", "goog-remb"), {"b-v0": (0, 0)}),
        (VideoPolicy(), ("nack", "ccm"), {"b-v0": (0, 0)}),
        (VideoPolicy(trust_bandwidth=False), ("transport-cc",), {"b-v0": (2, ALL)}),
    ],
)
def test_an_estimate_counts_only_if_there_is_reason_to_trust_it(
    policy: VideoPolicy,
    feedback: tuple[str, ...],
    routes: dict[str, tuple[int, int]],
) -> None:
    call = Call("ab", policy, feedback)
    call.estimate("a", 50)
    want(call, "a", 720)
    assert call.routes("a") == routes


def test_a_receiver_may_say_what_it_has_if_the_operator_allows_it() -> None:
    for limit, expected in ((0, (1, ALL)), (400_000, (0, ALL))):
        call = Call("ab", VideoPolicy(assumed_bandwidth_limit=limit))
        call.estimate("a", 1000)
        want(call, "a", 720, assumedBandwidthBps=2_000_000)
        assert call.routes("a")["b-v0"] == expected


def test_small_changes_of_the_estimate_wait_for_another_reason() -> None:
    call = Call("ab")
    want(call, "a", 720)
    call.estimate("a", 480)
    assert call.routes("a")["b-v0"] == (0, ALL)
    call.elapse(FIRST_WAIT)
    call.estimate("a", 520)
    assert call.routes("a") == {}
    call.elapse(MAX_AGE + TRIAL)
    assert call.routes("a") == {"b-v0": (1, ALL)}


def test_bit_rates_count_when_there_is_another_reason_and_structure_at_once() -> None:
    call = Call("ab")
    want(call, "a", 720)
    call.estimate("a", 1000)
    assert call.routes("a")["b-v0"] == (1, ALL)
    call.measure("b", (150, 500, 900))
    assert call.routes("a") == {}
    call.elapse(MAX_AGE)
    assert call.routes("a") == {"b-v0": (2, ALL)}
    call.measure("b", (150, 500, 0))
    assert call.routes("a") == {"b-v0": (1, ALL)}


def test_only_receivers_of_a_source_are_served_anew_when_it_changes() -> None:
    call = Call()
    want(call, "a", 720)
    want(call, "c", 180, constraints={"b-v0": {"maxHeight": 0}})
    before = {name: call.endpoint(name).video.allocated_at for name in "acd"}
    call.clock.advance(1)
    call.measure("b", (150, 500, 0))
    after = {name: call.endpoint(name).video.allocated_at for name in "acd"}
    assert [name for name in "acd" if after[name] != before[name]] == ["a"]


def test_frame_rates_are_bounded_as_the_receiver_asks() -> None:
    call = Call("ab")
    call.estimate("a", 3000)
    want(call, "a", 720, constraints={"b-v0": {"maxHeight": 720, "maxFrameRate": 15}})
    assert call.routes("a") == {"b-v0": (2, 0)}
    want(call, "a", 720, constraints={"b-v0": {"maxHeight": 720, "maxFrameRate": 30}})
    assert call.routes("a") == {"b-v0": (2, ALL)}
    want(call, "a", 720, constraints={"b-v0": {"maxHeight": 720, "maxFrameRate": 0}})
    assert call.routes("a") == {"b-v0": PAUSED}
    assert call.told("b", "SenderSourceConstraints", "maxHeight")[-1] == 0


def test_a_shared_screen_on_stage_exceeds_the_estimate_and_nothing_else_does() -> None:
    call = Call()
    call.estimate("a", 100)
    call.say(
        "b", colibriClass="SourceVideoTypeMessage", sourceName="b-v0", videoType="desktop"
    )
    want(call, "a", 720)
    assert call.routes("a") == {"b-v0": (0, 0)}
    want(call, "a", 720, onStageSources=["b-v0"])
    assert call.routes("a") == {"b-v0": (1, ALL)}


def test_who_speaks_comes_first_where_not_all_fit() -> None:
    call = Call()
    want(call, "a", 180)
    want(call, "b", 180)
    call.estimate("a", 100)
    assert call.endpoint("a").video.layers.keys() == {number_of(call, "b-v0")}
    served = call.endpoint("b").video.allocated_at
    loud = number_of(call, "d-a0")
    for _ in range(100):
        now = call.clock.advance(0.02)
        level = (loud, int(now * 1000) & 0xFFFFFFFF, 20)
        call.bridge.receive([Levels(call.conference.number, (level,))])
        call.bridge.timeout(now)
    assert call.endpoint("a").video.layers.keys() == {number_of(call, "d-v0")}
    assert call.endpoint("b").video.allocated_at == served


@pytest.mark.parametrize(
    ("policy", "count"),
    [
        (VideoPolicy(), 3),
        (VideoPolicy(last_n=2), 2),
        (VideoPolicy(last_n_by_size=((4, 1),)), 1),
        (VideoPolicy(last_n_by_size=((5, 1),)), 3),
        (VideoPolicy(initial_last_n=1), 1),
    ],
)
def test_the_operator_bounds_the_number_of_sources(policy: VideoPolicy, count: int) -> None:
    call = Call(policy=policy)
    want(call, "a", 180)
    assert len(call.routes("a")) == count


def test_the_receivers_last_n_beats_its_initial_one() -> None:
    call = Call(initial_last_n=0)
    want(call, "a", 180)
    assert call.routes("a") == {}
    call.say("a", colibriClass="LastNChangedEvent", lastN=2)
    assert len(call.routes("a")) == 2


def test_clients_hear_of_their_bandwidth_once_it_is_known() -> None:
    call = Call("ab")
    call.elapse(STATISTICS_INTERVAL)
    assert call.told("a", "ConnectionStats", "estimatedDownlinkBandwidth") == []
    call.estimate("a", 700)
    call.elapse(CHECK_INTERVAL)
    call.estimate("a", 900)
    call.elapse(2 * STATISTICS_INTERVAL)
    heard = call.told("a", "ConnectionStats", "estimatedDownlinkBandwidth")
    assert heard == [700_000, 900_000, 900_000]
    assert call.told("b", "ConnectionStats", "estimatedDownlinkBandwidth") == []


def test_a_source_that_nobody_ever_wanted_is_stopped_after_a_while() -> None:
    call = Call("ab")
    call.elapse(UNWANTED - CHECK_INTERVAL)
    assert call.told("b", "SenderSourceConstraints", "maxHeight") == []
    call.elapse(CHECK_INTERVAL)
    assert call.told("b", "SenderSourceConstraints", "maxHeight") == [0]
    want(call, "a", 180)
    want(call, "a", 0)
    call.elapse(2 * UNWANTED)
    assert call.told("b", "SenderSourceConstraints", "maxHeight") == [180, 0]


def leave(call: Call) -> None:
    request = EndpointRequest(EndpointId("a"), expire=True)
    modify(call.bridge, ConferenceModify(M1, endpoints=(request,)))


def close_eyes(call: Call) -> None:
    want(call, "a", 180, lastN=0)


@pytest.mark.parametrize("go", [leave, close_eyes])
def test_the_wishes_of_who_looks_away_do_not_count(go: Callable[[Call], None]) -> None:
    call = Call("abc")
    want(call, "a", 720)
    want(call, "c", 180, constraints={"a-v0": {"maxHeight": 0}})
    assert call.told("b", "SenderSourceConstraints", "maxHeight")[-1] == 720
    go(call)
    assert call.told("b", "SenderSourceConstraints", "maxHeight") == [180]


def test_without_figures_an_encoding_is_chosen_as_it_comes_up() -> None:
    call = Call("ab")
    number = number_of(call, "b-v0")
    call.bridge.receive([LayersMeasured(number, [])])
    call.estimate("a", 3000)
    want(call, "a", 720)
    assert call.routes("a") == {"b-v0": (2, ALL)}
    call.bridge.receive([SourceActive(number, 0, (640, 360))])
    assert call.routes("a") == {"b-v0": (1, ALL)}


def test_what_is_said_again_is_no_reason() -> None:
    call = Call("ab")
    want(call, "a", 720)
    at = call.endpoint("a").video.allocated_at
    call.clock.advance(1)
    want(call, "a", 720)
    assert call.endpoint("a").video.allocated_at == at


def test_news_of_what_is_gone_does_nothing() -> None:
    call = Call("ab")
    number = number_of(call, "b-v0")
    leave(call)
    call.bridge.receive([Bandwidth(4711, 1), LayersMeasured(4711, [])])
    modify(call.bridge, ConferenceModify(M1, expire=True))
    call.bridge.receive([LayersMeasured(number, []), SourceActive(number, 0, None)])
    assert call.bridge._by_source == {}


def test_who_has_to_give_way_is_not_sent_under_another_name() -> None:
    """Fifty are shown; a page further there is one more, and no line for it."""
    pages = [f"p{number}" for number in range(SLOTS + 1)]
    call = Call(["a", *pages])
    call.estimate("a", 20_000)
    receiver = call.endpoint("a")
    shown = {f"{one}-v0": {"maxHeight": 180} for one in pages[:SLOTS]}
    call.say(
        "a",
        colibriClass="ReceiverVideoConstraints",
        lastN=-1,
        defaultConstraints={"maxHeight": 0},
        constraints=shown,
    )
    sent: dict[int, tuple[int, int]] = {}
    follow(call, receiver.transport.number, sent)
    assert sum(encoding >= 0 for _, encoding in sent.values()) == SLOTS
    receiver.video.estimate = 30_000
    last = f"{pages[-1]}-v0"
    call.say(
        "a",
        colibriClass="ReceiverVideoConstraints",
        constraints={last: {"maxHeight": 180}},
    )
    follow(call, receiver.transport.number, sent)
    [mapped] = call.told("a", "VideoSourcesMap", "mappedSources")[-1]
    assert mapped["source"] == last
    number = number_of(call, last)
    under = {source for source, (ssrc, _) in sent.items() if ssrc == int(mapped["ssrc"])}
    assert under <= {number}, "the slot has one source, and that is not another"


def follow(call: Call, receiver: int, sent: dict[int, tuple[int, int]]) -> None:
    """What the engine sends the receiver: source to (SSRC, encoding)."""
    for name, *call_ in call.engine.calls:
        if name == "set_route" and call_[0] == receiver:
            _, source, ssrc, _, encoding, *_ = call_
            sent[source] = (ssrc, encoding)
        elif name == "remove_route" and call_[0] == receiver:
            sent.pop(call_[1], None)
    call.engine.calls.clear()
