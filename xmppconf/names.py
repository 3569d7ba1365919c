"""The addresses of one service: named in its settings, or made of its domain."""

from __future__ import annotations

from dataclasses import dataclass

from xmppconf.config import Settings

#: Resource of the focus's address in rooms, and of its session if it is an account.
FOCUS_RESOURCE = "focus"


@dataclass(frozen=True, slots=True)
class Names:
    """Every XMPP address of one service, after the defaults are filled in."""

    members: str
    guests: str
    rooms: str
    internal: str
    accounts: str
    focus: str
    """Where people write to: the focus's component, or its account's full address."""
    focus_jid: str
    """The bare JID that joins rooms; the rooms' host lists it as administrator."""
    lobbies: str
    """Host of the rooms' lobbies, which is the focus's component; empty: it is none."""
    services: str
    """Whom clients ask which services there are."""

    @classmethod
    def of(cls, settings: Settings) -> Names:
        domain, xmpp, account = settings.domain, settings.xmpp, settings.focus.account
        component = xmpp.focus_domain or f"focus.{domain}"
        focus = f"{account}/{FOCUS_RESOURCE}" if account else component
        return cls(
            members=xmpp.members_domain or domain,
            guests=xmpp.guests_domain or f"guest.{domain}",
            rooms=xmpp.rooms_domain or f"muc.{domain}",
            internal=xmpp.internal_domain or f"internal.{domain}",
            accounts=xmpp.accounts_domain or f"auth.{domain}",
            focus=focus,
            focus_jid=account or f"focus@{component}",
            lobbies="" if account else component,
            services=xmpp.services_domain or focus,
        )

    @property
    def focus_full_jid(self) -> str:
        """Under which the focus is an occupant of rooms."""
        return f"{self.focus_jid}/{FOCUS_RESOURCE}"


def public_url(settings: Settings) -> str:
    """What people open, without a slash at the end."""
    web = settings.web
    if web.public_url:
        return web.public_url.rstrip("/")
    scheme, usual = ("https", 443) if web.tls_certificate else ("http", 80)
    port = "" if web.port == usual else f":{web.port}"
    return f"{scheme}://{settings.domain}{port}"
