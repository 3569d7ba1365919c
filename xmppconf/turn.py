"""Servers that help clients to reach bridges and each other, and who may use them.

Credentials are those of draft-uberti-behave-turn-rest, which coturn and others know as a
shared authentication secret: the user name says until when it holds, and the password is
made of it.  They name nobody.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from xmppconf.config import Settings
from xmppconf.names import public_url

MAX_LIFETIME = 14_400.0  # seconds: who is put out of a room has them no longer than that

_URL = re.compile(
    r"(?P<type>stuns?|turns?):(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,253})"
    r"(?::(?P<port>[0-9]{1,5}))?(?:\?transport=(?P<transport>udp|tcp))?"
)


@dataclass(frozen=True, slots=True)
class Server:
    """One STUN or TURN server, as a URL names it (RFC 7064, RFC 7065)."""

    type: str
    """stun, stuns, turn or turns."""
    host: str
    """A name or an address; an IPv6 address without brackets."""
    port: int
    transport: str
    """udp or tcp; towards the server, what is relayed is always UDP."""

    @property
    def relays(self) -> bool:
        return self.type.startswith("turn")


@dataclass(frozen=True, slots=True)
class Credentials:
    username: str
    password: str


def server_from_url(url: str) -> Server:
    """Read a URL; raises `ValueError`."""
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(f"{url!r} is no stun:, stuns:, turn: or turns: URL")
    secure = found["type"].endswith("s")
    port = int(found["port"] or (5349 if secure else 3478))
    if not 0 < port < 65536:
        raise ValueError(f"{url!r} has no such port")
    transport = found["transport"] or ("tcp" if secure else "udp")
    return Server(found["type"], found["host"].strip("[]"), port, transport)


def own_relay(settings: Settings) -> Server | None:
    """The gateway's relay as clients reach it; None if they do not.

    A proxy before the gateway that speaks HTTP carries nothing else.
    """
    turn, web = settings.turn, settings.web
    if not turn.relay or not turn.secret:
        return None
    if turn.relay_url:
        return server_from_url(turn.relay_url)
    url = urlsplit(public_url(settings))
    if (url.scheme == "https") != bool(web.tls_certificate) or not url.hostname:
        return None
    usual = 443 if url.scheme == "https" else 80
    kind = "turns" if url.scheme == "https" else "turn"
    return Server(kind, url.hostname, url.port or usual, "tcp")


def make_credentials(secret: str, unix: float, lifetime: float) -> Credentials:
    """New credentials that hold for `lifetime` seconds from `unix`."""
    username = f"{int(unix + lifetime)}:{secrets.token_hex(8)}"
    return Credentials(username, _password(secret, username))


def password_of(secret: str, username: str, unix: float) -> str | None:
    """The password of a user name; None if it is none of ours, or no longer holds."""
    until = username.partition(":")[0]
    if not re.fullmatch(r"[0-9]{1,12}", until) or int(until) <= unix:
        return None
    return _password(secret, username)


def _password(secret: str, username: str) -> str:
    # The draft's choice, and what other servers expect.
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1)
    return base64.b64encode(digest.digest()).decode()
