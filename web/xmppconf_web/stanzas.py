"""What a client's stanzas cost others, and how fast one may send them.

A change of presence and a message go to everybody in a room, so hundreds a second of one
occupant are tens of thousands for the server; a person at a client comes nowhere near.
Nothing is dropped: who is too fast waits, and what waits stays with its sender.
"""

from __future__ import annotations

import re
from collections import OrderedDict

from xmppconf_web.fairness import Bucket

#: What one connection may spend.  At once a moderator mutes two hundred people, or somebody
#: shows forty changes; while as many come in, their server wants acknowledgements.
PER_SECOND, AT_ONCE = 20.0, 200.0
TO_ONE, TO_ROOM, OTHER = 1.0, 5.0, 0.2
MAX_SESSIONS = 20_000  # of BOSH that are remembered; the oldest is forgotten

#: Heads of stanzas under any prefix, with attributes and what follows: a value there may
#: have a `>` in it, but no `<`.  One inside another counts too, which nobody sends.
_HEAD = re.compile(r"<(?:[^\s<>/:]+:)?(iq|presence|message)(?=[\s/>])([^<]*)")
_BODY = re.compile(r"\s*<body(?=\s)")
_ATTRIBUTE = re.compile(r"""\s+([^\s<>=/"']+)\s*=\s*("[^"<&]*"|'[^'<&]*')""")


def cost(text: str) -> float:
    """What is taken for one frame or body; a frame holds one stanza (RFC 7395, 3.3.3)."""
    heads = _HEAD.findall(text)
    return max(OTHER, sum(TO_ROOM if _is_for_all(*head) else TO_ONE for head in heads))


def _is_for_all(kind: str, rest: str) -> bool:
    # A message without type is for one, such as whom a moderator lets in from the lobby.
    return kind == "presence" or (kind == "message" and "type" in rest)


class Pace:
    """How fast one connection may send."""

    def __init__(self) -> None:
        self._bucket = Bucket(PER_SECOND, AT_ONCE)

    def wait(self, text: str, now: float) -> float | None:
        """Seconds after which this may go on; None: never, it is too much at once."""
        spent = cost(text)
        return None if spent > AT_ONCE else self._bucket.owe(now, spent)


class BoshPaces:
    """The same for sessions over BOSH, known by their `sid`."""

    def __init__(self) -> None:
        self._by_sid: OrderedDict[str, Pace] = OrderedDict()

    def wait(self, body: str, now: float) -> float | None:
        sid = session_of(body)
        pace = self._by_sid.pop(sid, None) or Pace()
        self._by_sid[sid] = pace
        if len(self._by_sid) > MAX_SESSIONS:
            self._by_sid.popitem(last=False)
        return pace.wait(body, now)


def session_of(body: str) -> str:
    """The `sid` of a body (XEP-0124, 7); empty: none, or not written plainly.

    All of those have one pace together, so spelling it in another way gains nothing.
    """
    at = _BODY.match(body)
    while at is not None:
        at = _ATTRIBUTE.match(body, at.end())
        if at is not None and at[1] == "sid":
            return at[2][1:-1]
    return ""
