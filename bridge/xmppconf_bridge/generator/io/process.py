"""What a process of this machine has used, from /proc."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from xmppconf_bridge.generator.report import Usage


def usage(*pids: int) -> Usage:
    """Of processes together; raises OSError for one that is gone."""
    cpu = 0.0
    memory = 0
    for pid in pids:
        # Nanoseconds on a processor; `stat` has ticks of ten milliseconds only.
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError):  # a thread that has just ended
                cpu += int((task / "schedstat").read_text().split()[0]) / 1e9
        resident = Path(f"/proc/{pid}/statm").read_text().split()[1]
        memory += int(resident) * os.sysconf("SC_PAGE_SIZE")
    return Usage(cpu, memory)


def find_bridge(settings_file: Path) -> int | None:
    """The bridge that `xmppconf serve` runs with that settings file, if one does."""
    wanted = str(settings_file).encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"bridge" in words and wanted in words:
            return int(entry.name)
    return None
