from __future__ import annotations

import base64
import gzip
import json
import urllib.parse
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.privacy.canary import PIECE, Searcher, canary

HIDINGS: dict[str, Callable[[str], bytes]] = {
    "a log line": lambda word: f"<14>1 warn {word}: gone".encode(),
    "shouting": lambda word: word.upper().encode(),
    "base64 0": lambda word: base64.b64encode(f"abc{word}xyz".encode()),
    "base64 1": lambda word: base64.b64encode(f"abcd{word}xyz".encode()),
    "base64 2": lambda word: base64.b64encode(f"abcde{word}xy".encode()),
    "base64url": lambda word: base64.urlsafe_b64encode(f"\x00\xff{word}??".encode()),
    "hex": lambda word: f"blob {word.encode().hex()}".encode(),
    "a URL": lambda word: urllib.parse.quote(f"/{word}?q").encode(),
    "UTF-16": lambda word: f"to {word}".encode("utf-16"),
    "JSON": lambda word: json.dumps({"to": word}).encode(),
    "gzip": lambda word: b"junk" + gzip.compress(f"a {word} b".encode()) + b"more",
    "zlib": lambda word: b"junk" + zlib.compress(f"a {word} b".encode()),
    "gzip in zlib": lambda word: zlib.compress(gzip.compress(word.encode())),
}


@pytest.mark.parametrize("hiding", HIDINGS)
def test_a_planted_word_is_found(hiding: str) -> None:
    word, other = canary("nick"), canary("room")
    seen = list(Searcher([word, other]).search(HIDINGS[hiding](word), place="here"))
    assert {sighting.word for sighting in seen} == {word}
    assert list(Searcher([other]).search(HIDINGS[hiding](word), place="here")) == []


def test_other_letters_than_ascii_are_found_as_they_are_written() -> None:
    word = "Žofie-" + canary("z")
    searcher = Searcher([word])
    for data in (
        word.encode(),
        json.dumps(word).encode(),
        urllib.parse.quote(word).encode(),
    ):
        assert list(searcher.search(data, place="here"))


def test_addresses_are_found_reversed() -> None:
    assert list(
        Searcher(["203.0.113.77"]).search(b"77.113.0.203.in-addr.arpa", place="dns")
    )


def test_a_tree_is_searched_with_its_file_names(tmp_path: Path) -> None:
    inside, named, straddling, absent = (
        canary(kind) for kind in ("in", "name", "cut", "not")
    )
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "log").write_text(f"joined: {inside}\n")
    (tmp_path / f"{named}.dat").write_bytes(b"")
    (tmp_path / "big").write_bytes(bytes(PIECE - 5) + straddling.encode())
    (tmp_path / "dangling").symlink_to("nowhere")
    seen = Searcher([inside, named, straddling, absent]).search_tree(tmp_path)
    assert {sighting.word for sighting in seen} == {inside, named, straddling}
