"""Plant words nobody else writes, and search every byte that was written for them.

A canary is found in all the shapes that logs and files give to text: plain, in another
letter case, base64 at each of its three offsets, hex, URL-quoted, UTF-16, JSON- and
XML-escaped, and inside gzip and zlib streams.
"""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
import re
import secrets
import urllib.parse
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

#: Files longer than this are read in pieces of it.
PIECE = 16 * 1024 * 1024
#: Compressed streams are opened this deep, and this much of each.
MAX_DEPTH = 3
MAX_INFLATED = 64 * 1024 * 1024

_STREAM = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")


def canary(kind: str) -> str:
    """A fresh lower-case word that names its kind, such as `nickq3vd8t2k1x`."""
    return f"{kind}{secrets.token_hex(6)}"


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where a canary was seen, and in which shape."""

    word: str
    shape: str
    place: str


def shapes(word: str) -> Iterator[tuple[str, bytes]]:
    """Every byte string that would give the word away, with its shape's name."""
    raw = word.encode()
    yield "plain", raw
    yield "upper case", word.upper().encode()
    yield "capitalised", word.capitalize().encode()
    for offset in range(3):
        # The first and last characters depend on the neighbours: cut them off.
        code = base64.b64encode(bytes(offset) + raw)
        begin = -(-offset * 8 // 6)
        end = (offset + len(raw)) * 8 // 6
        yield f"base64 at {offset}", code[begin:end]
        yield f"base64url at {offset}", code[begin:end].translate(_URL_SAFE)
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()
    yield "percent", "".join(f"%{byte:02x}" for byte in raw).encode()
    yield "URL-quoted", urllib.parse.quote(word, safe="").encode()
    yield "UTF-16LE", word.encode("utf-16-le")
    yield "UTF-16BE", word.encode("utf-16-be")
    yield "JSON-escaped", json.dumps(word)[1:-1].encode()
    yield "XML-escaped", html.escape(word).encode()
    yield "backwards", raw[::-1]
    if "." in word:
        yield "reversed labels", ".".join(reversed(word.split("."))).encode()


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Searcher:
    """Searches bytes for a set of words."""

    def __init__(self, words: Iterable[str]) -> None:
        self._needles = {
            shape: (word, name) for word in words for name, shape in shapes(word)
        }
        self._longest = max(map(len, self._needles), default=0)

    def search(self, data: bytes, *, place: str, depth: int = 0) -> Iterator[Sighting]:
        """Every word once for each shape that is in the data."""
        for needle, (word, shape) in self._needles.items():
            if needle in data:
                yield Sighting(word, shape, place)
        if depth < MAX_DEPTH:
            for match in _STREAM.finditer(data):
                inner = _inflate(data[match.start() :])
                if inner:
                    where = f"{place}, compressed at {match.start()}"
                    yield from self.search(inner, place=where, depth=depth + 1)

    def search_file(self, path: Path) -> Iterator[Sighting]:
        """Also looks at the path itself."""
        yield from self.search(str(path).encode(), place=f"the path {path}")
        with path.open("rb") as file:
            kept = b""
            while piece := file.read(PIECE):
                yield from self.search(kept + piece, place=str(path))
                kept = piece[-self._longest :]

    def search_tree(self, *roots: Path) -> list[Sighting]:
        """Everything under the roots; sockets, pipes and what vanishes are passed over."""
        found: list[Sighting] = []
        for root in roots:
            for path in [root] if root.is_file() else sorted(root.rglob("*")):
                if path.is_file() and not path.is_symlink():
                    try:
                        found += self.search_file(path)
                    except FileNotFoundError:
                        continue
                else:
                    found += self.search(str(path).encode(), place=f"the path {path}")
        return found


def _inflate(data: bytes) -> bytes:
    """What a stream holds as far as it is whole, or nothing."""
    try:
        if data[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                return stream.read1(MAX_INFLATED)
        return zlib.decompressobj().decompress(data, MAX_INFLATED)
    except (zlib.error, OSError, EOFError):
        return b""
