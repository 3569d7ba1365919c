"""Every message there is, said by everybody who might say it: what comes of it, and who
hears it.

Ann, Bob and a visitor are here, Eve is behind a bridge of the same mesh as another bridge,
and a third bridge is in a mesh of its own.
"""

from __future__ import annotations

from typing import Any, get_args

import pytest
from xmppconf_bridge.colibri import modify

from tests.support.fake_engine import BridgeBench, RecordingCarrier
from tests.support.relays import (
    FAR,
    FURTHER,
    M1,
    ask,
    behind,
    connect,
    link,
    new,
    new_link,
    say,
)
from xmppconf.channel_messages import Message
from xmppconf.colibri2 import ConferenceModify, EndpointRequest, Transport
from xmppconf.ids import EndpointId, RelayId

OTHER = RelayId("satellite")
SOURCE = "ann-v0"
MAP = {"source": SOURCE, "owner": "ann", "ssrc": 1}
#: One of each; those that speak for somebody do so for who is said to be `owner`.
MESSAGES: dict[str, dict[str, Any]] = {
    "ClientHello": {},
    "ServerHello": {},
    "EndpointMessage": {"to": "", "msgPayload": {}},
    "EndpointStats": {"bitrate": 1},
    "LastNChangedEvent": {"lastN": 2},
    "ReceiverVideoConstraints": {"lastN": 2},
    "ReceiverAudioSubscription": {"all": True, "include": [], "exclude": []},
    "SourceVideoTypeMessage": {"sourceName": SOURCE, "videoType": "desktop"},
    "ForwardedSources": {"forwardedSources": []},
    "VideoSourcesMap": {"mappedSources": [{**MAP, "rtx": 2, "videoType": "CAMERA"}]},
    "AudioSourcesMap": {"mappedSources": [MAP]},
    "SenderSourceConstraints": {"sourceName": SOURCE, "maxHeight": 180},
    "DominantSpeakerEndpointChangeEvent": {
        "dominantSpeakerEndpoint": "ann",
        "previousSpeakers": [],
        "silence": False,
    },
    "EndpointConnectivityStatusChangeEvent": {"endpoint": "eve", "active": "false"},
    "ConnectionStats": {"estimatedDownlinkBandwidth": 1},
    "AddReceiver": {
        "bridgeId": "bridge-2",
        "sourceName": SOURCE,
        "videoConstraints": {"maxHeight": 180},
    },
    # Of older clients and bridges, and of none.
    "VideoTypeMessage": {"videoType": "desktop"},
    "RemoveReceiver": {"bridgeId": "bridge-2", "endpointId": "ann"},
    "SyntheticSourceSendingChangeEvent": {
        "sourceName": SOURCE,
        "sending": True,
        "timestamp": 0,
    },
    "PinnedEndpointChangedEvent": {"pinnedEndpoint": "bob"},
    "Nonsense": {},
}
SPEAKERS = ("ann", "visitor", "bridge-2")
NO = "refused"
#: By speaker: `refused`, or who is told something by class (`all` are the others here,
#: `other` is the bridge of the other mesh, `same` the one of the same).
TABLE: dict[str, tuple[str, str, str]] = {
    "ClientHello": ("ann", "visitor", "bridge-2"),
    "ServerHello": (NO, NO, ""),
    "EndpointMessage": ("bob visitor bridge-2 same other", NO, "ann bob visitor other"),
    "EndpointStats": ("bob visitor bridge-2 same other", NO, "ann bob visitor other"),
    "LastNChangedEvent": ("", "", NO),
    "ReceiverVideoConstraints": ("", "", NO),
    "ReceiverAudioSubscription": ("", "", NO),
    "SourceVideoTypeMessage": ("bridge-2 same other", NO, "other"),
    "ForwardedSources": (NO, NO, NO),
    "VideoSourcesMap": (NO, NO, NO),
    "AudioSourcesMap": (NO, NO, NO),
    "SenderSourceConstraints": (NO, NO, NO),
    "DominantSpeakerEndpointChangeEvent": (NO, NO, NO),
    "EndpointConnectivityStatusChangeEvent": (NO, NO, "ann bob visitor other"),
    "ConnectionStats": (NO, NO, NO),
    "AddReceiver": (NO, NO, ""),
    "VideoTypeMessage": (NO, NO, NO),
    "RemoveReceiver": (NO, NO, NO),
    "SyntheticSourceSendingChangeEvent": (NO, NO, NO),
    "PinnedEndpointChangedEvent": (NO, NO, NO),
    "Nonsense": (NO, NO, NO),
}


class Room:
    def __init__(self) -> None:
        self.bench = BridgeBench(relay_id="bridge-1")
        ask(self.bench, new("ann", 1000), create=True)
        ask(self.bench, new("bob", 2000))
        visitor = EndpointRequest(
            EndpointId("visitor"),
            create=True,
            visitor=True,
            capabilities=frozenset({"source-names"}),
            transport=Transport(),
        )
        modify(self.bench.bridge, ConferenceModify(M1, endpoints=(visitor,)))
        link(self.bench, new_link(endpoints=(behind("eve", 3000),)))
        link(self.bench, new_link(FURTHER))
        link(self.bench, new_link(OTHER, mesh="1"))
        self.carriers: dict[str, RecordingCarrier] = {
            name: self.bench.connect(name) for name in ("ann", "bob", "visitor")
        }
        self.carriers["bridge-2"] = connect(self.bench, FAR)
        self.carriers["same"] = connect(self.bench, FURTHER)
        self.carriers["other"] = connect(self.bench, OTHER)
        for carrier in self.carriers.values():
            carrier.take()

    def say(self, speaker: str, kind: str) -> str:
        """Who heard of it; everybody speaks for themselves."""
        message = {"colibriClass": kind, **MESSAGES[kind]}
        if speaker == "bridge-2":
            if kind in ("EndpointMessage", "EndpointStats"):
                message["from"] = "eve"
            if kind == "SourceVideoTypeMessage":
                message |= {"sourceName": "eve-v0", "endpointId": "eve"}
            say(self.bench, FAR, **message)
        else:
            self.bench.say(speaker, **message)
        if self.bench.bridge.counters.rejected_messages:
            return NO
        answer = "ServerHello" if kind == "ClientHello" else kind
        return " ".join(name for name, one in self.carriers.items() if one.take(answer))


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("speaker", SPEAKERS)
def test_every_message_of_everybody(kind: str, speaker: str) -> None:
    room = Room()
    heard = room.say(speaker, kind)
    assert heard == dict(zip(SPEAKERS, TABLE[kind], strict=True))[speaker]
    if heard == NO:
        told = {name: one.messages for name, one in room.carriers.items() if one.messages}
        assert told == {}
    assert all(one.closed is None for one in room.carriers.values())


def test_every_message_that_can_be_read_is_in_the_table() -> None:
    assert set(TABLE) == set(MESSAGES)
    # A new class needs a row; five more are known to be unknown.
    assert len(MESSAGES) == len(get_args(Message)) + 5
