"""What one receiver asks for, and which sources it may have because of that.

Bandwidth plays no part here: senders are told of these constraints, so that a source that
is only held back for lack of bandwidth keeps flowing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from xmppconf.bridge_channel import ReceiverVideoConstraints, VideoConstraints
from xmppconf.ids import SourceName
from xmppconf_bridge.policy import UNLIMITED, VideoPolicy

NOTHING = VideoConstraints(0)
#: The default once a receiver spoke without naming one.
SPOKEN_DEFAULT = VideoConstraints(180)


class Candidate(Protocol):
    """A video source of somebody else that is not switched off."""

    @property
    def number(self) -> int: ...
    @property
    def name(self) -> SourceName: ...


C = TypeVar("C", bound=Candidate)


def is_nothing(constraints: VideoConstraints) -> bool:
    return constraints.max_height == 0 or constraints.max_frame_rate == 0


@dataclass(frozen=True, slots=True)
class ReceiverConstraints:
    last_n: int = UNLIMITED
    selected: tuple[SourceName, ...] = ()
    on_stage: tuple[SourceName, ...] = ()
    default: VideoConstraints = NOTHING
    by_source: Mapping[SourceName, VideoConstraints] = field(default_factory=dict)
    assumed_bandwidth: int = UNLIMITED
    """Bits per second; negative ones do not count."""
    spoken: bool = False
    """Whether the receiver ever sent constraints."""

    def updated(
        self, message: ReceiverVideoConstraints, policy: VideoPolicy
    ) -> ReceiverConstraints:
        """Take a partial update: None leaves a field, `constraints` replaces them all."""
        default = message.default
        if default is None:
            default = self.default if self.spoken else SPOKEN_DEFAULT
        assumed = self.assumed_bandwidth
        if message.assumed_bandwidth is not None and policy.assumed_bandwidth_limit > 0:
            assumed = min(message.assumed_bandwidth, policy.assumed_bandwidth_limit)
        return ReceiverConstraints(
            last_n=_given(message.last_n, self.last_n),
            selected=_given(message.selected_sources, self.selected),
            on_stage=_given(message.on_stage_sources, self.on_stage),
            default=default,
            by_source=_given(message.constraints, self.by_source),
            assumed_bandwidth=assumed,
            spoken=True,
        )

    def with_last_n(self, last_n: int) -> ReceiverConstraints:
        """As the legacy message does, or the focus's initial value."""
        return replace(self, last_n=last_n)

    def singles_out(self, source: SourceName) -> bool:
        return source in self.on_stage or source in self.selected

    def effective(self, sources: Sequence[C], limit: int) -> dict[int, VideoConstraints]:
        """What up to `limit` sources may have, by number, most wanted first.

        On stage comes first, then what is selected, then the order of `sources`, which is
        that of speech.  A source that is not wanted anyway does not count.
        """
        allowed: dict[int, VideoConstraints] = {}
        if limit == 0:
            return allowed
        by_source, default = self.by_source, self.default
        wants_default = not is_nothing(default)
        for source in (*self._singled_out(sources), *sources):
            constraints = by_source.get(source.name)
            if constraints is None:
                if not wants_default:
                    continue
                constraints = default
            elif is_nothing(constraints):
                continue
            if source.number not in allowed:
                allowed[source.number] = constraints
                if len(allowed) == limit:
                    break
        return allowed

    def _singled_out(self, sources: Iterable[C]) -> list[C]:
        names = dict.fromkeys((*self.on_stage, *self.selected))
        if not names:
            return []
        found = {one.name: one for one in sources if one.name in names}
        return [found[name] for name in names if name in found]


T = TypeVar("T")


def _given(new: T | None, old: T) -> T:
    return old if new is None else new
