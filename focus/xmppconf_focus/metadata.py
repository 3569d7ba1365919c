"""Room metadata: one JSON object that everybody in the room is told, whole, on change.

Moderators write it, but for the keys that say what the focus itself decides.
"""

from __future__ import annotations

from typing import Any

from xmppconf.errors import LimitExceeded, NotAllowed
from xmppconf.strict_json import dumps
from xmppconf_focus.notices import Notice

MAX_KEYS = 32
MAX_KEY = 64  # characters
MAX_SIZE = 16 * 1024  # characters of the whole object

#: Written by the focus only; `startMuted` changes the room's settings.
OWN_KEYS = frozenset({"room", "lobbyEnabled", "startMuted", "services"})


class Metadata:
    def __init__(self, room: str) -> None:
        self._room = room
        self._values: dict[str, Any] = {}

    def write(self, key: str, data: Any) -> list[Notice]:
        """A moderator's wish; raises `PeerError`."""
        if key in OWN_KEYS:
            raise NotAllowed("key is the focus's own")
        return self._set(key, data)

    def publish(self, key: str, data: Any) -> list[Notice]:
        """The focus's own."""
        return [] if self._values.get(key) == data else self._set(key, data)

    def joined(self, nick: str) -> list[Notice]:
        return [self._notice(nick)]

    def _set(self, key: str, data: Any) -> list[Notice]:
        if len(key) > MAX_KEY:
            raise LimitExceeded("length of the key", MAX_KEY)
        changed = {**self._values, key: data}
        if data is None:
            del changed[key]
        if len(changed) > MAX_KEYS:
            raise LimitExceeded("keys of the metadata", MAX_KEYS)
        if len(dumps(changed)) > MAX_SIZE:
            raise LimitExceeded("length of the metadata", MAX_SIZE)
        self._values = changed
        return [self._notice(None)]

    def _notice(self, to: str | None) -> Notice:
        return Notice({"type": "room_metadata", "metadata": dict(self._values)}, to=to)
