"""A PostgreSQL of one's own in a folder, reached by its socket there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: The server refuses to run as root; Debian's package makes this user.
ACCOUNT = "postgres"


def program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    path = str(found[-1]) if found else shutil.which(name)
    assert path is not None, "PostgreSQL is missing: run script/bootstrap --dev"
    return path


@contextmanager
def running_postgresql() -> Iterator[str]:
    """Start one; gives the URL of an empty database."""
    with tempfile.TemporaryDirectory(prefix="xmppconf-pg-") as name:
        folder = Path(name)
        become = []
        if os.geteuid() == 0:
            shutil.chown(folder, ACCOUNT)
            become = ["runuser", "-u", ACCOUNT, "--"]
        data = folder / "data"

        def run(*command: str) -> None:
            subprocess.run(  # noqa: S603
                [*become, *command], check=True, stdout=subprocess.DEVNULL, cwd=folder
            )

        run(program("initdb"), "-D", str(data), "-U", ACCOUNT, "-A", "trust", "--no-sync")
        control = [program("pg_ctl"), "-D", str(data), "-w", "-s"]
        log = str(folder / "log")
        options = f"-c listen_addresses= -c fsync=off -c unix_socket_directories={folder}"
        run(*control, "-l", log, "-o", options, "start")
        try:
            yield f"postgresql://{ACCOUNT}@/postgres?host={folder}"
        finally:
            run(*control, "-m", "immediate", "stop")
