"""Browsers that do not report of each packet when it came."""

from __future__ import annotations

from dataclasses import dataclass

#: Says of itself, under another caps hash, that it has REMB, or nothing of the kind.
SAYS = """
(() => {
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (text) {
        if (typeof text === "string" && text.startsWith("<")) {
            text = text.replaceAll("http://jitsi.org/tcc", FEATURE)
                .replace(/ver=(["'])[^"']+["']/, `ver=$1${btoa(FEATURE).slice(-27)}=$1`);
        }
        return send.call(this, text);
    };
})();
"""
#: Takes what is offered, but for what it knows nothing of.
IGNORES = """
(() => {
    const set = RTCPeerConnection.prototype.setRemoteDescription;
    RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
        const known = (line) => !/transport-(cc|wide-cc)/.test(line);
        const lines = sdp.split("\\r\\n").filter(known);
        return set.call(this, { type, sdp: lines.join("\\r\\n") });
    };
})();
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A browser that lacks something: its script, and the feedback in its offer."""

    script: str
    feedback: str


KINDS = {
    "REMB": Kind(f'const FEATURE = "http://jitsi.org/remb";{SAYS}', "goog-remb"),
    "nothing": Kind(f'const FEATURE = "urn:example:nothing";{SAYS}', ""),
    "nothing, unsaid": Kind(IGNORES, ""),
}
#: What its own description says of it.
NEGOTIATED = """testPeers
    .filter((peer) => peer.connectionState !== "closed")
    .map((peer) => peer.localDescription.sdp.match(/(transport-cc|goog-remb)/g))
    .map((found) => [...new Set(found)].join())
    .join()"""
