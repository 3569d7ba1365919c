"""Finds the address that the XMPP server gives to a session, in what it sends.

Before that nobody else's words are in a session, so whatever gives an address is the
server; afterwards everybody can write what looks like it.
"""

from __future__ import annotations

import html
import re
from collections import OrderedDict

MAX_ANSWERS = 20  # until a client has its address, or never gets one
MAX_SESSIONS = 1000  # of BOSH that have no address yet; the oldest is forgotten

#: The server's answer to the binding of a resource (RFC 6120, 7.6.1).
_BOUND = re.compile(
    r"""<iq\s[^<>]*\btype=["']result["'][^<>]*>\s*"""
    r"""<bind\s[^<>]*urn:ietf:params:xml:ns:xmpp-bind[^<>]*>\s*"""
    r"""<jid>([^<>]{3,3071})</jid>"""
)
#: A session that goes on (XEP-0198, 5) has its address, and other people's stanzas follow.
_RESUMED = re.compile(r"<resumed\s")
#: The head of a body (XEP-0124, 7), up to its `sid`.
_BODY_SID = re.compile(r"""\s*<body\s(?:[^<>]*\s)?sid=["']([^"'<>]{1,256})["']""")


class AddressWatch:
    def __init__(self, token: str) -> None:
        self.token = token
        self.over = False
        """Nothing that comes now is looked at."""
        self._answers = 0

    def look(self, text: str) -> str | None:
        """Look at the next text from the server; the address if this one gives it."""
        if self.over:
            return None
        self._answers += 1
        bound, resumed = _BOUND.search(text), _RESUMED.search(text)
        if resumed is not None and (bound is None or resumed.start() < bound.start()):
            bound = None
            self.over = True
        elif bound is not None or self._answers >= MAX_ANSWERS:
            self.over = True
        return None if bound is None else html.unescape(bound[1])


class BoshWatches:
    """The sessions over BOSH that came with a token and have no address yet."""

    def __init__(self) -> None:
        self._by_sid: OrderedDict[str, AddressWatch] = OrderedDict()

    def watch_for(self, asked: str, answer: str, token: str) -> AddressWatch | None:
        """What is to look at an answer; None if nothing is.

        `token` counts in the request that begins the session.
        """
        sid = _sid(asked)
        if sid is not None:
            watch = self._by_sid.get(sid)
        elif token and (sid := _sid(answer)) is not None:
            watch = self._by_sid[sid] = AddressWatch(token)
            if len(self._by_sid) > MAX_SESSIONS:
                self._by_sid.popitem(last=False)
        else:
            return None
        if watch is not None and watch.over:
            del self._by_sid[sid]
            return None
        return watch

    def __len__(self) -> int:
        return len(self._by_sid)


def _sid(body: str) -> str | None:
    found = _BODY_SID.match(body)
    return None if found is None else found[1]
