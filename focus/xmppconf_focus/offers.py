"""What a participant is offered: by what its client can do and what the conference is."""

from __future__ import annotations

from xmppconf.config import FocusSettings
from xmppconf.ids import BRIDGE_OWNER
from xmppconf.jingle import Offer
from xmppconf.media import MediaDescription
from xmppconf.sources import OwnedSources
from xmppconf.transport import IceTransport
from xmppconf_focus.bridge_session import BridgeSession
from xmppconf_focus.codecs import describe_media
from xmppconf_focus.features import EVERYTHING, Feature
from xmppconf_focus.participant import Participant, StartMuted
from xmppconf_focus.sender_limits import SenderLimits, Sent
from xmppconf_focus.source_map import SourceMap
from xmppconf_focus.source_views import bridge_sources, strip_simulcast


class Offers:
    """`initiator` is the focus's real address."""

    def __init__(
        self,
        settings: FocusSettings,
        limits: SenderLimits,
        sources: SourceMap,
        initiator: str,
    ) -> None:
        self.start_muted = StartMuted()
        """As the request that opened the room had it."""
        self._settings = settings
        self._limits = limits
        self._sources = sources
        self._initiator = initiator

    def describe(self, participant: Participant) -> tuple[MediaDescription, ...]:
        """The media that its client can take part in."""
        return self._describe(participant.features)

    def describe_everything(self) -> tuple[MediaDescription, ...]:
        """Whatever some client may send, for what goes between bridges."""
        return self._describe(EVERYTHING)

    def _describe(self, features: frozenset[str]) -> tuple[MediaDescription, ...]:
        settings = self._settings
        return describe_media(features, settings.codecs, red=settings.red)

    def wants_data(self, participant: Participant) -> bool:
        return self._settings.data_channel and Feature.SCTP in participant.features

    def rewrites(self, participant: Participant) -> bool:
        """Whether the bridge gives it slots; else it is told of everybody's sources."""
        return self._settings.ssrc_rewriting and (
            Feature.SSRC_REWRITING in participant.features
        )

    def make(
        self,
        participant: Participant,
        bridge: BridgeSession,
        transport: IceTransport,
        sid: str,
        count: int,
    ) -> Offer:
        """The offer of a session on `bridge`; `count` are the participants there are."""
        sources: OwnedSources = {}
        if not self.rewrites(participant):
            sources = {
                owner: strip_simulcast(sources)
                for owner, sources in self._sources
                if owner != participant.id
            }
        sources = participant.signalling.offered(sources)
        feedback = bridge_sources(bridge.feedback)
        audio, video = participant.starts_muted
        limits = self.start_muted
        return Offer(
            sid=sid,
            initiator=self._initiator,
            media=self.describe(participant),
            data=self.wants_data(participant),
            transport=transport,
            sources={BRIDGE_OWNER: feedback} | sources if feedback else sources,
            json_sources=Feature.JSON_SOURCES in participant.features,
            bridge_session_id=bridge.id,
            region=bridge.region,
            start_audio_muted=(
                self._starts_muted(participant, "audio", limits.audio, count, audio)
            ),
            start_video_muted=(
                self._starts_muted(participant, "video", limits.video, count, video)
            ),
        )

    def _starts_muted(
        self,
        participant: Participant,
        kind: Sent,
        limit: int | None,
        count: int,
        always: bool,
    ) -> bool:
        # Who is moved to another bridge has been heard already.
        if participant.was_invited:
            return False
        many = limit is not None and count > limit
        return always or many or not self._limits.admits(participant.id, kind)
