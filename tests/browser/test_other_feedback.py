"""Receivers that do not report of each packet when it came get pictures all the same."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.browser.call import Caller, enter, new_room
from tests.browser.conftest import Browsers
from tests.browser.people import ANN, BEN, EVA, pause
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="session"),
]

CAST = (ANN, BEN, EVA)
FIREFOX = None

#: Longer than anything waits for a first report, and than what is allocated stays unasked.
WHILE = 8.0  # seconds

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


@pytest.mark.parametrize("kind", KINDS)
async def test_pictures_come_and_stay_without_transport_wide_feedback(
    people: Browsers, service: Service, kind: str
) -> None:
    room = new_room()
    others = [await enter(people, service, room, person) for person in (ANN, EVA)]
    ben = Caller(BEN, await people.page(BEN, more=KINDS[kind].script))
    await ben.open(service.url, room)
    await ben.join()
    await ben.sees(others)
    assert await ben.page.evaluate(NEGOTIATED) == KINDS[kind].feedback
    await pause(WHILE)
    await ben.sees(others)
    for other in others:
        await other.sees([ben])
