"""TURN on the gateway's port: messages, one connection, and whom it reaches."""

from __future__ import annotations

import random
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xmppconf_web.turn import connection, messages
from xmppconf_web.turn.connection import (
    Close,
    Effect,
    Forward,
    OpenRelay,
    Rules,
    TurnConnection,
    Write,
)
from xmppconf_web.turn.messages import Address, Attribute, Kind, Message, Method
from xmppconf_web.turn.peers import Bridges

from xmppconf.config import BridgeSettings, Settings, TurnSettings, WebSettings
from xmppconf.serve.ports import is_own_address
from xmppconf.turn import make_credentials, own_relay, password_of, server_from_url

BRIDGE = ("192.0.2.7", 10_000)
CLIENT = ("198.51.100.9", 40_000)
REALM = "meet.example"
USER, PASSWORD = "user", "password"
KEY = messages.long_term_key(USER, REALM, PASSWORD)
UDP = (Attribute.REQUESTED_TRANSPORT, bytes((17, 0, 0, 0)))
T = bytes(range(12))


# -- messages --------------------------------------------------------------------------


def test_long_term_credentials_of_rfc_5769() -> None:
    data = bytes.fromhex(
        "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe3"
        "82b900000015001c662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b"
        "6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666"
    )
    message = messages.read(data)
    key = messages.long_term_key("マトリックス", "example.org", "TheMatrIX")
    assert message.text(Attribute.USERNAME) == "マトリックス"
    assert message.text(Attribute.NONCE) == "f//499k954d6OL34oL9FSTvy64sA"
    assert messages.is_signed(message, key)
    assert not messages.is_signed(message, messages.long_term_key("x", "example.org", "y"))


@pytest.mark.parametrize(
    ("address", "value"),
    [
        (("192.0.2.1", 32853), "0001a147e112a643"),
        (
            ("2001:db8:1234:5678:11:2233:4455:6677", 32853),
            "0002a1470113a9faa5d3f179bc25f4b5bed2b9d9",
        ),
    ],
)
def test_addresses_of_rfc_5769(address: Address, value: str) -> None:
    transaction = bytes.fromhex("b7e7a701bc34d686fa87dfae")
    assert messages.address_value(address, transaction).hex() == value
    attribute = (Attribute.XOR_PEER_ADDRESS, bytes.fromhex(value))
    message = Message(Method.SEND, Kind.INDICATION, transaction, (attribute,))
    assert list(messages.read(messages.write(message)).addresses()) == [address]


@given(
    st.sampled_from(Method),
    st.sampled_from(Kind),
    st.lists(
        st.tuples(st.integers(0, 0xFFFF).filter(lambda n: n != 8), st.binary(max_size=40))
    ),
    st.binary(max_size=20),
)
def test_what_is_written_is_read(
    method: Method, kind: Kind, attributes: list[tuple[int, bytes]], key: bytes
) -> None:
    message = Message(method, kind, T, tuple(attributes))
    if len(attributes) > messages.MAX_ATTRIBUTES - 1:
        return
    back = messages.read(messages.write(message, key))
    assert (back.method, back.kind, back.transaction) == (method, kind, T)
    assert back.attributes[: len(attributes)] == tuple(attributes)
    assert messages.is_signed(back, key) == bool(key)


@given(st.binary(max_size=200), st.booleans())
def test_only_malformed_messages_are_refused(data: bytes, headed: bool) -> None:
    if headed:
        length = len(data) // 4 * 4
        data = struct.pack("!HHI", 3, length, messages.COOKIE) + T + data[:length]
    try:
        message = messages.read(data)
    except messages.MalformedMessage:
        return
    with suppress(messages.MalformedMessage):
        list(message.addresses())
    message.unknown()
    messages.is_signed(message, KEY)


# -- one connection --------------------------------------------------------------------


class Client:
    """What a client says to a connection, and what comes of it."""

    def __init__(self, bridges: Bridges | None = None) -> None:
        self.now = 100.0
        rules = Rules(
            REALM,
            {USER: PASSWORD}.get,
            bridges or Bridges(BridgeSettings(), (), lambda host: host == BRIDGE[0]),
        )
        self.machine = TurnConnection(rules, CLIENT, "nonce", self.now)
        self.transactions = 0

    def take(self) -> list[Effect]:
        return list(self.machine.effects())

    def say(self, data: bytes) -> list[Effect]:
        self.machine.receive(data, self.now)
        return self.take()

    def ask(
        self, method: int, *attributes: tuple[int, bytes], **login: Any
    ) -> list[Effect]:
        values = {"user": USER, "nonce": "nonce", "key": KEY} | login
        signed = (
            (Attribute.USERNAME, values["user"].encode()),
            (Attribute.REALM, REALM.encode()),
            (Attribute.NONCE, values["nonce"].encode()),
        )
        request = Message(method, Kind.REQUEST, T, (*attributes, *signed))
        return self.say(messages.write(request, values["key"]))

    def answer(self, method: int, *attributes: tuple[int, bytes], **login: Any) -> Message:
        return only_answer(self.ask(method, *attributes, **login))

    def allocate(self, *attributes: tuple[int, bytes]) -> Message:
        assert self.ask(Method.ALLOCATE, UDP, *attributes) == [OpenRelay(4)]
        self.machine.relay_opened(("203.0.113.1", 50_000), self.now)
        return only_answer(self.take())

    def permit(self, *hosts: str) -> Message:
        return self.answer(Method.CREATE_PERMISSION, *(peer((host, 1)) for host in hosts))

    def bind(self, number: int, address: Address = BRIDGE) -> Message:
        channel = (Attribute.CHANNEL_NUMBER, struct.pack("!HH", number, 0))
        return self.answer(Method.CHANNEL_BIND, channel, peer(address))


def peer(address: Address) -> tuple[int, bytes]:
    return Attribute.XOR_PEER_ADDRESS, messages.address_value(address, T)


def only_answer(effects: list[Effect]) -> Message:
    [write] = effects
    assert isinstance(write, Write)
    return messages.read(write.data)


def code(message: Message) -> int:
    """The error of an answer; 0 for a success."""
    if message.kind is Kind.SUCCESS:
        return 0
    value = message.get(Attribute.ERROR_CODE)
    assert message.kind is Kind.ERROR
    assert value is not None
    return value[2] * 100 + value[3]


def indication(address: Address, data: bytes) -> bytes:
    sent = Message(Method.SEND, Kind.INDICATION, T, (peer(address), (Attribute.DATA, data)))
    return messages.write(sent)


def channel_data(number: int, data: bytes) -> bytes:
    return struct.pack("!HH", number, len(data)) + data + bytes(-len(data) % 4)


def test_a_stranger_is_challenged_and_then_let_in() -> None:
    client = Client()
    unsigned = Message(Method.ALLOCATE, Kind.REQUEST, T, (UDP,))
    challenge = only_answer(client.say(messages.write(unsigned)))
    assert code(challenge) == 401
    assert challenge.text(Attribute.REALM) == REALM
    assert challenge.text(Attribute.NONCE) == "nonce"
    allocated = client.allocate()
    assert code(allocated) == 0
    assert messages.is_signed(allocated, KEY)
    relayed = messages.address_value(("203.0.113.1", 50_000), T)
    assert allocated.get(Attribute.XOR_RELAYED_ADDRESS) == relayed
    assert allocated.get(Attribute.XOR_MAPPED_ADDRESS) == messages.address_value(CLIENT, T)
    assert allocated.get(Attribute.LIFETIME) == struct.pack("!I", 600)


@pytest.mark.parametrize(
    ("login", "refusal"),
    [
        ({"user": "stranger"}, 401),
        ({"key": messages.long_term_key(USER, REALM, "wrong")}, 401),
        ({"nonce": "of before"}, 438),
        ({"user": ""}, 400),
    ],
)
def test_wrong_credentials_open_nothing(login: dict[str, Any], refusal: int) -> None:
    client = Client()
    assert code(client.answer(Method.ALLOCATE, UDP, **login)) == refusal
    assert code(client.answer(Method.CREATE_PERMISSION, peer(BRIDGE))) == 437
    assert client.say(indication(BRIDGE, b"x")) == []


@pytest.mark.parametrize(
    ("attributes", "refusal"),
    [
        ((), 400),
        (((Attribute.REQUESTED_TRANSPORT, bytes((6, 0, 0, 0))),), 442),
        ((UDP, (Attribute.REQUESTED_ADDRESS_FAMILY, bytes((3, 0, 0, 0)))), 440),
        ((UDP, (0x0018, bytes(4))), 420),  # EVEN-PORT
        ((UDP, (0x001A, b"")), 420),  # DONT-FRAGMENT
    ],
)
def test_what_an_allocation_may_not_be(
    attributes: tuple[tuple[int, bytes], ...], refusal: int
) -> None:
    answer = Client().answer(Method.ALLOCATE, *attributes)
    assert code(answer) == refusal
    assert messages.is_signed(answer, KEY)  # RFC 8489, 9.2.4


def test_one_connection_has_one_allocation_and_one_user() -> None:
    client = Client()
    client.allocate()
    assert code(client.answer(Method.ALLOCATE, UDP)) == 437
    other = messages.long_term_key("other", REALM, PASSWORD)
    assert code(client.answer(Method.REFRESH, user="other", key=other)) == 441


def test_datagrams_go_both_ways() -> None:
    client = Client()
    client.allocate()
    assert client.say(indication(BRIDGE, b"no permission yet")) == []
    assert code(client.permit(BRIDGE[0])) == 0
    assert client.say(indication(BRIDGE, b"hello")) == [Forward(BRIDGE, b"hello")]
    client.machine.datagram(BRIDGE, b"answer", client.now)
    [write] = client.take()
    assert isinstance(write, Write)
    assert write.media
    back = messages.read(write.data)
    assert (back.method, back.kind) == (Method.DATA, Kind.INDICATION)
    assert back.get(Attribute.DATA) == b"answer"
    assert list(back.addresses()) == [BRIDGE]


def test_channels_go_both_ways() -> None:
    client = Client()
    client.allocate()
    assert code(client.bind(0x4001)) == 0
    assert client.say(channel_data(0x4001, b"12345")) == [Forward(BRIDGE, b"12345")]
    assert client.say(channel_data(0x4002, b"12345")) == []
    client.machine.datagram(BRIDGE, b"abc", client.now)
    assert client.take() == [Write(channel_data(0x4001, b"abc"), media=True)]
    assert code(client.bind(0x4001)) == 0  # a refresh
    assert code(client.bind(0x4002)) == 400  # one peer, one channel
    assert code(client.bind(0x3FFF)) == 400


def test_in_whatever_pieces_the_stream_comes() -> None:
    client = Client()
    client.allocate()
    client.bind(0x4001)
    stream = b"".join(channel_data(0x4001, bytes(n)) for n in range(1, 40))
    stream += indication(BRIDGE, b"end")
    whole = [*(Forward(BRIDGE, bytes(n)) for n in range(1, 40)), Forward(BRIDGE, b"end")]
    assert client.say(stream) == whole
    assert [e for n in stream for e in client.say(bytes((n,)))] == whole


#: What a relay must not lead to, with a bridge's port too (ASVS 5.0, 17.1.1).
INSIDE = [
    *("0.0.0.0", "0.0.0.1", "10.0.0.1", "100.64.0.1", "127.0.0.1"),  # noqa: S104
    "169.254.169.254",
    *("172.16.0.1", "192.0.0.1", "192.168.1.1", "198.18.0.1", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "203.0.113.99"),
]


@pytest.mark.parametrize("host", INSIDE)
def test_nothing_but_a_bridge_is_reached(host: str) -> None:
    client = Client()
    client.allocate()
    assert code(client.permit(host)) == 403
    assert code(client.permit(BRIDGE[0], host)) == 403
    for port in (22, 80, 3478, 5222, 10_000):
        assert code(client.bind(0x4001, (host, port))) == 403
        client = Client()
        client.allocate()
        client.permit(BRIDGE[0])
        assert client.say(indication((host, port), b"x")) == []


@pytest.mark.parametrize(
    "host", ["::", "::1", "fc00::1", "fe80::1", "64:ff9b::a00:1", "ff02::1"]
)
def test_nothing_but_a_bridge_is_reached_by_ipv6(host: str) -> None:
    client = Client()
    family = (Attribute.REQUESTED_ADDRESS_FAMILY, bytes((2, 0, 0, 0)))
    assert client.ask(Method.ALLOCATE, UDP, family) == [OpenRelay(6)]
    client.machine.relay_opened(("2001:db8::1", 50_000), client.now)
    client.take()
    assert code(client.permit(host)) == 403
    assert code(client.permit(BRIDGE[0])) == 443


def test_an_ipv4_address_written_as_ipv6_is_what_it_is() -> None:
    client = Client()
    client.allocate()
    assert code(client.permit("::ffff:127.0.0.1")) == 403
    assert code(client.permit(f"::ffff:{BRIDGE[0]}")) == 0


def test_another_port_of_the_bridge_s_host_is_not_reached() -> None:
    client = Client()
    client.allocate()
    assert code(client.permit(BRIDGE[0])) == 0
    assert client.say(indication((BRIDGE[0], 22), b"x")) == []
    assert code(client.bind(0x4001, (BRIDGE[0], 22))) == 403


def test_only_the_bridge_is_heard() -> None:
    client = Client()
    client.allocate()
    client.bind(0x4001)
    for source in (("203.0.113.5", 10_000), (BRIDGE[0], 9_999)):
        client.machine.datagram(source, b"x", client.now)
    client.machine.datagram(BRIDGE, bytes(connection.MAX_PAYLOAD + 1), client.now)
    assert client.take() == []


def test_permissions_and_channels_end() -> None:
    client = Client()
    client.allocate((Attribute.LIFETIME, struct.pack("!I", 3_600)))
    client.permit(BRIDGE[0])
    client.now += connection.PERMISSION_LIFETIME
    assert client.say(indication(BRIDGE, b"x")) == []
    client.bind(0x4001)
    client.now += connection.CHANNEL_LIFETIME
    assert client.say(channel_data(0x4001, b"x")) == []
    client.machine.datagram(BRIDGE, b"x", client.now)
    assert client.take() == []


def test_who_signs_in_never_is_cut_off() -> None:
    client = Client()
    assert client.machine.next_timeout() == 100.0 + connection.SIGN_IN_TIMEOUT
    client.machine.timeout(client.now + connection.SIGN_IN_TIMEOUT)
    assert client.take() == [Close()]
    assert client.machine.next_timeout() is None


def test_an_allocation_lives_while_it_is_refreshed() -> None:
    client = Client()
    client.allocate()
    client.now += 500.0
    lifetime = (Attribute.LIFETIME, struct.pack("!I", 86_400))
    answer = client.answer(Method.REFRESH, lifetime)
    assert answer.get(Attribute.LIFETIME) == struct.pack("!I", connection.MAX_LIFETIME)
    client.machine.timeout(client.now + connection.MAX_LIFETIME - 1)
    assert client.take() == []
    client.machine.timeout(client.now + connection.MAX_LIFETIME)
    assert client.take() == [Close()]


def test_an_allocation_ends_when_it_is_given_back() -> None:
    client = Client()
    client.allocate()
    write, close = client.ask(Method.REFRESH, (Attribute.LIFETIME, bytes(4)))
    assert isinstance(write, Write)
    assert close == Close()


def test_who_guesses_is_cut_off() -> None:
    client = Client()
    for _ in range(connection.MAX_REFUSALS - 1):
        assert code(client.answer(Method.ALLOCATE, UDP, key=b"guess")) == 401
    assert client.ask(Method.ALLOCATE, UDP, key=b"guess")[-1] == Close()


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!HHI", 3, 0, 0) + T,  # no cookie
        struct.pack("!HHI", 3, 0xFFFC, messages.COOKIE) + T,
        struct.pack("!HH", 0x4001, 0xFFFF),
        b"\x80\x00\x00\x00",
        b"\xff" * 20,
        struct.pack("!HHI", 3, 4, messages.COOKIE) + T + struct.pack("!HH", 6, 100),
    ],
)
def test_a_stream_that_makes_no_sense_ends(data: bytes) -> None:
    assert Client().say(data) == [Close()]


def test_nobody_has_more_than_a_share() -> None:
    client = Client()
    client.allocate()
    client.bind(0x4001)
    data = channel_data(0x4001, bytes(1_000))
    passed = sum(len(client.say(data)) for _ in range(3_000))
    assert passed == connection.BYTES_PER_SECOND // 1_000
    client.now += 0.1
    assert len(client.say(data)) == 1


def test_who_asks_without_end_is_cut_off() -> None:
    client = Client()
    binding = messages.write(Message(Method.BINDING, Kind.REQUEST, T))
    for _ in range(int(connection.REQUESTS_AT_ONCE)):
        assert len(client.say(binding)) == 1
    assert client.say(binding) == [Close()]


def test_addresses_without_a_permission_are_not_even_looked_up() -> None:
    looked: list[str] = []

    def look(host: str) -> bool:
        looked.append(host)
        return True

    client = Client(Bridges(BridgeSettings(), (), look))
    client.allocate()
    for _ in range(3):
        assert client.say(indication(BRIDGE, b"x")) == []
    assert looked == []


def test_no_socket_is_an_answer() -> None:
    client = Client()
    client.ask(Method.ALLOCATE, UDP)
    client.machine.relay_opened(None, client.now)
    assert code(only_answer(client.take())) == 508
    assert code(client.allocate()) == 0


@given(st.lists(st.binary(max_size=64), max_size=20), st.integers(0, 2**32))
def test_no_bytes_after_the_login_break_it(pieces: list[bytes], seed: int) -> None:
    """Real messages with bytes changed, and noise: only documented effects come out."""
    client, chance = Client(), random.Random(seed)
    client.allocate()
    client.bind(0x4001)
    for piece in pieces:
        good = bytearray(
            chance.choice((indication(BRIDGE, piece), channel_data(0x4001, piece)))
        )
        for _ in range(chance.randrange(3)):
            good[chance.randrange(len(good))] = chance.randrange(256)
        for effect in client.say(bytes(good)):
            assert not isinstance(effect, Forward) or effect.address == BRIDGE


# -- where the bridge is -----------------------------------------------------------------


def test_behind_nat_the_public_address_leads_to_the_own_bridge() -> None:
    settings = BridgeSettings(
        public_addresses=("203.0.113.4",), udp_addresses=("10.0.0.4",), udp_port=10_001
    )
    bridges = Bridges(settings, (), lambda host: host == "10.0.0.4")
    assert bridges.reach(("203.0.113.4", 10_001)) == ("10.0.0.4", 10_001)
    assert bridges.reach(("10.0.0.4", 10_001)) == ("10.0.0.4", 10_001)
    assert bridges.reach(("10.0.0.4", 22)) is None
    client = Client(bridges)
    client.allocate()
    client.bind(0x4001, ("203.0.113.4", 10_001))
    forward = Forward(("10.0.0.4", 10_001), b"x")
    assert client.say(channel_data(0x4001, b"x")) == [forward]
    client.machine.datagram(("10.0.0.4", 10_001), b"y", client.now)
    assert client.take() == [Write(channel_data(0x4001, b"y"), media=True)]


def test_further_bridges_are_named() -> None:
    bridges = Bridges(
        BridgeSettings(), ("192.0.2.8:10000", "[2001:db8::8]:443"), lambda _: False
    )
    assert bridges.permits("192.0.2.8")
    assert not bridges.permits("192.0.2.9")
    assert bridges.reach(("192.0.2.8", 10_000)) == ("192.0.2.8", 10_000)
    assert bridges.reach(("192.0.2.8", 443)) is None
    assert bridges.reach(("2001:db8::8", 443)) == ("2001:db8::8", 443)


def test_addresses_of_this_machine() -> None:
    assert is_own_address("127.0.0.1")
    assert not is_own_address("192.0.2.1")
    assert not is_own_address("2001:db8::1")


# -- who is told of it ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "web_settings", "turn", "url"),
    [
        ("localhost", {"port": 8080}, {}, "turn:localhost:8080?transport=tcp"),
        (
            "meet.example",
            {"port": 443, "tls_certificate": "c", "tls_key": "k"},
            {},
            "turns:meet.example:443?transport=tcp",
        ),
        ("meet.example", {"public_url": "https://meet.example"}, {}, None),
        (
            "meet.example",
            {"public_url": "https://meet.example"},
            {"relay_url": "turns:turn.meet.example:443?transport=tcp"},
            "turns:turn.meet.example:443?transport=tcp",
        ),
        ("localhost", {}, {"relay": False}, None),
        ("localhost", {}, {"secret": ""}, None),
    ],
)
def test_how_clients_reach_it(
    domain: str, web_settings: dict[str, Any], turn: dict[str, Any], url: str | None
) -> None:
    settings = Settings(
        domain=domain,
        web=WebSettings(**web_settings),
        turn=TurnSettings(**{"secret": "s" * 32} | turn),
    )
    assert own_relay(settings) == (server_from_url(url) if url else None)


def test_credentials_hold_until_they_say() -> None:
    made = make_credentials("secret", 1_000.0, 60.0)
    assert password_of("secret", made.username, 1_059.0) == made.password
    assert password_of("secret", made.username, 1_060.0) is None
    assert password_of("other", made.username, 1_059.0) != made.password
    assert password_of("secret", "me", 0.0) is None
    assert make_credentials("secret", 1_000.0, 60.0).username != made.username
