"""The connection to the XMPP server, which one participant's stanza cannot take down.

slixmpp connects, encrypts and logs in.  Stanzas of an open session go through the tables
in here instead of its handlers: it would keep a roster entry for every room, search a list
for every answer, and log what it cannot read.
"""

from __future__ import annotations

import asyncio
import logging
import pyexpat
import random
import secrets
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from xml.etree.ElementTree import Element

from slixmpp import BaseXMPP
from slixmpp.clientxmpp import ClientXMPP
from slixmpp.componentxmpp import ComponentXMPP
from slixmpp.xmlstream.tostring import tostring

from xmppconf.errors import LimitExceeded, PeerError, UsageError
from xmppconf.jid import Jid, split
from xmppconf.xmpp.stanza import StanzaError, error_element, parse_error
from xmppconf.xmpp.xml import STREAM, build, local_name, namespace_of, strip_invalid, tag

#: Larger stanzas, in characters, and deeper ones are dropped unread.
MAX_STANZA = 128 * 1024
MAX_DEPTH = 64
#: No server sends this much without ending a stanza: drop the stream.
MAX_PENDING = 4 * 1024 * 1024
#: A server that does not read this much, in bytes, is as good as gone.
MAX_UNSENT = 16 * 1024 * 1024
#: Requests that are being answered at the same time.
MAX_RUNNING = 2000
#: Our own requests that wait for an answer.
MAX_ASKED = 5000
#: What an answer repeats of a request, in characters; a longer id is not answered.
MAX_REPEATED = 4096
#: Larger stanzas, in bytes, are not sent: servers end a component's stream for less than
#: twice as much.
MAX_SENT = 256 * 1024

_COMPLAINTS = {
    "connection_failed": "the XMPP server does not answer: see xmpp.host and its port",
    "ssl_invalid_chain": "the XMPP server's certificate cannot be trusted",
}

_STREAM_ENDED = "the XMPP server ended the stream: see the secret, and its own log"
_TWICE = "another process is connected to the XMPP server under this address"

MIN_RECONNECT = 0.5  # seconds; doubles up to the maximum, with jitter
MAX_RECONNECT = 15.0

COMPONENT = "jabber:component:accept"
_PING = "{urn:xmpp:ping}ping"

log = logging.getLogger(__name__)


Kind = Literal["get", "set"]


@dataclass(frozen=True, slots=True)
class Request:
    """An IQ of type get or set.  Decide who may ask from `sender`, which servers stamp."""

    sender: Jid
    to: Jid
    type: Kind
    payload: Element


Answer = Callable[[Request], Awaitable[Element | None]]


def within_limits(xml: Element) -> bool:
    """Whether a stanza is small and flat; walks it without recursion."""
    level, size = [xml], 0
    for _ in range(MAX_DEPTH):
        for node in level:
            size += len(node.tag) + len(node.text or "") + len(node.tail or "")
            size += sum(len(k) + len(v) for k, v in node.attrib.items())
        if size > MAX_STANZA:
            return False
        level = [child for node in level for child in node]
        if not level:
            return True
    return False


def warn_about_old_expat() -> None:
    """Log once if the XML parser is older than 2.6 (CVE-2023-52425)."""
    if pyexpat.version_info < (2, 6, 0):
        log.warning("expat %s is older than 2.6", ".".join(map(str, pyexpat.version_info)))


class GuardedStream(BaseXMPP):
    """What component and client have in common.

    Events of slixmpp that are of use: "session_start", "disconnected".  `stanza_refused`
    and `stream_refused` count what was dropped.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held = bytearray()
        self._pending = 0
        self._address: tuple[str, int] | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._failures = 0
        self._complaint = ""
        self._answers: dict[tuple[str, str], Answer] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._asked: dict[str, tuple[str, asyncio.Future[Element]]] = {}
        self._on_presence: Callable[[Element], None] | None = None
        self._on_message: Callable[[Element], None] | None = None
        self.session = asyncio.Event()
        """Set while stanzas can be sent."""
        self.stanzas_refused = 0
        self.streams_refused = 0
        self.enable_direct_tls = False
        self.auto_authorize = None
        self.auto_subscribe = False
        self.add_event_handler("session_start", self._started)
        for event, complaint in _COMPLAINTS.items():
            self.add_event_handler(event, partial(self._complain, complaint))
        self.add_event_handler("stream_error", self._stream_error)
        self.add_event_handler("disconnected", self._ended)
        iq_handler(self, _PING, ("get",), _answer_ping)

    # -- connection ---------------------------------------------------------------------
    def open(self, host: str, port: int) -> None:
        """Connect, and connect again whenever the connection is lost, until `close()`."""
        self._address = (host, port)
        self.connect(host, port)

    async def close(self) -> None:
        """End the stream and stay away."""
        self._address = None
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self.cancel_connection_attempt()
        for task in tuple(self._running):
            task.cancel()
        if self.transport is not None:
            await self.disconnect(wait=0.5, ignore_send_queue=True)
        if self.transport is not None:
            self.abort()
        filters = self._run_out_filters
        if filters is not None:
            filters.cancel()
            await asyncio.gather(filters, return_exceptions=True)
        await asyncio.gather(*self._running, return_exceptions=True)

    def reschedule_connection_attempt(self) -> asyncio.Future[Any] | None:
        if self._current_connection_attempt is None:
            return None
        self._connect_loop_wait = self._next_delay()
        self._current_connection_attempt = asyncio.ensure_future(
            self._connect_loop(), loop=self.loop
        )
        return self._current_connection_attempt

    def _next_delay(self) -> float:
        delay = min(MAX_RECONNECT, MIN_RECONNECT * 2.0 ** min(self._failures, 10))
        self._failures += 1
        # Many bridges lose one server at once; they shall not come back at once.
        return delay * random.uniform(0.5, 1.0)

    def _complain(self, complaint: str, _: object) -> None:
        """Tell the operator why there is no session; once, for attempts go on for ever."""
        if complaint != self._complaint:
            self._complaint = complaint
            log.warning("%s", complaint)
        if complaint == _COMPLAINTS["ssl_invalid_chain"]:
            self.abort()

    def _stream_error(self, error: Any) -> None:
        condition = error["condition"]
        self._complain(_TWICE if condition == "conflict" else _STREAM_ENDED, error)

    def _started(self, _: object) -> None:
        self._failures = 0
        self._complaint = ""
        self.session.set()

    def _ended(self, _: object) -> None:
        self.session.clear()
        asked, self._asked = self._asked, {}
        for _sender, future in asked.values():
            if not future.done():
                future.set_exception(StanzaError("remote-server-timeout"))
        if self._address is not None and self._retry is None:
            self._retry = self.loop.call_later(self._next_delay(), self._connect_again)

    def _connect_again(self) -> None:
        self._retry = None
        if self._address is not None and self.transport is None:
            self.connect(*self._address)

    # -- reading ------------------------------------------------------------------------
    def init_parser(self) -> None:
        super().init_parser()
        self._held = bytearray()
        self._pending = 0

    def data_received(self, data: bytes | str) -> None:
        raw = data.encode() if isinstance(data, str) else data
        self._held += raw
        self._pending += len(raw)
        document_type = self.xml_root is None and b"<!" in self._held
        if document_type or self._pending > MAX_PENDING:
            self.streams_refused += 1
            self._held.clear()
            self.abort()
        elif b">" in raw:  # Before expat 2.6 half a tag is read again each time.
            whole, self._held = bytes(self._held), bytearray()
            super().data_received(whole)

    def incoming_filter(self, xml: Element) -> Element:
        """Make a component's stanzas look like a client's, all the way down."""
        if xml.tag == tag(COMPONENT, "handshake"):
            return xml
        for node in xml.iter():
            if isinstance(node.tag, str) and node.tag.startswith("{" + COMPONENT + "}"):
                node.tag = tag(STREAM, node.tag[len(COMPONENT) + 2 :])
        return xml

    def _spawn_event(self, xml: Element) -> None:
        self._pending = 0
        if not within_limits(xml):
            self.stanzas_refused += 1
            self._refuse(xml)
            return
        xml = self.incoming_filter(xml)
        if not self._dispatch(xml):
            super()._spawn_event(xml)

    def _refuse(self, xml: Element) -> None:
        # Only the head of the stanza is looked at.
        head = {key: xml.get(key, "") for key in ("id", "from", "to", "type")}
        if local_name(xml) != "iq":
            return
        if head["type"] in ("get", "set"):
            self._reply(head, error_element(StanzaError("policy-violation")), "error")
        elif head["type"] in ("result", "error"):
            self._settle(head["id"], head["from"], StanzaError("policy-violation"))

    def _dispatch(self, xml: Element) -> bool:
        """Whether a stanza was for one of the tables in here."""
        if namespace_of(xml) != STREAM:
            return False
        kind, name = xml.get("type", ""), local_name(xml)
        if name == "iq":
            if kind in ("result", "error"):
                result = parse_error(xml) if kind == "error" else xml
                settled = self._settle(xml.get("id", ""), xml.get("from", ""), result)
                # slixmpp waits for answers only until the session is open.
                return settled or self.session.is_set()
            return self._answer(xml, kind)
        callback = {"presence": self._on_presence, "message": self._on_message}.get(name)
        if callback is not None:
            try:
                callback(xml)
            except PeerError:
                self.stanzas_refused += 1
            except Exception:
                log.exception("a %s was not handled", name)
        # Others would go into slixmpp's roster, which keeps an entry for ever.
        return name in ("presence", "message")

    # -- requests to us -----------------------------------------------------------------
    def _answer(self, xml: Element, kind: str) -> bool:
        payload = next(iter(xml), None)
        if kind not in ("get", "set"):
            return False
        head = {key: xml.get(key, "") for key in ("id", "from", "to")}
        answer = None if payload is None else self._answers.get((kind, str(payload.tag)))
        if payload is None or answer is None:
            unknown = StanzaError("service-unavailable")  # RFC 6120, 8.4
            self._reply(head, error_element(unknown), "error")
            return True
        if len(self._running) >= MAX_RUNNING:
            busy = LimitExceeded("running requests", MAX_RUNNING)
            self._reply(head, error_element(busy), "error")
            return True
        request = Request(
            split(head["from"]),
            split(head["to"]),
            "get" if kind == "get" else "set",
            payload,
        )
        task = self.loop.create_task(self._run(answer, request, head))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return True

    async def _run(self, answer: Answer, request: Request, head: dict[str, str]) -> None:
        try:
            result = await answer(request)
        except PeerError as error:
            self._reply(head, error_element(error), "error")
        except Exception:
            log.exception("a request was not answered")
            failed = StanzaError("internal-server-error")
            self._reply(head, error_element(failed), "error")
        else:
            self._reply(head, result, "result")

    def _reply(self, head: dict[str, str], payload: Element | None, kind: str) -> None:
        # Escaped once more, what somebody put into an id could be too much for the server.
        if any(len(value) > MAX_REPEATED for value in head.values()):
            self.stanzas_refused += 1
            return
        reply = build(STREAM, "iq", {"type": kind, "id": head["id"]})
        if head["from"]:
            reply.set("to", head["from"])
        if head["to"]:
            reply.set("from", head["to"])
        if payload is not None:
            reply.append(payload)
        self.write(reply)

    # -- requests of ours ---------------------------------------------------------------
    async def ask(
        self,
        to: str,
        kind: Kind,
        payload: Element,
        *,
        sender: str | None = None,
        timeout: float = 15.0,  # noqa: ASYNC109  (a protocol's limit, not the caller's)
    ) -> Element | None:
        """Send an IQ and return the payload of its result (None: it had none).

        `sender` is needed on a component.  Raises `StanzaError`: the peer's, or
        `remote-server-timeout` if no answer came in `timeout` seconds.
        """
        if len(self._asked) >= MAX_ASKED:
            raise LimitExceeded("requests without answer", MAX_ASKED)
        request_id = secrets.token_hex(8)
        request = _request(request_id, to, kind, payload, sender)
        future: asyncio.Future[Element] = self.loop.create_future()
        self._asked[request_id] = (to, future)
        try:
            if not self.write(request):
                raise StanzaError("remote-server-timeout")
            async with asyncio.timeout(timeout):
                result = await future
        except TimeoutError:
            raise StanzaError("remote-server-timeout") from None
        finally:
            self._asked.pop(request_id, None)
        return next(iter(result), None)

    def tell(
        self, to: str, kind: Kind, payload: Element, *, sender: str | None = None
    ) -> bool:
        """Send an IQ whose answer changes nothing; False if there is no connection."""
        return self.write(_request(secrets.token_hex(8), to, kind, payload, sender))

    def _settle(self, request_id: str, sender: str, result: Element | StanzaError) -> bool:
        waiting = self._asked.get(request_id)
        # Servers leave out their own address; anybody else must be the one we asked.
        if waiting is None or sender not in ("", waiting[0]):
            return False
        if not waiting[1].done():
            if isinstance(result, StanzaError):
                waiting[1].set_exception(result)
            else:
                waiting[1].set_result(result)
        return True

    # -- sending and listening ----------------------------------------------------------
    def write(self, stanza: Element) -> bool:
        """Send one stanza now; False if it is too large or there is no connection."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        if transport.get_write_buffer_size() > MAX_UNSENT:
            self.abort()
            return False
        text = tostring(stanza, xmlns=self.default_ns, stream=self, top_level=True)
        data = strip_invalid(text).encode()
        if len(data) > MAX_SENT:
            log.error("a stanza of %d bytes was not sent", len(data))
            return False
        transport.write(data)
        return True

    def listen(
        self,
        *,
        presence: Callable[[Element], None] | None = None,
        message: Callable[[Element], None] | None = None,
    ) -> None:
        """Who gets every presence and message; `PeerError`s from there are counted."""
        self._on_presence = presence
        self._on_message = message


class GuardedComponent(GuardedStream, ComponentXMPP):
    """A component (XEP-0114) that one participant's stanza cannot take down."""

    def __init__(self, domain: str, secret: str) -> None:
        # With the clients' namespace inside, stanzas look the same in every process.
        super().__init__(domain, secret, use_jc_ns=True)


class GuardedClient(GuardedStream, ClientXMPP):
    """An account's connection.

    With `verify` it logs in only over TLS and after a check of the server's certificate.
    Without, for loopback, TLS is used if the server offers it, and the password is proven
    (SCRAM) but never sent.  `setting` is where an operator finds the password.
    """

    def __init__(
        self, jid: str, password: str, *, verify: bool, setting: str = "bridge.password"
    ) -> None:
        login = {"encrypted_plain": verify, "unencrypted_scram": not verify}
        if verify:
            context = ssl.create_default_context()
        else:
            # Without the system's certificates, which take a tenth of a second to read.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        super().__init__(
            jid,
            password,
            plugin_config={"feature_mechanisms": login},
            ssl_context=context,
        )
        refused = f"the XMPP server refuses the account: see {setting}"
        self.add_event_handler("failed_all_auth", partial(self._complain, refused))


def _request(
    request_id: str, to: str, kind: Kind, payload: Element, sender: str | None
) -> Element:
    attributes = {"type": kind, "id": request_id, "to": to, "from": sender}
    return build(STREAM, "iq", attributes, payload)


async def _answer_ping(_: Request) -> None:
    """Servers end sessions that do not answer (XEP-0199)."""


def iq_handler(
    stream: GuardedStream,
    name: str,
    types: tuple[Kind, ...],
    coroutine: Answer,
) -> None:
    """Let `coroutine` answer IQs whose payload has that name in braces form.

    What it returns is the result's payload.  A `PeerError` becomes the stanza error of its
    condition, without its text; any other exception `internal-server-error`.  Calls start
    in the order of the stanzas.
    """
    for kind in types:
        if (kind, name) in stream._answers:
            raise UsageError("two handlers for one request")
        stream._answers[kind, name] = coroutine
