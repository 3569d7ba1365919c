"""S8: whoever shakes hands is who was signalled, or gets neither keys nor a channel."""

from __future__ import annotations

from dataclasses import replace

import pytest
from xmppconf_bridge.dtls import Connected, DtlsTransport, SendDatagrams

from tests.bridge.test_dtls import flipped
from tests.bridge.test_transport import ANN, BOB, BRIDGE, ICE, Bench
from tests.support import figures
from tests.support.figures import Figure
from xmppconf.transport import Fingerprint, Setup

GOOD = ANN.fingerprint
WRONG: dict[str, tuple[Fingerprint, ...]] = {
    "missing": (),
    "one bit off": (flipped(GOOD),),
    "somebody else's": (BOB.fingerprint,),
    "the bridge's own": (BRIDGE.fingerprint,),
    "of another hash": (replace(GOOD, hash="sha-512"),),
    "SHA-1 only": (replace(GOOD, hash="sha-1", value=GOOD.value[:59]),),
    "MD5 only": (replace(GOOD, hash="md5", value=GOOD.value[:47]),),
    "cut": (replace(GOOD, value=GOOD.value[:-3]),),
    "empty": (replace(GOOD, value=""),),
    "without colons": (replace(GOOD, value=GOOD.value.replace(":", "")),),
    "wrong twice": (flipped(GOOD), BOB.fingerprint),
    # A weaker match does not outweigh a stronger mismatch (RFC 8122, 5).
    "right beside a stronger one": (
        GOOD,
        replace(GOOD, hash="sha-512", value=":".join(["AA"] * 64)),
    ),
}
RIGHT: dict[str, tuple[Fingerprint, ...]] = {
    "as it is": (GOOD,),
    "in small letters": (replace(GOOD, value=GOOD.value.lower()),),
    "its hash in capitals": (replace(GOOD, hash="SHA-256"),),
    "twice": (GOOD, GOOD),
    # Several of one hash are several certificates, any of which may come (RFC 8122, 5).
    "beside another certificate's": (BOB.fingerprint, GOOD),
    "beside a weaker one": (replace(GOOD, hash="sha-1", value="AA"), GOOD),
}
TIMES = figures.count(1, 50)


def meet(fingerprints: tuple[Fingerprint, ...], setup: Setup) -> tuple[Bench, bool]:
    """Shake hands with a peer who says a lot as soon as it may; whether it could."""
    bench = Bench()
    signalled = tuple(replace(one, setup=setup) for one in fingerprints)
    bench.transport.set_remote(replace(ICE, fingerprints=signalled))
    bench.transport.ice_valid()
    peer = DtlsTransport(ANN, (BRIDGE.fingerprint,), server=setup is Setup.PASSIVE)
    peer.start(bench.now)
    could = False
    for _ in range(20):
        for effect in peer.effects():
            could = could or isinstance(effect, Connected)
            if isinstance(effect, SendDatagrams):
                for datagram in effect.datagrams:
                    bench.transport.dtls_datagram(datagram)
        for _, datagrams in bench.engine.take("send_dtls"):
            for datagram in datagrams:
                peer.receive(datagram, bench.now)
        peer.send(b"an SCTP packet", bench.now)
    return bench, could


@pytest.mark.parametrize("setup", [Setup.ACTIVE, Setup.PASSIVE])
@pytest.mark.parametrize("form", RIGHT)
def test_a_right_fingerprint_lets_in(form: str, setup: Setup) -> None:
    bench, could = meet(RIGHT[form], setup)
    assert could
    assert bench.told == ["connected"]
    assert len(bench.engine.take("set_srtp")) == 1
    assert bench.channels[0].received > 0


def test_a_wrong_fingerprint_lets_nothing_in() -> None:
    handshakes = 0
    for form, fingerprints in WRONG.items():
        for setup in (Setup.ACTIVE, Setup.PASSIVE):
            for _ in range(TIMES):
                bench, _ = meet(fingerprints, setup)
                assert bench.told == (["failed"] if fingerprints else []), form
                # Without keys the engine lets no media in, without a channel there is
                # nobody to whom data could go.
                assert bench.engine.take("set_srtp") == [], form
                assert bench.channels == [], form
                assert not bench.transport.is_connected
                handshakes += 1
    what = f"handshakes with a fingerprint of {len(WRONG)} wrong forms, in either role"
    what += ": no keys, no channel, 0 octets let in"
    figures.record(Figure("gate", "S8", what, handshakes, ""))
