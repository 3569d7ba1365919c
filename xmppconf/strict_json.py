"""JSON from the network: one reading only, and never an exception but `PeerError`."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from xmppconf.errors import LimitExceeded, PeerError

#: A nesting that no message has, below what the parser's recursion can bear.
MAX_DEPTH = 16


def loads(text: str, limit: int) -> Any:
    """Read a JSON text of at most `limit` characters.

    Duplicate keys, NaN, infinities, huge numbers and deep nesting are refused, because
    two readers would understand them differently or stumble.
    """
    if len(text) > limit:
        raise LimitExceeded("length of the JSON text", limit)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_int=_integer,
            parse_float=_finite,
        )
    except (ValueError, RecursionError):
        raise PeerError("not JSON") from None
    _check_depth(value)
    return value


def dumps(value: Any) -> str:
    """Write compact JSON that can be encoded as UTF-8."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON's escapes can carry
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text


def as_object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PeerError(f"{what} is not an object")
    return value


def as_list(value: Any, what: str, limit: int) -> list[Any]:
    if not isinstance(value, list):
        raise PeerError(f"{what} is not a list")
    if len(value) > limit:
        raise LimitExceeded(what, limit)
    return value


def as_text(value: Any, what: str, limit: int = 1024) -> str:
    if not isinstance(value, str):
        raise PeerError(f"{what} is not a string")
    if len(value) > limit:
        raise LimitExceeded(f"length of {what}", limit)
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair: nothing behind us can take it
        raise PeerError(f"{what} is not Unicode") from None
    return value


def as_integer(value: Any, what: str, low: int, high: int) -> int:
    # Some peers write 720.0 for 720; True is an int for Python but not on the wire.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise PeerError(f"{what} is not an integer")
    if not low <= value <= high:
        raise PeerError(f"{what} is out of range")
    return value


def as_flag(value: Any, what: str) -> bool:
    if not isinstance(value, bool):
        raise PeerError(f"{what} is not a boolean")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise PeerError("duplicate key")
    return value


def _refuse(_: str) -> NoReturn:
    raise PeerError("not a JSON number")


def _integer(text: str) -> int:
    if len(text) > 20:
        raise PeerError("number is too long")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise PeerError("number is too large")
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
        if not below:
            return
        level = below
    raise LimitExceeded("depth of the JSON text", MAX_DEPTH)
