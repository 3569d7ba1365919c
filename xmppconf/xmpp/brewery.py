"""What bridges, recorders and phone gateways say about themselves in their presences."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from xmppconf import limits
from xmppconf.xmpp.xml import (
    COLIBRI,
    RECORDER,
    RECORDER_HEALTH,
    attribute,
    build,
    child,
    children,
    required,
    tag,
)


def stats_to_xml(stats: Mapping[str, str | int | float | bool]) -> Element:
    """`<stats/>`; booleans in lower case, as stock focuses read them."""
    return build(
        COLIBRI,
        "stats",
        None,
        *(
            build(COLIBRI, "stat", {"name": name, "value": _text(value)})
            for name, value in stats.items()
        ),
    )


def stats_from_presence(presence: Element) -> dict[str, str] | None:
    """The figures in a presence; None if it has none.  Raises `PeerError`."""
    element = child(presence, tag(COLIBRI, "stats"))
    if element is None:
        return None
    return {
        required(item, "name"): attribute(item, "value", "")
        for item in children(element, tag(COLIBRI, "stat"), limits.STATISTICS)
    }


def recorder_status(presence: Element) -> tuple[str, str] | None:
    """Whether a recorder is `idle` or `busy`, and `healthy` or `unhealthy`, in its words;
    None if it does not say.  Raises `PeerError`."""
    element = child(presence, tag(RECORDER, "jibri-status"))
    if element is None:
        return None
    busy = child(element, tag(RECORDER, "busy-status"))
    health = child(element, tag(RECORDER_HEALTH, "health-status"))
    if busy is None or health is None:
        return None
    return required(busy, "status"), required(health, "status")


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
