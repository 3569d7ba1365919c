"""What the feature components tell people, as values; who gets it is part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Notice:
    """A JSON message (`<json-message/>`) from the focus's own address."""

    value: Mapping[str, Any]
    to: str | None = None
    """Nickname of the only receiver; None: everybody."""
    moderators_only: bool = False
