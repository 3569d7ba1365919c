"""Logging that cannot name a person by accident.

Our own lines say what happened to which conference, by meeting id and endpoint id, with
`Personal` around everything else that a peer chose.  Lines of libraries lose their text:
they quote stanzas, addresses and request paths.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, Generic, TextIO, TypeVar

from xmppconf.errors import SettingsError

T = TypeVar("T")

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_SALT = os.urandom(16)  # new at every start: tags of two runs cannot be joined


class Personal(Generic[T]):
    """A value about a person.  It prints as a tag, whatever prints it."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value

    def __str__(self) -> str:
        text = repr(self.value).encode(errors="surrogatepass")
        return f"<{hashlib.blake2s(text, key=_SALT, digest_size=4).hexdigest()}>"

    __repr__ = __str__

    def __format__(self, format_spec: str) -> str:
        return format(str(self), format_spec)


class ConferenceLog(logging.LoggerAdapter[logging.Logger]):
    """Puts the conference's meeting id, never its name, before each line."""

    def __init__(self, logger: logging.Logger, meeting_id: str) -> None:
        super().__init__(logger, {"meeting_id": meeting_id})
        self.meeting_id = meeting_id

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        return f"[{self.meeting_id}] {msg}", kwargs


def is_ours(logger_name: str) -> bool:
    """Whether a logger belongs to this project."""
    return logger_name.startswith("xmppconf")


class DiscreetFilter(logging.Filter):
    """Strips the lines of other packages to their place; drops those below WARNING.

    slixmpp prints whole stanzas at DEBUG and the raw bytes of what does not parse at
    ERROR; aiohttp prints addresses, paths and queries.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if is_ours(record.name):
            return True
        if record.levelno < logging.WARNING:
            return False
        record.msg = f"message withheld ({record.module}:{record.lineno})"
        record.args = None
        record.stack_info = None
        return True


class DiscreetFormatter(logging.Formatter):
    """Prints exceptions as type and place, without their text, which may quote a peer."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatException(  # noqa: N802  (logging's name)
        self,
        ei: (
            tuple[type[BaseException], BaseException, TracebackType | None]
            | tuple[None, None, None]
        ),
    ) -> str:
        lines: list[str] = []
        error = ei[1]
        for _ in range(8):
            if error is None:
                break
            for frame in traceback.extract_tb(error.__traceback__, limit=-20):
                lines.append(f"  {frame.filename}:{frame.lineno} in {frame.name}")
            lines.append(f"  {type(error).__module__}.{type(error).__qualname__}")
            error = error.__cause__ or error.__context__
        return "\n".join(lines)

    def format(self, record: logging.LogRecord) -> str:
        # Another handler may have left its own rendering, text of the exception included.
        record.exc_text = None
        line = super().format(record)
        record.exc_text = None
        return line


def setup(level: str, stream: TextIO | None = None) -> None:
    """Send all logging to `stream` (standard error), in one form.

    Raises `SettingsError` for a level that is not in `LEVELS`.
    """
    if level not in LEVELS:
        raise SettingsError(f"log.level: not one of {', '.join(LEVELS)}")
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(DiscreetFormatter())
    handler.addFilter(DiscreetFilter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(LEVELS[level])
    # Saves libraries the work of rendering what the filter would drop.
    for name in ("slixmpp", "aiohttp", "aiortc", "aioice", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    # A line that cannot be rendered would print its arguments to standard error.
    logging.raiseExceptions = False
