"""Makes figures of the rows that the native gate writes, for the page of results."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.figures import Figure, record


def figures(rows: str) -> list[Figure]:
    """Of rows such as `| Z1 | inputs | 5000 | 0.1 | nothing broke |`."""
    found = []
    for row in rows.splitlines():
        name, what, number, _, result = (cell.strip() for cell in row.strip("|").split("|"))
        found.append(Figure("gate", name, f"{what}: {result}", int(number), "", ""))
    return found


if __name__ == "__main__":
    for figure in figures(Path(sys.argv[1]).read_text()):
        record(figure)
