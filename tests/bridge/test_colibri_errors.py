"""Every refusal of a Colibri2 request, as a focus sees it over XMPP and over HTTP.

A focus acts on the exact pair of condition and reason: it invites one participant anew, or
the whole conference, or gives the bridge up.  A row of `TABLE` is a request in the JSON of
stock bridges; the same is asked in XML.
"""

from __future__ import annotations

from typing import Any

import pytest
from xmppconf_bridge.io.rest import _STATUS

from tests.support.colibri_orders import Json, Rig, Seen, to_xml
from tests.support.rest import serving
from xmppconf.colibri2 import Reason
from xmppconf.ids import MeetingId
from xmppconf.xmpp.colibri2 import modify_from_xml
from xmppconf.xmpp.colibri2_json import modify_from_json

BAD = ("bad-request", "unspecified")
CONFLICT = ("conflict", "unspecified")
FULL = ("resource-constraint", "unspecified")
NOT_IMPLEMENTED = ("feature-not-implemented", "feature_not_implemented")
NO_CONFERENCE = ("item-not-found", "conference_not_found")
NO_ENDPOINT = ("item-not-found", "unknown_endpoint")
EXISTS = ("conflict", "conference_already_exists")
ENDING = ("service-unavailable", "graceful_shutdown")

#: RFC 6120, 8.3.3, and the status over HTTP.
TYPES = {
    "bad-request": ("modify", 400),
    "conflict": ("cancel", 409),
    "feature-not-implemented": ("cancel", 501),
    "item-not-found": ("cancel", 404),
    "resource-constraint": ("wait", 503),
    "service-unavailable": ("cancel", 503),
}

MICROPHONE = {"type": "audio", "id": "b-a0", "sources": [{"ssrc": 11, "name": "b-a0"}]}
REMOTE = {"transport": {"ufrag": "abcd", "pwd": "p" * 22}}
AUDIO = {
    "type": "audio",
    "payload-types": [{"id": 111, "name": "opus", "clockrate": 48000}],
}
SCTP: Json = {"sctp": {}}


def new(name: str = "b", **changed: Any) -> Json:
    """An endpoint to be created; what is changed to None is left out."""
    whole: Json = {"id": name, "create": True, "capabilities": ["source-names"]}
    whole |= {"transport": SCTP, **changed}
    return {key: value for key, value in whole.items() if value is not None}


def link(name: str = "bridge-3", **changed: Any) -> Json:
    whole: Json = {"id": name, "create": True, "transport": SCTP, **changed}
    return {key: value for key, value in whole.items() if value is not None}


def endpoints(*those: Json, **more: Any) -> Json:
    return {"meeting-id": "m1", "endpoints": list(those), **more}


def relays(*those: Json, **more: Any) -> Json:
    return {"meeting-id": "m1", "relays": list(those), **more}


#: Asked where `m1` has the endpoints `a` and `v` (a visitor) and the link `bridge-2`.
TABLE: dict[str, tuple[Json, tuple[str, str]]] = {
    # -- the conference
    "create what is there": ({"meeting-id": "m1", "create": True}, EXISTS),
    "update what is not": ({"meeting-id": "m2"}, NO_CONFERENCE),
    "expire what is not": ({"meeting-id": "m2", "expire": True}, NO_CONFERENCE),
    "endpoint of none": (endpoints(new(), **{"meeting-id": "m2"}), NO_CONFERENCE),
    "a domain as name": ({"meeting-id": "m2", "create": True, "name": "muc.x"}, BAD),
    "an occupant as name": ({"meeting-id": "m2", "create": True, "name": "t@x/ann"}, BAD),
    "no JID as name": ({"meeting-id": "m2", "create": True, "name": "a@b@c"}, BAD),
    "no meeting": ({"create": True}, BAD),
    "a meeting of two words": ({"meeting-id": "m 2", "create": True}, BAD),
    "a flag that is none": ({"meeting-id": "m2", "create": "perhaps"}, BAD),
    # -- endpoints
    "create who is there": (endpoints(new("a")), CONFLICT),
    "create without transport": (endpoints(new(transport=None)), BAD),
    "create without source names": (endpoints(new(capabilities=["ssrc-rewriting"])), BAD),
    "SCTP's other role": (
        endpoints(new(transport={"sctp": {"role": "client"}})),
        NOT_IMPLEMENTED,
    ),
    "SCTP's other port": (endpoints(new(transport={"sctp": {"port": 5001}})), BAD),
    "SCTP without any role": (endpoints(new(transport={"sctp": {"role": "peer"}})), BAD),
    "a visitor that would send": (
        endpoints({**new(), "muc-role": "visitor", "sources": [MICROPHONE]}),
        BAD,
    ),
    "a visitor that begins to": (endpoints({"id": "v", "sources": [MICROPHONE]}), BAD),
    "transport of who is gone": (endpoints({"id": "b", "transport": REMOTE}), NO_ENDPOINT),
    "sources of who is gone": (endpoints({"id": "b", "sources": []}), NO_ENDPOINT),
    "media of who is gone": (endpoints({"id": "b", "medias": [AUDIO]}), NO_ENDPOINT),
    "last-N of who is gone": (
        endpoints({"id": "b", "initial-last-n": {"value": 2}}),
        NO_ENDPOINT,
    ),
    "restart of who is gone": (
        endpoints({"id": "b", "transport": {"ice-restart": True}}),
        NO_ENDPOINT,
    ),
    "one of two is gone": (
        endpoints({"id": "a"}, {"id": "b", "initial-last-n": {"value": 2}}),
        NO_ENDPOINT,
    ),
    "two created": (endpoints(new("b"), new("c")), NOT_IMPLEMENTED),
    "two with media": (
        endpoints({"id": "a", "medias": [AUDIO]}, {"id": "v"}),
        NOT_IMPLEMENTED,
    ),
    "two with transport": (
        endpoints({"id": "a"}, {"id": "v", "transport": REMOTE}),
        NOT_IMPLEMENTED,
    ),
    "two with sources": (
        endpoints({"id": "a", "sources": []}, {"id": "v"}),
        NOT_IMPLEMENTED,
    ),
    "no id": (endpoints({"create": True}), BAD),
    "an unknown medium": (endpoints({"id": "a", "medias": [{"type": "smell"}]}), BAD),
    "a source without SSRC": (
        endpoints({"id": "a", "sources": [{**MICROPHONE, "sources": [{"name": "b-a0"}]}]}),
        BAD,
    ),
    "an SSRC too large": (
        endpoints({"id": "a", "sources": [{**MICROPHONE, "sources": [1 << 32]}]}),
        BAD,
    ),
    "a last-N that is none": (endpoints({"id": "a", "initial-last-n": {}}), BAD),
    # -- links
    "create a link that is there": (relays(link("bridge-2")), CONFLICT),
    "a link without transport": (relays(link(transport=None)), BAD),
    "a link with another port": (relays(link(transport={"sctp": {"port": 9}})), BAD),
    "a link to itself": (relays(link("bridge-1")), BAD),
    # Not item-not-found, which a focus takes for the word of the room.
    "update of an unknown link": (relays({"id": "bridge-3", "transport": REMOTE}), BAD),
    "two links": (relays(link("bridge-3"), link("bridge-4")), NOT_IMPLEMENTED),
    "a link and an endpoint": (
        endpoints({"id": "a"}, relays=[{"id": "bridge-2"}]),
        NOT_IMPLEMENTED,
    ),
    "a link without id": (relays({"create": True, "transport": SCTP}), BAD),
    # -- what there is not
    "a recorder": (
        {"meeting-id": "m1", "connects": [{"id": "r", "url": "wss://r.example"}]},
        NOT_IMPLEMENTED,
    ),
    # -- two faults: of the conference is spoken first, since for a bridge that has lost it
    #    a focus must invite all anew, whatever else it asks
    "a recorder of none": ({"meeting-id": "m2", "connects": [{"id": "r"}]}, NO_CONFERENCE),
    "two links of none": (
        relays(link("bridge-3"), link("bridge-4"), **{"meeting-id": "m2"}),
        NO_CONFERENCE,
    ),
    "two created in what is there": (
        endpoints(new("b"), new("c"), create=True),
        EXISTS,
    ),
    "a new conference with two": (
        endpoints(new("b"), new("c"), create=True, **{"meeting-id": "m2"}),
        NOT_IMPLEMENTED,
    ),
    "a new conference with a recorder": (
        {"meeting-id": "m2", "create": True, "connects": [{"id": "r"}]},
        NOT_IMPLEMENTED,
    ),
    "a new conference with nobody": (
        endpoints(new(transport=None), create=True, **{"meeting-id": "m2"}),
        BAD,
    ),
    "a new conference with a bad link": (
        relays(link(transport=None), create=True, **{"meeting-id": "m2"}),
        BAD,
    ),
}


# -- over XMPP and over HTTP -------------------------------------------------------------
FILLED: tuple[Json, ...] = (
    endpoints(new("a"), create=True),
    endpoints(new("v", **{"muc-role": "visitor"})),
    relays(link("bridge-2")),
)
HELD = {"m1": ({"a", "v"}, {"bridge-2"})}


async def fill(rig: Rig) -> None:
    for request in FILLED:
        assert await rig.ask(request) is None


def _expected(refusal: tuple[str, str], endpoint: str | None = None) -> Seen:
    return Seen(TYPES[refusal[0]][0], *refusal, endpoint)


@pytest.mark.parametrize("name", TABLE)
async def test_a_refusal_over_xmpp(name: str) -> None:
    request, refusal = TABLE[name]
    rig = Rig(relay_id="bridge-1")
    await fill(rig)
    gone = "b" if refusal is NO_ENDPOINT else None
    assert await rig.ask(request) == _expected(refusal, gone)
    assert rig.held == HELD, "nothing came of it, and what was there is still there"


@pytest.mark.parametrize("name", TABLE)
async def test_the_same_refusal_over_http(name: str) -> None:
    request, (condition, reason) = TABLE[name]
    async with serving() as rig:
        for one in FILLED:
            status, _ = await rig.ask("POST", "/colibri/v2/conferences", one)
            assert status == 200
        status, answer = await rig.ask("POST", "/colibri/v2/conferences", request)
        assert status == TYPES[condition][1]
        assert (answer["condition"], answer["reason"]) == (condition, reason)
        assert answer.keys() == {"condition", "reason", "text"}
        held = rig.bench.bridge.conferences
        assert set(held) == {"m1"}
        assert set(held[MeetingId("m1")].endpoints) == {"a", "v"}


def test_every_reason_and_every_status_is_in_the_table() -> None:
    """A new one needs a row."""
    told = {refusal for _, refusal in TABLE.values()} | {ENDING, FULL}
    assert {reason for _, reason in told} == {one.value for one in Reason}
    # What no request brings about: who asks over HTTP is refused before it is read.
    assert {condition for condition, _ in told} == set(_STATUS) - {"forbidden"}


@pytest.mark.parametrize("name", [one for one, (_, why) in TABLE.items() if why is not BAD])
def test_both_forms_of_a_request_are_the_same(name: str) -> None:
    """Or the two tests above would not be about the same; of the bad ones, many cannot be
    read at all."""
    request, _ = TABLE[name]
    asked = to_xml("conference-modify", request)
    assert modify_from_xml(asked) == modify_from_json(request)


# -- what depends on the bridge -----------------------------------------------------------
CREATE = {"meeting-id": "m2", "create": True}


async def test_one_that_ends_takes_no_conference_but_endpoints() -> None:
    rig = Rig(relay_id="bridge-1")
    await fill(rig)
    rig.bench.bridge.operation.shut_down(0.0, graceful=True)
    assert await rig.ask(CREATE) == _expected(ENDING)
    assert await rig.ask({**CREATE, "meeting-id": "m1"}) == _expected(EXISTS)
    assert await rig.ask({**CREATE, "connects": [{"id": "r"}]}) == _expected(ENDING)
    assert await rig.ask(endpoints(new("b"))) is None
    assert await rig.ask(relays(link("bridge-3"))) is None
    assert set(rig.held) == {"m1"}


async def test_a_full_one_refuses_endpoints_and_keeps_no_empty_conference() -> None:
    rig = Rig(max_endpoints=2)
    for request in FILLED[:2]:
        assert await rig.ask(request) is None
    assert await rig.ask(endpoints(new())) == _expected(FULL)
    assert await rig.ask(endpoints(new(), **CREATE)) == _expected(FULL)
    assert rig.held == {"m1": ({"a", "v"}, set())}


async def test_one_without_a_name_has_no_links() -> None:
    rig = Rig()
    for request in FILLED[:2]:
        assert await rig.ask(request) is None
    for request in (link(), {"id": "bridge-3"}, {"id": "bridge-3", "expire": True}):
        assert await rig.ask(relays(request)) == _expected(NOT_IMPLEMENTED)
    assert set(rig.held) == {"m1"}


# -- what is no error ---------------------------------------------------------------------
MUTED = {"force-mute": {"audio": True}}


@pytest.mark.parametrize(
    "request_",
    [
        endpoints({"id": "b", "expire": True}),
        endpoints({"id": "b", **MUTED}),
        endpoints({"id": "b", **MUTED}, {"id": "c", "expire": True}, {"id": "a", **MUTED}),
        relays({"id": "bridge-3", "expire": True}),
        relays({"id": "bridge-3", "expire": True}, {"id": "bridge-4", "expire": True}),
        {"meeting-id": "m1"},
        {"meeting-id": "m1", "connects": []},
        endpoints({"id": "a"}),
        endpoints({"id": "v", "sources": []}),
        endpoints({"id": "a", "transport": {"ice-restart": True}}),
    ],
)
async def test_what_does_no_harm_is_no_error(request_: Json) -> None:
    rig = Rig(relay_id="bridge-1")
    await fill(rig)
    assert await rig.ask(request_) is None
    assert rig.held == HELD


@pytest.mark.parametrize(
    ("last", "refused"),
    [
        (endpoints({"id": "a", "expire": True}), None),
        (endpoints({"id": "a", "expire": True}, {"id": "b", **MUTED}), None),
        ({"meeting-id": "m1", "expire": True}, None),
        # The first is gone by then, and with it the conference.
        (
            endpoints(
                {"id": "a", "expire": True}, {"id": "b", "initial-last-n": {"value": 1}}
            ),
            _expected(NO_ENDPOINT, "b"),
        ),
    ],
)
async def test_an_empty_conference_ends(last: Json, refused: Seen | None) -> None:
    rig = Rig()
    assert await rig.ask(FILLED[0]) is None
    assert await rig.ask(last) == refused
    assert rig.held == {}


async def test_an_empty_conference_may_begin_with_a_create() -> None:
    """A focus may make it first and its endpoints afterwards."""
    rig = Rig()
    assert await rig.ask(CREATE) is None
    assert rig.held == {"m2": (set(), set())}
    assert await rig.ask(endpoints(new(), **{"meeting-id": "m2"})) is None
    assert rig.held == {"m2": ({"b"}, set())}
