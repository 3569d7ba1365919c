"""What a participant's client can do, as service discovery says (XEP-0030, XEP-0115)."""

from __future__ import annotations

from collections import OrderedDict


class Feature:
    """The feature strings that change what we offer."""

    AUDIO = "urn:xmpp:jingle:apps:rtp:audio"
    VIDEO = "urn:xmpp:jingle:apps:rtp:video"
    SCTP = "urn:xmpp:jingle:transports:dtls-sctp:1"
    RTX = "urn:ietf:rfc:4588"
    REMB = "http://jitsi.org/remb"
    TRANSPORT_CC = "http://jitsi.org/tcc"
    SSRC_REWRITING = "http://jitsi.org/ssrc-rewriting-1"
    JSON_SOURCES = "http://jitsi.org/json-encoded-sources"
    OPUS_RED = "http://jitsi.org/opus-red"
    AUDIO_MUTE = "http://jitsi.org/protocol/audio-mute"


#: What a client that does not answer in time is taken for.
ASSUMED = frozenset({Feature.AUDIO, Feature.VIDEO, Feature.SCTP})

#: What goes between bridges: whatever some client may send.
EVERYTHING = frozenset(
    {
        Feature.AUDIO,
        Feature.VIDEO,
        Feature.RTX,
        Feature.TRANSPORT_CC,
        Feature.OPUS_RED,
    }
)

MAX_FEATURES = 256


class FeatureCache:
    """Features by verification string, for as many different clients as are about.

    Only sets whose hash was checked belong in here: otherwise one occupant decides what
    the focus believes about another (XEP-0115, 9.2).
    """

    def __init__(self, size: int = 512) -> None:
        self._size = size
        self._known: OrderedDict[str, frozenset[str]] = OrderedDict()

    def get(self, ver: str | None) -> frozenset[str] | None:
        if ver is None or ver not in self._known:
            return None
        self._known.move_to_end(ver)
        return self._known[ver]

    def put(self, ver: str, features: frozenset[str]) -> None:
        self._known[ver] = features
        self._known.move_to_end(ver)
        if len(self._known) > self._size:
            self._known.popitem(last=False)
