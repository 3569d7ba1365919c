"""Stanza readers refuse with `PeerError`, or read what writes and reads again (Z9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from xml.etree.ElementTree import Element, ParseError, fromstring, tostring

from xmppconf.errors import PeerError
from xmppconf.xmpp import brewery, colibri2, conference_request, disco, jingle, muc, mute
from xmppconf.xmpp.json_message import json_message_from_xml
from xmppconf.xmpp.stanza import error_element, parse_error
from xmppconf.xmpp.xml import STREAM, build


def _colibri(element: Element) -> None:
    modify = replace(colibri2.modify_from_xml(element), has_connects=False)
    assert colibri2.modify_from_xml(_again(colibri2.modify_to_xml(modify))) == modify


def _colibri_answer(element: Element) -> None:
    modified = colibri2.modified_from_xml(element)
    assert (
        colibri2.modified_from_xml(_again(colibri2.modified_to_xml(modified))) == modified
    )


def _conference_request(element: Element) -> None:
    request = conference_request.request_from_xml(element)
    written = conference_request.request_to_xml(request)
    assert conference_request.request_from_xml(_again(written)) == request


def _disco(element: Element) -> None:
    info = replace(disco.info_from_xml(element), forms=())
    disco.verification_string(info)
    assert disco.info_from_xml(_again(disco.info_to_xml(info))) == info


def _mute(element: Element) -> None:
    request = mute.mute_from_xml(element)
    assert mute.mute_from_xml(_again(mute.mute_to_xml(request))) == request


def _error(element: Element) -> None:
    error = parse_error(element)
    written = error_element(error)
    assert len(written) == 1, "a peer's error is passed on"
    assert parse_error(_again(build(STREAM, "iq", None, written))).condition == (
        error.condition
    )
    colibri2.refused_from_error(error)


READERS: tuple[Callable[[Element], object], ...] = (
    jingle.jingle_from_xml,
    _colibri,
    _colibri_answer,
    _conference_request,
    _disco,
    _mute,
    _error,
    muc.presence_from_xml,
    muc.configuration_from_xml,
    brewery.stats_from_presence,
    brewery.recorder_status,
    json_message_from_xml,
)


def one_input(data: bytes) -> None:
    if b"<!" in data:
        return  # the stream refuses document types before any reader
    try:
        root = fromstring(data)
    except (ParseError, ValueError, LookupError):
        return
    for element in (root, *root):
        for reader in READERS:
            try:
                reader(element)
            except PeerError:
                continue


def _again(element: Element) -> Element:
    return fromstring(tostring(element, encoding="unicode"))
