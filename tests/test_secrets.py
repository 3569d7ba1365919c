"""S25: what nobody may guess has at least 128 random bits; who picks it is the system."""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from xmppconf_bridge.app import random_token
from xmppconf_bridge.bridge import PASSWORD_LENGTH
from xmppconf_bridge.transport import PWD_LENGTH

from xmppconf.member_cli import random_password
from xmppconf.serve.state import random_secret
from xmppconf.turn import make_credentials

ROOT = Path(__file__).parent.parent
PARTS = ("xmppconf", "focus/xmppconf_focus", "bridge/xmppconf_bridge", "web/xmppconf_web")
NUMBER = 10_000
BITS = 128


def bits(values: list[str]) -> float:
    """What the characters tell at each position, in sum; rather less than there is."""
    total = 0.0
    for position in zip(*values, strict=True):
        shares = [count / len(values) for count in Counter(position).values()]
        total -= sum(share * math.log2(share) for share in shares)
    return total


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(random_secret, id="between the parts"),
        pytest.param(random_password, id="of a member"),
        pytest.param(lambda: random_token(PWD_LENGTH), id="of ICE"),
        pytest.param(lambda: random_token(PASSWORD_LENGTH), id="of the bridge's WebSocket"),
        pytest.param(lambda: make_credentials("key", 0, 60).password, id="of the relay"),
    ],
)
def test_ten_thousand_of_a_kind(make: Callable[[], str]) -> None:
    values = [make() for _ in range(NUMBER)]
    assert len(set(values)) == NUMBER
    # The last character of a text in base 64 may carry few bits, and a sample shows less.
    assert bits(values) >= BITS - 1


def test_chance_that_can_be_guessed_only_spreads_pauses() -> None:
    users = set()
    for part in PARTS:
        for path in (ROOT / part).rglob("*.py"):
            names = set()
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    names.add(node.module or "")
            if "random" in names:
                users.add(path.relative_to(ROOT).as_posix())
    assert users == {"xmppconf/xmpp/stream.py"}
