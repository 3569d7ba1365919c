"""Who gets whose audio in one conference, and whose passes however quiet it is.

Changes only mark what is affected; `settle` then works it out once.  Which of the open
microphones are the loudest the engine finds out for every packet by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from xmppconf.ids import EndpointId
from xmppconf.media import MediaType
from xmppconf_bridge import routing
from xmppconf_bridge.endpoint import Endpoint
from xmppconf_bridge.engine import Commands
from xmppconf_bridge.media import BridgeSource
from xmppconf_bridge.slots import SLOTS, Slot
from xmppconf_bridge.speech import DominantSpeakerIdentification

#: Sources of a conference that pass because somebody asked for them by name: so few that
#: nobody can undo for all that only the loudest are heard.
MAX_NAMED = 20


class AudioForwarding:
    def __init__(
        self,
        number: int,
        engine: Commands,
        endpoints: Mapping[EndpointId, Endpoint],
        sources: Mapping[int, BridgeSource],
        speech: DominantSpeakerIdentification,
        loudest: int,
    ) -> None:
        """The mappings are the conference's own, and live; `number` is its id.

        `loudest` open microphones are heard at a time, 0 for all.
        """
        self._number = number
        self._engine = engine
        self._endpoints = endpoints
        self._sources = sources
        self._speech = speech
        self._loudest = loudest
        self._due: set[EndpointId] = set()  # receivers whose audio must be worked out
        self._always: tuple[int, ...] = ()
        self._always_due = False
        if loudest:
            engine.set_loudest(number, loudest, [])

    # -- what changed -------------------------------------------------------------------
    def receiver_changed(self, receiver: EndpointId) -> None:
        """It can take something else."""
        self._due.add(receiver)

    def subscription_changed(self, receiver: Endpoint) -> None:
        """It wants something else: what it does not want any more ends at once."""
        for source in self._audio():
            if not receiver.subscription.wants(source.name):
                routing.remove_route(self._engine, receiver, source.number)
        self._due.add(receiver.id)
        self._always_due = True

    def sources_changed(self) -> None:
        """Sources came or went."""
        self._always_due = True

    def speaker_changed(self) -> None:
        """Somebody else is the dominant speaker."""
        self._always_due = True

    def source_began(self, source: BridgeSource) -> None:
        """It is heard now."""
        for receiver in self._endpoints.values():
            if receiver.id != source.owner and receiver.is_ready:
                self._route(receiver, [source])

    def source_ended(self, source: BridgeSource) -> None:
        """It is not heard any more."""
        for receiver in self._endpoints.values():
            if receiver.id != source.owner:
                receiver.slots[MediaType.AUDIO].yield_first(source.number)

    # -- carrying it out ----------------------------------------------------------------
    def settle(self) -> None:
        """Carry out what has been marked."""
        if self._always_due and self._loudest:
            self._exempt()
        self._always_due = False
        due, self._due = self._due, set()
        # In the order they came, so that one history has one outcome.
        receivers = [one for one in self._endpoints.values() if one.id in due]
        receivers = [one for one in receivers if one.is_ready]
        if not receivers:
            return
        flowing = sorted(
            (source for source in self._audio() if source.active_since),
            key=lambda source: min(source.active_since.values()),
            reverse=True,
        )
        for receiver in receivers:
            self._route(receiver, [one for one in flowing if one.owner != receiver.id])

    def _exempt(self) -> None:
        """Tell the engine whose audio passes: the dominant speaker's, and what is named."""
        subscriptions = (one.subscription for one in self._endpoints.values())
        names = {name for subscription in subscriptions for name in subscription.include}
        dominant = self._speech.dominant
        spoken = [one.number for one in self._audio() if one.owner == dominant]
        named = [one.number for one in self._audio() if one.name in names]
        always = tuple(sorted({*spoken, *named[:MAX_NAMED]}))
        if always != self._always:
            self._always = always
            self._engine.set_loudest(self._number, self._loudest, list(always))

    def _route(self, receiver: Endpoint, sources: Sequence[BridgeSource]) -> None:
        """Give `receiver` the audio that flows; `sources` has what began last first."""
        if not receiver.accepts(MediaType.AUDIO):
            return
        wanted = [one for one in sources if receiver.subscription.wants(one.name)][:SLOTS]
        slots = receiver.slots[MediaType.AUDIO]
        placed: list[tuple[BridgeSource, Slot]] = []
        news: list[BridgeSource] = []
        # What began last comes last, so that it is the last to give way.
        for source in reversed(wanted):
            assignment = slots.assign(source.number, source.own_slot)
            placed.append((source, assignment.slot))
            if assignment.changed:
                news.append(source)
            if assignment.evicted is not None:
                receiver.routes.pop(assignment.evicted, None)
        if news:
            receiver.channel.send_message(routing.audio_map(receiver, news))
        for source, slot in placed:
            routing.set_route(self._engine, receiver, source.number, slot, 0)

    def _audio(self) -> Iterable[BridgeSource]:
        return (one for one in self._sources.values() if one.media_type is MediaType.AUDIO)
