from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from xmppconf import log
from xmppconf.errors import SettingsError

CANARY = "canary-7c1f"


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    stream = io.StringIO()
    log.setup("debug", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising
    logging.captureWarnings(False)
    for name in ("slixmpp", "aiohttp", "aiortc", "aioice", "asyncio"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_personal_prints_a_tag_that_is_stable_within_a_run() -> None:
    for text in (str(log.Personal(CANARY)), repr([log.Personal(CANARY)])):
        assert CANARY not in text
    assert CANARY not in f"{log.Personal(CANARY)!r:>20} {log.Personal(CANARY):>20}"
    assert str(log.Personal(CANARY)) == str(log.Personal(CANARY))
    assert str(log.Personal(CANARY)) != str(log.Personal("other"))
    assert str(log.Personal("\udc00")).startswith("<")


def test_our_lines_are_printed_with_the_meeting_id(output: io.StringIO) -> None:
    log.ConferenceLog(logging.getLogger("xmppconf_focus.x"), "m1").info("ended %d", 3)
    assert "INFO xmppconf_focus.x: [m1] ended 3\n" in output.getvalue()


@pytest.mark.parametrize("name", ["slixmpp.xmlstream", "aiohttp.access", "asyncio", "x"])
def test_libraries_lose_their_text(output: io.StringIO, name: str) -> None:
    library = logging.getLogger(name)
    library.debug("RECV: %s", CANARY)
    library.info(f"GET /{CANARY}")
    library.error("Parse error: %r", CANARY)
    try:
        raise ValueError(CANARY)
    except ValueError:
        library.exception(CANARY)
    text = output.getvalue()
    assert CANARY not in text
    assert text.count("message withheld") == 2
    assert "builtins.ValueError" in text


def test_exceptions_are_printed_as_type_and_place(output: io.StringIO) -> None:
    def fail() -> None:
        try:
            raise KeyError(CANARY)
        except KeyError as error:
            raise ValueError(CANARY) from error

    try:
        fail()
    except ValueError:
        logging.getLogger("xmppconf.x").exception("failed")
    text = output.getvalue()
    assert CANARY not in text
    assert "in fail" in text
    assert "builtins.KeyError" in text


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(SettingsError):
        log.setup("loud")
