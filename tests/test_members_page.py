"""Every example of the page on members is a settings file that works."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from xmppconf_focus.app import make_membership
from xmppconf_focus.io.members.admission import Members

from xmppconf.cli import _parser
from xmppconf.config_file import parse

PAGE = Path(__file__).parent.parent / "docs" / "operating" / "members.md"


def blocks(kind: str) -> Iterator[str]:
    return iter(re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(), re.S | re.M))


EXAMPLES = list(blocks("toml"))


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
async def test_an_example_makes_a_focus_that_knows_members(text: str) -> None:
    settings = parse(tomllib.loads(text))
    assert not settings.members.open
    members = Members(settings.members, make_membership(settings))
    await members.close()


def test_every_section_of_sources_has_its_example() -> None:
    text = "".join(EXAMPLES)
    for source in ("jwt", "oidc", "ldap", "sql", "hook"):
        assert f"[members.{source}]" in text


def test_every_command_is_one() -> None:
    commands = [
        line.partition("#")[0] for block in blocks("sh") for line in block.split("\n")
    ]
    parsed = 0
    for command in filter(str.strip, commands):
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)]
        assert _parser().parse_args(words[1:]).command == "member"
        parsed += 1
    assert parsed == 5
