"""What is kept of rooms while nobody is in them: settings, for a limited time.

A room is filed under a digest of its name, people under digests of what they are known
by.  The room's server compares passwords in clear, so a password must come back as it
was: it is sealed with a key that takes the room's name to derive (scrypt), which is not
in the file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from xmppconf.errors import PeerError
from xmppconf.strict_json import as_integer, as_object, as_text, dumps, loads
from xmppconf_focus.effects import RoomJid
from xmppconf_focus.invitations import Invitations
from xmppconf_focus.room_settings import RoomRecord

MAX_ROOMS = 10_000  # the one that expires first goes
MAX_FILE = 64 * 1024 * 1024  # characters
KEY_SIZE = 32  # bytes
_NONCE = 12
#: 8 MiB and some 20 ms for one guess of a room's name.
_SCRYPT = {"n": 2**13, "r": 8, "p": 1}
_FOREVER = 2**53


@dataclass(slots=True)
class _Filed:
    record: RoomRecord
    """Without its password, which is sealed."""
    sealed: str
    expires: int


class RoomMemory:
    """`key` is 32 random bytes; `unix` tells the time, `random` makes random bytes.

    A record expires `lifetime` seconds after its last change or use.
    """

    def __init__(
        self,
        key: bytes,
        lifetime: float,
        unix: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self.unix = unix
        self.invitations = Invitations(hmac.digest(key, b"invitations", "sha256"))
        self._key = key
        self._lifetime = lifetime
        self._random = random
        self._rooms: dict[str, _Filed] = {}
        self._keys: dict[str, bytes] = {}
        """Derived keys of this run, by filed name: deriving one takes a while."""

    def digest(self, text: str) -> str:
        """What stands for a person or a room."""
        return hmac.digest(self._key, text.encode(), "sha256")[:16].hex()

    def get(self, room: RoomJid) -> RoomRecord:
        """What is kept of a room, if it has not expired."""
        name = self.digest(f"room:{room}")
        filed = self._rooms.get(name)
        if filed is None or filed.expires <= self.unix():
            return RoomRecord()
        password = self._unseal(name, room, filed.sealed)
        settings = replace(filed.record.settings, password=password)
        return replace(filed.record, settings=settings)

    def put(self, room: RoomJid, record: RoomRecord | None) -> None:
        name = self.digest(f"room:{room}")
        self._rooms.pop(name, None)
        if record is None:
            return
        password = record.settings.password
        sealed = self._seal(name, room, password) if password else ""
        bare = replace(record, settings=replace(record.settings, password=""))
        self._rooms[name] = _Filed(bare, sealed, int(self.unix() + self._lifetime))
        if len(self._rooms) > MAX_ROOMS:
            del self._rooms[next(iter(self._rooms))]

    # -- the file ----------------------------------------------------------------------
    def to_text(self) -> str:
        now = self.unix()
        rooms = {
            name: {
                **filed.record.to_json(),
                "password": filed.sealed,
                "expires": filed.expires,
            }
            for name, filed in self._rooms.items()
            if filed.expires > now
        }
        return dumps({"version": 1, "rooms": rooms})

    def load(self, text: str) -> int:
        """Take the file's content; how many rooms in it could not be read.

        Raises `PeerError` if it is no such file.
        """
        rooms = as_object(as_object(loads(text, MAX_FILE), "file").get("rooms"), "rooms")
        unread = 0
        for name, value in rooms.items():
            try:
                self._rooms[name] = _filed(value)
            except PeerError:
                unread += 1
        return unread

    # -- passwords ---------------------------------------------------------------------
    def _derived(self, name: str, room: RoomJid) -> AESGCM:
        key = self._keys.get(name)
        if key is None:
            if len(self._keys) >= MAX_ROOMS:
                self._keys.clear()
            key = hashlib.scrypt(room.encode(), salt=self._key, dklen=32, **_SCRYPT)
            self._keys[name] = key
        return AESGCM(key)

    def _seal(self, name: str, room: RoomJid, password: str) -> str:
        nonce = self._random(_NONCE)
        sealed = self._derived(name, room).encrypt(nonce, password.encode(), None)
        return base64.b64encode(nonce + sealed).decode()

    def _unseal(self, name: str, room: RoomJid, sealed: str) -> str:
        if not sealed:
            return ""
        try:
            data = base64.b64decode(sealed, validate=True)
            opened = self._derived(name, room).decrypt(data[:_NONCE], data[_NONCE:], None)
            return opened.decode()
        except (binascii.Error, InvalidTag, ValueError):
            # Another key than the file was written with.  A password nobody knows is
            # safer than none: moderators are not stopped by it and can set another.
            return self._random(16).hex()


def _filed(value: Any) -> _Filed:
    filed = as_object(value, "room")
    return _Filed(
        RoomRecord.from_json(filed, ""),
        as_text(filed.get("password"), "password"),
        as_integer(filed.get("expires"), "expires", 0, _FOREVER),
    )
