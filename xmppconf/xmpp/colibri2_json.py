"""Colibri2 as JSON, for bridges that are commanded over HTTP.

The JSON says what the XML says: it is turned into that, so that one reader checks both.
Values are texts or numbers or booleans, as the peer likes; ours are as a stock bridge's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from xmppconf import limits
from xmppconf.colibri2 import ConferenceModified, ConferenceModify, Transport
from xmppconf.errors import PeerError
from xmppconf.sources import MediaSource
from xmppconf.strict_json import as_list, as_object
from xmppconf.transport import Candidate, IceTransport
from xmppconf.xmpp.colibri2 import modify_from_xml
from xmppconf.xmpp.xml import (
    COLIBRI,
    COLIBRI2,
    DTLS,
    ICE,
    RTCP_FEEDBACK,
    RTP,
    RTP_HEADER_EXTENSION,
    SSMA,
    build,
    strip_invalid,
)

_NAMELESS = "null"  # a parameter without name, such as RED's
_MAX_ITEMS = max(limits.ENDPOINTS, limits.SOURCES)


# -- requests -----------------------------------------------------------------------------
def modify_from_json(value: Any, meeting_id: str | None = None) -> ConferenceModify:
    """Read a request; raises `PeerError`.  `meeting_id`, of the URL, has precedence."""
    item = as_object(value, "request")
    element = _element(item, "conference-modify", "name", "create", "expire")
    element.set("meeting-id", meeting_id or _text(item.get("meeting-id", ""), "meeting-id"))
    if "rtcstats-enabled" in item:
        element.set("rtcstats-enabled", _text(item["rtcstats-enabled"], "rtcstats-enabled"))
    element.extend([_endpoint(one) for one in _items(item, "endpoints")])
    element.extend([_relay(one) for one in _items(item, "relays")])
    connects = _items(item, "connects")
    if connects:
        names = [build(COLIBRI2, "connect") for _ in connects]
        element.append(build(COLIBRI2, "connects", None, *names))
    return modify_from_xml(element)


def _endpoint(item: dict[str, Any]) -> Element:
    attributes = ("id", "create", "expire", "stats-id", "muc-role")
    element = _element(item, "endpoint", *attributes)
    for name in as_list(item.get("capabilities", []), "capabilities", limits.CAPABILITIES):
        element.append(build(COLIBRI2, "capability", {"name": _text(name, "capability")}))
    _add_common(element, item)
    if "sources" in item:
        sources = [_media_source(one) for one in _items(item, "sources")]
        element.append(build(COLIBRI2, "sources", None, *sources))
    if "force-mute" in item:
        muted = as_object(item["force-mute"], "force-mute")
        element.append(_element(muted, "force-mute", "audio", "video"))
    if "initial-last-n" in item:
        last_n = as_object(item["initial-last-n"], "initial-last-n")
        element.append(_element(last_n, "initial-last-n", "value"))
    return element


def _relay(item: dict[str, Any]) -> Element:
    element = _element(item, "relay", "id", "create", "expire", "mesh-id")
    _add_common(element, item)
    endpoints = [_endpoint(one) for one in _items(item, "endpoints")]
    if endpoints:
        element.append(build(COLIBRI2, "endpoints", None, *endpoints))
    return element


def _add_common(element: Element, item: dict[str, Any]) -> None:
    """What endpoints and relays have both."""
    element.extend([_media(one) for one in _items(item, "medias")])
    if "transport" in item:
        element.append(_transport(as_object(item["transport"], "transport")))


def _media(item: dict[str, Any]) -> Element:
    element = _element(item, "media", "type")
    for codec in _items(item, "payload-types"):
        names = ("id", "name", "clockrate", "channels")
        described = _element(codec, "payload-type", *names, namespace=RTP)
        parameters = as_object(codec.get("parameters", {}), "parameters")
        for name, value in parameters.items():
            given = {
                "name": "" if name == _NAMELESS else _text(name, "parameter"),
                "value": _text(value, "parameter"),
            }
            described.append(build(RTP, "parameter", given))
        for one in _items(codec, "rtcp-fbs"):
            kind = _element(one, "rtcp-fb", "type", "subtype", namespace=RTCP_FEEDBACK)
            described.append(kind)
        element.append(described)
    for one in _items(item, "rtp-hdrexts"):
        extension = _element(one, "rtp-hdrext", "id", "uri", namespace=RTP_HEADER_EXTENSION)
        element.append(extension)
    if _text(item.get("extmap-allow-mixed", False), "extmap-allow-mixed") == "true":
        element.append(build(RTP_HEADER_EXTENSION, "extmap-allow-mixed"))
    return element


def _transport(item: dict[str, Any]) -> Element:
    element = _element(
        item, "transport", "ice-controlling", "use-unique-port", "ice-restart"
    )
    if "transport" in item:
        element.append(_ice(as_object(item["transport"], "transport")))
    if "sctp" in item:
        sctp = as_object(item["sctp"], "sctp")
        element.append(_element(sctp, "sctp", "port", "role"))
    return element


def _ice(item: dict[str, Any]) -> Element:
    element = _element(item, "transport", "ufrag", "pwd", namespace=ICE)
    if _text(item.get("rtcp-mux", False), "rtcp-mux") == "true":
        element.append(build(ICE, "rtcp-mux"))
    for one in _items(item, "fingerprints"):
        fingerprint = _element(one, "fingerprint", "hash", "setup", namespace=DTLS)
        fingerprint.text = _text(one.get("fingerprint", ""), "fingerprint")
        element.append(fingerprint)
    for one in _items(item, "candidates"):
        names = [name for name in one if name in _CANDIDATE]
        element.append(_element(one, "candidate", *names, namespace=ICE))
    urls = as_list(item.get("web-sockets", []), "web-sockets", limits.WEB_SOCKETS)
    for url in urls:
        element.append(build(COLIBRI, "web-socket", {"url": _text(url, "web-socket")}))
    return element


def _media_source(item: dict[str, Any]) -> Element:
    element = _element(item, "media-source", "type", "id")
    for one in as_list(item.get("sources", []), "sources", limits.SOURCES):
        element.append(_source(one))
    for one in _items(item, "ssrc-groups"):
        group = _element(one, "ssrc-group", "semantics", namespace=SSMA)
        members = as_list(one.get("sources", []), "sources", limits.GROUP_SOURCES)
        group.extend([_source(member) for member in members])
        element.append(group)
    return element


def _source(value: Any) -> Element:
    """A bare SSRC, or one with a name."""
    if not isinstance(value, dict):
        return build(SSMA, "source", {"ssrc": _text(value, "ssrc")})
    return _element(value, "source", "ssrc", "name", "videoType", namespace=SSMA)


_CANDIDATE = frozenset(
    {
        "component",
        "foundation",
        "generation",
        "id",
        "ip",
        "network",
        "port",
        "priority",
        "protocol",
        "type",
        "rel-addr",
        "rel-port",
    }
)


def _element(
    item: Mapping[str, Any], name: str, *attributes: str, namespace: str = COLIBRI2
) -> Element:
    """An element with those of the attributes that `item` has."""
    given = {one: _text(item[one], one) for one in attributes if item.get(one) is not None}
    return build(namespace, name, given)


def _items(item: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = as_list(item.get(name, []), name, _MAX_ITEMS)
    return [as_object(one, name) for one in found]


def _text(value: Any, what: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return strip_invalid(str(value))
    raise PeerError(f"{what} is neither text nor number")


# -- answers ------------------------------------------------------------------------------
def modified_to_json(modified: ConferenceModified) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for name, answers in (("endpoints", modified.endpoints), ("relays", modified.relays)):
        if answers:
            answer[name] = [
                {
                    "id": one.id,
                    **({"expire": True} if one.expire else {}),
                    **(
                        {}
                        if one.transport is None
                        else {"transport": _transport_to_json(one.transport)}
                    ),
                }
                for one in answers
            ]
    if modified.sources is not None:
        answer["sources"] = _sources_to_json(modified.sources)
    return answer


def _transport_to_json(transport: Transport) -> dict[str, Any]:
    value: dict[str, Any] = {}
    if transport.ice is not None:
        value["transport"] = _ice_to_json(transport.ice)
    if transport.sctp is not None:
        value["sctp"] = _texts(port=transport.sctp.port, role=transport.sctp.role)
    return value


def _ice_to_json(ice: IceTransport) -> dict[str, Any]:
    value: dict[str, Any] = {
        "xmlns": ICE,
        **_texts(ufrag=ice.ufrag, pwd=ice.pwd),
        "rtcp-mux": ice.rtcp_mux,
        "candidates": [_candidate_to_json(one) for one in ice.candidates],
        "fingerprints": [
            {"fingerprint": one.value, "hash": one.hash, "setup": one.setup.value}
            for one in ice.fingerprints
        ],
    }
    if ice.web_sockets:
        value["web-sockets"] = list(ice.web_sockets)
    return value


def _candidate_to_json(one: Candidate) -> dict[str, str]:
    same = _CANDIDATE - {"rel-addr", "rel-port"}
    related = {"rel-addr": one.rel_addr, "rel-port": one.rel_port}
    return _texts(**{name: getattr(one, name) for name in sorted(same)}, **related)


def _sources_to_json(sources: Iterable[MediaSource]) -> list[dict[str, Any]]:
    return [
        {
            "type": one.media_type.value,
            "id": one.name,
            "sources": [{"ssrc": ssrc, "name": one.name} for ssrc in one.ssrcs],
        }
        for one in sources
    ]


def _texts(**values: str | int | None) -> dict[str, str]:
    return {name: str(value) for name, value in values.items() if value is not None}
