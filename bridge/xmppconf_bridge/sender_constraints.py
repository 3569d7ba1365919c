"""What each sender is asked for: the most that anybody who receives from it wants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from xmppconf.bridge_channel import UNLIMITED


class SenderConstraints:
    """Heights by source and receiver.  Receivers are endpoints, or bridges behind us."""

    def __init__(self) -> None:
        self._heights: dict[int, dict[str, int]] = {}
        self._changed: dict[int, None] = {}

    def update(
        self, receiver: str, before: Iterable[int], heights: Mapping[int, int]
    ) -> None:
        """`receiver` wanted the sources `before`, and wants `heights` (-1: all) now."""
        for source in before:
            if source not in heights:
                wishes = self._heights.get(source)
                if wishes is not None and wishes.pop(receiver, None) is not None:
                    self._changed[source] = None
        for source, height in heights.items():
            wishes = self._heights.setdefault(source, {})
            if wishes.get(receiver) != height:
                wishes[receiver] = height
                self._changed[source] = None

    def source_gone(self, source: int) -> None:
        self._heights.pop(source, None)
        self._changed.pop(source, None)

    def take_changed(self) -> Iterator[tuple[int, int]]:
        """Sources whose wishes changed since the last call, with the greatest of them."""
        changed, self._changed = self._changed, {}
        for source in changed:
            yield source, highest(self._heights.get(source, {}).values())


def highest(heights: Iterable[int]) -> int:
    """The greatest of several constraints, unlimited above all; 0 if there are none."""
    values = tuple(heights)
    return UNLIMITED if UNLIMITED in values else max(values, default=0)
