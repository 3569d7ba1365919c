"""Invitation links: plain, expiring, single-use, for participants or moderators.

A token says it all and is signed; nothing is stored until a single-use one is used.
"""

from __future__ import annotations

import base64
import hmac
import re
import struct
from dataclasses import dataclass

from xmppconf.errors import Condition, PeerError
from xmppconf_focus.effects import RoomJid

MAX_LIFETIME = 366 * 86400  # seconds
#: Single-use ones end after this at the latest: used ones are remembered no longer.
MAX_SINGLE_USE = 30 * 86400

_MODERATOR, _SINGLE_USE = 1, 2
_BODY = struct.Struct("!BBI8s")
_VERSION = 1
_MAC = 16  # bytes
_TOKEN = re.compile(r"[0-9A-Za-z_-]{40}")  # 30 bytes: base64 has nothing to fill up


class InvitationInvalid(PeerError):
    condition: Condition = "not-acceptable"


@dataclass(frozen=True, slots=True)
class Invitation:
    id: str
    """16 hex digits."""
    expires: int
    """Unix time; 0: never."""
    moderator: bool = False
    single_use: bool = False


class Invitations:
    """`key` is 32 random bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, room: RoomJid, invitation: Invitation) -> str:
        flags = invitation.moderator * _MODERATOR | invitation.single_use * _SINGLE_USE
        identifier = bytes.fromhex(invitation.id)
        body = _BODY.pack(_VERSION, flags, invitation.expires, identifier)
        token = base64.urlsafe_b64encode(body + self._mac(room, body))
        return token.decode()

    def read(self, room: RoomJid, token: str, unix: float) -> Invitation:
        """Raises `InvitationInvalid`, which does not say why: there is one answer."""
        if not _TOKEN.fullmatch(token):
            raise InvitationInvalid("not a token")
        data = base64.urlsafe_b64decode(token)
        body, mac = data[: _BODY.size], data[_BODY.size :]
        if not hmac.compare_digest(mac, self._mac(room, body)):
            raise InvitationInvalid("signature")
        version, flags, expires, identifier = _BODY.unpack(body)
        if version != _VERSION or (expires and unix >= expires):
            raise InvitationInvalid("expired")
        return Invitation(
            identifier.hex(), expires, bool(flags & _MODERATOR), bool(flags & _SINGLE_USE)
        )

    def _mac(self, room: RoomJid, body: bytes) -> bytes:
        signed = b"xmppconf invitation\0" + body + room.encode()
        return hmac.digest(self._key, signed, "sha256")[:_MAC]
