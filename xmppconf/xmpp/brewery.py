"""What a bridge says about itself in its presence in the brewery room."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from xmppconf import limits
from xmppconf.xmpp.xml import COLIBRI, attribute, build, child, children, required, tag


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


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
