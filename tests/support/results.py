"""Makes the page of results: the last value of each figure, one table for each area.

Figures of a run go into FOLDER/<area>.json beside those of earlier runs; the page is
written to standard output.  A file of that folder is a list of objects with the fields of
`tests.support.figures.Figure`, whoever wrote it.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from tests.support.figures import Figure

TITLES = {
    "bandwidth": "Bandwidth, in virtual time",
    "browser": "Browsers",
    "carried": "What one core forwards",
    "engine": "Packet engine",
    "faults": "Faults, with real media",
    "gate": "The gate: bad input, and what it does",
    "hostile": "Hostile loads",
    "joins": "Many who join",
    "privacy": "Privacy",
    "soak": "Hours of coming and going",
    "stock-client": "Another project's client library in our rooms",
    "stock-client-current": "The same library, built from newer sources",
    "strangers": "Strangers at the media port",
}
NOTES = {
    "stock-client": """The build of 2022 that the npm registry has, taken by name, version
and hash. What it has no methods for, in the rows that say "newer", is sent by hand over
its connection.""",
    "stock-client-current": """Its sources of 20 August 2026 (01daa07c), bundled by hand as
they are made for; no registry has them. `XMPPCONF_STOCK_LIBRARY` names the script of such
a build, which then fills these rows; without it they stay as they are.""",
}
HEAD = """# Results

What the tests measured, the last time each figure was taken; `script/results` takes those
of this page anew and writes it. The machine was a virtual one with two cores, shared with
browsers, senders and the test itself, so times and costs are upper bounds; counts are not.
A row without a mark is only to be known. Row names that begin with a letter and a number
are those of the tests.
"""


def merge(old: Iterable[Figure], new: Iterable[Figure]) -> list[Figure]:
    """The newest figure of each row, in the order of the rows' names."""
    rows = {figure.row: figure for figure in [*old, *new]}
    return [rows[name] for name in sorted(rows)]


def page(areas: dict[str, list[Figure]]) -> str:
    """The page in Markdown."""
    parts = [HEAD]
    for area, figures in sorted(areas.items()):
        parts.append(f"\n## {TITLES.get(area, area.capitalize())}\n")
        if area in NOTES:
            parts.append(f"{NOTES[area]}\n")
        parts.append("| row | what | measured | mark |\n|---|---|---|---|")
        parts += [
            f"| {figure.row} | {figure.what} | {_number(figure.value)} {figure.unit} "
            f"| {figure.mark} |"
            for figure in figures
        ]
    return "\n".join(parts) + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.2f}"


def read(path: Path) -> list[Figure]:
    """The figures of a JSON file, or of a file with one JSON object a line."""
    if not path.exists():
        return []
    text = path.read_text()
    if path.suffix == ".json":
        return [Figure(**row) for row in json.loads(text)]
    return [Figure(**json.loads(line)) for line in text.splitlines()]


def main(folder: Path, run: Path) -> None:
    new: dict[str, list[Figure]] = defaultdict(list)
    for figure in read(run):
        new[figure.area].append(figure)
    areas = {}
    for area in sorted({path.stem for path in folder.glob("*.json")} | set(new)):
        path = folder / f"{area}.json"
        areas[area] = merge(read(path), new[area])
        if new[area]:
            rows = [asdict(figure) for figure in areas[area]]
            path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    sys.stdout.write(page(areas))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
