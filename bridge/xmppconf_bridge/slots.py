"""Under which SSRCs a receiver gets the sources of others.

With rewriting, a receiver has a bounded number of slots per medium; a slot keeps its
SSRCs for life and carries one source after another.  Without, every source keeps its own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

SLOTS = 50  # per receiver and medium


@dataclass(frozen=True, slots=True)
class Slot:
    ssrc: int
    rtx_ssrc: int | None
    mid: str | None = None
    """What its packets are stamped with, whatever source is in the slot."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where a source is now; `changed` if the receiver must be told, `evicted` who left."""

    slot: Slot
    changed: bool
    evicted: int | None = None


class RewritingSlots:
    """Slots by source id, the least recently wanted source gives way."""

    def __init__(
        self,
        new_ssrc: Callable[[], int],
        *,
        rtx: bool,
        limit: int = SLOTS,
        mid_prefix: str | None = None,
    ) -> None:
        """`mid_prefix`: slots have mids that begin with it; None: they have none."""
        self._new_ssrc = new_ssrc
        self._rtx = rtx
        self._mid_prefix = mid_prefix
        self._made = 0
        self._limit = limit
        self._slots: OrderedDict[int, Slot] = OrderedDict()

    def assign(self, source: int, own: Slot) -> Assignment:
        """Give `source` a slot, or keep the one it has; `own` is not used."""
        slot = self._slots.get(source)
        if slot is not None:
            self._slots.move_to_end(source)
            return Assignment(slot, changed=False)
        if len(self._slots) < self._limit:
            rtx_ssrc = self._new_ssrc() if self._rtx else None
            mid = None if self._mid_prefix is None else f"{self._mid_prefix}{self._made}"
            self._made += 1
            slot = self._slots[source] = Slot(self._new_ssrc(), rtx_ssrc, mid)
            return Assignment(slot, changed=True)
        evicted, slot = self._slots.popitem(last=False)
        self._slots[source] = slot
        return Assignment(slot, changed=True, evicted=evicted)

    def touch(self, source: int) -> None:
        """The source is wanted still: let others give way first."""
        if source in self._slots:
            self._slots.move_to_end(source)

    def yield_first(self, source: int) -> None:
        """The source is silent: let it give way before those that are not."""
        if source in self._slots:
            self._slots.move_to_end(source, last=False)

    def get(self, source: int) -> Slot | None:
        return self._slots.get(source)

    def remove(self, source: int) -> None:
        """The source is gone; its SSRCs are never used again."""
        self._slots.pop(source, None)

    def sources(self) -> tuple[int, ...]:
        return tuple(self._slots)

    @property
    def free(self) -> int:
        return self._limit - len(self._slots)


class PlainSlots:
    """Every source under its own SSRCs; the receiver knows them from its focus."""

    def __init__(self) -> None:
        self._slots: dict[int, Slot] = {}

    def assign(self, source: int, own: Slot) -> Assignment:
        self._slots[source] = own
        return Assignment(own, changed=False)

    def touch(self, source: int) -> None:
        """Nobody has to give way."""

    def yield_first(self, source: int) -> None:
        """Nobody has to give way."""

    def get(self, source: int) -> Slot | None:
        return self._slots.get(source)

    def remove(self, source: int) -> None:
        self._slots.pop(source, None)

    def sources(self) -> tuple[int, ...]:
        return tuple(self._slots)

    @property
    def free(self) -> int:
        return 0


Slots = RewritingSlots | PlainSlots
