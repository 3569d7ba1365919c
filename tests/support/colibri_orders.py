"""Colibri2 requests to a bridge's account, and what a focus sees of the answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from xmppconf_bridge.colibri import modify
from xmppconf_bridge.io.xmpp import Account, BridgeAccount

from tests.support.fake_engine import BridgeBench
from xmppconf import jid
from xmppconf.errors import PeerError
from xmppconf.xmpp.colibri2 import MODIFY
from xmppconf.xmpp.stanza import error_element
from xmppconf.xmpp.stream import Request

Json = dict[str, Any]

COLIBRI2 = "jitsi:colibri2"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
SSMA = "urn:xmpp:jingle:apps:rtp:ssma:0"
ICE = "urn:xmpp:jingle:transports:ice-udp:1"
RTP = "urn:xmpp:jingle:apps:rtp:1"

#: JSON's lists: what holds them in XML, if anything does, and each one's name.
_LISTS: dict[str, tuple[str | None, str]] = {
    "endpoints": (None, "endpoint"),
    "relays": (None, "relay"),
    "connects": ("connects", "connect"),
    "medias": (None, "media"),
}
_OBJECTS = ("sctp", "initial-last-n", "force-mute")


def to_xml(name: str, item: Json, namespace: str = COLIBRI2) -> Element:
    """What says in XML what `item` says in the JSON of stock bridges."""
    element = Element(f"{{{namespace}}}{name}")
    for key, value in item.items():
        if key in _LISTS and not (name == "relay" and key == "endpoints"):
            inside, each = _LISTS[key]
            parent = element if inside is None else SubElement(element, tagged(inside))
            parent.extend([to_xml(each, one) for one in value])
        elif key == "capabilities":
            for one in value:
                SubElement(element, tagged("capability"), name=one)
        elif key == "sources":
            parent = SubElement(element, tagged("sources"))
            parent.extend([_media_source(one) for one in value])
        elif key == "payload-types":
            element.extend([to_xml("payload-type", one, RTP) for one in value])
        elif key == "transport":
            element.append(
                to_xml("transport", value, ICE if "ufrag" in value else COLIBRI2)
            )
        elif key in _OBJECTS:
            element.append(to_xml(key, value))
        else:
            element.set(key, str(value).lower() if isinstance(value, bool) else str(value))
    return element


def _media_source(item: Json) -> Element:
    element = Element(tagged("media-source"), type=item["type"], id=item["id"])
    for one in item["sources"]:
        given = one if isinstance(one, dict) else {"ssrc": one}
        element.append(to_xml("source", given, SSMA))
    return element


def tagged(name: str) -> str:
    return f"{{{COLIBRI2}}}{name}"


@dataclass(frozen=True)
class Seen:
    """What a focus sees of a refusal."""

    type: str
    condition: str
    reason: str
    endpoint: str | None


class Rig:
    """A bridge that takes orders over XMPP."""

    def __init__(self, **identity: Any) -> None:
        self.bench = BridgeBench(**identity)
        account = Account(
            address="bridge-1@auth.localhost/bridge",
            password="secret",
            brewery="brewery@internal.localhost",
            nick="bridge-1",
            focus_domain="focus.localhost",
            focus_jids=frozenset(),
        )
        self._account = BridgeAccount(
            account, partial(modify, self.bench.bridge), dict, lambda: True, verify=True
        )

    async def ask(self, item: Json) -> Seen | None:
        """Send a request; None if it is carried out."""
        answer = self._account.stream._answers["get", MODIFY]
        asked = fromstring(tostring(to_xml("conference-modify", item)))
        sender, to = jid.split("focus.localhost"), jid.split("bridge-1@auth.localhost/x")
        try:
            await answer(Request(sender, to, "get", asked))
        except PeerError as error:
            return read_refusal(fromstring(tostring(error_element(error))))
        return None

    @property
    def held(self) -> dict[str, tuple[set[str], set[str]]]:
        """Endpoints and links by conference."""
        return {
            meeting: (set(map(str, one.endpoints)), set(map(str, one.links.relays)))
            for meeting, one in self.bench.bridge.conferences.items()
        }


def read_refusal(error: Element) -> Seen:
    conditions = [one.tag for one in error if one.tag.startswith(f"{{{STANZAS}}}")]
    [condition] = [one for one in conditions if not one.endswith("}text")]
    reasons = [one.get("reason", "") for one in error.findall(tagged("error"))]
    assert len(reasons) == 1, "by it a focus knows that a bridge spoke, and not a server"
    # What was sent is never told back.
    assert error.findtext(f"{{{STANZAS}}}text") == reasons[0]
    named = [one.get("id") for one in error.findall(tagged("endpoint"))]
    return Seen(
        error.get("type", ""),
        condition.rpartition("}")[2],
        reasons[0],
        named[0] if named else None,
    )
