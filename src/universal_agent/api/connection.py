"""How slowly may a request arrive, and how large may its head be before it is complete?

The layers inside see a request once its head is complete, and its body as far as it has come. What
never completes stays with the server, which would keep it, and all that has come of it, for ever.
"""

import asyncio
import socket
from enum import Enum, auto
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from universal_agent.api.limits import MAX_HEAD_BYTES
from universal_agent.clock import Cancellable, Clock

#: Seconds from the first byte of a request, or from the connection on, to the end of its head.
HEAD_SECONDS = 10.0
#: Seconds from there to the end of its body.
BODY_SECONDS = 30.0

_TOO_SLOW = b"""\
HTTP/1.1 408 Request Timeout\r
content-type: application/problem+json\r
connection: close\r
\r
{"type":"urn:universal-agent:problem:too-slow","title":"Too slow","status":408,\
"detail":"expected a head within 10 seconds, and its body within 30 more"}"""

_TOO_LARGE = b"""\
HTTP/1.1 431 Request Header Fields Too Large\r
content-type: application/problem+json\r
connection: close\r
\r
{"type":"urn:universal-agent:problem:head-too-large","title":"Headers too large","status":431,\
"detail":"The request line and headers together are larger than 16 KiB."}"""


#: What an answer that goes on for ever calls through its scope's `extensions`, where it is there.
HOLD_LITTLE = "universal_agent.hold_little"

#: Bytes that the system then takes ahead of the client; by itself it would take megabytes.
_STREAM_BYTES = 64 * 1024

#: Bytes that are joined at most.
_JOINED_BYTES = 64 * 1024


class _Awaited(Enum):
    """What is to come next of a request."""

    FIRST_BYTE = auto()
    HEAD = auto()
    BODY = auto()
    NOTHING = auto()
    #: The client's end of a connection that was given up; what still comes is not looked at.
    END = auto()


def bounded_protocol(clock: Clock) -> type[asyncio.Protocol]:
    """uvicorn's HTTP protocol, with limits to the size of a head and to the time a request takes.

    For `uvicorn.Config(http=...)`. A request that arrives in one piece sets no alarm.
    """

    class BoundedProtocol(_BoundedProtocol):
        _clock = clock

    return BoundedProtocol


class _Joining:
    """A transport that sends what was written in one turn of the event loop in one piece.

    uvicorn writes the head of an answer and its body by themselves: two calls of the kernel, two
    packets, and a client that is woken twice.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _JOINED_BYTES:
            self._flush()  # a writer that never waits must come to feel that the client is slow

    def write_eof(self) -> None:
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._flush()
        self._transport.set_protocol(protocol)

    def _flush(self) -> None:
        if self._pieces:
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
            self._transport.write(data)


class _BoundedProtocol(HttpToolsProtocol):
    _clock: Clock
    _alarm: Cancellable | None = None
    _awaited = _Awaited.NOTHING
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Joining(transport))  # type: ignore[arg-type]
        self._await(_Awaited.FIRST_BYTE)
        self._set_alarm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._await(_Awaited.NOTHING)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._awaited is _Awaited.END:
            return
        was_in_head = self._awaited is _Awaited.HEAD
        super().data_received(data)
        # What came together with the end of another request is not counted: it is not known where
        # in it this head begins, and it is no more than what is read at once.
        if was_in_head and self._awaited is _Awaited.HEAD:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._give_up(_TOO_LARGE)
        self._set_alarm()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await(_Awaited.HEAD)
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._await(_Awaited.BODY)
        self._say_the_absolute_host()
        self.scope["extensions"] = {HOLD_LITTLE: {"call": self._hold_little}}
        super().on_headers_complete()

    def _hold_little(self) -> None:
        """Have the system keep no more than a stream needs for a client that does not read."""
        wire = self.transport.get_extra_info("socket")
        if wire is not None:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _STREAM_BYTES)

    def on_message_complete(self) -> None:
        self._await(_Awaited.NOTHING)
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._await(_Awaited.NOTHING)
        super().handle_websocket_upgrade()

    def _await(self, what: _Awaited) -> None:
        if what is self._awaited:
            return
        self._awaited = what
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _set_alarm(self) -> None:
        if self._alarm is None and self._awaited is not _Awaited.NOTHING:
            seconds = BODY_SECONDS if self._awaited is _Awaited.BODY else HEAD_SECONDS
            self._alarm = self._clock.call_later(seconds, self._is_too_slow)

    def _is_too_slow(self) -> None:
        self._alarm = None
        if self.pipeline:
            # It waits for the answer to the request before it, and is not read meanwhile.
            self._set_alarm()
        else:
            self._give_up(_TOO_SLOW)
            self._set_alarm()

    def _give_up(self, answer: bytes) -> None:
        """End the connection: with an answer if the client waits for that one, else at once."""
        # There is no cycle before the first request, whatever uvicorn's annotation says.
        cycle: RequestResponseCycle | None = self.cycle
        match self._awaited:
            case _Awaited.HEAD:
                is_next = cycle is None or cycle.response_complete
            case _Awaited.BODY:
                is_next = cycle is not None and not cycle.response_started
            case _:
                is_next = False
        self._await(_Awaited.END)
        if is_next:
            # To close at once would reset a client that is still sending, before it has read this.
            self.transport.write(answer)
            self.transport.write_eof()
        else:
            self.transport.close()

    def _say_the_absolute_host(self) -> None:
        """Add the host of a target like `http://other/path` to the Host header it contradicts.

        Two of them are refused by the access layer.
        """
        if self.url.startswith(b"/"):
            return
        host = self.url.partition(b"://")[2].partition(b"/")[0]
        if host and (b"host", host) not in self.headers:
            self.headers.append((b"host", host))
