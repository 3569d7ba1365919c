"""Orders and insight over HTTP: the forms of stock bridges, and who may use them."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xmppconf_bridge.io.access import networks
from xmppconf_bridge.io.http import Reports, make_application
from xmppconf_bridge.operation import State

from tests.support.rest import serving
from xmppconf.errors import PeerError, SettingsError
from xmppconf.ids import EndpointId, MeetingId, SourceName
from xmppconf.xmpp.colibri2_json import modify_from_json

MEETING = "beccf2ed-5441-4bfe-96d6-f0f3a6796378"
LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"

#: After the example in a stock bridge's documentation.
CREATE: dict[str, Any] = {
    "meeting-id": MEETING,
    "name": "tea@muc.meet.example",
    "create": True,
    "endpoints": [
        {
            "create": True,
            "id": "79f0273d",
            "stats-id": "Garett-w1o",
            "muc-role": "moderator",
            "medias": [
                {
                    "type": "audio",
                    "payload-types": [
                        {
                            "name": "red",
                            "id": "112",
                            "channels": "2",
                            "clockrate": "48000",
                            "parameters": {"null": "111/111"},
                        },
                        {
                            "name": "opus",
                            "id": "111",
                            "channels": "2",
                            "clockrate": "48000",
                            "parameters": {"useinbandfec": "1"},
                            "rtcp-fbs": [{"type": "transport-cc"}],
                        },
                    ],
                    "rtp-hdrexts": [{"uri": LEVEL, "id": 1}],
                    "extmap-allow-mixed": True,
                }
            ],
            "transport": {"ice-controlling": True, "sctp": {}},
            "capabilities": ["source-names"],
        }
    ],
}
UPDATE: dict[str, Any] = {
    "endpoints": [
        {
            "id": "79f0273d",
            "transport": {
                "transport": {
                    "xmlns": "urn:xmpp:jingle:transports:ice-udp:1",
                    "ufrag": "2ivqh1fvtf0l3h",
                    "pwd": "1a5ejbent91k6io6a3fauikg22",
                    "rtcp-mux": True,
                    "candidates": [
                        {
                            "component": "1",
                            "foundation": "2",
                            "generation": "0",
                            "id": "c1",
                            "ip": "192.0.2.9",
                            "network": "0",
                            "port": "10000",
                            "priority": "1694498815",
                            "protocol": "udp",
                            "type": "srflx",
                        }
                    ],
                    "fingerprints": [
                        {
                            "fingerprint": "2E:" * 31 + "2E",
                            "hash": "sha-256",
                            "setup": "active",
                            "cryptex": True,
                        }
                    ],
                }
            },
            "sources": [
                {"type": "audio", "id": "79f0273d-a0", "sources": [1000]},
                {
                    "type": "video",
                    "id": "79f0273d-v0",
                    "sources": [
                        {"ssrc": 1001, "name": "79f0273d-v0", "videoType": "desktop"},
                        {"ssrc": 1002, "name": "79f0273d-v0"},
                    ],
                    "ssrc-groups": [{"semantics": "FID", "sources": [1001, 1002]}],
                },
            ],
            "force-mute": {"audio": True, "video": False},
            "initial-last-n": {"value": 5},
        }
    ]
}


async def test_a_conference_lives_over_json() -> None:
    async with serving() as rig:
        status, answer = await rig.ask("POST", "/colibri/v2/conferences", CREATE)
        assert status == 200
        [endpoint] = answer["endpoints"]
        assert endpoint["id"] == "79f0273d"
        assert endpoint["transport"]["sctp"] == {"port": "5000", "role": "server"}
        ice = endpoint["transport"]["transport"]
        assert ice["xmlns"] == "urn:xmpp:jingle:transports:ice-udp:1"
        assert ice["rtcp-mux"] is True
        assert ice["fingerprints"][0]["setup"] == "actpass"
        assert [(one["id"], one["type"]) for one in answer["sources"]] == [
            ("jvb-a0", "audio"),
            ("jvb-v0", "video"),
        ]
        assert isinstance(answer["sources"][0]["sources"][0]["ssrc"], int)

        path = f"/colibri/v2/conferences/{MEETING}"
        status, answer = await rig.ask("PATCH", path, UPDATE)
        assert (status, answer) == (200, {"endpoints": [{"id": "79f0273d"}]})
        conference = rig.bench.bridge.conferences[MeetingId(MEETING)]
        one = conference.endpoints[EndpointId("79f0273d")]
        assert one.sources[SourceName("79f0273d-v0")].encodings == ((1001, 1002),)
        assert one.sources[SourceName("79f0273d-v0")].is_screen
        assert one.sources[SourceName("79f0273d-a0")].encodings == ((1000, None),)
        assert (one.muted.audio, one.constraints.last_n) == (True, 5)
        assert dict(one.media[0].payload_types[0].parameters) == {"": "111/111"}
        assert one.media[0].extmap_allow_mixed
        [remote] = rig.bench.engine.take("set_remote_ice")
        assert remote[3] == [("192.0.2.9", 10000, 1694498815)]

        link = {
            "relays": [
                {
                    "id": "bridge-2",
                    "create": True,
                    "mesh-id": "0",
                    "medias": CREATE["endpoints"][0]["medias"],
                    "transport": {"sctp": {"role": "server"}},
                    "endpoints": [{"id": "ef567890", "create": True, "sources": []}],
                }
            ]
        }
        status, answer = await rig.ask("PATCH", path, link)
        assert status == 200
        assert answer["relays"][0]["transport"]["sctp"]["role"] == "client"
        assert set(conference.links.relayed) == {"ef567890"}

        speakers = await rig.ask("GET", f"{path}/dominant-speaker-identification")
        assert speakers[1] == {"dominantEndpoint": None, "endpointsBySpeechActivity": []}
        assert (await rig.ask("GET", path))[0] == 501
        assert await rig.ask("PATCH", path, {"expire": True}) == (200, {})
        assert rig.bench.bridge.conferences == {}


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ("{", 400, "unspecified"),
        ("[]", 400, "unspecified"),
        ({"create": True}, 400, "unspecified"),
        ({**CREATE, "name": "no-jid"}, 400, "unspecified"),
        ({**CREATE, "endpoints": [{"id": {}}]}, 400, "unspecified"),
        ({**CREATE, "endpoints": "x"}, 400, "unspecified"),
        ({"meeting-id": "other", "endpoints": []}, 404, "conference_not_found"),
        ({"meeting-id": "here", "create": True}, 409, "conference_already_exists"),
        (
            {"meeting-id": "here", "connects": [{"url": "wss://a.example"}]},
            501,
            "feature_not_implemented",
        ),
        ({"meeting-id": "here", "endpoints": [{"id": "who"}]}, 404, "unknown_endpoint"),
    ],
)
async def test_refusals_are_statuses_with_condition_and_reason(
    body: Any, status: int, reason: str
) -> None:
    async with serving() as rig:
        await rig.ask("POST", "/colibri/v2/conferences", {**CREATE, "meeting-id": "here"})
        answered, answer = await rig.ask("POST", "/colibri/v2/conferences", body)
        assert (answered, answer["reason"]) == (status, reason)
        assert set(rig.bench.bridge.conferences) == {"here"}


async def test_a_graceful_shutdown_refuses_new_conferences() -> None:
    async with serving() as rig:
        path = "/colibri/shutdown"
        for wrong in ("{", {}, {"graceful-shutdown": "yes"}):
            assert (await rig.ask("POST", path, wrong))[0] == 400
        assert (await rig.ask("POST", path, {"graceful-shutdown": True}))[0] == 200
        assert rig.state() is State.GRACEFUL
        status, answer = await rig.ask("POST", "/colibri/v2/conferences", CREATE)
        assert (status, answer["reason"]) == (503, "graceful_shutdown")
        await rig.ask("POST", path, {"graceful-shutdown": False})
        assert rig.state() is State.GOING


async def test_draining_is_switched_and_shown() -> None:
    async with serving(rest=False) as rig:
        for path, on in (("enable", True), ("disable", False)):
            assert (await rig.ask("POST", f"/colibri/drain/{path}"))[0] == 200
            assert await rig.ask("GET", "/colibri/drain") == (200, {"drain": on})
        status, version = await rig.ask("GET", "/about/version")
        assert (status, version["name"]) == (200, "xmppconf bridge")


async def test_the_state_of_a_conference_names_nobody() -> None:
    async with serving() as rig:
        await rig.ask("POST", "/colibri/v2/conferences", CREATE)
        await rig.ask("PATCH", f"/colibri/v2/conferences/{MEETING}", UPDATE)
        _, overview = await rig.ask("GET", "/debug")
        [conference] = overview["conferences"].values()
        [(tag, endpoint)] = conference["endpoints"].items()
        assert endpoint == {
            "active": True,
            "connected": False,
            "channel": False,
            "visitor": False,
        }
        _, full = await rig.ask("GET", f"/debug/{MEETING}/{tag}")
        assert full["constraints"]["last_n"] == 5
        status, whole = await rig.ask("GET", f"/debug/{MEETING}")
        assert status == 200
        assert len(whole["sources"]) == 2
        text = json.dumps([overview, full, whole])
        for personal in ("79f0273d", "192.0.2.9", "tea@muc", "Garett", "1a5ejbent"):
            assert personal not in text
        for nowhere in ("/debug/other", f"/debug/{MEETING}/other"):
            assert (await rig.ask("GET", nowhere))[0] == 404


GUARDED = [
    ("GET", "/colibri/stats"),
    ("GET", "/metrics"),
    ("GET", "/about/version"),
    ("GET", "/colibri/drain"),
    ("POST", "/colibri/drain/enable"),
    ("POST", "/colibri/drain/disable"),
    ("GET", "/debug"),
    ("GET", f"/debug/{MEETING}"),
    ("GET", f"/debug/{MEETING}/x"),
    ("GET", f"/debug/{MEETING}/x/packets"),
    ("GET", "/colibri/v2/conferences"),
    ("GET", f"/colibri/v2/conferences/{MEETING}"),
    ("GET", f"/colibri/v2/conferences/{MEETING}/dominant-speaker-identification"),
    ("POST", "/colibri/v2/conferences"),
    ("PATCH", f"/colibri/v2/conferences/{MEETING}"),
    ("POST", "/colibri/shutdown"),
]
OPEN = {
    "/health",
    "/about/health",
    "/colibri-ws/{server}/{conference}/{endpoint}",
    "/colibri-relay-ws/{server}/{conference}/{relay}",
}


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_who_is_not_trusted_neither_sees_nor_commands(method: str, path: str) -> None:
    """S35: from another address, and from a trusted one through a proxy or a page."""
    async with serving(trusted=("192.0.2.0/24",)) as rig:
        assert (await rig.ask(method, path, {}))[0] == 403
        assert (await rig.ask("GET", "/about/health"))[0] == 200
    async with serving() as rig:
        for header in ("Forwarded", "X_Forwarded_For", "X_Real_IP", "Origin"):
            assert (await rig.ask(method, path, {}, **{header: "127.0.0.1"}))[0] == 403
        assert rig.bench.bridge.operation.state is State.RUNNING
        assert not rig.bench.bridge.operation.drain


async def test_every_path_is_known_here() -> None:
    """A new path must be guarded, or be in the list of the open ones."""
    async with serving() as rig:
        reports = Reports(dict, lambda: True, dict)
        application = make_application(
            rig.bench.bridge, reports, rig.orders, (), rest=True, packet_headers=True
        )
        paths = {str(one.canonical) for one in application.router.resources()}
        guarded = {
            path.replace(MEETING, "{conference}").replace("/x", "/{endpoint}")
            for _, path in GUARDED
        }
        assert paths - guarded <= OPEN
        assert guarded <= paths


async def test_nobody_commands_without_the_setting() -> None:
    async with serving(rest=False) as rig:
        assert (await rig.ask("POST", "/colibri/v2/conferences", CREATE))[0] == 405
        assert (await rig.ask("POST", "/colibri/shutdown", {}))[0] == 404


def test_trusted_networks_are_checked_at_the_start() -> None:
    with pytest.raises(SettingsError):
        networks(("localhost",))


def test_numbers_and_texts_mean_the_same() -> None:
    numbers = json.loads(json.dumps(CREATE))
    for codec in numbers["endpoints"][0]["medias"][0]["payload-types"]:
        codec.update(id=int(codec["id"]), clockrate=48000, channels=2)
    assert modify_from_json(numbers) == modify_from_json(CREATE)
    with pytest.raises(PeerError):
        modify_from_json({**CREATE, "create": 1.5})


KEYS = (
    "id",
    "create",
    "endpoints",
    "relays",
    "medias",
    "type",
    "payload-types",
    "parameters",
    "transport",
    "sctp",
    "port",
    "sources",
    "ssrc-groups",
    "capabilities",
    "force-mute",
    "initial-last-n",
    "connects",
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(ANYTHING)
def test_any_json_is_read_or_refused(value: Any) -> None:
    with suppress(PeerError):
        modify_from_json(value, "meeting")
