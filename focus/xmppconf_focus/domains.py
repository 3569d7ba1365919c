"""Which XMPP domains' accounts may come, and as what."""

from __future__ import annotations

from dataclasses import dataclass

from xmppconf.config import MembersSettings
from xmppconf.names import Names


@dataclass(frozen=True, slots=True)
class Domains:
    members: frozenset[str]
    """Hosts whose accounts are members."""
    guests: frozenset[str]
    """Hosts whose accounts may come besides; "*" stands for every one."""
    denied: frozenset[str]

    @classmethod
    def of(cls, settings: MembersSettings, names: Names) -> Domains:
        own = {names.members} if settings.accounts else set()
        return cls(
            members=frozenset({*own, *settings.domains} - {names.guests}),
            # Accounts are those of bridges and of what else the service itself runs.
            guests=frozenset(
                {names.guests, names.members, names.accounts, *settings.guest_domains}
            ),
            denied=frozenset(settings.denied_domains),
        )

    def may_come(self, domain: str) -> bool:
        if domain in self.denied:
            return False
        return domain in self.members or domain in self.guests or "*" in self.guests
