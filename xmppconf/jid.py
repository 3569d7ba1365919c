"""XMPP addresses (RFC 7622) as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Jid:
    """An address in its three parts; an absent part is empty.

    Made with `split` from what a server stamped, or with `xmppconf.xmpp.jids.parse_jid`
    from what a peer wrote.
    """

    local: str
    domain: str
    resource: str

    @property
    def bare(self) -> str:
        return f"{self.local}@{self.domain}" if self.local else self.domain

    def __str__(self) -> str:
        return f"{self.bare}/{self.resource}" if self.resource else self.bare


def split(text: str) -> Jid:
    """Cut an address into its parts, without any check (RFC 7622, 3.1)."""
    bare, _, resource = text.partition("/")
    local, at, domain = bare.partition("@")
    return Jid(local, domain, resource) if at else Jid("", local, resource)
