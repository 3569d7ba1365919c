from __future__ import annotations

import asyncio
import hmac
import zlib
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.support import hostile


class Count(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.got: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.got.append(data)
        self.transport.sendto(b"12345", addr)


async def test_everything_arrives_and_answers_are_counted() -> None:
    loop = asyncio.get_running_loop()
    transport, count = await loop.create_datagram_endpoint(Count, ("127.0.0.1", 0))
    datagrams = [b"", b"a", bytes(65_507)]
    answered = await hostile.pester(transport.get_extra_info("sockname"), iter(datagrams))
    assert count.got == datagrams
    assert (answered.sent, answered.received, answered.count) == (65_508, 15, 3)
    transport.close()
    await asyncio.sleep(0)


async def test_strangers_stay_on_this_machine() -> None:
    with pytest.raises(ValueError, match="loopback"):
        await hostile.pester(("192.0.2.1", 9), iter([b""]))


def test_the_stranger_knows_every_kind() -> None:
    firsts = {datagram[:1] for datagram in hostile.stranger(1, user="a:b")}
    assert {b"", b"\x00", b"\x01", b"\x16", b"\x80", b"\xbf"} <= firsts
    assert b"" in set(hostile.stranger(1))


def test_the_fingerprint_is_the_standards() -> None:
    message = hostile.stun(attributes=((6, b"user"),))
    assert int.from_bytes(message[2:4], "big") == len(message) - 20
    assert int.from_bytes(message[-4:], "big") == zlib.crc32(message[:-8]) ^ 0x5354554E


def test_a_check_has_the_integrity_of_the_standard() -> None:
    message = bytes(hostile.check("them:us", "password", attributes=((6, b"them:us"),)))
    assert zlib.crc32(message[:-8]) ^ 0x5354554E == int.from_bytes(message[-4:], "big")
    until = message[:-32]
    signed = until[:2] + (len(until) - 20 + 24).to_bytes(2, "big") + until[4:]
    assert message[-28:-8] == hmac.digest(b"password", signed, "sha1")


def test_each_wrong_check_is_another_than_the_right_one() -> None:
    wrong = dict(hostile.one_thing_wrong("local:remote", "password"))
    assert len(set(wrong.values())) == len(wrong) > 100


def test_hostile_stanzas_are_well_formed() -> None:
    stanzas = [
        ElementTree.fromstring(text) for text in hostile.hostile_stanzas("focus@x/y")
    ]
    assert {stanza.tag for stanza in stanzas} == {"iq", "message", "presence"}
