"""The bridge channel over SCTP: one data channel inside an authenticated DTLS session.

aiortc's association does the protocol (RFC 8261, RFC 8831, RFC 8832).  Its peer is a
participant, not a stranger, but may be hostile: whatever it raises ends the channel and
nothing else, and what it may make us hold is bounded here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiortc import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport

from xmppconf_bridge.sctp_guard import may_parse

log = logging.getLogger(__name__)

PORT = 5000  # both ways; stock clients and focuses expect it
MAX_MESSAGE = 64 * 1024  # bytes, from the peer
MAX_PACKETS = 256  # packets waiting to be read
MAX_REASSEMBLY = 256 * 1024  # bytes of unfinished messages
MAX_STREAMS = 16  # streams on which the peer has sent
MAX_UNSENT = 1024 * 1024  # bytes waiting for a slow reader

_RECEIVE_WINDOW = 1024 * 1024  # aiortc's


class _Dtls:
    """What aiortc's association needs of a DTLS transport."""

    state = "connected"

    def __init__(self, send: Callable[[bytes], None], role: str) -> None:
        self._send = send
        self._role = role  # of SCTP, by which aiortc numbers its streams

    def _register_data_receiver(self, receiver: RTCSctpTransport) -> None:
        """Data reaches the association through `DataChannel.receive`."""

    def _unregister_data_receiver(self, receiver: RTCSctpTransport) -> None:
        """See `_register_data_receiver`."""

    async def _send_data(self, data: bytes) -> None:
        self._send(data)


class DataChannel:
    """The peer's one data channel.  Needs a running event loop; `close()` ends it.

    `on_close` is called once, however it ends, and not by `close()`.
    """

    def __init__(
        self,
        send: Callable[[bytes], None],
        on_open: Callable[[], None],
        on_message: Callable[[str], None],
        on_close: Callable[[], None],
        *,
        opens: bool = False,
    ) -> None:
        """`opens`: be the client and open the channel, as one of two bridges does."""
        self._opens = opens
        self._on_open = on_open
        self._on_message = on_message
        self._on_close = on_close
        self.rejected_channels = 0
        self._channel: RTCDataChannel | None = None
        self._closed = False
        self._packets: asyncio.Queue[bytes] = asyncio.Queue(MAX_PACKETS)
        dtls = _Dtls(send, "client" if opens else "server")
        self._sctp = RTCSctpTransport(dtls, port=PORT)  # type: ignore[arg-type]
        self._sctp.on("datachannel", self._opened)
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def is_open(self) -> bool:
        return (
            not self._closed
            and self._channel is not None
            and self._channel.readyState == "open"
        )

    def receive(self, packet: bytes) -> None:
        """Take one SCTP packet; dropped when too many wait, SCTP sends it again."""
        if not self._closed and not self._packets.full() and may_parse(packet):
            self._packets.put_nowait(packet)

    def send(self, text: str) -> None:
        """Send a message; without an open channel it is dropped."""
        if not self.is_open or self._channel is None:
            return
        if self._channel.bufferedAmount > MAX_UNSENT:
            self._fail("the peer reads too slowly")
            return
        self._channel.send(text)

    def abandon(self) -> None:
        """End it because the peer breaks the rules."""
        self._fail("the peer sends too much")

    def close(self) -> None:
        """End the association with an abort; idempotent."""
        if not self._closed:
            self._closed = True
            self._task.cancel()

    async def _run(self) -> None:
        try:
            await self._sctp.start(RTCSctpCapabilities(maxMessageSize=0), PORT)
            if self._opens:
                self._open()
            while not self._closed:
                await self._sctp._handle_data(await self._packets.get())
                self._check_bounds()
                if self._sctp.state == "closed":
                    self._fail("the association ended")
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # aiortc asserts on what a peer sends; only this peer's channel may suffer.
            self._fail(f"the association failed: {type(error).__name__}")
        finally:
            await self._sctp.stop()

    def _open(self) -> None:
        # Stock bridges call it so, on stream 0.
        channel = RTCDataChannel(self._sctp, RTCDataChannelParameters(label="default"))
        channel.on("open", lambda: self._opened(channel))

    def _check_bounds(self) -> None:
        if self._sctp._advertised_rwnd < _RECEIVE_WINDOW - MAX_REASSEMBLY:
            self._fail("too much unfinished data")
        if len(self._sctp._inbound_streams) > MAX_STREAMS:
            self._fail("too many streams")

    def _opened(self, channel: RTCDataChannel) -> None:
        if self._channel is not None:
            self.rejected_channels += 1
            return
        self._channel = channel
        channel.on("message", self._message)
        channel.on("close", self._channel_closed)
        self._on_open()

    def _message(self, message: str | bytes) -> None:
        if self._closed or isinstance(message, bytes):
            return
        if len(message) > MAX_MESSAGE:
            self._fail("a message is too large")
            return
        self._on_message(message)

    def _channel_closed(self) -> None:
        self._fail("the peer closed the channel")

    def _fail(self, reason: str) -> None:
        if self._closed:
            return
        log.debug("data channel: %s", reason)
        self._closed = True
        if asyncio.current_task() is not self._task:
            self._task.cancel()
        self._on_close()
