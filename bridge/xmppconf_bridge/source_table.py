"""The sources of one conference: whose they are, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from xmppconf.ids import EndpointId, RelayId, SourceName
from xmppconf.media import VideoType
from xmppconf.sources import MediaSource
from xmppconf_bridge import media
from xmppconf_bridge.media import BridgeSource
from xmppconf_bridge.owners import Owners


class Sender(Protocol):
    """Who sends sources: an endpoint here, or one behind another bridge."""

    @property
    def id(self) -> EndpointId: ...

    sources: dict[SourceName, BridgeSource]
    early_video_types: dict[SourceName, VideoType]

    def constrain(self, source: SourceName, height: int) -> None:
        """Have its client told in which height at most `source` is wanted."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """What a new list of sources has changed."""

    gone: tuple[BridgeSource, ...]
    refused: int
    """Sources whose SSRCs belong to others, or whose name came twice."""
    is_news: bool
    """Whether anything came or went."""


class SourceTable:
    def __init__(
        self,
        feedback: tuple[int, int],
        next_number: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        """`feedback` are the SSRCs of the bridge itself."""
        self.by_number: dict[int, BridgeSource] = {}
        self._owners = Owners(*feedback)
        self._next_number = next_number
        self._clock = clock

    def replace(
        self, sender: Sender, sources: Iterable[MediaSource], link: RelayId | None = None
    ) -> Replaced:
        """Replace what `sender` sends; names that stay keep their state.

        An SSRC that belongs to somebody else, or to the bridge, makes its source void:
        the focus checks that, and what slips through must harm nobody.  `link` is the
        bridge over which it comes.
        """
        before = sender.sources
        for source in before.values():
            self._owners.release(source)
        after: dict[SourceName, BridgeSource] = {}
        refused = 0
        for description in sources:
            encodings = media.encodings_of(description)
            if description.name in after or not self._owners.claim(encodings):
                refused += 1
                continue
            known = before.get(description.name)
            if known is None or known.encodings != encodings:
                video_type = sender.early_video_types.pop(
                    description.name, description.video_type or VideoType.CAMERA
                )
                known = BridgeSource(
                    self._next_number(),
                    description.name,
                    sender.id,
                    description.media_type,
                    encodings,
                    video_type,
                    self._clock(),
                    link,
                )
            after[description.name] = known
        kept = {source.number for source in after.values()}
        gone = tuple(one for one in before.values() if one.number not in kept)
        for source in gone:
            self.by_number.pop(source.number, None)
        sender.sources = after
        for source in after.values():
            self.by_number[source.number] = source
        is_news = before.keys() != after.keys() or any(
            before[name] is not source for name, source in after.items()
        )
        return Replaced(gone, refused, is_news)
