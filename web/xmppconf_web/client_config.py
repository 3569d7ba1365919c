"""`/config.js`, in the form that stock Jitsi clients read; ours reads the same."""

from __future__ import annotations

import json
from typing import Any

from xmppconf.config import Settings
from xmppconf.names import Names

#: What LibreJS reads.
_LICENCE = (
    "// @license magnet:?xt=urn:btih:0b31508aeb0634b347b8270c7bee4d411b5d4109"
    "&dn=agpl-3.0.txt AGPL-3.0-or-later\n"
)


def client_config(settings: Settings, base_url: str, *, sign_in: bool = False) -> str:
    """The script for a page opened at `base_url` (scheme and host, no slash at the end).

    `sign_in` says whether there is any way to, so whether our client offers it.
    """
    names = Names.of(settings)
    sockets = "ws" + base_url.removeprefix("http")
    config: dict[str, Any] = {
        "hosts": {
            # Clients ask this one which components there are: they are all the focus.
            "domain": names.services,
            "authdomain": names.members,
            "anonymousdomain": names.guests,
            "muc": names.rooms,
            "focus": names.focus,
            # Ours alone reads this.
            **({"lobbies": names.lobbies} if names.lobbies else {}),
        },
        "bosh": f"{base_url}/http-bind",
        "websocket": f"{sockets}/xmpp-websocket",
        "serviceUrl": f"{sockets}/xmpp-websocket",
        "focusUserJid": names.focus_jid,
        # A plain server gives an anonymous login a new address each time, so there is
        # nothing to resume.
        "enableWebsocketResume": False,
        "bridgeChannel": {"preferSctp": settings.focus.data_channel},
        "p2p": {"enabled": False},
        "disableThirdPartyRequests": True,
        "analytics": {"disabled": True},
        "gravatar": {"disabled": True},
        "signIn": sign_in,
    }
    if settings.members.jwt.login_url:
        config["tokenAuthUrl"] = settings.members.jwt.login_url
    return f"{_LICENCE}var config = {json.dumps(config, indent=2)};\n// @license-end\n"
