"""Whose an SSRC is: within a conference each belongs to one endpoint, or to the bridge."""

from __future__ import annotations

from collections.abc import Iterator

from xmppconf_bridge.media import BridgeSource, Encodings


class Owners:
    def __init__(self, *reserved: int) -> None:
        """`reserved` are the bridge's own."""
        self._reserved = frozenset(reserved)
        self._taken: set[int] = set()

    def claim(self, encodings: Encodings) -> bool:
        """Take all SSRCs of a source, or none if one is taken or comes twice."""
        ssrcs = list(_ssrcs(encodings))
        claimed = set(ssrcs)
        if not ssrcs or len(claimed) != len(ssrcs):
            return False
        if claimed & self._taken or claimed & self._reserved:
            return False
        self._taken |= claimed
        return True

    def release(self, source: BridgeSource) -> None:
        self._taken.difference_update(_ssrcs(source.encodings))


def _ssrcs(encodings: Encodings) -> Iterator[int]:
    for pair in encodings:
        for ssrc in pair:
            if ssrc is not None:
                yield ssrc
