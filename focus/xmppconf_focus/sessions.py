"""Session ids of who signed in: sealed, so that nothing about them has to be kept.

An id is the session itself, encrypted with a key that only the focus knows.  It outlives a
restart of the focus, no list of people lies on disk, and guessing one is guessing the key.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE = 12  # bytes (NIST SP 800-38D, 8.2); random, for far fewer than 2**32 sessions
MAX_ID = 4096  # characters of a session id that are looked at


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in at one browser.  Times are seconds since 1970."""

    id: str
    source: str
    user: str
    name: str | None
    moderator: bool
    features: tuple[str, ...]
    machine: str
    """Digest of the browser's machine-uid."""
    since: float
    """When one signed in, or was last seen to be a member still."""
    expires: float
    until: float | None
    """When the membership itself ends, if it does."""
    room: str = ""
    """Bare address of the only room for which it counts; empty: it counts for all."""


class Sealer:
    """`random_bytes` gives that many random bytes; `key` is any text of enough entropy."""

    def __init__(self, key: str, random_bytes: Callable[[int], bytes]) -> None:
        self._cipher = AESGCM(hashlib.sha256(b"xmppconf session\0" + key.encode()).digest())
        self._random_bytes = random_bytes

    def seal(self, session: Session) -> str:
        nonce = self._random_bytes(NONCE)
        text = json.dumps(asdict(session), ensure_ascii=False).encode()
        return (
            base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, text, None))
            .decode()
            .rstrip("=")
        )

    def open(self, text: str) -> Session | None:
        """The session that this id is; None if we did not make it."""
        if len(text) > MAX_ID or not text.isascii():
            return None
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            opened = self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], None)
        except (ValueError, InvalidTag):
            return None
        fields: dict[str, Any] = json.loads(opened)
        return Session(**{**fields, "features": tuple(fields["features"])})


def digest(machine_uid: str) -> str:
    """What a session remembers of the browser it belongs to."""
    return hashlib.sha256(machine_uid.encode(errors="surrogatepass")).hexdigest()[:32]
