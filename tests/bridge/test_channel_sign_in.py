"""S13: who may not open a bridge channel is told so in one way, and in one time.

Times are those of the handler alone, in turns and in random order, without the slowest
tenth, which is the machine's; two kinds of tries are compared by Welch's t.
"""

from __future__ import annotations

import gc
import hmac
import random
import statistics
import time
from typing import Any
from unittest import mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from xmppconf_bridge.colibri import modify
from xmppconf_bridge.io.web_socket import BRIDGE, open_channel

from tests.support import figures
from tests.support.fake_engine import BridgeBench
from tests.support.figures import Figure
from xmppconf.colibri2 import ConferenceModify, EndpointRequest, Transport
from xmppconf.ids import EndpointId, MeetingId

MEETING = MeetingId("m1")
TRIES = figures.count(1_000, 10_000)


def bench() -> BridgeBench:
    """Ann and Bob are there, and Cleo was."""
    made = BridgeBench()
    for number, name in enumerate(("ann", "bob", "cleo")):
        one = EndpointRequest(
            EndpointId(name),
            create=True,
            capabilities=frozenset({"source-names"}),
            transport=Transport(),
        )
        modify(made.bridge, ConferenceModify(MEETING, create=not number, endpoints=(one,)))
    return made


class Doors:
    def __init__(self) -> None:
        self.bench = bench()
        self.application = web.Application()
        self.application[BRIDGE] = self.bench.bridge
        self.right = self.bench.endpoint("ann").password
        self.bobs = self.bench.endpoint("bob").password
        self.cleos = self.bench.endpoint("cleo").password
        leave = EndpointRequest(EndpointId("cleo"), expire=True)
        modify(self.bench.bridge, ConferenceModify(MEETING, endpoints=(leave,)))

    def request(self, endpoint: str, query: str, conference: str = "") -> web.Request:
        path = {
            "server": "bridge-1",
            "conference": conference or self.bench.conference.socket_id,
            "endpoint": endpoint,
        }
        where = "/".join(("", "colibri-ws", *path.values()))
        request = make_mocked_request("GET", f"{where}?{query}", app=self.application)
        request.match_info.update(path)
        return request

    def kinds(self) -> dict[str, tuple[web.Request, web.Request]]:
        """Two tries each, between which nobody may find a difference."""
        wrong_at_once = "?" + self.right[1:]
        wrong_at_last = self.right[:-1] + "?"
        other = "pwd=" + "q" * len(self.right)
        return {
            "wrong in the first or in the last letter": (
                self.request("ann", f"pwd={wrong_at_once}"),
                self.request("ann", f"pwd={wrong_at_last}"),
            ),
            "another's or nobody's": (
                self.request("ann", f"pwd={self.bobs}"),
                self.request("ann", other),
            ),
            "one that was good, where its owner was or another is": (
                self.request("cleo", f"pwd={self.cleos}"),
                self.request("ann", f"pwd={self.cleos}"),
            ),
            "wrong, for who is there or is not": (
                self.request("ann", other),
                self.request("abe", other),
            ),
            "empty, for who is there or is not": (
                self.request("ann", "pwd="),
                self.request("abe", "pwd="),
            ),
        }


@pytest.fixture
def doors() -> Doors:
    return Doors()


def knock(request: web.Request) -> tuple[Any, ...]:
    """Everything that the answer consists of."""
    answering = open_channel(request)
    try:
        # It never waits for anything before it has refused.
        answering.send(None)
    except web.HTTPForbidden as refusal:
        return refusal.status, refusal.reason, refusal.text, tuple(refusal.headers.items())
    finally:
        answering.close()
    raise AssertionError("let in")


def test_all_get_one_answer(doors: Doors) -> None:
    requests = [request for pair in doors.kinds().values() for request in pair]
    requests += [
        doors.request("ann", ""),
        doors.request("ann", f"pwd={doors.right}&more=1"),
        doors.request("ann", f"pwd=wrong&pwd={doors.right}"),
        doors.request("ann", f"password={doors.right}"),
        doors.request("ann", "pwd=%00%ff%F0%9F%98%80"),
        doors.request("ann", f"pwd={doors.right}", conference="elsewhere"),
        doors.request("ann", "pwd=", conference="elsewhere"),
    ]
    [answer] = {knock(request) for request in requests}
    assert answer[:3] == (403, "Forbidden", "403: Forbidden")


def test_every_try_is_compared_once_and_whole(doors: Doors) -> None:
    """Whatever is wrong; what is compared takes as long however much of it is right."""
    right = doors.right.encode()
    for what, pair in doors.kinds().items():
        for request in pair:
            with mock.patch.object(hmac, "compare_digest", return_value=False) as compare:
                knock(request)
            [(given, wanted)] = [call.args for call in compare.call_args_list]
            assert given == request.query["pwd"].encode(), what
            assert wanted == (right if request.match_info["endpoint"] == "ann" else b"")


def cropped(times: tuple[list[int], list[int]]) -> tuple[list[int], list[int]]:
    """Without what is slower than nine tenths of all."""
    limit = statistics.quantiles(times[0] + times[1], n=10)[-1]
    first, second = ([one for one in some if one <= limit] for some in times)
    return first, second


def welch(first: list[int], second: list[int]) -> float:
    spread = statistics.variance(first) / len(first)
    spread += statistics.variance(second) / len(second)
    return float((statistics.fmean(first) - statistics.fmean(second)) / spread**0.5)


def test_all_are_refused_in_one_time(doors: Doors) -> None:
    chance = random.Random(13)
    for number, (what, pair) in enumerate(doors.kinds().items(), 1):
        times: tuple[list[int], list[int]] = ([], [])
        order = [0, 1] * TRIES
        chance.shuffle(order)
        gc.disable()
        try:
            for which in order:
                begun = time.perf_counter_ns()
                knock(pair[which])
                times[which].append(time.perf_counter_ns() - begun)
        finally:
            gc.enable()
        first, second = cropped(times)
        apart = abs(statistics.median(first) - statistics.median(second))
        # A machine with other work to do is not to fail a build: t is only kept.
        assert apart < 0.1 * statistics.median(first), what
        told = f"password {what}: {TRIES:,} tries each, {apart:.0f} ns of"
        told += f" {statistics.median(first):,.0f} between the medians; Welch's t"
        t = abs(welch(first, second))
        figures.record(Figure("gate", f"S13 ({number})", told, t, "", "< 4.5"))
