"""The question whether a bridge is well: a result says yes, an error no."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmppconf.xmpp.xml import build, tag

HEALTHCHECK = "http://jitsi.org/protocol/healthcheck"
NAME = tag(HEALTHCHECK, "healthcheck")


def healthcheck_to_xml() -> Element:
    return build(HEALTHCHECK, "healthcheck")
