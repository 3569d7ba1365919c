"""What the processes of a service show to others on the machine, and where they write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_WRITABLE = os.O_WRONLY | os.O_RDWR


def descendants(pid: int) -> Iterator[int]:
    """A process and all that it started."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children:
        yield from descendants(int(child))


def shown(pid: int) -> Iterator[tuple[str, bytes]]:
    """What `ps` and /proc say of a process: arguments, environment, names."""
    for name in ("cmdline", "environ", "comm", "maps"):
        yield f"/proc/{pid}/{name}", Path(f"/proc/{pid}/{name}").read_bytes()


def is_memory(place: str) -> bool:
    """Whether a descriptor is memory without a name: it is gone with its processes."""
    try:
        return Path(place).is_symlink() and os.readlink(place).startswith("/memfd:")
    except OSError:
        return False


def written(pid: int) -> Iterator[Path]:
    """Regular files that a process has open for writing, deleted ones included."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            info = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text()
            flags = int(info.split("flags:")[1].split()[0], 8)
            if flags & _WRITABLE and link.is_file():
                yield link
        except FileNotFoundError:
            continue
