"""Datagrams into a DTLS transport, before, during and after a handshake (Z3).

An input is one octet for how far the genuine handshake has come, then datagrams with a
16-bit length before each.  Nothing may be raised, every datagram must fit, and keys come
from the genuine peer only.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from functools import cache

from xmppconf_bridge.certificate import Certificate
from xmppconf_bridge.dtls import Connected, DtlsTransport, SendDatagrams

MAX_DATAGRAMS = 64
FITS = 1200
#: How many datagrams of the genuine client reach the server first.
STAGES = (0, 1, 99)


@cache
def _certificates() -> tuple[Certificate, Certificate]:
    now = datetime.datetime.now(datetime.UTC)
    return Certificate.generate(now), Certificate.generate(now)


def datagrams(data: bytes) -> Iterator[bytes]:
    at = 0
    for _ in range(MAX_DATAGRAMS):
        if at + 2 > len(data):
            return
        length = int.from_bytes(data[at : at + 2])
        yield data[at + 2 : at + 2 + length]
        at += 2 + length


def one_input(data: bytes) -> None:
    if not data:
        return
    ours, theirs = _certificates()
    server = DtlsTransport(ours, (theirs.fingerprint,), server=True)
    client = DtlsTransport(theirs, (ours.fingerprint,), server=False)
    server.start(0.0)
    client.start(0.0)
    genuine = STAGES[data[0] % len(STAGES)]
    connected = _exchange(server, client, genuine)
    assert connected == (genuine == STAGES[-1])

    now = 0.0
    for datagram in datagrams(data[1:]):
        now += 0.01
        server.receive(datagram, now)
        due = server.next_timeout()
        if due is not None and due <= now:
            server.timeout(now)
        for effect in server.effects():
            assert not isinstance(effect, Connected), "keys for a stranger"
            if isinstance(effect, SendDatagrams):
                assert all(len(sent) <= FITS for sent in effect.datagrams)


def _exchange(server: DtlsTransport, client: DtlsTransport, limit: int) -> bool:
    """Carry up to `limit` datagrams from client to server; whether keys came of it."""
    connected, passed = False, 0
    for _ in range(8):
        for effect in list(client.effects()):
            if isinstance(effect, SendDatagrams):
                for datagram in effect.datagrams:
                    if passed < limit:
                        server.receive(datagram, 0.0)
                        passed += 1
        for effect in list(server.effects()):
            connected = connected or isinstance(effect, Connected)
            if isinstance(effect, SendDatagrams):
                for datagram in effect.datagrams:
                    client.receive(datagram, 0.0)
    return connected
