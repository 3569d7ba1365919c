"""Who gets whose video in one conference, and what senders are asked for.

Changes only mark the receivers they affect; `settle` then works out each of these once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from xmppconf.bridge_channel import (
    ConnectionStats,
    ForwardedSources,
    VideoConstraints,
)
from xmppconf.ids import EndpointId
from xmppconf.media import MediaType
from xmppconf_bridge import allocation, routing
from xmppconf_bridge.allocation import Demand
from xmppconf_bridge.endpoint import Endpoint
from xmppconf_bridge.engine import Commands
from xmppconf_bridge.layers import Figure, Layer
from xmppconf_bridge.media import BridgeSource
from xmppconf_bridge.policy import (
    START_BANDWIDTH,
    UNLIMITED,
    UNREPORTED_BANDWIDTH,
    VideoPolicy,
    least_limit,
)
from xmppconf_bridge.sender_constraints import SenderConstraints
from xmppconf_bridge.slots import SLOTS
from xmppconf_bridge.source_table import Sender
from xmppconf_bridge.speech import DominantSpeakerIdentification

MAX_AGE = 5.0  # seconds until an allocation is worked out anew without any other reason
#: Without an estimate for so long (seconds) the first source is sent even if it does not
#: fit: the engine's probes would have told by then.
PATIENCE = 2.0
STATISTICS_INTERVAL = 10.0  # seconds between two reports of the estimate to a client
#: A source that nobody wanted for so long (seconds) is stopped: its sender never heard a
#: wish that could be taken back.
UNWANTED = 5.0


class VideoForwarding:
    def __init__(
        self,
        engine: Commands,
        endpoints: Mapping[EndpointId, Endpoint],
        owners: Mapping[EndpointId, Sender],
        sources: Mapping[int, BridgeSource],
        speech: DominantSpeakerIdentification,
        policy: VideoPolicy,
        clock: Callable[[], float],
        senders: SenderConstraints,
    ) -> None:
        """The mappings are the conference's own, and live; `owners` has all who may send,
        here and behind other bridges, whose wishes are in `senders` as well."""
        self._engine = engine
        self._endpoints = endpoints
        self._sources = sources
        self._speech = speech
        self._policy = policy
        self._clock = clock
        self._owners = owners
        self._senders = senders
        self._reduced = UNLIMITED
        self._due: set[EndpointId] = set()  # receivers whose video must be worked out

    # -- what changed -------------------------------------------------------------------
    def receiver_changed(self, receiver: EndpointId) -> None:
        """It wants something else, or can take something else."""
        self._due.add(receiver)

    def reduce(self, last_n: int) -> None:
        """The bridge has too much to do, or no longer; -1 is unlimited."""
        if last_n != self._reduced:
            self._reduced = last_n
            self._due.update(self._endpoints)

    def sources_changed(self) -> None:
        """Sources came, went, or were switched on or off."""
        self._due.update(self._endpoints)

    def order_changed(self) -> None:
        """Others speak now: of interest to those that do not get everything."""
        self._due.update(
            one.id for one in self._endpoints.values() if not one.video.is_complete
        )

    def source_began(self, source: BridgeSource, encoding: int, height: int | None) -> None:
        """An encoding flows, or came with a keyframe of another size."""
        if source.layers.began(encoding, height):
            self._mark_receivers(source)

    def source_ended(self, source: BridgeSource, encoding: int) -> None:
        if source.layers.ended(encoding):
            self._mark_receivers(source)

    def source_measured(self, source: BridgeSource, figures: Sequence[Figure]) -> bool:
        """Whether it has other layers now."""
        changed = source.layers.measured(figures)
        if changed:
            self._mark_receivers(source)
        return changed

    def bandwidth_changed(self, receiver: Endpoint, estimate: int, besides: int) -> None:
        """The estimate for the way to `receiver`, and what is not video's of it (bit/s)."""
        video = receiver.video
        if video.estimate is None and not receiver.reports_bandwidth:
            # Only losses tell of its way, and only if there are many.
            video.reported.fell(self._clock())
        video.estimate = estimate
        video.besides = besides
        video.reported.reported(estimate, self._clock())
        now = self._bandwidth(receiver, ())
        if allocation.is_significant(video.used_bandwidth, now):
            self._due.add(receiver.id)

    def source_gone(self, source: BridgeSource) -> None:
        for receiver in self._endpoints.values():
            routing.forget_source(self._engine, receiver, source)

    def receiver_gone(self, receiver: Endpoint) -> None:
        self._senders.update(receiver.id, receiver.video.wanted, {})

    def _mark_receivers(self, source: BridgeSource) -> None:
        self._due.update(
            one.id for one in self._endpoints.values() if source.number in one.video.wanted
        )

    # -- time ---------------------------------------------------------------------------
    def check(self, now: float) -> None:
        """Do what is due by time alone; called a few times a second."""
        for receiver in self._endpoints.values():
            video = receiver.video
            is_starved = video.estimate is None and not video.layers
            max_age = PATIENCE if is_starved else MAX_AGE
            if video.wanted and now >= min(
                video.allocated_at + max_age, video.restraint.due
            ):
                self._due.add(receiver.id)
            if video.estimate is not None and now >= video.report_at:
                video.report_at = now + STATISTICS_INTERVAL
                receiver.channel.send_message(ConnectionStats(video.estimate))
        for source in self._sources.values():
            if (
                source.sent_constraint is None
                and source.media_type is MediaType.VIDEO
                and now - source.created_at >= UNWANTED
            ):
                self._constrain(source, 0)

    # -- carrying it out ----------------------------------------------------------------
    def settle(self) -> None:
        """Carry out what has been marked."""
        due, self._due = self._due, set()
        # In the order they came, so that one history has one outcome.
        receivers = [one for one in self._endpoints.values() if one.id in due]
        receivers = [one for one in receivers if one.is_ready]
        if receivers:
            video = self._by_speech()
            shown = [source for source in video if source.is_enabled]
            hidden = [source for source in video if not source.is_enabled]
            for receiver in receivers:
                self._serve(receiver, shown, hidden)
        for number, height in self._senders.take_changed():
            source = self._sources.get(number)
            if source is not None and height != (source.sent_constraint or 0):
                self._constrain(source, height)

    def channel_opened(self, sources: Iterable[BridgeSource]) -> None:
        """Tell the owners of sources what is wanted of them."""
        for source in sources:
            if source.sent_constraint is not None:
                self._constrain(source, source.sent_constraint)

    def _by_speech(self) -> list[BridgeSource]:
        owners = dict.fromkeys((*self._speech.recent, *self._owners))
        return [
            source
            for owner in owners
            if owner in self._owners
            for source in self._owners[owner].sources.values()
            if source.media_type is MediaType.VIDEO
        ]

    def _constrain(self, source: BridgeSource, height: int) -> None:
        source.sent_constraint = height
        self._owners[source.owner].constrain(source.name, height)

    # -- one receiver -------------------------------------------------------------------
    def _bandwidth(self, receiver: Endpoint, demands: Sequence[Demand]) -> float:
        """Bits per second to divide among `demands`."""
        if receiver.constraints.assumed_bandwidth >= 0:
            return receiver.constraints.assumed_bandwidth
        if not self._policy.trust_bandwidth:
            return math.inf
        estimate = receiver.video.estimate
        if estimate is None:
            return START_BANDWIDTH if receiver.reports_bandwidth else UNREPORTED_BANDWIDTH
        if not receiver.can_be_probed:
            video = receiver.video
            return video.reported.bandwidth(video.layers, demands, self._clock())
        return max(0, estimate - receiver.video.besides)

    def _is_in_the_dark(self, receiver: Endpoint, now: float) -> bool:
        """Whether nothing will be known of the way unless something is sent.

        The bandwidth is then no more than a guess; what exceeds it is better sent than
        never seen.
        """
        video = receiver.video
        if receiver.constraints.assumed_bandwidth >= 0:
            return False
        if not receiver.reports_bandwidth:
            return True
        if not receiver.can_be_probed and video.estimate is not None:
            # It says what comes of what is sent, and of nothing it has nothing to say.
            return True
        return video.unheard_since is not None and now - video.unheard_since >= PATIENCE

    def _serve(
        self,
        receiver: Endpoint,
        shown: Iterable[BridgeSource],
        hidden: Iterable[BridgeSource],
    ) -> None:
        """Work out and carry out what `receiver` gets.

        `shown` are all sources that are switched on, in speech order, `hidden` the others.
        """
        sources = [source for source in shown if source.owner != receiver.id]
        by_number = {source.number: source for source in sources}
        wanted = self._want(receiver, sources)
        chosen = self._allocate(receiver, wanted, by_number)
        moved = self._place(receiver, wanted, by_number, hidden)
        changed = dict.fromkeys(moved)
        changed.update(
            (number, None)
            for number in (*receiver.video.layers, *chosen)
            if _rank(receiver.video.layers.get(number)) != _rank(chosen.get(number))
        )
        receiver.video.layers = chosen
        for number in changed:
            self._set_route(receiver, number, chosen.get(number))
        if chosen.keys() != receiver.video.forwarded.keys():
            forwarded = {number: by_number[number].name for number in chosen}
            receiver.video.forwarded = forwarded
            receiver.channel.send_message(ForwardedSources(tuple(forwarded.values())))

    def _want(
        self, receiver: Endpoint, sources: Sequence[BridgeSource]
    ) -> dict[int, VideoConstraints]:
        """What of `sources` the receiver may have, and let their senders know."""
        constraints = receiver.constraints
        by_policy = self._policy.limit(len(sources) + 1)
        limit = least_limit(constraints.last_n, by_policy, self._reduced, SLOTS)
        if not receiver.accepts(MediaType.VIDEO):
            limit = 0
        wanted = constraints.effective(sources, limit)
        before, receiver.video.wanted = receiver.video.wanted, wanted
        if before != wanted:
            heights = {number: one.max_height for number, one in wanted.items()}
            self._senders.update(receiver.id, before, heights)
        receiver.video.is_complete = len(wanted) < limit
        return wanted

    def _allocate(
        self,
        receiver: Endpoint,
        wanted: dict[int, VideoConstraints],
        sources: Mapping[int, BridgeSource],
    ) -> dict[int, Layer]:
        on_stage = receiver.constraints.on_stage
        demands = []
        for number, constraints in wanted.items():
            source = sources[number]
            staged = source.name in on_stage
            candidates = source.layers.consider(
                constraints, is_screen=source.is_screen, on_stage=staged
            )
            demands.append(Demand(number, candidates, staged))
        video = receiver.video
        now = self._clock()
        bandwidth = video.used_bandwidth = self._bandwidth(receiver, demands)
        video.allocated_at = now
        if video.estimate is not None or not any(one.candidates.layers for one in demands):
            video.unheard_since = None
        elif video.unheard_since is None:
            video.unheard_since = now
        due = video.restraint.wait(demands, bandwidth, now)
        result = wished = allocation.allocate(due, bandwidth, self._policy.oversend)
        restrained = video.restraint.try_out(due, video.layers, wished.layers, now)
        if restrained != due:
            result = allocation.allocate(restrained, bandwidth, self._policy.oversend)
        if not result.layers and self._is_in_the_dark(receiver, now):
            result = allocation.lowest_of_first(restrained)
        video.restraint.changed(video.layers, result.layers, demands, bandwidth, now)
        layers = video.restraint.hold(video.layers, result.layers, demands, bandwidth, now)
        video.reported.allocated(video.layers, layers, now)
        is_ideal = result.is_ideal and restrained == demands
        video.is_complete = video.is_complete and is_ideal
        demand = allocation.ideal(demands)
        if not is_ideal:
            # Enough for the estimate to differ by what is taken notice of.
            demand = round(demand * (1 + allocation.THRESHOLD))
        # The estimate is of everything on the way.
        demand += video.besides
        trial = wished.bitrate + video.besides if video.restraint.is_trying else 0
        if _differs(demand, video.demand) or _differs(trial, video.trial):
            video.demand, video.trial = demand, trial
            self._engine.set_demand(receiver.transport.number, demand, trial)
        return layers

    def _place(
        self,
        receiver: Endpoint,
        wanted: dict[int, VideoConstraints],
        sources: Mapping[int, BridgeSource],
        hidden: Iterable[BridgeSource],
    ) -> list[int]:
        """Find slots for what is wanted; returns the sources that moved."""
        slots = receiver.slots[MediaType.VIDEO]
        news: list[BridgeSource] = []
        # The most wanted comes last, so that it is the last to give way.
        order = tuple(reversed(wanted))
        if not slots.free:
            for number in order:
                slots.touch(number)
        for number in order:
            if slots.get(number) is None:
                source = sources[number]
                assignment = slots.assign(number, source.own_slot)
                news.append(source)
                if assignment.evicted is not None:
                    routing.remove_route(self._engine, receiver, assignment.evicted)
        placed = [source.number for source in news]
        spoken = receiver.constraints.spoken
        if receiver.rewriting and spoken and receiver.accepts(MediaType.VIDEO):
            # What is switched off gets a slot early, if that takes it from nobody.
            for source in hidden:
                if not slots.free:
                    break
                if source.owner != receiver.id and slots.get(source.number) is None:
                    slots.assign(source.number, source.own_slot)
                    news.append(source)
        if news and receiver.rewriting:
            receiver.channel.send_message(routing.video_map(receiver, news))
        return placed

    def _set_route(self, receiver: Endpoint, number: int, layer: Layer | None) -> None:
        slot = receiver.slots[MediaType.VIDEO].get(number)
        if slot is None:
            return
        if layer is not None:
            routing.set_route(self._engine, receiver, number, slot, *layer.rank)
        elif number in receiver.routes:
            routing.set_route(self._engine, receiver, number, slot, routing.PAUSED)


def _differs(one: int, other: int) -> bool:
    """Whether a demand is news to the engine: bit rates are measured, never the same."""
    return abs(one - other) > 0.05 * max(one, other)


def _rank(layer: Layer | None) -> tuple[int, int, int] | None:
    return None if layer is None else layer.rank
