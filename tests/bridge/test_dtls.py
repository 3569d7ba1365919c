from __future__ import annotations

import datetime
import os
from dataclasses import replace

import pytest
from xmppconf_bridge.certificate import Certificate
from xmppconf_bridge.dtls import (
    HANDSHAKE_TIMEOUT,
    MTU,
    Closed,
    Connected,
    DtlsTransport,
    Effect,
    Failed,
    Received,
    SendDatagrams,
)

from xmppconf.transport import Fingerprint

OURS = Certificate.generate(datetime.datetime.now(datetime.UTC))
THEIRS = Certificate.generate(datetime.datetime.now(datetime.UTC))


def pair() -> tuple[DtlsTransport, DtlsTransport]:
    server = DtlsTransport(OURS, (THEIRS.fingerprint,), server=True)
    client = DtlsTransport(THEIRS, (OURS.fingerprint,), server=False)
    return server, client


def run(
    one: DtlsTransport, two: DtlsTransport, *, drop: frozenset[int] = frozenset()
) -> tuple[list[Effect], list[Effect]]:
    """Carry datagrams both ways until both are silent; `drop` numbers lost datagrams."""
    seen: tuple[list[Effect], list[Effect]] = ([], [])
    number, now = 0, 0.0
    for _ in range(60):
        moved = False
        for here, there, effects in ((one, two, seen[0]), (two, one, seen[1])):
            for effect in here.effects():
                moved = True
                effects.append(effect)
                if isinstance(effect, SendDatagrams):
                    for datagram in effect.datagrams:
                        if number not in drop:
                            there.receive(datagram, now)
                        number += 1
        if not moved:
            dues = [d for d in (one.next_timeout(), two.next_timeout()) if d is not None]
            if not dues or min(dues) > 5.0:
                break
            now = min(dues)
            one.timeout(now)
            two.timeout(now)
    return seen


def only(effects: list[Effect], kind: type[Effect]) -> list[Effect]:
    return [e for e in effects if isinstance(e, kind)]


def test_both_sides_get_each_others_keys() -> None:
    server, client = pair()
    server.start(0.0)
    client.start(0.0)
    ours, theirs = run(server, client)
    [at_server] = only(ours, Connected)
    [at_client] = only(theirs, Connected)
    assert isinstance(at_server, Connected)
    assert isinstance(at_client, Connected)
    assert at_server.profile == at_client.profile == 0x0007
    assert at_server.send_key == at_client.receive_key
    assert at_server.receive_salt == at_client.send_salt
    assert at_server.send_key != at_server.receive_key


def test_data_goes_both_ways_and_close_is_told() -> None:
    server, client = pair()
    server.start(0.0)
    client.start(0.0)
    run(server, client)
    server.send(b"from server", 1.0)
    client.send(b"x" * 1100, 1.0)
    ours, theirs = run(server, client)
    assert only(theirs, Received) == [Received(b"from server")]
    assert only(ours, Received) == [Received(b"x" * 1100)]
    client.close()
    ours, _ = run(server, client)
    assert only(ours, Closed) == [Closed()]
    server.send(b"late", 2.0)
    assert list(server.effects()) == []


@pytest.mark.parametrize("lost", range(8))
def test_any_lost_datagram_is_made_up_for_early(lost: int) -> None:
    server, client = pair()
    server.start(0.0)
    client.start(0.0)
    ours, theirs = run(server, client, drop=frozenset({lost}))
    assert only(ours, Connected)
    assert only(theirs, Connected)


def test_a_hello_in_two_fragments_is_put_together() -> None:
    server, client = pair()
    server.start(0.0)
    client.start(0.0)
    [hello] = [e for e in client.effects() if isinstance(e, SendDatagrams)]
    record = b"".join(hello.datagrams)
    header, message = record[:13], record[13:]
    kind, sequence, body = message[:1], message[4:6], message[12:]
    total, middle = len(body).to_bytes(3), len(body) // 2
    for number, (start, end) in enumerate(((0, middle), (middle, len(body)))):
        fragment = kind + total + sequence + start.to_bytes(3)
        fragment += (end - start).to_bytes(3) + body[start:end]
        length = len(fragment).to_bytes(2)
        server.receive(header[:5] + number.to_bytes(6) + b"" + length + fragment, 0.0)
        if number == 0:
            assert only(list(server.effects()), SendDatagrams) == []
    assert only(list(server.effects()), SendDatagrams)


def flipped(fingerprint: Fingerprint) -> Fingerprint:
    return replace(fingerprint, value="00" + fingerprint.value[2:])


def test_rubbish_before_during_and_after_changes_nothing() -> None:
    server, client = pair()
    rubbish = [b"", b"\x16", os.urandom(13), b"\x16\xfe\xfd" + os.urandom(60), bytes(1500)]
    for data in rubbish:
        server.receive(data, 0.0)
    server.start(0.0)
    client.start(0.0)
    for data in rubbish:
        server.receive(data, 0.0)
        client.receive(data, 0.0)
    ours, theirs = run(server, client)
    assert only(ours, Connected)
    assert only(theirs, Connected)
    for data in rubbish:
        server.receive(data, 1.0)
    client.send(b"alive", 1.0)
    ours, _ = run(server, client)
    assert only(ours, Received) == [Received(b"alive")]


def test_a_silent_peer_fails_once_in_time() -> None:
    client = DtlsTransport(OURS, (THEIRS.fingerprint,), server=False)
    client.start(100.0)
    client.timeout(100.0 + HANDSHAKE_TIMEOUT)
    client.timeout(101.0 + HANDSHAKE_TIMEOUT)
    effects = list(client.effects())
    assert only(effects, Failed) == [Failed("handshake timed out")]
    assert client.next_timeout() is None


def test_datagrams_fit_the_mtu() -> None:
    server, client = pair()
    server.start(0.0)
    client.start(0.0)
    ours, theirs = run(server, client)
    for effect in only(ours + theirs, SendDatagrams):
        assert isinstance(effect, SendDatagrams)
        assert all(0 < len(datagram) <= MTU for datagram in effect.datagrams)
