"""Identifiers: who and what the stanzas and messages talk about."""

from __future__ import annotations

import re
from typing import NewType

from xmppconf.errors import PeerError

EndpointId = NewType("EndpointId", str)
"""The occupant's nickname, which is the endpoint id everywhere."""

SourceName = NewType("SourceName", str)
"""`<endpoint id>-a0`, `<endpoint id>-v0`, ...: one per track."""

MeetingId = NewType("MeetingId", str)
"""Random id of one conference, from its focus to its bridges."""

RelayId = NewType("RelayId", str)
"""What a bridge is called by the other bridges of a conference."""

#: The feedback sources' owner (and name prefix): the bridge itself.
BRIDGE_OWNER = EndpointId("jvb")

_ENDPOINT_ID = re.compile(r"[0-9A-Za-z_.-]{1,64}")
_SOURCE_NAME = re.compile(r"[0-9A-Za-z_.-]{1,72}")
_MEETING_ID = re.compile(r"[0-9A-Za-z_.-]{1,64}")
#: Stock bridges are often called by address and port.
_RELAY_ID = re.compile(r"[0-9A-Za-z_.:@-]{1,128}")


def parse_endpoint_id(text: str) -> EndpointId:
    """Check an endpoint id that came from the network; raises `PeerError`."""
    if not _ENDPOINT_ID.fullmatch(text):
        raise PeerError(
            "endpoint id has other characters than letters, digits, '_', '.', '-'"
        )
    return EndpointId(text)


def parse_source_name(text: str) -> SourceName:
    """Check a source name that came from the network; raises `PeerError`."""
    if not _SOURCE_NAME.fullmatch(text):
        raise PeerError(
            "source name has other characters than letters, digits, '_', '.', '-'"
        )
    return SourceName(text)


def parse_meeting_id(text: str) -> MeetingId:
    """Check a meeting id that came from the network; raises `PeerError`."""
    if not _MEETING_ID.fullmatch(text):
        raise PeerError(
            "meeting id has other characters than letters, digits, '_', '.', '-'"
        )
    return MeetingId(text)


def parse_relay_id(text: str) -> RelayId:
    """Check the id of another bridge; raises `PeerError`."""
    if not _RELAY_ID.fullmatch(text):
        raise PeerError(
            "relay id has other characters than letters, digits, '_', '.', ':', '@', '-'"
        )
    return RelayId(text)
