"""The native engine through its binding, against aioice, libsrtp and strangers."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aioice
import pylibsrtp
import pytest
from xmppconf_bridge import _native
from xmppconf_bridge._native import Engine, SrtpContext
from xmppconf_bridge.echo import is_answer, request

PWD = "0123456789abcdefghijkl"

PROFILES = {
    _native.PROFILE_AES128_CM_SHA1_80: (
        16,
        14,
        pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    ),
    _native.PROFILE_AEAD_AES_128_GCM: (
        16,
        12,
        pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    ),
    _native.PROFILE_AEAD_AES_256_GCM: (
        32,
        12,
        pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    ),
}

LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
OPUS = (111, "opus", 48000, None, False, False, False)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine([("127.0.0.1", 0)])
    yield engine
    engine.close()


@pytest.fixture
def other() -> Iterator[Engine]:
    engine = Engine([("127.0.0.1", 0)])
    yield engine
    engine.close()


@pytest.fixture
def third() -> Iterator[Engine]:
    engine = Engine([("127.0.0.1", 0)])
    yield engine
    engine.close()


def wait_for(engine: Engine, name: str, *, timeout: float = 5.0) -> list[tuple[Any, ...]]:
    """All events up to the first one with this name."""
    events: list[tuple[Any, ...]] = []
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        select.select([engine.event_fd()], [], [], deadline - time.monotonic())
        events += engine.take_events()
        if any(event[0] == name for event in events):
            return events
    raise AssertionError(f"no {name} among {events}")


def settle(
    engine: Engine, counter: str, least: int = 1, timeout: float = 5.0
) -> dict[str, int]:
    """The counters once `counter` has reached `least`."""
    deadline = time.monotonic() + timeout
    while (stats := engine.stats())[counter] < least:
        assert time.monotonic() < deadline, stats
        time.sleep(0.005)
    return stats


def connect(left: Engine, right: Engine, number: int = 1) -> None:
    """Make transport `number` of both a connected pair, `left` controlling."""
    names = {left: f"left{number}", right: f"right{number}"}
    for engine in (left, right):
        engine.add_conference(number, 1000, 1001)
        engine.add_transport(number, number, names[engine], PWD, controlling=engine is left)
    host, port = left.local_addresses()[0]
    left.set_remote_ice(number, names[right], PWD, [])
    right.set_remote_ice(number, names[left], PWD, [(host, port, 2130706431)])
    for engine in (left, right):
        wait_for(engine, "ice-selected")


def restart(left: Engine, right: Engine, number: int = 1) -> None:
    """As `connect`, for a restart of what is connected."""
    for name, engine in (("left", left), ("right", right)):
        engine.restart_ice(number, f"{name}again{number}", PWD, engine is left)
    host, port = left.local_addresses()[0]
    candidates = [(host, port, 2130706431)]
    left.set_remote_ice(number, f"rightagain{number}", PWD, [], restart=True)
    right.set_remote_ice(number, f"leftagain{number}", PWD, candidates, restart=True)


def rtp(ssrc: int, sequence: int, payload: bytes = b"\xfc" + bytes(40)) -> bytes:
    return struct.pack("!BBHII", 0x80, 111, sequence, sequence * 960, ssrc) + payload


def test_the_constructor_reports_what_it_bound(engine: Engine) -> None:
    ((host, port),) = engine.local_addresses()
    assert host == "127.0.0.1"
    with pytest.raises(OSError, match=f"127.0.0.1:{port}") as caught:
        Engine([("127.0.0.1", port)])
    assert caught.value.errno is not None
    with pytest.raises(ValueError, match="not an IP address"):
        Engine([("localhost", 0)])
    with pytest.raises(OSError, match="cannot bind"):
        Engine([])


def test_a_conference_goes_to_the_worker_that_is_named() -> None:
    engine = Engine([("127.0.0.1", 0)], workers=3)
    try:
        [address] = engine.local_addresses()
        for number, worker in enumerate((2, 2, 1), 1):
            engine.add_conference(number, 1, 2, worker=worker)
            engine.add_transport(number, number, f"left{number}", PWD, controlling=False)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(5)
            for number in range(1, 4):
                peer.sendto(request(bytes(12), f"left{number}", PWD), address)
                assert is_answer(peer.recv(2000), bytes(12), PWD)
        # Questions and answers; figures come twice a second.
        while sum(packets for _, packets in engine.workers()) < 6:
            select.select([], [], [], 0.01)
        assert [packets for _, packets in engine.workers()] == [0, 2, 4]
    finally:
        engine.close()


def test_workers_are_told_apart() -> None:
    engine = Engine([("127.0.0.1", 0)], workers=3)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"nothing", engine.local_addresses()[0])
            while not any(packets for _, packets in engine.workers()):
                select.select([], [], [], 0.01)
        assert sorted(packets for _, packets in engine.workers()) == [0, 0, 1]
    finally:
        engine.close()


def test_close_is_quick_and_final() -> None:
    engine = Engine([("127.0.0.1", 0), ("::1", 0)])
    engine.add_conference(1, 2, 3)
    begin = time.monotonic()
    engine.close()
    engine.close()
    assert time.monotonic() - begin < 0.2
    with pytest.raises(RuntimeError):
        engine.take_events()
    with pytest.raises(RuntimeError):
        engine.add_conference(2, 2, 3)


def test_a_full_command_queue_says_so() -> None:
    engine = Engine([("127.0.0.1", 0)], queue=1)

    def flood() -> None:
        for _ in range(100_000):
            engine.request_keyframe(1)

    with pytest.raises(BlockingIOError):
        flood()
    engine.close()


@pytest.mark.parametrize(
    ("profile", "key", "salt"),
    [(2, 16, 14), (1, 16, 12), (7, 16, 14), (8, 16, 12), (7, 0, 0)],
)
def test_bad_keys_are_refused(engine: Engine, profile: int, key: int, salt: int) -> None:
    with pytest.raises(ValueError, match="SRTP"):
        engine.set_srtp(1, profile, bytes(key), bytes(salt), bytes(key), bytes(salt))
    with pytest.raises(ValueError, match="SRTP"):
        SrtpContext(profile, bytes(key), bytes(salt))


def test_two_engines_connect_and_carry_dtls(engine: Engine, other: Engine) -> None:
    connect(engine, other)
    engine.send_dtls(1, [b"\x16" + bytes(20), b"\x17" + bytes(30)])
    found: list[tuple[Any, ...]] = []
    while len(found) < 2:
        found += [event for event in wait_for(other, "dtls") if event[0] == "dtls"]
    assert found == [("dtls", 1, b"\x16" + bytes(20)), ("dtls", 1, b"\x17" + bytes(30))]
    assert engine.transport_stats(2) is None


@pytest.mark.parametrize("controlling", [True, False])
async def test_aioice_as_the_peer(
    engine: Engine, controlling: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda **_: ["127.0.0.1"])
    peer = aioice.Connection(ice_controlling=not controlling, use_ipv6=False)
    await peer.gather_candidates()
    engine.add_conference(1, 2, 3)
    engine.add_transport(1, 1, "ours", PWD, controlling=controlling)
    engine.set_remote_ice(1, peer.local_username, peer.local_password, [])
    host, port = engine.local_addresses()[0]
    await peer.add_remote_candidate(
        aioice.Candidate("1", 1, "udp", 2130706431, host, port, "host")
    )
    await peer.add_remote_candidate(None)
    peer.remote_username, peer.remote_password = "ours", PWD
    await asyncio.wait_for(peer.connect(), 10)
    events = await asyncio.to_thread(wait_for, engine, "ice-selected")
    mine = peer.local_candidates[0]
    valid = next(event for event in events if event[0] == "ice-valid")
    assert valid[1:4] == (1, "127.0.0.1", mine.port)
    assert 0 <= valid[4] < 1
    assert events[-1] == ("ice-selected", 1, "127.0.0.1", mine.port, False)
    engine.send_dtls(1, [b"\x16hello from the engine"])
    assert await asyncio.wait_for(peer.recv(), 5) == b"\x16hello from the engine"
    await peer.send(b"\x16hello from the peer")
    events = await asyncio.to_thread(wait_for, engine, "dtls")
    assert events[-1] == ("dtls", 1, b"\x16hello from the peer")
    await peer.close()


def test_strangers_get_no_answer_and_leave_no_trace(engine: Engine, other: Engine) -> None:
    connect(engine, other)
    before = engine.stats()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.connect(engine.local_addresses()[0])
        stranger.setblocking(False)
        sizes = [*range(1501), 1502, 2048, 9000, 65507]
        for first in (0x00, 0x16, 0x80):
            for size in sizes:
                stranger.send((bytes([first]) + os.urandom(size))[:size])
                if size % 50 == 0:
                    time.sleep(0.001)
        binding = struct.pack("!HHI12s", 1, 0, 0x2112A442, bytes(12))
        stranger.send(binding)
        settle(engine, "packets_received", before["packets_received"] + 3 * len(sizes) + 1)
        with pytest.raises(BlockingIOError):
            stranger.recv(2000)
    after = engine.stats()
    assert after["dropped_unclassified"] > 1500
    assert after["dropped_unknown_address"] > 2900
    assert after["dropped_stun_malformed"] >= 1
    assert engine.take_events() == []
    engine.send_dtls(1, [b"\x16" + bytes(20)])
    wait_for(other, "dtls")


def test_media_only_from_a_checked_address(engine: Engine, other: Engine) -> None:
    connect(engine, other)
    key, salt = bytes(range(16)), bytes(range(12))
    engine.set_srtp(1, 7, key, salt, key, salt)
    packet = SrtpContext(7, key, salt).protect_rtp(rtp(5, 1))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(packet, engine.local_addresses()[0])
        settle(engine, "dropped_unknown_address")
    other.send_dtls(1, [packet])
    events = wait_for(engine, "srtp-active")
    assert ("srtp-active", 1) in events
    other.send_dtls(1, [packet, b"\x80\x6f" + bytes(40), packet[:-1] + b"x"])
    stats = settle(engine, "dropped_srtp_unauthentic")
    assert stats["dropped_srtp_replayed"] >= 1


def test_audio_goes_from_one_transport_to_another(
    engine: Engine, other: Engine, third: Engine
) -> None:
    """`third` sends over transport 1, `other` receives over transport 2."""
    engine.add_conference(1, 1000, 1001)
    key, salt = bytes(range(16)), bytes(range(12))
    host, port = engine.local_addresses()[0]
    peers = [third, other]
    for number, peer in enumerate(peers, 1):
        engine.add_transport(number, 1, f"ours{number}", PWD, controlling=True)
        engine.set_payload_types(number, [OPUS])
        engine.set_remote_ice(number, f"theirs{number}", PWD, [])
        peer.add_conference(1, 1, 2)
        peer.add_transport(number, 1, f"theirs{number}", PWD, controlling=False)
        peer.set_remote_ice(number, f"ours{number}", PWD, [(host, port, 2130706431)])
        wait_for(peer, "ice-selected")
        engine.set_srtp(number, 7, key, salt, key, salt)
    other.set_srtp(2, 7, key, salt, key, salt)
    engine.set_sources(1, [(50, "audio", [(5, None)])])
    engine.set_route(2, 50, 5, None, 0, 7, 7)
    sender = SrtpContext(7, key, salt)
    sequence, deadline = 0, time.monotonic() + 10
    # Each engine has its own thread and queue: what comes before the route is dropped.
    while (stats := engine.stats())["rtp_forwarded"] < 45:
        assert time.monotonic() < deadline, stats
        sequence += 1
        third.send_dtls(1, [sender.protect_rtp(rtp(5, sequence))])
        time.sleep(0.002)
    wait_for(other, "srtp-active")
    figures = None
    deadline = time.monotonic() + 5
    while figures is None or figures["packets_received"] < 40:
        assert time.monotonic() < deadline, figures
        time.sleep(0.05)
        figures = other.transport_stats(2)
    assert figures["last_activity"] is not None
    assert abs(figures["last_activity"] - time.monotonic()) < 10


def test_a_tap_shows_headers_until_its_transport_is_gone(
    engine: Engine, other: Engine
) -> None:
    connect(engine, other)
    key, salt = bytes(range(16)), bytes(range(12))
    engine.set_srtp(1, 7, key, salt, key, salt)
    engine.set_header_extensions(1, [(1, LEVEL), (3, MID)])
    former, tap = engine.open_tap(1), engine.open_tap(1)
    # An audio level of 0x5e, and a mid.
    block = bytes((0xBE, 0xDE, 0, 1, 0x10, 0x5E, 0x30, ord("a")))
    header = struct.pack("!BBHII", 0x90, 111, 1, 2, 5) + block
    sender = SrtpContext(7, key, salt)
    report = struct.pack("!BBHI", 0x80, 201, 1, 5)
    names = struct.pack("!BBHIBB6s", 0x81, 202, 3, 5, 1, 5, b"cname")
    other.send_dtls(1, [sender.protect_rtp(header + b"payload")])
    other.send_dtls(1, [sender.protect_rtcp(report + names)])
    settle(engine, "rtcp_received")
    engine.remove_transport(1)
    records, deadline = b"", time.monotonic() + 5
    is_over = False
    while not is_over:
        assert time.monotonic() < deadline
        more, is_over = tap.take()
        records += more
    shown = header.replace(bytes((0x10, 0x5E)), bytes(2))
    at, *rest = struct.unpack_from("<QIHH", records)
    assert abs(at / 1e9 - time.monotonic()) < 10
    assert rest == [len(header) + 7, len(header), 0]
    assert records[16 : 16 + len(header)] == shown
    records = records[16 + len(header) :]
    assert struct.unpack_from("<IHH", records, 8) == (8, 8, 2)
    assert records[16:] == report
    assert former.take() == (b"", True)
    assert tap.take() == (b"", True)
    nowhere = engine.open_tap(99)
    while not nowhere.take()[1]:
        assert time.monotonic() < deadline


def libsrtp(profile: int, key: bytes, *, inbound: bool) -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(key=key, srtp_profile=PROFILES[profile][2])
    policy.ssrc_type = (
        pylibsrtp.Policy.SSRC_ANY_INBOUND if inbound else pylibsrtp.Policy.SSRC_ANY_OUTBOUND
    )
    policy.allow_repeat_tx = True
    policy.window_size = 1024
    return pylibsrtp.Session(policy)


@pytest.mark.parametrize("profile", PROFILES)
def test_libsrtp_agrees_both_ways(profile: int) -> None:
    key_length, salt_length, _ = PROFILES[profile]
    key, salt = os.urandom(key_length), os.urandom(salt_length)
    ours = SrtpContext(profile, key, salt)
    send = libsrtp(profile, key + salt, inbound=False)
    receive = libsrtp(profile, key + salt, inbound=True)
    # Past two rollovers, with a step back to before one of them.
    numbers = [step & 0xFFFF for step in range(60_000, 200_000, 501)] + [
        3,
        65535,
        1,
        65534,
        2,
    ]
    order = sorted(range(len(numbers) - 5)) + list(range(len(numbers) - 5, len(numbers)))
    numbers = [numbers[index] for index in order]
    for number in numbers[:-5]:
        packet = rtp(9, number, os.urandom(number % 1100))
        assert receive.unprotect(ours.protect_rtp(packet)) == packet
        assert ours.unprotect_rtp(send.protect(packet)) == packet
    sender_report = struct.pack("!BBHIIIIII", 0x80, 200, 6, 9, 1, 2, 3, 4, 5)
    for _ in range(20):
        assert receive.unprotect_rtcp(ours.protect_rtcp(sender_report)) == sender_report
        assert ours.unprotect_rtcp(send.protect_rtcp(sender_report)) == sender_report


@pytest.mark.parametrize("profile", PROFILES)
def test_libsrtp_reads_a_resend_from_before_the_rollover(profile: int) -> None:
    key_length, salt_length, _ = PROFILES[profile]
    key, salt = os.urandom(key_length), os.urandom(salt_length)
    ours = SrtpContext(profile, key, salt)
    receive = libsrtp(profile, key + salt, inbound=True)
    for number in (65530, 65531, 65535, 0, 1, 65533, 2, 65534):
        packet = rtp(9, number, b"payload")
        protected = ours.protect_rtp(packet)
        assert ours.protect_rtp(packet) == protected
        assert receive.unprotect(protected) == packet
        assert ours.unprotect_rtp(protected) == packet
        with pytest.raises(ValueError, match="replayed"):
            ours.unprotect_rtp(protected)


def test_ice_restarts_without_a_break_and_from_the_same_address(
    engine: Engine, other: Engine
) -> None:
    connect(engine, other)
    engine.send_dtls(1, [bytes([22]) * 20])
    wait_for(other, "dtls")
    restart(engine, other)
    assert ("ice-failed", 1) not in wait_for(engine, "ice-selected")
    wait_for(other, "ice-selected")
    engine.send_dtls(1, [bytes([22]) * 20])
    other.send_dtls(1, [bytes([22]) * 20])
    wait_for(other, "dtls")
    wait_for(engine, "dtls")


def test_a_restart_that_nobody_answers_changes_nothing(
    engine: Engine, other: Engine
) -> None:
    connect(engine, other)
    engine.restart_ice(1, "again", PWD, True)
    engine.restart_ice(1, "oncemore", PWD, True)
    engine.set_remote_ice(1, "nobody", PWD, [], restart=True)
    other.send_dtls(1, [bytes([22]) * 20])
    wait_for(engine, "dtls")
    engine.send_dtls(1, [bytes([22]) * 20])
    wait_for(other, "dtls")
    engine.remove_transport(1)
    engine.add_transport(2, 1, "again", PWD, controlling=True)  # the names are free again
    engine.add_transport(3, 1, "oncemore", PWD, controlling=True)
    deadline = time.monotonic() + 5
    while engine.stats()["transports"] != 2:
        assert time.monotonic() < deadline
        time.sleep(0.005)


STOPPED = """
import socket, sys, time
from xmppconf_bridge._native import Engine
engine = Engine([("127.0.0.1", 0)])
def received(count):
    while (stats := engine.stats())["packets_received"] < count:
        time.sleep(0.005)
    return stats
address = engine.local_addresses()[0]
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"\\x16" + bytes(20), address)
received(1)  # The worker's thread runs, and can be stopped.
print(address[1], flush=True)
sys.stdin.readline()
stats = received(23)
print(stats["dropped_stale"], stats["dropped_unknown_address"], flush=True)
engine.close()
"""


def all_stopped(pid: int) -> bool:
    """Whether the stop has reached every thread of a process (proc(5), stat)."""
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads)


def test_media_that_waited_while_the_process_was_stopped_is_dropped() -> None:
    child = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", STOPPED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        address = ("127.0.0.1", int(child.stdout.readline()))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            child.send_signal(signal.SIGSTOP)
            while not all_stopped(child.pid):
                time.sleep(0.005)
            for sequence in range(20):
                sender.sendto(rtp(1, sequence), address)
            sender.sendto(b"\x16" + bytes(20), address)  # DTLS is not media
            time.sleep(2)  # what is being tested is that time has passed
            child.send_signal(signal.SIGCONT)
            child.stdin.write("\n")
            child.stdin.flush()
            sender.sendto(b"\x16" + bytes(20), address)
        assert child.stdout.readline() == "20 3\n"
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()
