"""One conference on this bridge: its endpoints, their sources, and who gets what.

Changes only mark what is affected; `settle` then works out routes and constraints once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from xmppconf.bridge_channel import (
    DominantSpeaker,
    EndpointConnectivity,
    ForwardedSources,
    Message,
    ServerHello,
)
from xmppconf.colibri2 import ForceMute
from xmppconf.errors import PeerError
from xmppconf.ids import EndpointId, MeetingId, SourceName
from xmppconf.log import ConferenceLog, Personal
from xmppconf.media import MediaType, VideoType
from xmppconf.sources import MediaSource
from xmppconf_bridge import inbox, media, routing
from xmppconf_bridge.audio import AudioForwarding
from xmppconf_bridge.channel import WebSocketCarrier
from xmppconf_bridge.counters import Counters
from xmppconf_bridge.endpoint import Endpoint
from xmppconf_bridge.engine import Commands
from xmppconf_bridge.layers import Figure
from xmppconf_bridge.media import BridgeSource
from xmppconf_bridge.owners import Owners
from xmppconf_bridge.policy import VideoPolicy
from xmppconf_bridge.speech import DominantSpeakerIdentification
from xmppconf_bridge.video import VideoForwarding

MAX_EARLY_VIDEO_TYPES = 20  # of one endpoint

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
        self.endpoints: dict[EndpointId, Endpoint] = {}
        self.sources: dict[int, BridgeSource] = {}
        self.speech = DominantSpeakerIdentification()
        self.counters = counters
        self.policy = policy
        self._engine = engine
        self._clock = clock
        self._next_number = next_number
        self._owners = Owners(*feedback)
        self._by_source = by_source
        self._video = VideoForwarding(
            engine, self.endpoints, self.sources, self.speech, policy, clock
        )
        self._settling = False
        self._log = ConferenceLog(logging.getLogger(__name__), meeting_id)
        engine.add_conference(number, *feedback)
        self._audio = AudioForwarding(
            number, engine, self.endpoints, self.sources, self.speech, loudest
        )

    # -- endpoints ----------------------------------------------------------------------
    def add(self, endpoint: Endpoint) -> None:
        self.endpoints[endpoint.id] = endpoint
        self._log.info("endpoint %s came", Personal(endpoint.id))

    def expire(self, endpoint_id: EndpointId) -> None:
        """Free an endpoint; idempotent."""
        endpoint = self.endpoints.get(endpoint_id)
        if endpoint is None:
            return
        self.set_sources(endpoint, ())
        del self.endpoints[endpoint_id]
        self._video.receiver_gone(endpoint)
        self.speech.endpoint_gone(endpoint_id)
        self._free(endpoint)
        self.settle()

    def close(self) -> None:
        """Free everything; nobody is told of the others' going."""
        for endpoint in self.endpoints.values():
            self._free(endpoint)
        self.endpoints.clear()
        for number in self.sources:
            self._by_source.pop(number, None)
        self.sources.clear()
        self._engine.remove_conference(self.number)

    def _free(self, endpoint: Endpoint) -> None:
        self.counters.dropped_messages += endpoint.channel.dropped
        endpoint.channel.close()
        endpoint.transport.close()
        self._log.info("endpoint %s left", Personal(endpoint.id))

    def endpoint_connected(self, endpoint: Endpoint) -> None:
        self._log.info("endpoint %s connected", Personal(endpoint.id))
        self._mark_all_media(endpoint)
        self.settle()

    def media_changed(self, endpoint: Endpoint) -> None:
        """It may take more kinds of media now."""
        self._mark_all_media(endpoint)

    def endpoint_failed(self, endpoint: Endpoint, reason: str) -> None:
        endpoint.activity.ice_failed = True
        self.counters.dtls_failed += 1
        self._log.info("endpoint %s: DTLS: %s", Personal(endpoint.id), reason)

    # -- sources ------------------------------------------------------------------------
    def set_sources(self, endpoint: Endpoint, sources: Iterable[MediaSource]) -> None:
        """Replace what `endpoint` sends; names that stay keep their state.

        An SSRC that belongs to somebody else, or to the bridge, makes its source void:
        the focus checks that, and what slips through must harm nobody.
        """
        before = endpoint.sources
        refused = 0
        for source in before.values():
            self._owners.release(source)
        after: dict[SourceName, BridgeSource] = {}
        if not before and not sources:
            return
        for description in sources:
            encodings = media.encodings_of(description)
            if description.name in after or not self._owners.claim(encodings):
                refused += 1
                continue
            known = before.get(description.name)
            if known is None or known.encodings != encodings:
                video_type = endpoint.early_video_types.pop(
                    description.name, description.video_type or VideoType.CAMERA
                )
                known = BridgeSource(
                    self._next_number(),
                    description.name,
                    endpoint.id,
                    description.media_type,
                    encodings,
                    video_type,
                    self._clock(),
                )
            after[description.name] = known
        if refused:
            self.counters.rejected_sources += refused
            self._log.warning(
                "endpoint %s: %d sources refused", Personal(endpoint.id), refused
            )
        kept = {source.number for source in after.values()}
        for source in before.values():
            if source.number not in kept:
                self.sources.pop(source.number, None)
                self._by_source.pop(source.number, None)
                self._video.source_gone(source)
        endpoint.sources = after
        for source in after.values():
            self.sources[source.number] = source
            self._by_source[source.number] = self
        if endpoint.transport.is_closed:
            return
        self._engine.set_sources(
            endpoint.transport.number,
            [
                (source.number, source.media_type.value, list(source.encodings))
                for source in after.values()
            ],
        )
        if endpoint.muted != ForceMute():
            self.set_muted(endpoint, endpoint.muted)
        if before.keys() != after.keys() or any(
            before[name] is not source for name, source in after.items()
        ):
            self._audio.sources_changed()
            self._video.sources_changed()

    def set_muted(self, endpoint: Endpoint, muted: ForceMute) -> None:
        endpoint.muted = muted
        for source in endpoint.sources.values():
            audio = source.media_type is MediaType.AUDIO
            self._engine.set_muted(source.number, muted.audio if audio else muted.video)

    def set_video_type(
        self, endpoint: Endpoint, name: SourceName, video_type: VideoType
    ) -> None:
        source = endpoint.sources.get(name)
        if source is None:
            # The message may come before the focus tells us of the source.
            if len(endpoint.early_video_types) < MAX_EARLY_VIDEO_TYPES:
                endpoint.early_video_types[name] = video_type
            return
        if source.video_type is video_type:
            return
        source.video_type = video_type
        self._video.sources_changed()
        if video_type is VideoType.NONE:
            return
        for receiver in self._others(endpoint.id):
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
        else:
            self._audio.source_began(source)

    def source_silent(self, number: int, encoding: int) -> None:
        source = self.sources.get(number)
        if source is None or source.active_since.pop(encoding, None) is None:
            return
        if source.media_type is MediaType.VIDEO:
            self._video.source_ended(source, encoding)
        elif not source.active_since:
            self._audio.source_ended(source)

    def source_measured(self, number: int, figures: Sequence[Figure]) -> None:
        source = self.sources.get(number)
        if source is not None:
            self._video.source_measured(source, figures)

    def bandwidth_changed(self, endpoint: Endpoint, estimate: int) -> None:
        """`estimate` is of the way to `endpoint`, in bits per second."""
        self._video.bandwidth_changed(endpoint, estimate)

    # -- the bridge channel -------------------------------------------------------------
    def open_socket(self, endpoint: Endpoint, socket: WebSocketCarrier) -> None:
        """A WebSocket was authenticated and accepted."""
        endpoint.channel.open_socket(socket)
        endpoint.channel.send_message(ServerHello())
        self.channel_opened(endpoint)

    def channel_opened(self, endpoint: Endpoint) -> None:
        """Bring the client up to date, on every new carrier."""
        self._video.channel_opened(endpoint)
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
            if not other.activity.is_active:
                endpoint.channel.send_message(EndpointConnectivity(other.id, active=False))
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

    def is_interested(self, receiver: Endpoint, sender: EndpointId) -> bool:
        """Whether `receiver` looks at, or listens to, `sender`."""
        return sender in self.speech.recent or any(
            source.number in receiver.video.wanted or receiver.constraints.singles_out(name)
            for name, source in self.endpoints[sender].sources.items()
        )

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
            stats = self._engine.transport_stats(endpoint.transport.number)
            endpoint.activity.seen(None if stats is None else stats["last_activity"])
            if endpoint.activity.check(now) and not endpoint.visitor:
                self.broadcast(
                    EndpointConnectivity(endpoint.id, active=endpoint.activity.is_active)
                )
        self.settle()

    def expire_gone(self, now: float) -> None:
        for endpoint in tuple(self.endpoints.values()):
            if endpoint.activity.is_expired(now):
                self.expire(endpoint.id)

    # -- who gets what ------------------------------------------------------------------
    def settle(self) -> None:
        """Carry out what has been marked."""
        if self._settling:
            return
        self._settling = True
        try:
            self._audio.settle()
            self._video.settle()
        finally:
            self._settling = False

    def _others(self, endpoint_id: EndpointId) -> list[Endpoint]:
        return [one for one in self.endpoints.values() if one.id != endpoint_id]

    def _mark_all_media(self, endpoint: Endpoint) -> None:
        self._audio.receiver_changed(endpoint.id)
        self._video.receiver_changed(endpoint.id)
