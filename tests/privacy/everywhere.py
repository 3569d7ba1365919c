"""All places of a running service in which a word could be found."""

from __future__ import annotations

from pathlib import Path

from tests.privacy.canary import Searcher, Sighting
from tests.privacy.processes import descendants, shown, written
from tests.support.service import Service

PAGES = {
    "bridge": ("/metrics", "/health", "/colibri/stats"),
    "focus": ("/metrics", "/health", "/about/health"),
    "web": ("/metrics", "/health", "/config.js"),
}


def everywhere(service: Service, folder: Path, searcher: Searcher) -> list[Sighting]:
    """All that is written, published or shown by the service now."""
    found = searcher.search_tree(folder)
    for part, paths in PAGES.items():
        for path in paths:
            text = service.page(part, path).encode()
            found += searcher.search(text, place=f"{part}{path}")
    for pid in descendants(service.process.pid):
        for place, data in shown(pid):
            found += searcher.search(data, place=place)
        for file in written(pid):
            found += searcher.search_file(file)
    return found
