"""One endpoint's transport, in every state, against a DTLS stack that is real."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace

import pytest
from xmppconf_bridge.certificate import Certificate
from xmppconf_bridge.dtls import Connected, DtlsTransport, SendDatagrams
from xmppconf_bridge.transport import Channel, EndpointTransport, Local

from tests.support.fake_engine import FakeEngine
from xmppconf.transport import IceTransport

NOW = datetime.datetime.now(datetime.UTC)
BRIDGE, ANN, BOB = (Certificate.generate(NOW) for _ in range(3))
ICE = IceTransport("peer", "p" * 24, fingerprints=(ANN.fingerprint,))


class SilentChannel:
    def __init__(self) -> None:
        self.is_closed = False
        self.received = 0
        """Packets."""

    def receive(self, data: bytes) -> None:
        self.received += 1

    def send(self, text: str) -> None: ...
    def abandon(self) -> None: ...

    def close(self) -> None:
        self.is_closed = True


class Bench:
    """A transport with its engine and owner, and whoever shakes hands with it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.engine = FakeEngine()
        self.told: list[str] = []
        self.channels: list[SilentChannel] = []
        self.transport = EndpointTransport(
            7,
            self.engine,
            Local("ours", "o" * 24, BRIDGE, ()),
            self,
            lambda: self.now,
            self.make_channel,
        )

    def make_channel(
        self,
        send: Callable[[bytes], None],
        on_open: Callable[[], None],
        on_message: Callable[[str], None],
        on_close: Callable[[], None],
        *,
        opens: bool = False,
    ) -> Channel:
        self.channels.append(SilentChannel())
        return self.channels[-1]

    def transport_connected(self) -> None:
        self.told.append("connected")

    def transport_failed(self, reason: str) -> None:
        self.told.append("failed")

    def data_channel_opened(self, channel: Channel) -> None:
        self.told.append("channel opened")

    def data_channel_message(self, channel: Channel, text: str) -> None:
        self.told.append("message")

    def data_channel_closed(self, channel: Channel) -> None:
        self.told.append("channel closed")

    def shake(self, certificate: Certificate) -> Connected:
        """Let a peer with this certificate shake hands; its keys."""
        peer = DtlsTransport(certificate, (BRIDGE.fingerprint,), server=False)
        peer.start(self.now)
        keys = None
        for _ in range(20):
            for effect in peer.effects():
                if isinstance(effect, SendDatagrams):
                    for datagram in effect.datagrams:
                        self.transport.dtls_datagram(datagram)
                elif isinstance(effect, Connected):
                    keys = effect
            for _, datagrams in self.engine.take("send_dtls"):
                for datagram in datagrams:
                    peer.receive(datagram, self.now)
        assert keys is not None
        return keys


def new() -> Bench:
    return Bench()


def signalled() -> Bench:
    bench = Bench()
    bench.transport.set_remote(ICE)
    return bench


def valid() -> Bench:
    bench = Bench()
    bench.transport.ice_valid()
    return bench


def shaking() -> Bench:
    bench = signalled()
    bench.transport.ice_valid()
    return bench


def connected() -> Bench:
    bench = shaking()
    bench.shake(ANN)
    return bench


def closed() -> Bench:
    bench = connected()
    bench.transport.close()
    bench.told.clear()
    return bench


STATES = (new, signalled, valid, shaking, connected, closed)
EVENTS: dict[str, Callable[[Bench], object]] = {
    "remote": lambda bench: bench.transport.set_remote(ICE),
    "remote of no restart": lambda bench: bench.transport.set_remote(
        replace(ICE, generation=9)
    ),
    "ICE valid": lambda bench: bench.transport.ice_valid(),
    "garbage": lambda bench: bench.transport.dtls_datagram(bytes([22]) + bytes(40)),
    "time": lambda bench: bench.transport.timeout(bench.now + 60),
    "restart": lambda bench: bench.transport.restart_ice(lambda count: "r" * count, ()),
    "close": lambda bench: bench.transport.close(),
}
#: What the owner is told in each state of each event; nothing where nothing is said.
TOLD: dict[tuple[str, str], list[str]] = {("shaking", "time"): ["failed"]}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_every_event_in_every_state(state: Callable[[], Bench], event: str) -> None:
    bench = state()
    bench.told.clear()
    was = (bench.transport.is_connected, bench.transport.is_closed)
    EVENTS[event](bench)
    assert bench.told == TOLD.get((state.__name__, event), [])
    is_closed = was[1] or event == "close"
    assert (bench.transport.is_connected, bench.transport.is_closed) == (was[0], is_closed)
    assert len(bench.engine.take("remove_transport")) == is_closed


def test_keys_are_installed_once_ice_and_fingerprint_are_there_in_any_order() -> None:
    for first, second in (("remote", "ICE valid"), ("ICE valid", "remote")):
        bench = Bench()
        EVENTS[first](bench)
        EVENTS[second](bench)
        keys = bench.shake(ANN)
        [(number, profile, send_key, *_)] = bench.engine.take("set_srtp")
        assert (number, profile, send_key) == (7, keys.profile, keys.receive_key)
        assert bench.told == ["connected"]


def test_a_peer_with_another_certificate_shakes_hands_anew() -> None:
    bench = connected()
    bench.engine.take("set_srtp")
    bench.transport.set_remote(replace(ICE, fingerprints=(BOB.fingerprint,)))
    assert not bench.transport.is_connected
    assert bench.channels[0].is_closed
    keys = bench.shake(BOB)
    [(_, _, send_key, *_)] = bench.engine.take("set_srtp")
    assert send_key == keys.receive_key
    assert bench.told == ["connected", "channel closed", "connected"]
    assert len(bench.channels) == 2


def test_candidates_from_before_a_restart_do_not_reach_its_agent() -> None:
    bench = connected()
    bench.transport.restart_ice(lambda count: "r" * count, ())
    bench.engine.take("set_remote_ice")
    bench.transport.set_remote(ICE)
    assert len(bench.engine.take("set_remote_ice")) == 1, "nobody has answered it yet"
    bench.transport.set_remote(replace(ICE, ufrag="next", generation=1))
    bench.transport.set_remote(ICE)
    assert [one[1] for one in bench.engine.take("set_remote_ice")] == ["next"]


def test_who_was_before_is_nobody_once_there_is_another() -> None:
    bench = connected()
    bench.transport.set_remote(replace(ICE, fingerprints=(BOB.fingerprint,)))
    bench.told.clear()
    bench.shake(ANN)
    assert bench.told == ["failed"]
    assert not bench.transport.is_connected
