from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from xml.etree.ElementTree import Element

import pytest

from tests.support.xmpp import ComponentStream, component_stream
from xmppconf.errors import LimitExceeded, NotAllowed, UsageError
from xmppconf.xmpp import stream as stream_module
from xmppconf.xmpp.stanza import STANZAS, StanzaError
from xmppconf.xmpp.stream import COMPONENT, Request, iq_handler, within_limits
from xmppconf.xmpp.xml import build, tag

NAME = tag("test:1", "query")
IQ = (
    "<iq type='get' id='r1' from='ann@example/web' to='focus.example'>"
    "<query xmlns='test:1'>{}</query></iq>"
)


@pytest.fixture
async def stream() -> AsyncIterator[ComponentStream]:
    async with component_stream("focus.example") as stream:
        yield stream


async def echo(request: Request) -> Element | None:
    return build("test:1", "query", {"from": str(request.sender)})


def condition(iq: Element) -> str:
    error = iq.find(tag(COMPONENT, "error"))
    assert error is not None
    [name] = [
        str(child.tag) for child in error if str(child.tag).startswith(f"{{{STANZAS}}}")
    ]
    return name.rpartition("}")[2]


async def test_a_request_is_answered_to_its_sender(stream: ComponentStream) -> None:
    iq_handler(stream.xmpp, NAME, ("get",), echo)
    [reply] = await stream.feed(IQ.format(""))
    assert reply.attrib == {
        "type": "result",
        "id": "r1",
        "to": "ann@example/web",
        "from": "focus.example",
    }
    assert reply[0].attrib == {"from": "ann@example/web"}


async def test_errors_carry_the_condition_and_no_text(stream: ComponentStream) -> None:
    async def refuse(_: Request) -> None:
        raise NotAllowed("the text is ours")

    async def fail(_: Request) -> None:
        raise KeyError("ours too")

    iq_handler(stream.xmpp, NAME, ("get",), refuse)
    iq_handler(stream.xmpp, tag("test:2", "query"), ("get",), fail)
    stream.xmpp.data_received(IQ.format(""))
    await asyncio.sleep(0.01)
    text = stream.take_text()
    assert "forbidden" in text
    assert 'type="auth"' in text
    assert "ours" not in text
    [reply] = await stream.feed(IQ.format("").replace("test:1", "test:2"))
    assert condition(reply) == "internal-server-error"


async def test_other_types_and_names_are_unavailable(stream: ComponentStream) -> None:
    iq_handler(stream.xmpp, NAME, ("set",), echo)
    [reply] = await stream.feed(IQ.format(""))
    assert condition(reply) == "service-unavailable"
    with pytest.raises(UsageError):
        iq_handler(stream.xmpp, NAME, ("get", "set"), echo)


async def test_pings_are_answered(stream: ComponentStream) -> None:
    [reply] = await stream.feed(
        "<iq type='get' id='p' from='example'><ping xmlns='urn:xmpp:ping'/></iq>"
    )
    assert reply.get("type") == "result"


@pytest.mark.parametrize(
    "content",
    ["x" * stream_module.MAX_STANZA, "<a>" * 30_000 + "</a>" * 30_000],
    ids=["large", "deep"],
)
async def test_a_large_or_deep_stanza_is_refused_and_the_next_one_answered(
    stream: ComponentStream, content: str
) -> None:
    iq_handler(stream.xmpp, NAME, ("get",), echo)
    replies = await stream.feed(IQ.format(content) + IQ.format(""))
    assert [reply.get("type") for reply in replies] == ["error", "result"]
    assert condition(replies[0]) == "policy-violation"
    assert stream.xmpp.stanzas_refused == 1
    assert not stream.wire.closed


async def test_a_document_type_ends_the_stream() -> None:
    for step in (1, 1000):
        async with component_stream("focus.example") as stream:
            stream.xmpp.init_parser()
            data = b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + b"<a>"
            for at in range(0, len(data), step):
                stream.xmpp.data_received(data[at : at + step])
            assert stream.wire.closed
            assert stream.xmpp.streams_refused >= 1


async def test_a_stanza_without_end_ends_the_stream(stream: ComponentStream) -> None:
    chunk = b"x" * 65536
    stream.xmpp.data_received(b"<message><body>")
    for _ in range(stream_module.MAX_PENDING // len(chunk) + 1):
        stream.xmpp.data_received(chunk)
    assert stream.wire.closed


async def test_many_small_stanzas_are_all_delivered(stream: ComponentStream) -> None:
    seen: list[Element] = []
    stream.xmpp.listen(presence=seen.append)
    data = "".join(
        f"<presence from='r@muc.example/{n}'><a/></presence>" for n in range(3000)
    )
    for at in range(0, len(data), 1400):
        stream.xmpp.data_received(data[at : at + 1400])
    assert len(seen) == 3000
    assert seen[0][0].tag == "{jabber:client}a"


async def test_presence_leaves_nothing_in_the_roster(stream: ComponentStream) -> None:
    before = len(stream.xmpp.roster["focus.example"])
    for n in range(50):
        await stream.feed(f"<presence from='r{n}@muc.example/a' to='focus.example'/>")
    assert len(stream.xmpp.roster["focus.example"]) == before


async def test_a_question_gets_its_answer_only_from_the_one_asked(
    stream: ComponentStream,
) -> None:
    task = asyncio.create_task(
        stream.xmpp.ask(
            "b@example/1", "get", build("test:1", "query"), sender="focus.example"
        )
    )
    [question] = await stream.settle()
    assert question.get("from") == "focus.example"
    answer = "<iq type='result' id='{}' from='{}'><query xmlns='test:1' a='{}'/></iq>"
    await stream.feed(answer.format(question.get("id"), "eve@example/1", "forged"))
    await stream.feed(answer.format("other", "b@example/1", "wrong"))
    assert not task.done()
    await stream.feed(answer.format(question.get("id"), "b@example/1", "right"))
    result = await task
    assert result is not None
    assert result.get("a") == "right"


async def test_a_question_ends_with_the_peers_error_or_with_time(
    stream: ComponentStream,
) -> None:
    task = asyncio.create_task(
        stream.xmpp.ask("b@example/1", "set", build("test:1", "query"))
    )
    [question] = await stream.settle()
    await stream.feed(
        f"<iq type='error' id='{question.get('id')}' from='b@example/1'>"
        f"<query xmlns='test:1'/><error type='cancel'><conflict xmlns='{STANZAS}'/>"
        f"<text xmlns='{STANZAS}'>no</text><error xmlns='x' reason='r'/></error></iq>"
    )
    with pytest.raises(StanzaError) as caught:
        await task
    assert caught.value.condition == "conflict"
    assert [extension.get("reason") for extension in caught.value.extensions] == ["r"]

    with pytest.raises(StanzaError) as caught:
        await stream.xmpp.ask("b@example/1", "get", build("a", "b"), timeout=0.01)
    assert caught.value.condition == "remote-server-timeout"

    task = asyncio.create_task(stream.xmpp.ask("b@example/1", "get", build("a", "b")))
    await stream.settle()
    stream.xmpp.connection_lost(None)
    with pytest.raises(StanzaError):
        await task


async def test_anothers_error_is_not_passed_on(stream: ComponentStream) -> None:
    async def ask_another(_: Request) -> Element | None:
        return await stream.xmpp.ask("b@example/1", "get", build("test:2", "query"))

    iq_handler(stream.xmpp, NAME, ("get",), ask_another)
    [question] = await stream.feed(IQ.format(""))
    [reply] = await stream.feed(
        f"<iq type='error' id='{question.get('id')}' from='b@example/1'>"
        f"<error type='cancel'><conflict xmlns='{STANZAS}'/><text>t</text>"
        """<x xmlns='"&lt;/'/></error></iq>"""
    )
    assert condition(reply) == "conflict"
    assert [len(error) for error in reply] == [1]


async def test_characters_that_xml_cannot_carry_do_not_reach_the_server(
    stream: ComponentStream,
) -> None:
    stream.xmpp.write(build("jabber:client", "message", None, text="a\x00\x0b\ud800b<"))
    [message] = stream.take()
    assert message.text == "ab<"


@pytest.mark.parametrize("to", ["focus.example", ""])
async def test_a_long_id_is_not_repeated(stream: ComponentStream, to: str) -> None:
    """Each quotation mark takes six bytes on the way back."""
    iq_handler(stream.xmpp, NAME, ("get",), echo)
    long = "&quot;" * 100_000
    for body in ("<ask xmlns='urn:test'/>", "<other xmlns='urn:test'/>", ""):
        request = f"<iq type='get' id='{long}' from='a@example/b' to='{to}'>{body}</iq>"
        assert await stream.feed(request) == []
    assert [r.get("type") for r in await stream.feed(IQ.format(""))] == ["result"]


async def test_a_stanza_too_large_for_servers_is_not_sent(stream: ComponentStream) -> None:
    large = build("jabber:client", "message", None, text="<" * stream_module.MAX_SENT)
    assert not stream.xmpp.write(large)
    assert stream.take() == []


async def test_what_is_told_leaves_nothing_behind(stream: ComponentStream) -> None:
    payload = build("urn:test", "ask")
    assert stream.xmpp.tell("b@example", "set", payload, sender="focus.example")
    [request] = stream.take()
    assert (request.get("type"), request.get("to")) == ("set", "b@example")
    assert stream.xmpp._asked == {}
    late = f"<iq type='result' id='{request.get('id')}' from='b@example'/>"
    assert await stream.feed(late) == []


async def test_requests_beyond_the_limit_are_refused(
    stream: ComponentStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "MAX_RUNNING", 1)
    gate = asyncio.Event()

    async def wait(_: Request) -> None:
        await gate.wait()

    iq_handler(stream.xmpp, NAME, ("get",), wait)
    [reply] = await stream.feed(IQ.format("") * 2)
    assert condition(reply) == "resource-constraint"
    gate.set()
    assert len(await stream.settle()) == 1
    monkeypatch.setattr(stream_module, "MAX_ASKED", 0)
    with pytest.raises(LimitExceeded):
        await stream.xmpp.ask("b@example", "get", build("a", "b"))


async def test_a_lost_connection_is_opened_again() -> None:
    connections: list[asyncio.StreamWriter] = []
    second = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        if len(connections) == 2:
            second.set()
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    component = stream_module.GuardedComponent("focus.example", "secret")
    component.open("127.0.0.1", port)
    await asyncio.wait_for(second.wait(), 10)
    await component.close()
    server.close()
    await server.wait_closed()
    assert len(connections) == 2


def test_limits_are_exact() -> None:
    flat = Element("a")
    flat.text = "x" * (stream_module.MAX_STANZA - 1)
    assert within_limits(flat)
    flat.tail = "x"
    assert not within_limits(flat)
    deep = node = Element("a")
    for _ in range(stream_module.MAX_DEPTH - 1):
        child = Element("a")
        node.append(child)
        node = child
    assert within_limits(deep)
    node.append(Element("a"))
    assert not within_limits(deep)
