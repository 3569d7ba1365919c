"""One conference on this bridge: its endpoints, their sources, and who gets what.

Changes only mark what is affected; `settle` then works out routes and constraints once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from xmppconf.bridge_channel import (
    DominantSpeaker,
    EndpointConnectivity,
    EndpointStats,
    ForwardedSources,
    Message,
    SourceVideoType,
)
from xmppconf.colibri2 import ForceMute
from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId, MeetingId, RelayId, SourceName
from xmppconf.log import ConferenceLog, Personal
from xmppconf.media import MediaType, VideoType
from xmppconf.sources import MediaSource
from xmppconf_bridge import inbox, routing
from xmppconf_bridge.audio import AudioForwarding
from xmppconf_bridge.counters import Counters
from xmppconf_bridge.endpoint import Endpoint
from xmppconf_bridge.engine import Commands
from xmppconf_bridge.layers import Figure
from xmppconf_bridge.links import Links
from xmppconf_bridge.media import BridgeSource
from xmppconf_bridge.policy import VideoPolicy
from xmppconf_bridge.sender_constraints import SenderConstraints
from xmppconf_bridge.source_table import Sender, SourceTable
from xmppconf_bridge.speech import DominantSpeakerIdentification
from xmppconf_bridge.transport import EndpointTransport
from xmppconf_bridge.video import VideoForwarding

MAX_EARLY_VIDEO_TYPES = 20  # of one endpoint

#: In larger conferences statistics go only to those who look at their sender.
STATS_FILTER_THRESHOLD = 20

#: Audio levels reach us in batches; deciding this much later (seconds) keeps the gaps
#: between batches from counting as silence.
LEVEL_LAG = 0.1


class Conference:
    def __init__(
        self,
        number: int,
        meeting_id: MeetingId,
        socket_id: str,
        feedback: tuple[int, int],
        engine: Commands,
        clock: Callable[[], float],
        next_number: Callable[[], int],
        counters: Counters,
        policy: VideoPolicy,
        by_source: dict[int, Conference],
        *,
        loudest: int,
    ) -> None:
        """`feedback` are the SSRCs of jvb-a0 and jvb-v0; `number` is new to the engine.

        `by_source` is everybody's, and holds this conference for each of its sources.
        `loudest` open microphones are heard at a time, 0 for all.
        """
        self.number = number
        self.meeting_id = meeting_id
        self.socket_id = socket_id
        self.feedback = feedback
        self.created_at = clock()
        self.occupied_at = self.created_at
        """When an endpoint was last here."""
        self.endpoints: dict[EndpointId, Endpoint] = {}
        self.senders: dict[EndpointId, Sender] = {}
        """All who may have sources, here and behind other bridges."""
        self._table = SourceTable(feedback, next_number, clock)
        self.sources = self._table.by_number
        self.speech = DominantSpeakerIdentification()
        self.counters = counters
        self.policy = policy
        self.engine = engine
        self._clock = clock
        self._by_source = by_source
        wishes = SenderConstraints()
        self._video = VideoForwarding(
            engine,
            self.endpoints,
            self.senders,
            self.sources,
            self.speech,
            policy,
            clock,
            wishes,
        )
        self.links = Links(self, engine, counters, wishes)
        self._settling = False
        self._log = ConferenceLog(logging.getLogger(__name__), meeting_id)
        engine.add_conference(number, *feedback)
        self._audio = AudioForwarding(
            number, engine, self.endpoints, self.sources, self.speech, loudest
        )

    # -- endpoints ----------------------------------------------------------------------
    def add(self, endpoint: Endpoint) -> None:
        # Whoever moves here from another bridge may be told of here first.
        self.links.forget(endpoint.id)
        self.endpoints[endpoint.id] = endpoint
        self.senders[endpoint.id] = endpoint
        self._log.info("endpoint %s came", Personal(endpoint.id))

    def expire(self, endpoint_id: EndpointId) -> None:
        """Free an endpoint; idempotent."""
        endpoint = self.endpoints.get(endpoint_id)
        if endpoint is None:
            return
        self.set_sources(endpoint, ())
        del self.endpoints[endpoint_id]
        del self.senders[endpoint_id]
        self._video.receiver_gone(endpoint)
        self.speech.endpoint_gone(endpoint_id)
        self._free(endpoint)
        self.settle()

    def close(self) -> None:
        """Free everything; nobody is told of the others' going."""
        self.counters.conferences_ended += 1
        self.counters.conference_seconds += self._clock() - self.created_at
        for endpoint in self.endpoints.values():
            self._free(endpoint)
        self.links.close()
        self.endpoints.clear()
        self.senders.clear()
        for number in self.sources:
            self._by_source.pop(number, None)
        self.sources.clear()
        self.engine.remove_conference(self.number)

    def _free(self, endpoint: Endpoint) -> None:
        self.counters.channel_ended(endpoint.channel)
        endpoint.channel.close()
        endpoint.transport.close()
        self._log.info("endpoint %s left", Personal(endpoint.id))

    def endpoint_connected(self, endpoint: Endpoint) -> None:
        self._log.info("endpoint %s connected", Personal(endpoint.id))
        endpoint.activity.dtls_failed = False
        self._mark_all_media(endpoint)
        self.settle()

    def media_changed(self, endpoint: Endpoint) -> None:
        """It may take more kinds of media now."""
        self._mark_all_media(endpoint)

    def endpoint_failed(self, endpoint: Endpoint, reason: str) -> None:
        endpoint.activity.dtls_failed = True
        self.counters.dtls_failed += 1
        self._log.info("endpoint %s: DTLS: %s", Personal(endpoint.id), reason)

    # -- sources ------------------------------------------------------------------------
    def set_sources(self, endpoint: Endpoint, sources: Iterable[MediaSource]) -> None:
        """Replace what `endpoint` sends; names that stay keep their state."""
        if not self.replace_sources(endpoint, sources):
            return
        if endpoint.transport.is_closed:
            return
        self.announce(endpoint.transport, endpoint.sources.values())
        if endpoint.muted != ForceMute():
            self.set_muted(endpoint, endpoint.muted)

    def replace_sources(
        self,
        sender: Sender,
        sources: Iterable[MediaSource],
        link: RelayId | None = None,
    ) -> bool:
        """As above; `link` leads to `sender`.  Whether the engine must be told."""
        if not sender.sources and not sources:
            return False
        replaced = self._table.replace(sender, sources, link)
        if replaced.refused:
            self.counters.rejected_sources += replaced.refused
            self._log.warning(
                "endpoint %s: %d sources refused", Personal(sender.id), replaced.refused
            )
        for source in replaced.gone:
            self._by_source.pop(source.number, None)
            self._video.source_gone(source)
            self.links.crossing.source_gone(source)
        for source in sender.sources.values():
            self._by_source[source.number] = self
        if replaced.is_news:
            self._audio.sources_changed()
            self._video.sources_changed()
            self.links.crossing.sources_changed()
        return True

    def announce(
        self, transport: EndpointTransport, sources: Iterable[BridgeSource]
    ) -> None:
        self.engine.set_sources(
            transport.number,
            [
                (source.number, source.media_type.value, list(source.encodings))
                for source in sources
            ],
        )

    def set_muted(self, endpoint: Endpoint, muted: ForceMute) -> None:
        endpoint.muted = muted
        for source in endpoint.sources.values():
            audio = source.media_type is MediaType.AUDIO
            self.engine.set_muted(source.number, muted.audio if audio else muted.video)

    def set_video_type(
        self, sender: Sender, name: SourceName, video_type: VideoType
    ) -> None:
        over = self.links.relayed.get(sender.id)
        self.links.share(
            SourceVideoType(name, video_type, sender.id),
            over=None if over is None else over.relay,
        )
        source = sender.sources.get(name)
        if source is None:
            # The message may come before the focus tells us of the source.
            if len(sender.early_video_types) < MAX_EARLY_VIDEO_TYPES:
                sender.early_video_types[name] = video_type
            return
        if source.video_type is video_type:
            return
        source.video_type = video_type
        self._video.sources_changed()
        if video_type is VideoType.NONE:
            return
        for receiver in self._others(sender.id):
            if receiver.rewriting and receiver.is_ready:
                entry = routing.video_map(receiver, [source])
                if entry.sources:
                    receiver.channel.send_message(entry)

    def source_active(
        self, number: int, encoding: int, size: tuple[int, int] | None
    ) -> None:
        source = self.sources.get(number)
        if source is None or encoding >= len(source.encodings):
            return
        source.active_since.setdefault(encoding, self._clock())
        if source.media_type is MediaType.VIDEO:
            height = min(size) if size is not None else 0
            self._video.source_began(source, encoding, height if height > 0 else None)
            self.links.crossing.layers_changed(source)
        else:
            self._audio.source_began(source)

    def source_silent(self, number: int, encoding: int) -> None:
        source = self.sources.get(number)
        if source is None or source.active_since.pop(encoding, None) is None:
            return
        if source.media_type is MediaType.VIDEO:
            self._video.source_ended(source, encoding)
            self.links.crossing.layers_changed(source)
        elif not source.active_since:
            self._audio.source_ended(source)

    def source_measured(self, number: int, figures: Sequence[Figure]) -> None:
        source = self.sources.get(number)
        if source is not None and self._video.source_measured(source, figures):
            self.links.crossing.layers_changed(source)

    def bandwidth_changed(self, endpoint: Endpoint, estimate: int, besides: int) -> None:
        """The estimate for the way to `endpoint`, and what is not video's of it (bit/s)."""
        self._video.bandwidth_changed(endpoint, estimate, besides)

    # -- the bridge channel -------------------------------------------------------------
    def tell_constraints(self, sender: Sender) -> None:
        """Tell whoever sends these sources again in which heights they are wanted."""
        self._video.channel_opened(sender.sources.values())

    def channel_opened(self, endpoint: Endpoint) -> None:
        """Bring the client up to date, on every new carrier."""
        self.tell_constraints(endpoint)
        endpoint.channel.send_message(
            ForwardedSources(tuple(endpoint.video.forwarded.values()))
        )
        if endpoint.rewriting:
            endpoint.channel.send_message(
                routing.video_map(endpoint, self.sources.values())
            )
            endpoint.channel.send_message(
                routing.audio_map(endpoint, self.sources.values())
            )
        for other in self.endpoints.values():
            if not (other.visitor or other.activity.is_active):
                endpoint.channel.send_message(EndpointConnectivity(other.id, active=False))
        for further in self.links.relayed.values():
            if not further.is_active:
                endpoint.channel.send_message(
                    EndpointConnectivity(further.id, active=False)
                )
        if self.speech.dominant is not None:
            endpoint.channel.send_message(self._speaker_message())
        self._mark_all_media(endpoint)
        self.settle()

    def channel_message(self, endpoint: Endpoint, text: str) -> None:
        """Take a message from the endpoint; what cannot be read is counted and dropped."""
        try:
            inbox.receive(self, endpoint, text)
        except PeerError:
            self.counters.rejected_messages += 1
        self.settle()

    def broadcast(self, message: Message, *, but: EndpointId | None = None) -> None:
        for endpoint in self.endpoints.values():
            if endpoint.id != but:
                endpoint.channel.send_message(message)

    def share_stats(self, message: EndpointStats, sender: EndpointId) -> None:
        """Pass on the statistics of `sender` to those here who look at it."""
        filtered = len(self.senders) > STATS_FILTER_THRESHOLD
        for receiver in self.endpoints.values():
            if receiver.id != sender and (
                not filtered or self._is_interested(receiver, sender)
            ):
                receiver.channel.send_message(message)

    def _is_interested(self, receiver: Endpoint, sender: EndpointId) -> bool:
        """Whether `receiver` looks at, or listens to, `sender`."""
        return sender in self.speech.recent or any(
            source.number in receiver.video.wanted or receiver.constraints.singles_out(name)
            for name, source in self.senders[sender].sources.items()
        )

    def reduce(self, last_n: int) -> None:
        """Give every receiver at most so many video sources, -1: as many as otherwise."""
        self._video.reduce(last_n)
        self.settle()

    def constraints_changed(self, endpoint: Endpoint) -> None:
        self._video.receiver_changed(endpoint.id)

    def subscription_changed(self, endpoint: Endpoint) -> None:
        self._audio.subscription_changed(endpoint)

    # -- speech -------------------------------------------------------------------------
    def levels(self, levels: Iterable[tuple[int, int, int]]) -> None:
        """Take audio levels as (source, wrapping milliseconds, RFC 6464 level)."""
        now = self._clock()
        now_ms = int(now * 1000)
        for number, at, level in levels:
            source = self.sources.get(number)
            if source is not None:
                age = min(((now_ms - at) & 0xFFFFFFFF) / 1000, LEVEL_LAG)
                self.speech.level(source.owner, level, now - age)

    def next_timeout(self) -> float | None:
        due = self.speech.next_timeout()
        return None if due is None else due + LEVEL_LAG

    def timeout(self, now: float) -> None:
        self.speech.timeout(now - LEVEL_LAG)
        for change in self.speech.effects():
            if change.speaker is not None:
                self.counters.speaker_changes += 1
                self.broadcast(self._speaker_message())
                self._audio.speaker_changed()
                self._video.order_changed()
        self.settle()

    def _speaker_message(self) -> DominantSpeaker:
        speaker, *previous = self.speech.recent
        return DominantSpeaker(speaker, tuple(previous))

    # -- time -----------------------------------------------------------------------
    def check(self, now: float) -> None:
        """Tell everybody who went silent or came back, and do what is due by time."""
        self._video.check(now)
        for endpoint in self.endpoints.values():
            stats = self.engine.transport_stats(endpoint.transport.number)
            endpoint.activity.seen(None if stats is None else stats["last_activity"])
            changed = endpoint.activity.check(now)
            if changed:
                self.counters.disconnected += not endpoint.activity.is_active
                self.counters.reconnected += endpoint.activity.is_active
            if changed and not endpoint.visitor:
                change = EndpointConnectivity(
                    endpoint.id, active=endpoint.activity.is_active
                )
                self.broadcast(change)
                self.links.share(change)
        self.links.check()
        if self.endpoints:
            self.occupied_at = now
        self.settle()

    def expire_gone(self, now: float) -> None:
        for endpoint in tuple(self.endpoints.values()):
            if endpoint.activity.is_expired(now):
                self.expire(endpoint.id)
        self.links.expire_gone(now)

    # -- who gets what ------------------------------------------------------------------
    def settle(self) -> None:
        """Carry out what has been marked."""
        if self._settling:
            return
        self._settling = True
        try:
            self.links.settle()
            self._audio.settle()
            self._video.settle()
        finally:
            self._settling = False

    def _others(self, endpoint_id: EndpointId) -> list[Endpoint]:
        return [one for one in self.endpoints.values() if one.id != endpoint_id]

    def _mark_all_media(self, endpoint: Endpoint) -> None:
        self._audio.receiver_changed(endpoint.id)
        self._video.receiver_changed(endpoint.id)
