"""What a receiver asks for: partial updates, and which sources it may have then."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xmppconf_bridge.constraints import NOTHING, ReceiverConstraints
from xmppconf_bridge.policy import UNLIMITED, VideoPolicy, least_limit
from xmppconf_bridge.sender_constraints import SenderConstraints, highest

from xmppconf.bridge_channel import ReceiverVideoConstraints, VideoConstraints
from xmppconf.ids import SourceName

A, B, C, D = NAMES = tuple(SourceName(f"{letter}-v0") for letter in "abcd")
POLICY = VideoPolicy()


@dataclass(frozen=True)
class Candidate:
    number: int
    name: SourceName


CANDIDATES = [Candidate(number, name) for number, name in enumerate(NAMES)]


def up_to(height: int) -> VideoConstraints:
    return VideoConstraints(height)


def allowed(constraints: ReceiverConstraints, limit: int = -1) -> dict[SourceName, int]:
    """The height of what the receiver may have, most wanted first."""
    effective = constraints.effective(CANDIDATES, least_limit(constraints.last_n, limit))
    return {CANDIDATES[number].name: one.max_height for number, one in effective.items()}


def told(
    message: ReceiverVideoConstraints,
    before: ReceiverConstraints | None = None,
    policy: VideoPolicy = POLICY,
) -> ReceiverConstraints:
    return (before or ReceiverConstraints()).updated(message, policy)


def test_no_video_before_the_receiver_spoke() -> None:
    assert allowed(ReceiverConstraints()) == {}
    assert allowed(ReceiverConstraints().with_last_n(3)) == {}


def test_the_first_words_without_a_default_mean_180() -> None:
    spoken = told(ReceiverVideoConstraints(last_n=-1))
    assert spoken.default == up_to(180)
    silent = told(ReceiverVideoConstraints(default=NOTHING))
    assert told(ReceiverVideoConstraints(last_n=3), silent).default == NOTHING
    large = told(ReceiverVideoConstraints(default=up_to(720)))
    assert told(ReceiverVideoConstraints(), large) == large


def test_absent_fields_keep_their_value_and_heights_are_replaced_whole() -> None:
    first = told(
        ReceiverVideoConstraints(
            last_n=3,
            selected_sources=(A,),
            on_stage_sources=(B,),
            default=up_to(90),
            constraints={A: up_to(720), B: VideoConstraints(360, 15)},
        )
    )
    second = told(ReceiverVideoConstraints(constraints={C: up_to(720)}), first)
    assert (second.last_n, second.selected, second.on_stage) == (3, (A,), (B,))
    assert (second.default, second.by_source) == (up_to(90), {C: up_to(720)})


@pytest.mark.parametrize(
    ("limit", "asked", "assumed"),
    [
        (0, 2_000_000, UNLIMITED),
        (10_000_000, 20_000_000, 10_000_000),
        (10_000_000, 2_000_000, 2_000_000),
        (10_000_000, UNLIMITED, UNLIMITED),
    ],
)
def test_an_assumed_bandwidth_counts_as_far_as_the_operator_allows(
    limit: int, asked: int, assumed: int
) -> None:
    policy = VideoPolicy(assumed_bandwidth_limit=limit)
    message = ReceiverVideoConstraints(assumed_bandwidth=asked)
    constraints = told(message, policy=policy)
    assert constraints.assumed_bandwidth == assumed
    assert told(message, constraints, policy) == constraints


def test_on_stage_comes_before_selected_before_speech() -> None:
    constraints = ReceiverConstraints(on_stage=(C,), selected=(D, C), default=up_to(90))
    assert list(allowed(constraints)) == [C, D, A, B]
    gone = SourceName("gone-v0")
    constraints = ReceiverConstraints(on_stage=(gone,), selected=(B,), default=up_to(90))
    assert list(allowed(constraints)) == [B, A, C, D]


def test_last_n_goes_by_priority() -> None:
    constraints = ReceiverConstraints(last_n=2, on_stage=(D,), default=up_to(360))
    assert allowed(constraints) == {D: 360, A: 360}
    assert allowed(ReceiverConstraints(last_n=0, default=up_to(360))) == {}


@pytest.mark.parametrize("unwanted", [NOTHING, VideoConstraints(720, 0)])
def test_an_unwanted_source_does_not_use_up_last_n(unwanted: VideoConstraints) -> None:
    constraints = ReceiverConstraints(last_n=1, default=up_to(360), by_source={A: unwanted})
    assert allowed(constraints) == {B: 360}
    on_stage = ReceiverConstraints(
        last_n=1, on_stage=(A,), default=up_to(360), by_source={A: unwanted}
    )
    assert allowed(on_stage) == {B: 360}


def test_only_what_is_named_if_the_default_is_nothing() -> None:
    constraints = ReceiverConstraints(
        last_n=1, by_source={C: up_to(180), D: up_to(180)}, spoken=True
    )
    assert allowed(constraints) == {C: 180}


def test_the_bridges_limit_holds_for_unlimited_receivers() -> None:
    unlimited = ReceiverConstraints(default=up_to(-1))
    assert allowed(unlimited, limit=3) == {A: -1, B: -1, C: -1}


@pytest.mark.parametrize(
    ("size", "limit"), [(19, -1), (20, 20), (29, 20), (30, 15), (49, 15), (50, 5), (999, 5)]
)
def test_large_conferences_have_a_limit_of_their_own(size: int, limit: int) -> None:
    policy = VideoPolicy(last_n_by_size=((20, 20), (30, 15), (50, 5)))
    assert policy.limit(size) == limit
    strict = VideoPolicy(last_n=10, last_n_by_size=policy.last_n_by_size)
    assert strict.limit(size) == min(10, limit % 1000)


@given(
    st.lists(st.sampled_from(NAMES), unique=True),
    st.lists(st.sampled_from(NAMES), unique=True),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from([0, 180, 360, -1])),
    st.sampled_from([0, 90, -1]),
    st.integers(-1, 5),
)
def test_what_is_allowed_is_a_prefix_of_what_is_wanted_in_order(
    on_stage: list[SourceName],
    selected: list[SourceName],
    heights: dict[SourceName, int],
    default: int,
    last_n: int,
) -> None:
    constraints = ReceiverConstraints(
        last_n=last_n,
        on_stage=tuple(on_stage),
        selected=tuple(selected),
        default=up_to(default),
        by_source={name: up_to(height) for name, height in heights.items()},
    )
    order = dict.fromkeys((*on_stage, *selected, *NAMES))
    wanted = [name for name in order if heights.get(name, default) != 0]
    got = allowed(constraints)
    assert list(got) == (wanted if last_n < 0 else wanted[:last_n])
    assert all(got[name] == heights.get(name, default) for name in got)


def test_unlimited_is_the_highest() -> None:
    assert highest([180, -1, 720]) == -1
    assert highest([180, 720]) == 720
    assert highest([]) == 0


def test_senders_hear_of_the_greatest_wish_when_it_changes() -> None:
    senders = SenderConstraints()
    senders.update("x", (), {1: 180, 2: 720})
    senders.update("y", (), {1: 360})
    assert dict(senders.take_changed()) == {1: 360, 2: 720}
    assert dict(senders.take_changed()) == {}
    senders.update("y", (1,), {2: -1})
    assert dict(senders.take_changed()) == {1: 180, 2: -1}
    senders.update("x", (1, 2), {})
    assert dict(senders.take_changed()) == {1: 0, 2: -1}
    senders.source_gone(2)
    senders.update("y", (2,), {})
    assert dict(senders.take_changed()) == {}


@given(
    st.lists(
        st.tuples(
            st.sampled_from("xyz"),
            st.dictionaries(st.integers(1, 4), st.sampled_from([90, 180, 720, -1])),
        )
    )
)
def test_what_senders_are_asked_is_the_maximum(
    history: list[tuple[str, dict[int, int]]],
) -> None:
    senders = SenderConstraints()
    model: dict[str, dict[int, int]] = {}
    asked: dict[int, int] = {}
    for receiver, heights in history:
        senders.update(receiver, model.get(receiver, {}), heights)
        model[receiver] = heights
        asked.update(senders.take_changed())
    for source in range(1, 5):
        wishes = [heights[source] for heights in model.values() if source in heights]
        assert asked.get(source, 0) == highest(wishes)
