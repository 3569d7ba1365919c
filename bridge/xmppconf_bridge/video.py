"""Who gets whose video in one conference, and what senders are asked for.

Changes only mark what is affected; `settle` then works it out once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from xmppconf.bridge_channel import ForwardedSources, SenderSourceConstraints
from xmppconf.ids import EndpointId
from xmppconf.media import MediaType
from xmppconf_bridge import allocation, routing
from xmppconf_bridge.endpoint import Endpoint
from xmppconf_bridge.engine import Commands
from xmppconf_bridge.media import BridgeSource
from xmppconf_bridge.slots import SLOTS
from xmppconf_bridge.speech import DominantSpeakerIdentification


class VideoForwarding:
    def __init__(
        self,
        engine: Commands,
        endpoints: Mapping[EndpointId, Endpoint],
        sources: Mapping[int, BridgeSource],
        speech: DominantSpeakerIdentification,
    ) -> None:
        """The mappings are the conference's own, and live."""
        self._engine = engine
        self._endpoints = endpoints
        self._sources = sources
        self._speech = speech
        # Receivers whose video must be worked out; sources whose senders must be told
        # what is wanted.
        self._due: set[EndpointId] = set()
        self._wishes_due: set[int] = set()

    # -- what changed -------------------------------------------------------------------
    def receiver_changed(self, receiver: EndpointId) -> None:
        """It wants something else, or can take something else."""
        self._due.add(receiver)

    def sources_changed(self) -> None:
        """Sources came, went, or were switched on or off."""
        self._due.update(self._endpoints)

    def order_changed(self) -> None:
        """Others are spoken to now: of use to those that do not get everything."""
        self._due.update(
            one.id
            for one in self._endpoints.values()
            if one.constraints.last_n >= 0 or len(self._sources) > SLOTS
        )

    def encodings_changed(self, source: BridgeSource) -> None:
        """Encodings of `source` began, ended or have another size."""
        for receiver in self._endpoints.values():
            if receiver.id != source.owner and receiver.is_ready:
                self._choose_encoding(receiver, source)

    def receiver_gone(self, receiver: Endpoint) -> None:
        self._wishes_due.update(receiver.heights)

    # -- carrying it out ----------------------------------------------------------------
    def settle(self) -> None:
        """Carry out what has been marked."""
        self._allocate()
        self._constrain_senders()

    def channel_opened(self, endpoint: Endpoint) -> None:
        """Tell the owner of sources what is wanted of them."""
        for source in endpoint.sources.values():
            self._send_constraint(endpoint, source)

    def _allocate(self) -> None:
        due, self._due = self._due, set()
        # In the order they came, so that one history has one outcome.
        receivers = [one for one in self._endpoints.values() if one.id in due]
        receivers = [one for one in receivers if one.is_ready]
        if not receivers:
            return
        video = self._by_speech()
        shown = [source for source in video if source.is_enabled]
        hidden = [source for source in video if not source.is_enabled]
        for receiver in receivers:
            others = [source for source in shown if source.owner != receiver.id]
            switched_off = [source for source in hidden if source.owner != receiver.id]
            self._wishes_due.update(self._route(receiver, others, switched_off))

    def _by_speech(self) -> list[BridgeSource]:
        owners = dict.fromkeys((*self._speech.recent, *self._endpoints))
        return [
            source
            for owner in owners
            if owner in self._endpoints
            for source in self._endpoints[owner].sources.values()
            if source.media_type is MediaType.VIDEO
        ]

    def _constrain_senders(self) -> None:
        if not self._wishes_due:
            return
        due, self._wishes_due = self._wishes_due, set()
        receivers = tuple(self._endpoints.values())
        for number in sorted(due):
            source = self._sources.get(number)
            if source is None:
                continue
            wanted = allocation.highest(
                receiver.heights.get(number, 0) for receiver in receivers
            )
            if wanted != (source.sent_constraint or 0):
                source.sent_constraint = wanted
                self._send_constraint(self._endpoints[source.owner], source)

    def _send_constraint(self, owner: Endpoint, source: BridgeSource) -> None:
        if source.sent_constraint is not None:
            owner.channel.send_message(
                SenderSourceConstraints(source.name, source.sent_constraint)
            )

    # -- one receiver -------------------------------------------------------------------
    def _route(
        self,
        receiver: Endpoint,
        sources: Sequence[BridgeSource],
        switched_off: Iterable[BridgeSource],
    ) -> set[int]:
        """Allocate video for `receiver`; returns whose effective constraint changed.

        `sources` are those of the others, in speech order of their owners, without the ones
        that are `switched_off`.
        """
        by_number = {source.number: source for source in sources}
        accepts = receiver.accepts(MediaType.VIDEO)
        heights = allocation.allot(sources, receiver.constraints, SLOTS) if accepts else {}
        before, receiver.heights = receiver.heights, heights
        changed = {n for n in before.keys() | heights if before.get(n) != heights.get(n)}
        slots = receiver.slots[MediaType.VIDEO]
        news: list[BridgeSource] = []
        # The most wanted comes last, so that it is the last to give way.
        wanted = tuple(reversed(heights))
        if not slots.free:
            for number in wanted:
                slots.touch(number)
        for number in wanted:
            if slots.get(number) is None:
                source = by_number[number]
                assignment = slots.assign(number, source.own_slot)
                news.append(source)
                if assignment.evicted is not None:
                    receiver.routes.pop(assignment.evicted, None)
        placed = {source.number for source in news}
        if receiver.rewriting and receiver.constraints.spoken and accepts:
            # What is switched off gets a slot early, if that takes it from nobody.
            for source in switched_off:
                if not slots.free:
                    break
                if slots.get(source.number) is None:
                    slots.assign(source.number, source.own_slot)
                    news.append(source)
        if news and receiver.rewriting:
            receiver.channel.send_message(routing.video_map(receiver, news))
        for number in changed | placed:
            self._set_route(receiver, number, by_number.get(number))
        if heights.keys() != receiver.forwarded.keys():
            receiver.forwarded = {number: by_number[number].name for number in heights}
            receiver.channel.send_message(
                ForwardedSources(tuple(receiver.forwarded.values()))
            )
        return changed

    def _choose_encoding(self, receiver: Endpoint, source: BridgeSource) -> None:
        """Route the best encoding within its constraint, if it gets the source."""
        if source.number in receiver.heights:
            self._set_route(receiver, source.number, source)

    def _set_route(
        self, receiver: Endpoint, number: int, source: BridgeSource | None
    ) -> None:
        height = receiver.heights.get(number, 0)
        slot = receiver.slots[MediaType.VIDEO].get(number)
        if slot is None:
            return
        if source is not None and height != 0:
            routing.set_route(
                self._engine, receiver, number, slot, source.best_encoding(height)
            )
        elif number in receiver.routes:
            routing.set_route(self._engine, receiver, number, slot, routing.PAUSED)
