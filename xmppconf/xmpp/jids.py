"""Addresses that a peer wrote: checked and normalised before anybody compares them."""

from __future__ import annotations

from slixmpp.jid import JID, InvalidJID

from xmppconf.errors import Condition, PeerError
from xmppconf.jid import Jid

MAX_JID = 3071  # RFC 7622, 3.1: three parts of 1023 bytes and two separators


class MalformedJid(PeerError):
    condition: Condition = "jid-malformed"


def parse_jid(text: str) -> Jid:
    """Check and normalise an address from inside a stanza; raises `MalformedJid`."""
    if not 0 < len(text) <= MAX_JID:
        raise MalformedJid("address is empty or too long")
    try:
        jid = JID(text)
    except (InvalidJID, UnicodeError):
        raise MalformedJid("address is not a JID") from None
    if not jid.domain:
        raise MalformedJid("address has no domain")
    return Jid(jid.node, jid.domain, jid.resource)


def parse_bare_jid(text: str) -> Jid:
    """As `parse_jid`, for the address of a room or an account: local part, no resource."""
    jid = parse_jid(text)
    if not jid.local or jid.resource:
        raise MalformedJid("address is not a bare JID")
    return jid
