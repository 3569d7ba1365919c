"""What the whole service weighs while nobody uses it, process by process.

Memory is PSS (proportional set size): pages that processes share are counted once.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.support.service import running_service

SETTLE = 5.0  # seconds after the service is healthy


def descendants(pid: int) -> list[int]:
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found += descendants(int(child))
    return found


def pss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def name_of(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    if "xmppconf" in words:
        return words[words.index("xmppconf") + 1]
    return Path(f"/proc/{pid}/comm").read_text().strip()


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, running_service(Path(folder)) as service:
        time.sleep(SETTLE)
        weights = [
            (name_of(pid), pss_bytes(pid)) for pid in descendants(service.process.pid)
        ]
    for name, weight in weights:
        print(f"{name:12}{weight / 1e6:8.1f} MB")
    print(f"{'together':12}{sum(weight for _, weight in weights) / 1e6:8.1f} MB idle")
    return 0


if __name__ == "__main__":
    sys.exit(main())
