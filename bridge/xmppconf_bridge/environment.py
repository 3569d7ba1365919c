"""What a bridge is to others, and what it takes from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xmppconf.transport import Candidate
from xmppconf_bridge.certificate import Certificate
from xmppconf_bridge.link_sockets import BindLink
from xmppconf_bridge.relay import Dialled, Relay
from xmppconf_bridge.transport import MakeChannel


@dataclass(frozen=True, slots=True)
class Identity:
    """What this bridge says about itself, the same to everybody."""

    id: str
    candidates: tuple[Candidate, ...]
    websocket_base: str = ""
    """Public URL before `/colibri-ws`; empty: no WebSocket is offered."""
    max_endpoints: int = 500
    loudest: int = 5
    """Microphones of one conference that are heard at a time; 0: all."""
    drain: bool = False
    """Whether it begins draining."""
    relay_id: str = ""
    """What other bridges call this one; empty: it is linked to none."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the bridge takes from outside: time, chance and the data channel's stack."""

    clock: Callable[[], float]
    token: Callable[[int], str]
    """Makes that many random letters and digits."""
    random_ssrc: Callable[[], int]
    certificate: Callable[[], Certificate]
    """The certificate for new transports."""
    make_channel: MakeChannel
    bind_link: BindLink
    """Binds sockets that one link uses alone; raises `OSError`."""
    dial: Callable[[Relay, str], Dialled]
    """Opens the WebSocket of a link at that URL, again and again until it is closed."""
