"""Replays every committed fuzz input, with no fuzzer installed.

A target is a module `tests/fuzz/<target>.py` with `one_input(data: bytes) -> None`, which
raises only if the code under test is wrong.  Its corpus is `tests/data/fuzz/<target>/`,
any file names; every input that ever failed stays there.
"""

from __future__ import annotations

import importlib
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import figures
from tests.support.figures import Figure

HERE = Path(__file__).parent
CORPORA = HERE.parent / "data" / "fuzz"
#: Corpora of the native targets are replayed by `cargo test`.
NATIVE = {"codecs", "rtcp", "rtp", "srtp", "stun"}

TARGETS = sorted(
    path.stem
    for path in HERE.glob("*.py")
    if not path.stem.startswith(("test_", "_")) and path.stem != "conftest"
)
#: With `FULL_COUNTS`: row and damaged inputs of a target, for so many seconds at most.
GATE = {
    "channel_message": ("Z12", 200_000),
    "data_channel": ("Z10", 1_000_000),
    "dtls": ("Z3", 200_000),
    "stanzas": ("Z9", 200_000),
    "xml_stream": ("Z8", 200_000),
}
GATE_SECONDS = float(os.environ.get("GATE_SECONDS", "400"))
#: Seconds that one input may take.  A hundred times the rule, for a busy machine.
LIMIT = 1.0


def target(name: str) -> Callable[[bytes], None]:
    function: Callable[[bytes], None] = importlib.import_module(
        f"tests.fuzz.{name}"
    ).one_input
    return function


def mutated(data: bytes, chance: random.Random) -> bytes:
    """One of the usual small damages."""
    if not data:
        return chance.randbytes(chance.randrange(40))
    at = chance.randrange(len(data))
    match chance.randrange(5):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        case 2:
            return data[:at] + chance.randbytes(chance.randrange(1, 9)) + data[at:]
        case 3:
            return data[:at] + data[at + chance.randrange(1, 9) :]
        case _:
            return (
                data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
            )


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_is_replayed(name: str) -> None:
    one_input = target(name)
    corpus = sorted(path for path in (CORPORA / name).rglob("*") if path.is_file())
    assert corpus, f"tests/data/fuzz/{name}/ is empty"
    for path in corpus:
        begun = time.process_time()
        one_input(path.read_bytes())
        assert time.process_time() - begun < LIMIT, f"{path.name} takes too long"


@pytest.mark.timeout(figures.count(30, int(GATE_SECONDS) + 60))
@pytest.mark.parametrize("name", TARGETS)
def test_damaged_inputs_do_no_harm(name: str) -> None:
    one_input = target(name)
    corpus = [path.read_bytes() for path in (CORPORA / name).rglob("*") if path.is_file()]
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    row, full = GATE.get(name, (name, 300))
    done, most, end = 0, figures.count(300, full), time.monotonic() + GATE_SECONDS
    while done < most and time.monotonic() < end:
        done += 1
        data = chance.choice(corpus)
        for _ in range(chance.randrange(1, 5)):
            data = mutated(data, chance)
        try:
            one_input(data)
        except Exception as error:
            pytest.fail(f"{error!r} from {data!r} (seed {seed})")
    what = f"damaged inputs of {name.replace('_', ' ')}: none does harm"
    figures.record(Figure("gate", row, what, done, "inputs", f"≥ {full:,}"))


def test_every_corpus_has_a_target() -> None:
    folders = {path.name for path in CORPORA.glob("*") if path.is_dir()} - NATIVE
    assert folders <= set(TARGETS), f"nobody replays {sorted(folders - set(TARGETS))}"
