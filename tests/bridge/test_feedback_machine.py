"""Z15: whatever a receiver says, in whatever order, about what it gets: estimates stay
within bounds, nothing is sent without measure, and no number is given out twice."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from xmppconf_bridge._native import MediaMachine

from tests.support.bandwidth_loop import (
    RTX,
    TRANSPORT_CC,
    TRANSPORT_CC_ID,
    VP8,
    Receiver,
    Sender,
    nanoseconds,
)
from tests.support.figures import Figure, count, record

SENDER, RECEIVER, SOURCE = 1, 2, 7
SLOT, SLOT_RTX, PADDING = 4001, 4002, 91
MIN_RATE, MAX_RATE = 30_000, 30_000_000
FRAME = 1 / 30
#: Bytes that probes may add to what the estimate allows: some trains of 20 ms every 3 s.
PROBES = 2 * 0.02 * MAX_RATE / 8

reports = st.binary(max_size=60)


class FeedbackMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.machine = MediaMachine(1)
        self.now = 10.0
        self.sender = Sender("s", (150_000, 500_000, 2_500_000), 600)
        self.receiver = Receiver()
        self.under_way: list[bytes] = []
        self.sent: dict[tuple[int, int], bytes] = {}
        self.newest: dict[int, int] = {}
        self.tag = 0
        self.received = 0
        self.media = 0
        self.besides = 0
        self.estimates: list[int] = [1_000_000]
        self.machine.add_conference(5, 90, PADDING)
        for transport in (SENDER, RECEIVER):
            self.machine.add_transport(transport, 5)
            self.machine.set_payload_types(
                transport,
                [
                    (VP8, "vp8", 90_000, None, True, True, True),
                    (RTX, "rtx", 90_000, VP8, False, False, True),
                ],
            )
            self.machine.set_header_extensions(transport, [(TRANSPORT_CC_ID, TRANSPORT_CC)])
        encodings: list[tuple[int, int | None]] = [(600 + n, 700 + n) for n in range(3)]
        self.machine.set_sources(SENDER, [(SOURCE, "video", encodings)])
        self.route(encoding=2)

    @rule(encoding=st.integers(-1, 2))
    def route(self, encoding: int) -> None:
        now = nanoseconds(self.now)
        self.machine.set_route(now, RECEIVER, SOURCE, SLOT, SLOT_RTX, encoding, 7, 7)

    @rule(demand=st.integers(0, 40_000_000), trial=st.integers(0, 40_000_000))
    def demand(self, demand: int, trial: int) -> None:
        self.machine.set_demand(nanoseconds(self.now), RECEIVER, demand, trial)

    @rule(frames=st.integers(1, 30))
    def film(self, frames: int) -> None:
        for _ in range(frames):
            for packet in self.sender.packets(self.now):
                self.received += 1
                self.media += len(packet) + 44
                self.machine.receive_rtp(nanoseconds(self.now), SENDER, packet)
            self.pass_time(FRAME)

    @rule(seconds=st.floats(0.001, 3))
    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            due = self.machine.next_timeout()
            if due is None or due / 1e9 > end:
                break
            self.now = max(self.now, due / 1e9)
            self.machine.timeout(due)
        self.now = end
        self.collect()

    @rule(delay=st.floats(0, 0.5), share=st.sampled_from((0.0, 0.5, 0.9, 1.0)))
    def report_honestly(self, delay: float, share: float) -> None:
        for index, packet in enumerate(self.under_way):
            if index % 10 < share * 10:
                self.receiver.receive(self.now + delay + index * 0.0005, packet)
        self.under_way.clear()
        for report in self.receiver.reports(self.now):
            self.hear(report)

    @rule(base=st.integers(0, 65_535), number=st.integers(0, 65_535), rest=reports)
    def report_nonsense(self, base: int, number: int, rest: bytes) -> None:
        body = struct.pack("!IIHHI", 1, SLOT, base, number, 0xFFFFFF00) + rest
        body += bytes(-len(body) % 4)
        self.hear(struct.pack("!BBH", 0x8F, 205, len(body) // 4) + body)

    @rule(behind=st.integers(-100, 600), mask=st.integers(0, 65_535))
    def miss(self, behind: int, mask: int) -> None:
        number = (self.newest.get(SLOT, 0) - behind) & 0xFFFF
        for ssrc in (SLOT, SLOT_RTX, PADDING):
            self.hear(struct.pack("!BBHIIHH", 0x81, 205, 3, 1, ssrc, number, mask))

    @rule(exponent=st.integers(0, 63), mantissa=st.integers(0, (1 << 18) - 1))
    def estimate_otherwise(self, exponent: int, mantissa: int) -> None:
        body = b"REMB" + struct.pack("!II", 1 << 24 | exponent << 18 | mantissa, SLOT)
        self.hear(struct.pack("!BBHII", 0x8F, 206, 5, 1, 0) + body)

    @rule()
    def ask_for_a_keyframe(self) -> None:
        self.hear(struct.pack("!BBHII", 0x81, 206, 2, 1, SLOT))
        self.sender.keyframe = True

    def hear(self, compound: bytes) -> None:
        self.machine.receive_rtcp(nanoseconds(self.now), RECEIVER, compound)
        self.collect()

    def collect(self) -> None:
        for receiver, packet in self.machine.take_rtp():
            assert receiver == RECEIVER
            self.check(packet)
        self.machine.take_rtcp()
        for name, *figures in self.machine.take_events():
            if name == "bandwidth":
                assert figures[0] == RECEIVER
                self.estimates.append(figures[1])

    def check(self, packet: bytes) -> None:
        sequence, ssrc = struct.unpack("!H4xI", packet[2:12])
        # Another packet under a number that was used would give the key stream away.
        assert self.sent.setdefault((ssrc, sequence), packet) == packet
        before = self.newest.get(ssrc)
        assert before is None or sequence == (before + 1) & 0xFFFF, "neither gap nor repeat"
        self.newest[ssrc] = sequence
        tag = int.from_bytes(packet[17:19], "big")
        assert packet[16] >> 4 == TRANSPORT_CC_ID
        assert tag == (self.tag + 1) & 0xFFFF, "numbered as it leaves"
        self.tag = tag
        if ssrc != SLOT:
            self.besides += len(packet) + 44
        self.under_way = [*self.under_way[-2000:], packet]

    @invariant()
    def estimates_stay_within_bounds(self) -> None:
        assert min(self.estimates) >= MIN_RATE
        assert max(self.estimates) <= MAX_RATE

    @invariant()
    def nothing_is_sent_without_measure(self) -> None:
        elapsed = self.now - 10.0
        filled = elapsed * max(self.estimates) / 8
        again = 64 * 1024 + self.media / 4 * 2
        assert self.besides <= 1.1 * filled + again + PROBES * (3 + elapsed / 3)


RUNS = count(40, 2000)
FeedbackMachine.TestCase.settings = settings(
    max_examples=RUNS, stateful_step_count=50, deadline=None
)


@pytest.fixture(scope="module", autouse=True)
def kept(request: pytest.FixtureRequest) -> Iterator[None]:
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed == failed:
        what = "runs of up to 50 steps of a receiver's feedback: nothing without measure"
        record(Figure("gate", "Z15", what, RUNS, "runs", "≥ 2,000"))


#: Of the full count, which takes minutes.
TestFeedback = pytest.mark.timeout(900)(FeedbackMachine.TestCase)
