"""Service discovery (XEP-0030) and the hash that stands for its answer (XEP-0115)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from xmppconf import limits
from xmppconf.errors import NotFound, PeerError
from xmppconf.xmpp.stream import GuardedStream, Request, iq_handler
from xmppconf.xmpp.xml import attribute, build, children, content, required, tag

INFO = "http://jabber.org/protocol/disco#info"
ITEMS = "http://jabber.org/protocol/disco#items"
NAME = tag(INFO, "query")

_FORMS = "jabber:x:data"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_MAX_IDENTITIES = 32
_MAX_FORMS = 8


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    category: str
    type: str
    name: str = ""
    lang: str = ""


@dataclass(frozen=True, slots=True)
class DiscoInfo:
    """What an entity is and can do."""

    identities: tuple[Identity, ...] = ()
    features: frozenset[str] = frozenset()
    forms: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...] = ()
    """Extended information (XEP-0128): per form its fields with their values."""

    def __post_init__(self) -> None:
        if len(set(self.identities)) != len(self.identities):
            raise PeerError("an identity is given twice")


def info_query(node: str | None = None) -> Element:
    """Ask (IQ get)."""
    return build(INFO, "query", {"node": node})


def info_to_xml(info: DiscoInfo, node: str | None = None) -> Element:
    """Answer.  Forms are not written: nothing here has any."""
    element = build(INFO, "query", {"node": node})
    for identity in info.identities:
        attributes = {
            "category": identity.category,
            "type": identity.type,
            "name": identity.name or None,
            _LANG: identity.lang or None,
        }
        element.append(build(INFO, "identity", attributes))
    element.extend(build(INFO, "feature", {"var": var}) for var in sorted(info.features))
    return element


def info_from_xml(element: Element | None) -> DiscoInfo:
    """Read an answer; raises `PeerError`."""
    if element is None or element.tag != NAME:
        raise PeerError("answer is not disco#info")
    return DiscoInfo(
        tuple(
            Identity(
                attribute(item, "category", ""),
                attribute(item, "type", ""),
                attribute(item, "name", ""),
                attribute(item, _LANG, ""),
            )
            for item in children(element, tag(INFO, "identity"), _MAX_IDENTITIES)
        ),
        frozenset(
            required(item, "var")
            for item in children(element, tag(INFO, "feature"), limits.FEATURES)
        ),
        tuple(_form(item) for item in children(element, tag(_FORMS, "x"), _MAX_FORMS)),
    )


def verification_string(info: DiscoInfo, algorithm: str = "sha-1") -> str:
    """The `ver` of an answer (XEP-0115, 5.1); raises `PeerError` for an unknown hash."""
    names = {"sha-1": "sha1", "sha-256": "sha256", "sha-512": "sha512"}
    if algorithm not in names:
        raise PeerError("hash is unknown")
    parts = [f"{i.category}/{i.type}/{i.lang}/{i.name}" for i in _sorted(info.identities)]
    parts += sorted(info.features)
    forms = [dict(form) for form in info.forms]
    for form in sorted(forms, key=lambda item: item.get("FORM_TYPE", ())):
        if "FORM_TYPE" not in form:
            continue
        parts += form["FORM_TYPE"][:1]
        for name in sorted(form):
            if name != "FORM_TYPE":
                parts += [name, *sorted(form[name])]
    text = "".join(f"{part}<" for part in parts)
    # The hash is the protocol's choice; it protects a cache, not a secret.
    digest = hashlib.new(names[algorithm], text.encode(), usedforsecurity=False)
    return base64.b64encode(digest.digest()).decode()


def serve_disco(
    stream: GuardedStream,
    info: DiscoInfo,
    node: str,
    others: Mapping[str, DiscoInfo] | None = None,
) -> None:
    """Answer disco#info with `info`, also under our capabilities' node (`node#ver`).

    `others` are further nodes.
    """
    nodes: dict[str | None, DiscoInfo] = dict((others or {}).items())
    for name in (None, "", node, f"{node}#{verification_string(info)}"):
        nodes[name] = info

    async def answer_info(request: Request) -> Element:
        asked = attribute(request.payload, "node")
        if asked not in nodes:
            raise NotFound("no such node")
        return info_to_xml(nodes[asked], asked)

    async def answer_items(request: Request) -> Element:
        return build(ITEMS, "query", {"node": attribute(request.payload, "node")})

    iq_handler(stream, NAME, ("get",), answer_info)
    iq_handler(stream, tag(ITEMS, "query"), ("get",), answer_items)


def _sorted(identities: Iterable[Identity]) -> list[Identity]:
    return sorted(identities, key=lambda i: (i.category, i.type, i.lang, i.name))


def _form(element: Element) -> tuple[tuple[str, tuple[str, ...]], ...]:
    fields: list[tuple[str, tuple[str, ...]]] = []
    for item in children(element, tag(_FORMS, "field"), limits.PROPERTIES):
        values = children(item, tag(_FORMS, "value"), limits.PROPERTIES)
        fields.append((attribute(item, "var", ""), tuple(content(v) for v in values)))
    return tuple(fields)
